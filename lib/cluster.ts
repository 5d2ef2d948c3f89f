/**
 * What an application holds: the cluster, its nodes and its links. Everything here works over a
 * {@link ClusterHost}, so it is the same on threads and in the simulator.
 */
import { type ActorAddress, nodeAddress } from './address.ts';
import { Bucket, type BucketEnvironment, type BucketOptions } from './bucket.ts';
import { type ClusterConfig, nearestName, readOptions, show } from './config.ts';
import { type ErrorCode, RingletError } from './errors.ts';
import type { LinkCounters } from './network/link.ts';
import type { Verdict } from './network/network.ts';
import {
  type EnvelopeFilter,
  type LinkSettings,
  type MessageRuleOptions,
  type NetworkCommandOptions,
  type RuleVerdict,
  resolveCommand,
} from './network/rules.ts';
import { kindName, MessageKind, type MessageKindName } from './protocol/messages.ts';
import type { ClusterHost, HostEvent } from './runtime/host.ts';

/** What a cluster reports while it runs. */
export type ClusterEvent =
  | {
      readonly type: 'member';
      readonly node: string;
      readonly status: 'up' | 'down';
      readonly reason: string;
    }
  | {
      readonly type: 'store';
      readonly node: string;
      /** `rolled-back` and `quarantined` mean that this node lost records; the others still have them. */
      readonly status: 'recovered' | 'rolled-back' | 'quarantined';
      readonly detail: string;
    };

/** Names of nodes and their addresses. */
export class NodeNames {
  readonly ids: readonly string[];
  private readonly addresses: Map<string, ActorAddress>;

  constructor(ids: readonly string[]) {
    this.ids = ids;
    this.addresses = new Map(ids.map((id, index) => [id, nodeAddress(index)]));
  }

  /** @throws {RingletError} `code`, with the nearest name */
  addressOf(id: string, code: ErrorCode): ActorAddress {
    const address = this.addresses.get(id);
    if (address !== undefined) return address;
    const near = typeof id === 'string' ? nearestName(id, this.ids) : null;
    const hint = near === null ? '' : `, did you mean ${show(near)}?`;
    throw new RingletError(code, `there is no node ${show(id)}${hint}`);
  }

  idOf(address: ActorAddress): string {
    return this.ids[address]!;
  }
}

/** Which messages between nodes a rule or an observer chooses. Absent means any. */
export interface MessageFilter {
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly kinds?: readonly MessageKindName[];
}

/** A verdict as an observer sees it. */
export interface ObservedVerdict {
  readonly from: string;
  readonly to: string;
  readonly kind: MessageKindName;
  /** Milliseconds on the sending thread's clock. */
  readonly timeMs: number;
  readonly verdict: Verdict;
}

/** What became of the messages on one link while any fault, rule or observer was in place. */
export interface LinkStats extends Omit<LinkCounters, 'source' | 'target'> {
  readonly from: string;
  readonly to: string;
}

/** One direction of one link. */
export interface LinkControl {
  /** Replaces the link's settings. @throws {RingletError} RINGLET_FAULT_SPEC */
  set(settings: Partial<LinkSettings>): Promise<void>;
  /** Returns the link to the default settings. */
  reset(): Promise<void>;
  /** Keeps all that is sent from now on. */
  hold(): Promise<void>;
  /** Ends {@link hold} and delivers what it kept, in order. */
  release(): Promise<void>;
}

/** What the links need of a host. */
export type NetworkHost = Pick<
  ClusterHost<unknown>,
  'applyNetwork' | 'observeNetwork' | 'networkCounters'
>;

/**
 * The links between the nodes, which fail on command. Clients reach every node, whatever is set here. All methods
 * resolve when every thread has taken the change.
 */
export class ClusterNetwork {
  private readonly names: NodeNames;
  private readonly host: NetworkHost;

  /** Use `cluster.network`. */
  constructor(names: NodeNames, host: NetworkHost) {
    this.names = names;
    this.host = host;
  }

  /** Cuts all links between groups of nodes; nodes that are not named form one more group. Replaces an earlier partition. */
  async partition(groups: readonly (readonly string[])[]): Promise<void> {
    const lists = checkList(groups, 'lists of node ids');
    await this.apply({ type: 'partition', groups: lists.map((ids) => this.addresses(ids)) });
  }

  /** Cuts the links from each of `from` to each of `to`, and not the ways back. */
  async block(from: readonly string[], to: readonly string[]): Promise<void> {
    const [sources, targets] = [this.addresses(from), this.addresses(to)];
    await this.apply({ type: 'block', sources, targets });
  }

  /** Undoes {@link block}. */
  async unblock(from: readonly string[], to: readonly string[]): Promise<void> {
    const [sources, targets] = [this.addresses(from), this.addresses(to)];
    await this.apply({ type: 'unblock', sources, targets });
  }

  /** The link from one node to another. */
  link(from: string, to: string): LinkControl {
    const [source, target] = [this.address(from), this.address(to)];
    return {
      set: (settings) => this.apply({ type: 'set-link', source, target, settings }),
      reset: () => this.apply({ type: 'reset-link', source, target }),
      hold: () => this.apply({ type: 'hold', source, target }),
      release: () => this.apply({ type: 'release', source, target }),
    };
  }

  /** Settings for all links that have none of their own; `null` undoes it. */
  async setDefault(settings: Partial<LinkSettings> | null): Promise<void> {
    await this.apply(
      settings === null ? { type: 'reset-default' } : { type: 'set-default', settings },
    );
  }

  /**
   * Adds a rule for certain messages; the first rule that chooses a message has its way.
   *
   * @returns a function that removes it.
   */
  async rule(
    id: string,
    filter: MessageFilter,
    verdict: RuleVerdict,
    options: { readonly probability?: number } = {},
  ): Promise<() => Promise<void>> {
    const given = readOptions('rule option', options, { probability: true });
    const rule: MessageRuleOptions = { ...given, ...this.filter(filter), verdict };
    await this.apply({ type: 'rule', id, rule });
    return () => this.apply({ type: 'remove-rule', id });
  }

  /** Undoes every fault and rule and delivers what was held. */
  async heal(): Promise<void> {
    await this.apply({ type: 'heal' });
  }

  /** Calls `listener` at every verdict on the messages that `filter` chooses. @returns a function that ends it. */
  async observe(
    filter: MessageFilter,
    listener: (event: ObservedVerdict) => void,
  ): Promise<() => Promise<void>> {
    checkListener(listener);
    return this.host.observeNetwork(this.filter(filter), (event) =>
      listener({
        from: this.names.idOf(event.source),
        to: this.names.idOf(event.target),
        kind: kindName(event.kind),
        timeMs: event.timeMs,
        verdict: event.verdict,
      }),
    );
  }

  /** Counters of all links that were judged. A quiet network judges, and counts, nothing. */
  async counters(): Promise<LinkStats[]> {
    const counters = await this.host.networkCounters();
    return counters.map(({ source, target, ...counts }) => ({
      from: this.names.idOf(source),
      to: this.names.idOf(target),
      ...counts,
    }));
  }

  private async apply(command: NetworkCommandOptions): Promise<void> {
    await this.host.applyNetwork(resolveCommand(command, this.names.ids.length));
  }

  private filter(filter: MessageFilter): EnvelopeFilter {
    const { from, to, kinds } = readOptions('filter option', filter, filterOptionNames);
    return {
      sources: from === undefined ? null : this.addresses(from),
      targets: to === undefined ? null : this.addresses(to),
      kinds: kinds === undefined ? null : checkList(kinds, 'message kinds').map(kindOf),
    };
  }

  private address(id: string): ActorAddress {
    return this.names.addressOf(id, 'RINGLET_FAULT_SPEC');
  }

  private addresses(ids: readonly string[]): ActorAddress[] {
    return checkList(ids, 'node ids').map((id) => this.address(id));
  }
}

const filterOptionNames = { from: true, to: true, kinds: true } as const;

function checkList<T>(list: readonly T[], what: string): readonly T[] {
  if (Array.isArray(list)) return list;
  throw new RingletError('RINGLET_FAULT_SPEC', `got ${show(list)}, expected a list of ${what}`);
}

function checkListener(listener: unknown): void {
  if (typeof listener === 'function') return;
  const problem = `listener: got ${show(listener)}, expected a function`;
  throw new RingletError('RINGLET_OPTION_INVALID', problem);
}

function kindOf(name: MessageKindName): MessageKind {
  const kind: MessageKind | undefined = MessageKind[name];
  if (kind !== undefined) return kind;
  const near = nearestName(String(name), Object.keys(MessageKind));
  const hint = near === null ? '' : `, did you mean ${near}?`;
  throw new RingletError('RINGLET_FAULT_SPEC', `there is no message kind ${show(name)}${hint}`);
}

/** What a host's statistics have to offer for one node to be found in them. */
export interface HostThreadStats<NodeStats> {
  readonly nodes: readonly NodeStats[];
}

/** One node of a running cluster. */
export class ClusterNode<NodeStats> {
  readonly id: string;
  private readonly address: ActorAddress;
  private readonly host: ClusterHost<readonly HostThreadStats<NodeStats>[]>;

  /** Use `cluster.node(id)`. */
  constructor(
    id: string,
    address: ActorAddress,
    host: ClusterHost<readonly HostThreadStats<NodeStats>[]>,
  ) {
    this.id = id;
    this.address = address;
    this.host = host;
  }

  /** False after {@link kill}, and while the node's thread or store has failed. */
  get isUp(): boolean {
    return this.host.isUp(this.address);
  }

  /** Stops the node at once, as a crash would: what its store had not committed is gone, and nobody hears from it. */
  async kill(): Promise<void> {
    await this.host.killNode(this.address);
  }

  /** Starts the node again from its store, and its thread if that has ended; kills it first if it runs. */
  async restart(): Promise<void> {
    await this.host.restartNode(this.address);
  }

  /** Stops the node without a trace, as a long garbage collection would: mail and timers wait, within their limits. */
  async pause(): Promise<void> {
    await this.host.pauseNode(this.address);
  }

  async resume(): Promise<void> {
    await this.host.resumeNode(this.address);
  }

  /** Puts the node's wall clock off by this much, for last-writer-wins, until told otherwise: a restart does not mend it. */
  async skewClock(skewMs: number): Promise<void> {
    if (!Number.isFinite(skewMs)) {
      const problem = `skewMs: got ${show(skewMs)}, expected a number of milliseconds`;
      throw new RingletError('RINGLET_OPTION_INVALID', problem);
    }
    await this.host.skewClock(this.address, skewMs);
  }

  /** Gauges and counters since the node started; `null` while it is down. */
  async stats(): Promise<NodeStats | null> {
    const nodes = (await this.host.stats()).flatMap((thread) => thread.nodes);
    return nodes.find((node) => (node as { address?: unknown }).address === this.address) ?? null;
  }
}

/** What the public entry puts together. */
export interface ClusterParts<NodeStats> {
  readonly config: ClusterConfig;
  readonly host: ClusterHost<readonly HostThreadStats<NodeStats>[]>;
  readonly environment: BucketEnvironment;
  /** Where the nodes' files are. */
  readonly dataDir: string;
  readonly openEvents: readonly HostEvent[];
}

/** Cluster of nodes that runs. See `Cluster.open` of the public entry. */
export class RunningCluster<NodeStats> {
  /** Ids of all nodes, in the order of their addresses. */
  readonly nodeIds: readonly string[];
  /** The options with all defaults filled in. */
  readonly config: ClusterConfig;
  /** Where the nodes' files are. */
  readonly dataDir: string;
  /** What happened while it opened: each node came up, and its store was perhaps not as it was left. */
  readonly openEvents: readonly ClusterEvent[];
  /** The links between the nodes. */
  readonly network: ClusterNetwork;
  private readonly host: ClusterHost<readonly HostThreadStats<NodeStats>[]>;
  private readonly environment: BucketEnvironment;
  private readonly names: NodeNames;
  private readonly listeners = new Set<(event: ClusterEvent) => void>();
  private closing: Promise<void> | null = null;

  constructor(parts: ClusterParts<NodeStats>) {
    this.config = parts.config;
    this.dataDir = parts.dataDir;
    this.host = parts.host;
    this.environment = parts.environment;
    this.nodeIds = Object.freeze(parts.config.nodes.map(({ id }) => id));
    this.names = new NodeNames(this.nodeIds);
    this.network = new ClusterNetwork(this.names, parts.host);
    this.openEvents = Object.freeze(parts.openEvents.map((event) => this.publicEvent(event)));
  }

  /**
   * A bucket: a name space with a codec, quorums and a resolver of its own. Buckets need no creation; the same name with the
   * same options is the same bucket.
   *
   * @param name Text of 1 to 64 bytes.
   * @throws {RingletError} RINGLET_OPTION_INVALID, RINGLET_OPTION_UNKNOWN, RINGLET_OPTION_N, RINGLET_QUORUM_IMPOSSIBLE
   * @example const carts = cluster.bucket('carts', { codec: json<Cart>(), resolve: mergeCarts });
   */
  bucket<T = Uint8Array>(name: string, options: BucketOptions<T> = {}): Bucket<T> {
    return new Bucket<T>(name, options, this.environment);
  }

  /** A node of this cluster. @throws {RingletError} RINGLET_NODE_UNKNOWN */
  node(id: string): ClusterNode<NodeStats> {
    return new ClusterNode(id, this.names.addressOf(id, 'RINGLET_NODE_UNKNOWN'), this.host);
  }

  /** Gauges and counters of all threads and their nodes. */
  stats(): Promise<readonly HostThreadStats<NodeStats>[]> {
    return this.host.stats();
  }

  /** Calls `listener` at every event. @returns a function that ends it. */
  onEvent(listener: (event: ClusterEvent) => void): () => void {
    checkListener(listener);
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  /** Takes an event of the host. Called by the public entry. */
  dispatch(event: HostEvent): void {
    const published = this.publicEvent(event);
    // Each on its own: one that throws must not stop the host in the middle of a change.
    for (const listener of this.listeners) {
      queueMicrotask(() => {
        if (this.listeners.has(listener)) listener(published);
      });
    }
  }

  private publicEvent({ member, ...rest }: HostEvent): ClusterEvent {
    return { ...rest, node: this.names.idOf(member) };
  }

  /**
   * Ends requests under way, closes all stores in good order and releases the folder. Calling it again waits for the same end.
   *
   * @throws {RingletError} what the closing of a store throws, after everything is released
   */
  close(): Promise<void> {
    this.closing ??= this.host.close();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
