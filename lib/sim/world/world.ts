/**
 * A world: a cluster in one thread with a virtual clock. The same nodes, turns, ring, links, client and codec as on threads;
 * only threads, clocks and disks are simulated, and they fail when told to. Nothing waits: when nothing is left to do at one
 * time, the clock moves to the next.
 *
 * At every instant several lanes may be ready: a thread has a turn to run, a frame has arrived at a thread or a client. The
 * scheduler picks one; taking it is a step.
 *
 * Invariants:
 * 1. A run is a function of its options and of the calls made to it: the same ones give the same fingerprint.
 * 2. Between two threads, and between a client or the host and a thread, frames arrive in the order in which they were sent.
 * 3. While the world runs, what the seed does not decide is out of reach: see `lib/sim/world/poison.ts`.
 */
import { Node } from '../../../actors/node.ts';
import { drawIncarnation } from '../../../actors/replica.ts';
import {
  type ActorAddress,
  CLIENT_ADDRESS_MIN,
  clientAddress,
  isClientAddress,
  nodeAddress,
  type PartitionId,
  type RecordKey,
} from '../../address.ts';
import { assert } from '../../assert.ts';
import { Client } from '../../client.ts';
import { type ClusterConfig, type ClusterOptions, resolveConfig } from '../../config.ts';
import { messageOf } from '../../errors.ts';
import { createHashSeed } from '../../hash.ts';
import { DelayQueue } from '../../network/delay-queue.ts';
import { Network, type VerdictEvent } from '../../network/network.ts';
import {
  type EnvelopeFilter,
  type NetworkCommandOptions,
  resolveCommand,
} from '../../network/rules.ts';
import { messageBytes } from '../../network/size.ts';
import { Prng } from '../../prng.ts';
import { memberStatus } from '../../protocol/messages.ts';
import { PreferenceLists } from '../../ring/preference-list.ts';
import { createRing, type Ring } from '../../ring/ring.ts';
import { NodeCell } from '../../runtime/node-cell.ts';
import { type Probe, silentProbe } from '../../runtime/probe.ts';
import type { StoredRecord } from '../../store/contract.ts';
import type { OpenReport } from '../../store/opening.ts';
import { type CommittedPut, isDiskError, type SimulatedDisk, type SimulatedStore } from './disk.ts';
import { Fingerprint } from './fingerprint.ts';
import { Lanes } from './lanes.ts';
import { Machine, type NodeClock } from './machine.ts';
import { type Announcement, type Envelope, Mail, type ObservedEnvelope } from './mail.ts';
import { withPoisonedGlobals } from './poison.ts';
import { createScheduler, type SchedulerOptions } from './scheduler.ts';
import { VirtualThread } from './virtual-thread.ts';

export type { NodeClock } from './machine.ts';
export type { ObservedEnvelope } from './mail.ts';

export interface WorldOptions extends ClusterOptions {
  readonly seed: number;
  /** Clients, each with an address of its own. @default 1 */
  readonly clients?: number;
  /** @default { type: 'random' } */
  readonly scheduler?: SchedulerOptions;
  /** Milliseconds that a sync takes on average, exponentially distributed. 0: a commit is durable at once. @default 0 */
  readonly syncMs?: number;
  /** @default one that does nothing */
  readonly probe?: Probe;
  readonly observer?: WorldObserver;
}

/** What happens to nodes. `refused`: its store did not open, and the node stays down. */
export type NodeEvent =
  | { readonly type: 'started'; readonly node: ActorAddress; readonly report: OpenReport }
  /** `isFailure`: its handler or its store threw; nobody stopped it. */
  | {
      readonly type: 'stopped';
      readonly node: ActorAddress;
      readonly reason: string;
      readonly isFailure: boolean;
    }
  | { readonly type: 'refused'; readonly node: ActorAddress; readonly error: unknown };

/** Only looks; must not call the world. */
export interface WorldObserver {
  /** A step begins. */
  onStep?(step: number): void;
  onMessage?(envelope: ObservedEnvelope): void;
  onVerdict?(event: VerdictEvent): void;
  onTurn?(thread: number): void;
  /** A node's store has committed; what the turn sends has not left yet. */
  onCommitted?(node: ActorAddress, puts: readonly CommittedPut[]): void;
  onNode?(event: NodeEvent): void;
}

/** What stopped a node although nobody asked for it: a bug. */
export interface Failure {
  readonly node: ActorAddress;
  readonly error: unknown;
}

/** How often a client looks for requests past their deadline while it has any. */
const CLIENT_SWEEP_MS = 10;

/** When the wall clock starts: any fixed time will do. */
const WALL_START_MS = 1_767_225_600_000;

/** A node while it is up. */
interface Life {
  readonly actor: Node;
  readonly store: SimulatedStore;
  readonly cell: NodeCell;
}

/** A cluster in one thread with a virtual clock. */
export class World {
  readonly config: ClusterConfig;
  readonly ring: Ring;
  readonly preferenceLists: PreferenceLists;
  readonly clients: readonly Client[];
  readonly nodes: readonly ActorAddress[];
  /** Milliseconds since the world began. */
  nowMs = 0;
  stepCount = 0;
  /** What stopped nodes although nobody asked for it, in order: a run that has any has found a bug. */
  readonly failures: Failure[] = [];
  private readonly observer: WorldObserver;
  private readonly probe: Probe;
  private readonly random: Prng;
  private readonly diskRandom: Prng;
  private readonly network: Network;
  private readonly lanes: Lanes;
  private readonly mail: Mail;
  private readonly threads: readonly VirtualThread[];
  private readonly machines: readonly Machine[];
  private readonly lives: (Life | null)[];
  private readonly down = new Set<ActorAddress>();
  private readonly events = new DelayQueue<() => void>();
  private readonly log = new Fingerprint();
  private readonly isSweepDue: boolean[];
  private bootCount = 0;
  private startCount = 0;

  constructor(options: WorldOptions) {
    const {
      clients = 1,
      scheduler = { type: 'random' },
      syncMs = 0,
      probe = silentProbe,
      observer = {},
      ...clusterOptions
    } = options;
    this.config = resolveConfig(clusterOptions, { coreCount: 1, randomSeed: options.seed });
    const { nodes, seed, partitions, replication, limits, threads } = this.config;
    this.observer = observer;
    this.probe = probe;
    const random = new Prng(seed);
    this.random = random.split('nodes');
    this.diskRandom = random.split('disks');
    this.lanes = new Lanes(createScheduler(scheduler, random.split('scheduler')));
    this.ring = createRing({
      weights: nodes.map(({ weight }) => weight),
      partitionCount: partitions,
      replicationFactor: replication.n,
      hashSeed: createHashSeed(seed),
    });
    this.preferenceLists = new PreferenceLists(this.ring);
    this.network = new Network({ seed, heldCountMax: limits.networkHeldCountMax });
    if (observer.onVerdict !== undefined) {
      this.observeNetwork(everything, (event) => observer.onVerdict?.(event));
    }
    this.mail = this.createMail(clients);
    this.threads = Array.from({ length: threads }, (_, index) => this.createThread(index));
    this.nodes = nodes.map((_, index) => nodeAddress(index));
    this.machines = this.nodes.map((node) => this.createMachine(node, syncMs));
    this.lives = nodes.map(() => null);
    this.isSweepDue = Array.from({ length: clients }, () => false);
    this.clients = Array.from({ length: clients }, (_, index) => this.createClient(index, random));
    for (const node of this.nodes) this.startNode(node);
  }

  // ------------------------------------------------------------------------------- what there is

  /** 16 hexadecimal digits over all that has happened. */
  get fingerprint(): string {
    return this.log.toString();
  }

  /** 32 bits of {@link fingerprint}, quick to get after each step. */
  get digest(): number {
    return this.log.digest;
  }

  /** Messages that the links let through, those of clients included. */
  get messageCount(): number {
    return this.mail.messageCount;
  }

  get threadCount(): number {
    return this.threads.length;
  }

  threadOf(node: ActorAddress): number {
    return node % this.threads.length;
  }

  nodesOfThread(thread: number): ActorAddress[] {
    return this.nodes.filter((node) => this.threadOf(node) === thread);
  }

  isUp(node: ActorAddress): boolean {
    return this.lives[node] !== null;
  }

  isPaused(node: ActorAddress): boolean {
    return this.lives[node]?.cell.state === 'paused';
  }

  /** The actor of a node that is up, for a look at its counters. */
  node(address: ActorAddress): Node {
    return this.lifeOf(address).actor;
  }

  /** Mailbox, timers and clock of a node that is up. */
  cell(address: ActorAddress): NodeCell {
    return this.lifeOf(address).cell;
  }

  /** The store of a node that is up. */
  store(address: ActorAddress): SimulatedStore {
    return this.lifeOf(address).store;
  }

  /** The disk of a node, up or not. */
  disk(address: ActorAddress): SimulatedDisk {
    return this.machines[address]!.disk;
  }

  /** What became of the envelopes of each link. */
  get linkCounters(): ReturnType<Network['counters']> {
    return this.network.counters();
  }

  /** Calls back at every verdict on the envelopes that a filter chooses. Must not call the world. @returns a function that ends it */
  observeNetwork(filter: EnvelopeFilter, callback: (event: VerdictEvent) => void): () => void {
    return this.network.observe(filter, callback);
  }

  /** A key's record at every node that is up, strangers to the key included. */
  recordsOf(
    partition: PartitionId,
    key: RecordKey,
  ): { node: ActorAddress; record: StoredRecord }[] {
    return this.nodes
      .filter((node) => this.isUp(node))
      .map((node) => ({ node, record: this.store(node).get(partition, key) }));
  }

  private lifeOf(node: ActorAddress): Life {
    const life = this.lives[node];
    assert(life !== null && life !== undefined, 'the node is up');
    return life;
  }

  private threadWith(node: ActorAddress): VirtualThread {
    return this.threads[this.threadOf(node)]!;
  }

  // ------------------------------------------------------------------------------- time

  /** Does all that is due up to and including a time, which it then is. @param isDone Asked around every step; ends the run early. */
  runUntil(endMs: number, isDone: () => boolean = () => false): void {
    withPoisonedGlobals(() => {
      while (!isDone()) {
        if (this.takeStep()) continue;
        // What happened without a step, such as the end of a request in vain, may be what is waited for.
        if (isDone()) return;
        const nextMs = this.nextEventMs;
        if (nextMs > endMs) {
          this.nowMs = Math.max(this.nowMs, endMs);
          return;
        }
        this.nowMs = Math.max(this.nowMs, nextMs);
      }
    });
  }

  /** One choice of the scheduler at the present time. @returns `false` if nothing is left to do now. */
  step(): boolean {
    return withPoisonedGlobals(() => this.takeStep());
  }

  /** When something happens next: now if a lane is ready, Infinity if the world is idle. */
  get nextEventMs(): number {
    if (!this.lanes.isEmpty) return this.nowMs;
    let nextMs = Math.min(this.events.dueMs, this.network.dueMs());
    for (const { timerDueMs } of this.threads) nextMs = Math.min(nextMs, timerDueMs);
    return nextMs;
  }

  /** Calls back at a time, as an event of the world. */
  at(timeMs: number, action: () => void): void {
    this.events.push(Math.max(timeMs, this.nowMs), action);
  }

  private get wallMs(): number {
    return WALL_START_MS + this.nowMs;
  }

  private takeStep(): boolean {
    this.wake();
    if (this.lanes.isEmpty) return false;
    this.stepCount++;
    this.observer.onStep?.(this.stepCount);
    const lane = this.lanes.take();
    this.log.word(lane);
    this.log.number(this.nowMs);
    const thread = this.threads[lane];
    if (thread === undefined) {
      this.mail.deliverFrame(lane);
    } else {
      this.observer.onTurn?.(lane);
      thread.runTurn(this.wallMs);
    }
    this.mail.deliverLocally();
    return true;
  }

  /** Does what the clock alone decides: events, envelopes that arrive, timers. */
  private wake(): void {
    while (this.events.dueMs <= this.nowMs) {
      this.events.pop()();
      this.mail.deliverLocally();
    }
    if (this.network.dueMs() <= this.nowMs) {
      this.network.releaseDue(this.nowMs, this.mail.forward);
      this.mail.deliverLocally();
    }
    for (const thread of this.threads) {
      if (thread.timerDueMs <= this.nowMs) thread.scheduleTurn();
    }
  }

  // ------------------------------------------------------------------------------- threads and clients

  private createMail(clientCount: number): Mail {
    const threadCount = this.config.threads;
    return new Mail({
      threadCount,
      clientCount,
      firstLane: threadCount,
      clock: this,
      network: this.network,
      lanes: this.lanes,
      log: this.log,
      onMessage: this.observer.onMessage?.bind(this.observer),
      deliver: this.deliver,
      announce: this.tellNodes,
    });
  }

  private createThread(index: number): VirtualThread {
    return new VirtualThread({
      index,
      limits: this.config.limits,
      lanes: this.lanes,
      clock: this,
      environment: { route: this.mail.route, onCellFailed: this.onCellFailed },
      skewOf: (node, wallMs) => this.machines[node]!.skewAt(wallMs),
      at: (timeMs, action) => this.at(timeMs, action),
    });
  }

  private createMachine(address: ActorAddress, syncMs: number): Machine {
    return new Machine({
      nodeId: this.config.nodes[address]!.id,
      durability: this.config.durability,
      syncMs,
      random: this.diskRandom,
      after: (durationMs, action) => this.at(this.nowMs + durationMs, action),
    });
  }

  private createClient(index: number, random: Prng): Client {
    return new Client({
      address: clientAddress(index),
      link: {
        send: (source, target, message) => {
          this.mail.forward(source, target, message);
          this.sweepLater(index);
          return true;
        },
        nowMs: () => this.nowMs,
      },
      preferenceLists: this.preferenceLists,
      nodeCount: this.config.nodes.length,
      random: random.split(`client ${index}`),
      clientCountMax: this.config.limits.clientCountMax,
    });
  }

  private sweepLater(index: number): void {
    if (this.isSweepDue[index] === true) return;
    this.isSweepDue[index] = true;
    this.at(this.nowMs + CLIENT_SWEEP_MS, () => {
      this.isSweepDue[index] = false;
      const client = this.clients[index]!;
      client.sweep();
      if (client.pendingCount > 0) this.sweepLater(index);
    });
  }

  private readonly deliver = ({ source, target, message }: Envelope): void => {
    if (isClientAddress(target)) {
      this.clients[target - CLIENT_ADDRESS_MIN]!.receive(source, message);
      return;
    }
    const thread = this.threadWith(target);
    thread.runner.deliver(source, target, message, messageBytes(message));
    thread.scheduleTurn();
  };

  // ------------------------------------------------------------------------------- the host

  /** The host tells its own client at once, nodes and other clients by messages. */
  private announce(member: ActorAddress, status: 'up' | 'down'): void {
    if (status === 'down') this.down.add(member);
    else this.down.delete(member);
    for (const { index } of this.threads) this.mail.announce(index, { member, status });
    const [own, ...others] = this.clients;
    own!.onMemberStatus(member, status);
    for (const index of others.keys()) {
      const target = clientAddress(index + 1);
      this.mail.postFromHost({ source: member, target, message: memberStatus(member, status) });
    }
  }

  private readonly tellNodes = (thread: number, { member, status }: Announcement): void => {
    for (const { self } of this.threads[thread]!.runner.all()) {
      if (self === member) continue;
      const message = memberStatus(member, status);
      this.mail.postLocally({ source: member, target: self, message });
    }
  };

  private startNode(address: ActorAddress): OpenReport | null {
    const thread = this.threadWith(address);
    this.mail.deliverAnnouncements(thread.index);
    this.mail.deliverLocally();
    const random = this.random.split(`node ${address} ${this.startCount++}`);
    const store = this.openStore(address, random);
    if (store === null) return null;
    const { config, preferenceLists, probe } = this;
    const down = [...this.down].filter((member) => member !== address);
    const actor = new Node({ address, config, preferenceLists, store, down });
    const { limits } = config;
    const cell = new NodeCell({ address, actor, store, random, limits, probe });
    this.lives[address] = { actor, store, cell };
    thread.runner.add(cell);
    this.observer.onNode?.({ type: 'started', node: address, report: store.openReport });
    thread.scheduleTurn();
    return store.openReport;
  }

  private openStore(node: ActorAddress, random: Prng): SimulatedStore | null {
    const machine = this.machines[node]!;
    try {
      const store = machine.disk.open({
        createIncarnation: () => drawIncarnation(random),
        hasPeers: this.config.nodes.length > 1,
        bootId: `boot ${this.bootCount}`,
        startSync: machine.startSync,
      });
      store.onCommitted = (puts) => {
        this.log.word(node);
        this.log.number(store.commitNumber);
        this.observer.onCommitted?.(node, puts);
      };
      return store;
    } catch (error) {
      this.observer.onNode?.({ type: 'refused', node, error });
      return null;
    }
  }

  private readonly onCellFailed = ({ self }: NodeCell, error: unknown): void => {
    if (!isDiskError(error)) this.failures.push({ node: self, error });
    this.onStopped(self, messageOf(error), true);
  };

  private onStopped(node: ActorAddress, reason: string, isFailure: boolean): void {
    this.lives[node] = null;
    this.observer.onNode?.({ type: 'stopped', node, reason, isFailure });
    this.announce(node, 'down');
  }

  // ------------------------------------------------------------------------------- faults

  /** Ends a node as the death of its process would: what it committed stays, the rest is gone. */
  crash(node: ActorAddress, reason = 'crash'): void {
    this.threadWith(node).drop(this.cell(node));
    this.onStopped(node, reason, false);
  }

  /** Ends all nodes at once and takes from every disk, independently, what was not synced. The machine starts anew. */
  losePower(): void {
    this.bootCount++;
    for (const node of this.nodes) {
      if (this.isUp(node)) this.crash(node, 'power loss');
      this.disk(node).losePower(this.diskRandom);
    }
    for (const { index } of this.threads) this.mail.loseSentTo(index);
  }

  /** Starts a node again from what its disk holds. @returns how its store was found; `null` if it was refused, and is down. */
  restart(node: ActorAddress): OpenReport | null {
    assert(!this.isUp(node), 'the node is down');
    const report = this.startNode(node);
    if (report !== null) this.announce(node, 'up');
    return report;
  }

  /** Ends all nodes of a thread, with what waits for them. */
  killThread(thread: number): void {
    for (const node of this.nodesOfThread(thread)) {
      if (this.isUp(node)) this.crash(node, 'its thread died');
    }
    this.mail.loseSentTo(thread);
  }

  restartThread(thread: number): void {
    for (const node of this.nodesOfThread(thread)) if (!this.isUp(node)) this.restart(node);
  }

  /** Mail and timers wait, as in a long collection of garbage. */
  pause(node: ActorAddress): void {
    this.threadWith(node).runner.pause(node);
  }

  resume(node: ActorAddress): void {
    const thread = this.threadWith(node);
    thread.runner.resume(node);
    thread.scheduleTurn();
  }

  /** Puts a node's wall clock off. It stays so over restarts, being the machine's. */
  setClock(node: ActorAddress, clock: NodeClock): void {
    this.machines[node]!.setClock(clock, this.wallMs);
  }

  /** Each turn of a thread takes so long from now on; 0 ends it. */
  slowThread(thread: number, turnMs: number): void {
    this.threads[thread]!.turnMs = turnMs;
  }

  /** Each sync of a node takes so much longer on average; 0 ends it. A disk whose syncs take no time at all is slow from its node's next start on. */
  slowDisk(node: ActorAddress, syncMs: number): void {
    this.machines[node]!.slowSyncMs = syncMs;
  }

  /** Lets a message arrive that nobody sends, or that has arrived before, past the links. */
  inject({ source, target, message }: Envelope): void {
    this.mail.forward(source, target, message);
    this.mail.deliverLocally();
  }

  /** Changes the links. @throws {RingletError} RINGLET_FAULT_SPEC */
  applyNetwork(command: NetworkCommandOptions): void {
    const resolved = resolveCommand(command, this.nodes.length);
    this.network.apply(resolved, this.nowMs, this.mail.forward);
    this.mail.deliverLocally();
  }
}

/** Every envelope. */
const everything: EnvelopeFilter = { sources: null, targets: null, kinds: null };
