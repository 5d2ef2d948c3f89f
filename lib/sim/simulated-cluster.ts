/**
 * A simulated cluster for people: a {@link World} with buckets, promises and names. Faults and time are in the caller's
 * hands, a run is a function of its seed and of what the caller does, and at any instant it can be forked.
 *
 * Promises and virtual time meet in one place, {@link SimulatedCluster.advance}: the world runs until a request ends, then
 * callers go on at that same instant until they wait again.
 *
 * Invariant: between two steps of the world, callers have had their say about all that the first one ended.
 */
import { bucketPrefix, type PartitionId, type RecordKey, recordKey } from '../address.ts';
import { unreachable } from '../assert.ts';
import { Bucket, type BucketOptions } from '../bucket.ts';
import { type ClusterEvent, ClusterNetwork, type NetworkHost, NodeNames } from '../cluster.ts';
import { type ClusterConfig, type ClusterOptions, checkNumber, checkWhole } from '../config.ts';
import { messageOf, RingletError } from '../errors.ts';
import { binaryKey, type Key } from '../key.ts';
import type { LinkSettings, NetworkCommandOptions } from '../network/rules.ts';
import { partitionOf } from '../ring/ring.ts';
import { RecordedClient } from './recorded-client.ts';
import { type FaultSource, RecordedWorld } from './recorded-world.ts';
import { type ReplicaView, viewRecord } from './replica-view.ts';
import type { RequestWatch } from './request-watch.ts';
import { SimulatedNode } from './simulated-node.ts';
import { isEqualEverywhere, type StoredKey, storedKeys } from './stored-keys.ts';
import { joinObservers } from './world/observers.ts';
import type { SchedulerOptions } from './world/scheduler.ts';
import { createTraceFilter, Trace } from './world/trace.ts';
import { type Failure, type NodeEvent, World, type WorldObserver } from './world/world.ts';

/** What looks on. Changes nothing. */
export interface SimulatedClusterHooks {
  /** Takes the trace line by line: every message, turn, commit and fault. */
  readonly trace?: (line: string) => void;
  /** Keeps lines of the trace that contain one of these texts, separated by commas. @default all of them */
  readonly traceFilter?: string;
  /** Is shown everything as it happens. Must not call the cluster. */
  readonly observer?: WorldObserver;
}

/** What a simulated cluster is opened with: options of a cluster, and of the world that it lives in. */
export interface SimulatedClusterOptions
  extends Omit<ClusterOptions, 'dataDir'>,
    SimulatedClusterHooks {
  /** Decides everything that is left to chance. @default 1 */
  readonly seed?: number;
  /** Threads that the nodes share; only turns of different threads change places. @default 1 */
  readonly threads?: number;
  /** Clients with an address of their own. @default 1 */
  readonly clients?: number;
  /** Who goes first when several could. @default { type: 'random' } */
  readonly scheduler?: SchedulerOptions;
  /** Milliseconds that a sync takes on average, with durability `full`. 0: none. @default 0 */
  readonly syncMs?: number;
  /** Settings for all links. @default links that take no time and lose nothing */
  readonly links?: Partial<LinkSettings>;
}

/** What {@link SimulatedCluster.openWith} adds. */
export interface SimulatedClusterCompany {
  /** Called once for each world, so for each fork too. */
  readonly createFaults: () => FaultSource | null;
  /** Judges requests. Forks have none. */
  readonly watch: RequestWatch | null;
}

const bare: SimulatedClusterCompany = { createFaults: () => null, watch: null };

/** One of the clients of a simulated cluster. */
export interface SimulatedClient {
  /** As `cluster.bucket`, for requests of this client. */
  bucket<T = Uint8Array>(name: string, options?: BucketOptions<T>): Bucket<T>;
}

/**
 * Rounds of promise callbacks that callers get after a request has ended: the longest chain from there to their next request.
 * Deeper chains go on a little later in virtual time, always the same.
 */
const CALLER_ROUNDS = 64;

/** Rounds after which a caller that nothing in the cluster will wake is given up. */
const LAST_ROUNDS = 10_000;

const SETTLE_MS = 600_000;
const REPAIR_MS = 10_000;
const REPAIR_BATCH_COUNT = 256;
const REPAIR_ROUND_COUNT_MAX = 10;
const SYNC_MS_MAX = 3_600_000;
const CLIENT_COUNT_MAX = 1024;

/** 30 years. */
const TIME_MS_MAX = 1e12;

/**
 * A cluster in memory and in virtual time.
 *
 * @example
 * const cluster = SimulatedCluster.open({ seed: 7, nodes: 5 });
 * const carts = cluster.bucket('carts', { codec: json<string[]>() });
 * cluster.node('c').crash();
 * await cluster.settle(carts.put('cart:42', ['book']));
 */
export class SimulatedCluster {
  /** The options with all defaults filled in. */
  readonly config: ClusterConfig;
  /** Ids of all nodes, in the order of their addresses. */
  readonly nodeIds: readonly string[];
  /** The links between the nodes, as in a cluster on threads. What is called here takes effect at once. */
  readonly network: ClusterNetwork;
  /** The engine. For a look inside: what is changed there is not on record, so that no fork can follow. */
  readonly world: World;
  private readonly options: SimulatedClusterOptions;
  private readonly company: SimulatedClusterCompany;
  private readonly recorded: RecordedWorld;
  private readonly names: NodeNames;
  /** By name of the bucket, how many copies of its records there are, where that is known. */
  private readonly copyCounts = new Map<string, number>();
  private readonly listeners = new Set<(event: ClusterEvent) => void>();
  /** What listeners have not been told yet. */
  private readonly untold: (() => void)[] = [];
  /** A request has ended since its caller was last given time. */
  private hasNews = false;
  /** Rounds that callers have had since there was news. */
  private roundCount = 0;

  /**
   * Opens a cluster. There is nothing to close.
   *
   * @throws {RingletError} what is wrong with an option, such as RINGLET_OPTION_INVALID, RINGLET_OPTION_UNKNOWN, RINGLET_FAULT_SPEC
   * @example const cluster = SimulatedCluster.open({ seed: 7, links: { latencyMs: 2, loss: 0.01 } });
   */
  static open(options: SimulatedClusterOptions = {}): SimulatedCluster {
    return new SimulatedCluster(options, null, bare);
  }

  /** {@link open} with faults that come by themselves, and a judge. For `simulate`. */
  static openWith(
    options: SimulatedClusterOptions,
    company: SimulatedClusterCompany,
  ): SimulatedCluster {
    return new SimulatedCluster(options, null, company);
  }

  private constructor(
    options: SimulatedClusterOptions,
    origin: RecordedWorld | null,
    company: SimulatedClusterCompany,
  ) {
    const { trace: write, traceFilter = '', observer = {}, links, ...rest } = options;
    const { seed = 1, clients = 1, syncMs = 0, ...worldOptions } = rest;
    checkWhole('clients', clients, 1, CLIENT_COUNT_MAX);
    checkNumber('syncMs', syncMs, 0, SYNC_MS_MAX);
    this.options = options;
    this.company = company;
    const filter = createTraceFilter(traceFilter);
    const trace = write === undefined ? null : new Trace({ write, filter });
    let isPresent = origin === null;
    const own: WorldObserver = { onNode: (event) => this.onNode(event) };
    const onlookers = [own, company.watch?.observer, trace?.observer, observer];
    const faults = company.createFaults();
    const shown = joinObservers(onlookers, () => isPresent);
    const all = joinObservers([faults?.observer, shown]);
    this.world = new World({ ...worldOptions, seed, clients, syncMs, observer: all });
    trace?.follow(this.world);
    faults?.attach(this.world);
    this.config = this.world.config;
    this.nodeIds = Object.freeze(this.config.nodes.map(({ id }) => id));
    this.names = new NodeNames(this.nodeIds);
    this.recorded = new RecordedWorld(this.world, faults, () => this.onActed());
    this.network = new ClusterNetwork(this.names, this.createNetworkHost());
    if (origin !== null) origin.replayInto(this.recorded);
    else if (links !== undefined) this.applyNetwork({ type: 'set-default', settings: links });
    isPresent = true;
  }

  // ------------------------------------------------------------------------------- requests

  /** A bucket, as that of a cluster on threads. Its promises go on only while time does: see {@link settle}. */
  bucket<T = Uint8Array>(name: string, options: BucketOptions<T> = {}): Bucket<T> {
    return this.client(0).bucket(name, options);
  }

  /** One of the cluster's clients. @param index From 0. @throws {RingletError} RINGLET_OPTION_INVALID */
  client(index: number): SimulatedClient {
    checkWhole('client', index, 0, this.world.clients.length - 1);
    const { limits, replication, requestTimeoutMs } = this.config;
    const { ring } = this.world;
    return {
      bucket: (name, options = {}) => {
        const lastWriterWins = options?.lastWriterWins === true;
        const client = this.createClient(index, lastWriterWins, this.company.watch);
        const environment = { client, ring, limits, replication, requestTimeoutMs };
        const bucket = new Bucket(name, options, environment);
        this.copyCounts.set(name, options.replication?.n ?? replication.n);
        return bucket;
      },
    };
  }

  private createClient(
    index: number,
    lastWriterWins: boolean,
    watch: RequestWatch | null,
  ): RecordedClient {
    const onEnded = () => {
      this.hasNews = true;
    };
    return new RecordedClient({ recorded: this.recorded, index, lastWriterWins, watch, onEnded });
  }

  // ------------------------------------------------------------------------------- time

  /** Virtual milliseconds since the cluster was opened. */
  get nowMs(): number {
    return this.world.nowMs;
  }

  /** Steps of the world so far: turns, and deliveries. */
  get step(): number {
    return this.world.stepCount;
  }

  /** 16 hexadecimal digits over all that has happened. The same options and calls give the same ones, in every engine. */
  get fingerprint(): string {
    return this.world.fingerprint;
  }

  /** What stopped nodes although nobody asked for it: bugs. */
  get failures(): readonly Failure[] {
    return this.world.failures;
  }

  /** Lets time pass. Callers of requests go on in between, at the instant at which their requests end. */
  async run(durationMs: number): Promise<void> {
    const endMs = this.nowMs + checkNumber('durationMs', durationMs, 0, TIME_MS_MAX);
    const isOver = () => this.nowMs >= endMs && !this.isBusy;
    await this.advance(endMs, isOver, () => this.hasNews);
  }

  /**
   * Lets time pass until a promise has ended, such as that of a request or of a whole workload.
   *
   * @param limitMs Virtual time after which it is given up. @default 600000
   * @throws {RingletError} RINGLET_TIMEOUT if the promise has not ended by then, or waits for nothing in this cluster. What the
   * promise rejects with passes through.
   * @example const { value } = await cluster.settle(carts.get('cart:42'));
   */
  async settle<T>(promise: Promise<T>, limitMs = SETTLE_MS): Promise<T> {
    const state = { hasEnded: false };
    const ended = promise.finally(() => {
      state.hasEnded = true;
    });
    // It is told to whoever awaits what is returned, or to nobody if time runs out.
    ended.catch(() => {});
    const endMs = this.nowMs + checkNumber('limitMs', limitMs, 0, TIME_MS_MAX);
    const isOver = () => state.hasEnded || (this.nowMs >= endMs && !this.isBusy) || this.isIdle;
    await this.advance(endMs, isOver, () => this.hasNews || this.isIdle);
    for (let round = 0; round < LAST_ROUNDS && !state.hasEnded; round++) await null;
    if (state.hasEnded) return ended;
    const problem = this.isIdle ? 'waits for nothing in this cluster' : 'has not ended in time';
    throw new RingletError('RINGLET_TIMEOUT', `${this.nowMs} ms: the promise ${problem}`);
  }

  /**
   * Lets time pass until nothing is under way: no request, no message, no timer. What a link holds and what waits for a node
   * that is paused stays where it is.
   *
   * @param limitMs Virtual time after which it is given up. @default 600000
   * @throws {RingletError} RINGLET_TIMEOUT
   */
  async runUntilQuiet(limitMs = SETTLE_MS): Promise<void> {
    const endMs = this.nowMs + checkNumber('limitMs', limitMs, 0, TIME_MS_MAX);
    const isOver = () => this.isIdle || (this.nowMs >= endMs && !this.isBusy);
    await this.advance(endMs, isOver, () => this.hasNews || this.isIdle);
    if (this.isIdle) return;
    throw new RingletError('RINGLET_TIMEOUT', `${this.nowMs} ms: the cluster is not quiet`);
  }

  /** Ends at a later virtual time: how a workload pauses. Time must be made to pass by somebody else. */
  sleep(durationMs: number): Promise<void> {
    const endMs = this.nowMs + checkNumber('durationMs', durationMs, 0, TIME_MS_MAX);
    const own = this.recorded.stage;
    return new Promise((resolve) => {
      this.recorded.act((stage) => {
        stage.world.at(endMs, () => {
          if (stage !== own) return;
          this.hasNews = true;
          resolve();
        });
      });
    });
  }

  /** Something is left to do at the present time. */
  private get isBusy(): boolean {
    return this.world.nextEventMs <= this.nowMs;
  }

  private get isIdle(): boolean {
    return this.world.nextEventMs === Number.POSITIVE_INFINITY;
  }

  /** @param isOver Asked when callers have had their say. @param isPause Asked after each step: lets callers have it. */
  private async advance(
    endMs: number,
    isOver: () => boolean,
    isPause: () => boolean,
  ): Promise<void> {
    this.roundCount = 0;
    for (;;) {
      while (this.roundCount++ < CALLER_ROUNDS) await null;
      if (isOver()) return;
      this.hasNews = false;
      this.world.runUntil(endMs, isPause);
      this.onActed();
    }
  }

  // ------------------------------------------------------------------------------- faults

  /** Lets the faults begin that the cluster was opened with. */
  startFaults(): void {
    this.recorded.act(({ faults }) => faults?.start());
  }

  /** Ends the faults that the cluster was opened with. */
  healFaults(): void {
    this.recorded.act(({ faults }) => faults?.heal());
  }

  /** One of the nodes: what can happen to it, and a look inside. @throws {RingletError} RINGLET_NODE_UNKNOWN */
  node(id: string): SimulatedNode {
    return new SimulatedNode(id, this.names.addressOf(id, 'RINGLET_NODE_UNKNOWN'), this.recorded);
  }

  /** Ends all nodes, and takes from each disk what was not synced. */
  losePower(): void {
    this.recorded.act(({ world }) => world.losePower());
  }

  /** Ends all nodes of a thread, with the messages that wait for them. @throws {RingletError} RINGLET_OPTION_INVALID */
  killThread(thread: number): void {
    this.checkThread(thread);
    this.recorded.act(({ world }) => world.killThread(thread));
  }

  /** Starts the nodes of a thread that are down. @throws {RingletError} RINGLET_OPTION_INVALID */
  restartThread(thread: number): void {
    this.checkThread(thread);
    this.recorded.act(({ world }) => world.restartThread(thread));
  }

  /** Each turn of a thread takes so many milliseconds from now on; 0 ends it. @throws {RingletError} RINGLET_OPTION_INVALID */
  slowThread(thread: number, turnMs: number): void {
    this.checkThread(thread);
    checkNumber('turnMs', turnMs, 0, TIME_MS_MAX);
    this.recorded.act(({ world }) => world.slowThread(thread, turnMs));
  }

  /**
   * Ends what lasts of all faults: links carry, clocks are right, disks and threads are quick and have space, every node runs.
   * What was lost stays lost.
   *
   * @returns the ids of nodes that would not start; a node whose disk is empty, after a {@link SimulatedNode.wipe}, does
   */
  heal(): string[] {
    this.applyNetwork({ type: 'heal' });
    for (let thread = 0; thread < this.world.threadCount; thread++) this.slowThread(thread, 0);
    return this.nodeIds.filter((id) => !this.healNode(this.node(id)));
  }

  /**
   * Reads every key at all its replicas until those that are up agree, and waits until the cluster is quiet. Reads do this by
   * and by (Dynamo §5); a check that is to judge what the cluster comes to need not wait for it.
   *
   * @throws {RingletError} RINGLET_TIMEOUT if they do not come to agree, as across a link that is cut
   */
  async repair(): Promise<void> {
    const client = this.createClient(0, false, null);
    const read = async ({ key, partition, n }: StoredKey): Promise<void> => {
      const settings = { replication: { n, r: 1, w: 1 }, timeoutMs: REPAIR_MS, signal: null };
      // That too few are sound or up shows in what is left different.
      await client.get(partition, key, 'all', settings).catch(() => {});
    };
    for (let round = 0; round < REPAIR_ROUND_COUNT_MAX; round++) {
      const different = storedKeys(this.world, this.copyCounts).filter(
        (stored) => !isEqualEverywhere(this.world, stored),
      );
      if (different.length === 0) return;
      for (let start = 0; start < different.length; start += REPAIR_BATCH_COUNT) {
        const batch = different.slice(start, start + REPAIR_BATCH_COUNT);
        await this.settle(Promise.all(batch.map(read)));
        await this.runUntilQuiet();
      }
    }
    throw new RingletError('RINGLET_TIMEOUT', `${this.nowMs} ms: replicas do not come to agree`);
  }

  private healNode(node: SimulatedNode): boolean {
    node.skewClock(0);
    node.slowDisk(0);
    node.fillDisk(false);
    if (node.isPaused) node.resume();
    return node.isUp || node.restart() !== null;
  }

  private checkThread(thread: number): void {
    checkWhole('thread', thread, 0, this.world.threadCount - 1);
  }

  private applyNetwork(command: NetworkCommandOptions): void {
    this.recorded.act(({ world }) => world.applyNetwork(command));
  }

  private createNetworkHost(): NetworkHost {
    return {
      applyNetwork: async (command) => this.applyNetwork(command),
      networkCounters: async () => this.world.linkCounters,
      observeNetwork: async (filter, listener) => {
        const end = this.world.observeNetwork(filter, (event) => {
          this.untold.push(() => listener(event));
        });
        return async () => end();
      },
    };
  }

  // ------------------------------------------------------------------------------- a look inside

  /**
   * What each node holds of a key, in the order of {@link nodeIds}. Nobody notices.
   *
   * @param bucket A bucket of this cluster or of another with the same options: its name and its codec count.
   * @throws {RingletError} as `bucket.get` for a bad key; what the codec throws
   * @example cluster.replicas(carts, 'cart:42').map(({ siblings }) => siblings.map(({ value }) => value));
   */
  replicas<T>(bucket: Bucket<T>, key: Key): ReplicaView<T>[] {
    const located = this.locate(bucket.name, key);
    return this.world.nodes.map((address, index) => {
      const isUp = this.world.isUp(address);
      const record = isUp
        ? this.world.store(address).get(located.partition, located.key)
        : undefined;
      return viewRecord(this.nodeIds[index]!, record, bucket.codec);
    });
  }

  /**
   * The nodes that keep a key, first the one that the ring names first (Dynamo §4.3).
   *
   * @param n How many. @default the cluster's N
   */
  preferenceList(
    bucket: { readonly name: string },
    key: Key,
    n = Math.min(this.config.replication.n, this.nodeIds.length),
  ): string[] {
    checkWhole('n', n, 1, this.nodeIds.length);
    const { partition } = this.locate(bucket.name, key);
    return this.world.preferenceLists.of(partition, n).map((node) => this.names.idOf(node));
  }

  /** Calls `listener` at every event, as soon as callers have their say. @returns a function that ends it. */
  onEvent(listener: (event: ClusterEvent) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  private locate(name: string, key: Key): { partition: PartitionId; key: RecordKey } {
    const { keyBytesMax } = this.config.limits;
    const prefix = bucketPrefix(binaryKey(name, keyBytesMax));
    const full = recordKey(prefix, binaryKey(key, keyBytesMax));
    return { partition: partitionOf(this.world.ring, full), key: full };
  }

  // ------------------------------------------------------------------------------- futures

  /**
   * A second cluster in the same state at the same instant, which then goes its own way. It is made by replay, so that it
   * takes as long as all that has happened took, promises aside.
   *
   * What was read before can be written on in both: contexts hold. Requests under way are under way in both, but their
   * promises are those of this cluster. The fork has buckets, nodes and listeners of its own.
   *
   * @param hooks What looks on from this instant on. Those of this cluster do not.
   * @throws {RingletError} RINGLET_OVERLOADED after a million calls; AssertionError if the {@link world} was changed directly
   * @example
   * const other = cluster.fork();
   * other.node('a').wipe();
   */
  fork(hooks: SimulatedClusterHooks = {}): SimulatedCluster {
    const { trace: _, traceFilter: __, observer: ___, ...options } = this.options;
    const company = { ...this.company, watch: null };
    const copy = new SimulatedCluster({ ...options, ...hooks }, this.recorded, company);
    for (const [name, count] of this.copyCounts) copy.copyCounts.set(name, count);
    return copy;
  }

  // ------------------------------------------------------------------------------- events

  /** Something was done or has happened: callers and listeners are to be given time. */
  private onActed(): void {
    this.roundCount = 0;
    for (const tell of this.untold.splice(0)) queueMicrotask(tell);
  }

  private onNode(event: NodeEvent): void {
    this.untold.push(() => {
      for (const published of this.publicEvents(event)) {
        for (const listener of this.listeners) listener(published);
      }
    });
  }

  private publicEvents(event: NodeEvent): ClusterEvent[] {
    const node = this.config.nodes[event.node]!.id;
    const down = { type: 'member', node, status: 'down' } as const;
    switch (event.type) {
      case 'stopped':
        return [{ ...down, reason: event.reason }];
      case 'refused':
        return [{ ...down, reason: messageOf(event.error) }];
      case 'started': {
        const { status, detail } = event.report;
        const up: ClusterEvent = { type: 'member', node, status: 'up', reason: status };
        if (status === 'created' || status === 'opened') return [up];
        return [up, { type: 'store', node, status, detail }];
      }
      default:
        return unreachable(event);
    }
  }
}
