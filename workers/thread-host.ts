/**
 * The thread host: starts the threads, connects them, watches over them (Dynamo has no such part; its nodes
 * are processes that an operator restarts).
 *
 * Invariants:
 * 1. A thread that ends without being told to is noticed: its nodes are down for everybody before its
 *    callers' deadlines, and are started again unless the options say otherwise or it keeps dying.
 * 2. A node is up for clients only after its store is open.
 */
import { randomInt } from 'node:crypto';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { type ActorAddress, clientAddress, nodeAddress } from '../lib/address.ts';
import type { ClusterConfig } from '../lib/config.ts';
import { decodeError, messageOf, RingletError } from '../lib/errors.ts';
import type { LinkCounters } from '../lib/network/link.ts';
import { Network, type VerdictEvent } from '../lib/network/network.ts';
import type { EnvelopeFilter, NetworkCommand } from '../lib/network/rules.ts';
import type { Ring } from '../lib/ring/ring.ts';
import type { ClusterHost, HostEvent } from '../lib/runtime/host.ts';
import { ClientEndpoint } from './client-endpoint.ts';
import { Control } from './control.ts';
import type { DataDirectory } from './data-directory.ts';
import type {
  ClientNotice,
  NodeReport,
  NodeTask,
  ThreadApi,
  ThreadFault,
  ThreadNotice,
  ThreadStats,
  ThreadTask,
} from './thread-messages.ts';

export interface ThreadHostOptions {
  readonly config: ClusterConfig;
  readonly ring: Ring;
  readonly directory: DataDirectory;
  readonly onEvent: (event: HostEvent) => void;
}

/** A thread in one life. */
interface Thread {
  readonly index: number;
  readonly control: Control<ThreadApi>;
  readonly noticePort: MessagePort;
  readonly abort: AbortController;
  /** Resolves when the thread was stopped, rejects when it died. */
  readonly ended: Promise<void>;
  isConnected: boolean;
}

/** A client in another thread of the application. */
interface RemoteClient {
  readonly address: ActorAddress;
  readonly port: MessagePort;
}

type NodeState = 'up' | 'down' | 'killed';

/** Deaths of one thread within {@link RESTART_WINDOW_MS} after which it stays down. */
const RESTART_COUNT_MAX = 5;
const RESTART_WINDOW_MS = 60_000;
const CLIENT_COUNT_MAX = 1024;
/** Bytes of JavaScript heap that a thread may use before it is ended as out of memory. */
const MEBIBYTE = 1024 * 1024;

export class ThreadHost implements ClusterHost<ThreadStats[]> {
  private readonly options: ThreadHostOptions;
  private readonly pool: Piscina;
  private readonly threads = new Map<number, Thread>();
  private readonly threadOf: readonly number[];
  private readonly nodeStates: NodeState[];
  private readonly endpoints = new Map<ActorAddress, ClientEndpoint>();
  private readonly remoteClients = new Map<ActorAddress, RemoteClient>();
  private readonly observers = new Map<number, (event: VerdictEvent) => void>();
  private readonly deathTimes = new Map<number, number[]>();
  /** Delivers nothing: it knows which commands a thread that starts again has to be told. */
  private readonly network: Network;
  private nextClient = 0;
  private nextObserver = 1;
  private isClosing = false;

  /** Starts all threads and nodes. @throws {RingletError} what a store's opening throws; nothing is left running */
  static async open(options: ThreadHostOptions): Promise<ThreadHost> {
    const host = new ThreadHost(options);
    try {
      await host.startAll();
    } catch (error) {
      await host.close();
      throw error;
    }
    return host;
  }

  private constructor(options: ThreadHostOptions) {
    const { config } = options;
    this.options = options;
    this.network = new Network({ seed: config.seed, heldCountMax: 1 });
    this.threadOf = config.nodes.map((_, index) => index % config.threads);
    this.nodeStates = config.nodes.map(() => 'down');
    this.pool = new Piscina({
      filename: new URL(`./thread-entry${extension()}`, import.meta.url).href,
      minThreads: config.threads,
      maxThreads: config.threads,
      concurrentTasksPerWorker: 1,
      // A thread that replaces a dead one may still be loading when its task comes.
      maxQueue: config.threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      resourceLimits: { maxOldGenerationSizeMb: config.limits.threadHeapBytesMax / MEBIBYTE },
    });
  }

  private async startAll(): Promise<void> {
    const indexes = Array.from({ length: this.options.config.threads }, (_, index) => index);
    await Promise.all(indexes.map((index) => this.startThread(index)));
  }

  // -------------------------------------------------------------------------------- threads

  private async startThread(index: number): Promise<void> {
    const thread = this.launch(index);
    this.threads.set(index, thread);
    thread.ended.then(
      () => this.onThreadEnded(thread, null),
      (error: unknown) => this.onThreadEnded(thread, error),
    );
    const reports = await thread.control.call('start', this.downNodes(true));
    await this.connect(thread);
    for (const report of reports) this.onNodeStarted(report);
  }

  private launch(index: number): Thread {
    const { config, ring, directory } = this.options;
    const control = new MessageChannel();
    const notice = new MessageChannel();
    const task: ThreadTask = {
      threadIndex: index,
      config,
      ring,
      threadOf: this.threadOf,
      nodes: this.nodesOf(index),
      clusterId: directory.clusterId,
      bootId: directory.bootId,
      randomSeed: randomInt(2 ** 47),
      networkCommands: this.network.standingCommands(),
      controlPort: control.port2,
      noticePort: notice.port2,
    };
    const abort = new AbortController();
    const transferList = [control.port2, notice.port2];
    const ended: Promise<void> = this.pool.run(task, { transferList, signal: abort.signal });
    const thread: Thread = {
      index,
      control: new Control<ThreadApi>(control.port1, config.controlTimeoutMs),
      noticePort: notice.port1,
      abort,
      ended,
      isConnected: false,
    };
    notice.port1.on('message', (message: ThreadNotice) => this.onNotice(message));
    return thread;
  }

  private nodesOf(threadIndex: number): NodeTask[] {
    const { config, directory } = this.options;
    return config.nodes
      .map(({ id }, index) => ({
        address: nodeAddress(index),
        id,
        storePath: directory.storePath(id),
      }))
      .filter(({ address }) => this.threadOf[address] === threadIndex);
  }

  /** Links a thread that has started with all that have started before, and with all clients. */
  private async connect(thread: Thread): Promise<void> {
    const others = [...this.threads.values()].filter((other) => other.isConnected);
    thread.isConnected = true;
    const links = others.map(async (other) => {
      const { port1, port2 } = new MessageChannel();
      await thread.control.transferCall('attachThread', [port1], other.index, port1);
      await other.control.transferCall('attachThread', [port2], thread.index, port2);
    });
    const clients = [...this.endpoints.keys(), ...this.remoteClients.keys()];
    await Promise.all([...links, ...clients.map((address) => this.connectClient(thread, address))]);
  }

  private async connectClient(thread: Thread, address: ActorAddress): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    await thread.control.transferCall('attachClient', [port1], address, port1);
    this.endpoints.get(address)?.attachThread(thread.index, port2);
    const remote = this.remoteClients.get(address);
    if (remote === undefined) return;
    const notice: ClientNotice = { type: 'attach', threadIndex: thread.index, port: port2 };
    remote.port.postMessage(notice, [port2]);
  }

  /** A thread has ended. If nobody told it to, its nodes are down and it is started again. */
  private onThreadEnded(thread: Thread, error: unknown): void {
    if (this.threads.get(thread.index) !== thread) return;
    this.threads.delete(thread.index);
    thread.control.close();
    thread.noticePort.close();
    for (const endpoint of this.endpoints.values()) endpoint.detachThread(thread.index);
    const notice: ClientNotice = { type: 'detach', threadIndex: thread.index };
    for (const { port } of this.remoteClients.values()) port.postMessage(notice);
    for (const other of this.threads.values()) {
      if (other.isConnected) this.tell(other, 'detachThread', thread.index);
    }
    if (this.isClosing) return;
    const reason = `thread ${thread.index} ended: ${error === null ? 'without a reason' : messageOf(error)}`;
    for (const { address } of this.nodesOf(thread.index)) {
      if (this.nodeStates[address] === 'up') this.setMember(address, 'down', reason);
    }
    if (this.options.config.restartNodes && this.mayRestart(thread.index)) {
      this.startThread(thread.index).catch(() => {
        // The thread that failed to start has ended too, and is counted there.
        this.threads.get(thread.index)?.abort.abort();
      });
    }
  }

  private mayRestart(index: number): boolean {
    const nowMs = performance.now();
    const recent = (this.deathTimes.get(index) ?? []).filter((t) => nowMs - t < RESTART_WINDOW_MS);
    recent.push(nowMs);
    this.deathTimes.set(index, recent);
    return recent.length <= RESTART_COUNT_MAX;
  }

  /** A call whose failure only means that the thread has died, which is noticed elsewhere. */
  private tell<Name extends keyof ThreadApi>(
    thread: Thread,
    name: Name,
    ...parameters: Parameters<ThreadApi[Name]>
  ): void {
    thread.control.call(name, ...parameters).catch(() => {});
  }

  private threadFor(address: ActorAddress): Thread {
    const thread = this.threads.get(this.threadOf[address]!);
    if (thread?.isConnected === true) return thread;
    throw new RingletError('RINGLET_NODE_STOPPED', "the node's thread is not running");
  }

  /** Makes a thread fail, for tests of supervision. */
  async injectFault(threadIndex: number, fault: ThreadFault): Promise<void> {
    await this.threads.get(threadIndex)?.control.call('injectFault', fault);
  }

  /** Ends a thread at once, wherever it is, as a crash would. */
  terminateThread(threadIndex: number): void {
    this.threads.get(threadIndex)?.abort.abort();
  }

  // -------------------------------------------------------------------------------- nodes

  isUp(address: ActorAddress): boolean {
    return this.nodeStates[address] === 'up';
  }

  async killNode(address: ActorAddress): Promise<void> {
    if (this.nodeStates[address] === 'killed') return;
    this.setMember(address, 'down', 'killed');
    this.nodeStates[address] = 'killed';
    await this.threadFor(address).control.call('killNode', address);
  }

  async restartNode(address: ActorAddress): Promise<void> {
    const thread = this.threadFor(address);
    if (this.nodeStates[address] === 'up') await this.killNode(address);
    this.nodeStates[address] = 'down';
    this.onNodeStarted(
      await thread.control.call('restartNode', address, this.downNodes(false, address)),
    );
  }

  async pauseNode(address: ActorAddress): Promise<void> {
    await this.threadFor(address).control.call('pauseNode', address);
  }

  async resumeNode(address: ActorAddress): Promise<void> {
    await this.threadFor(address).control.call('resumeNode', address);
  }

  async skewClock(address: ActorAddress, skewMs: number): Promise<void> {
    await this.threadFor(address).control.call('skewClock', address, skewMs);
  }

  /** Nodes that are down. @param onlyKilled Leave out those that are about to start. */
  private downNodes(onlyKilled: boolean, except?: ActorAddress): ActorAddress[] {
    return this.nodeStates
      .map((state, index) => ({ state, address: nodeAddress(index) }))
      .filter(({ state }) => state === 'killed' || (!onlyKilled && state === 'down'))
      .map(({ address }) => address)
      .filter((address) => address !== except);
  }

  private onNodeStarted({ address, open }: NodeReport): void {
    this.setMember(address, 'up', open.status);
    if (open.status === 'created' || open.status === 'opened') return;
    const { status, detail } = open;
    this.options.onEvent({ type: 'store', member: address, status, detail });
  }

  private setMember(member: ActorAddress, status: 'up' | 'down', reason: string): void {
    this.nodeStates[member] = status;
    for (const thread of this.threads.values())
      this.tell(thread, 'setMemberStatus', member, status);
    for (const { client } of this.endpoints.values()) client.onMemberStatus(member, status);
    const notice: ClientNotice = { type: 'member', member, status };
    for (const { port } of this.remoteClients.values()) port.postMessage(notice);
    this.options.onEvent({ type: 'member', member, status, reason });
  }

  private onNotice(notice: ThreadNotice): void {
    if (notice.type === 'verdicts') {
      const listener = this.observers.get(notice.id);
      if (listener !== undefined) for (const event of notice.events) listener(event);
      return;
    }
    const { address, error } = notice;
    if (this.nodeStates[address] !== 'up') return;
    this.setMember(address, 'down', messageOf(decodeError(error)));
    if (!this.options.config.restartNodes || !this.mayRestart(this.threadOf[address]!)) return;
    this.restartNode(address).catch((cause: unknown) => {
      this.options.onEvent({
        type: 'member',
        member: address,
        status: 'down',
        reason: `cannot be started again: ${messageOf(cause)}`,
      });
    });
  }

  // -------------------------------------------------------------------------------- clients

  /** A client in this thread. */
  async openClient(): Promise<ClientEndpoint> {
    const { config, ring } = this.options;
    const address = this.takeClientAddress();
    const endpoint = new ClientEndpoint({
      address,
      config,
      ring,
      threadOf: this.threadOf,
      down: this.downNodes(false),
      randomSeed: randomInt(2 ** 47),
    });
    this.endpoints.set(address, endpoint);
    await this.connectToThreads(address);
    return endpoint;
  }

  /** A port for a client in any thread; it may be transferred before it is used. */
  async openClientPort(): Promise<MessagePort> {
    const { config, ring } = this.options;
    const address = this.takeClientAddress();
    const { port1, port2 } = new MessageChannel();
    const notice: ClientNotice = {
      type: 'open',
      address,
      config,
      ring,
      threadOf: this.threadOf,
      down: this.downNodes(false),
      randomSeed: randomInt(2 ** 47),
    };
    port1.postMessage(notice);
    port1.once('close', () => this.forgetClient(address));
    // The cluster outlives its clients: an idle port of theirs keeps no process alive.
    port1.unref();
    this.remoteClients.set(address, { address, port: port1 });
    await this.connectToThreads(address);
    return port2;
  }

  private async connectToThreads(address: ActorAddress): Promise<void> {
    const threads = [...this.threads.values()].filter((thread) => thread.isConnected);
    await Promise.all(threads.map((thread) => this.connectClient(thread, address)));
  }

  private forgetClient(address: ActorAddress): void {
    this.remoteClients.delete(address);
    for (const thread of this.threads.values()) this.tell(thread, 'detachClient', address);
  }

  private takeClientAddress(): ActorAddress {
    if (this.endpoints.size + this.remoteClients.size >= CLIENT_COUNT_MAX) {
      throw new RingletError('RINGLET_OVERLOADED', `${CLIENT_COUNT_MAX} clients are open`);
    }
    return clientAddress(this.nextClient++);
  }

  // -------------------------------------------------------------------------------- network and statistics

  async applyNetwork(command: NetworkCommand): Promise<void> {
    this.network.apply(command, 0, () => {});
    await this.callAll('applyNetwork', command);
  }

  async networkCounters(): Promise<LinkCounters[]> {
    return (await this.callAll('networkCounters')).flat();
  }

  async observeNetwork(
    filter: EnvelopeFilter,
    listener: (event: VerdictEvent) => void,
  ): Promise<() => Promise<void>> {
    const id = this.nextObserver++;
    this.observers.set(id, listener);
    await this.callAll('observeNetwork', id, filter);
    return async () => {
      this.observers.delete(id);
      await this.callAll('unobserveNetwork', id);
    };
  }

  stats(): Promise<ThreadStats[]> {
    return this.callAll('stats');
  }

  private callAll<Name extends keyof ThreadApi>(
    name: Name,
    ...parameters: Parameters<ThreadApi[Name]>
  ): Promise<Awaited<ReturnType<ThreadApi[Name]>>[]> {
    const threads = [...this.threads.values()].filter((thread) => thread.isConnected);
    return Promise.all(threads.map((thread) => thread.control.call(name, ...parameters)));
  }

  // -------------------------------------------------------------------------------- the end

  /** Stops all nodes in good order. A thread that does not answer is ended at its deadline. */
  async close(): Promise<void> {
    if (this.isClosing) return;
    this.isClosing = true;
    for (const endpoint of this.endpoints.values()) endpoint.close();
    const notice: ClientNotice = { type: 'close' };
    for (const { port } of this.remoteClients.values()) {
      port.postMessage(notice);
      port.close();
    }
    await Promise.all([...this.threads.values()].map((thread) => this.stopThread(thread)));
    await this.pool.destroy();
    this.options.directory.close();
  }

  private async stopThread(thread: Thread): Promise<void> {
    try {
      await thread.control.call('stop');
      await thread.ended;
    } catch {
      thread.abort.abort();
      await thread.ended.catch(() => {});
    }
  }
}

/** The extension of this very file: sources and built files find each other alike. */
function extension(): string {
  return import.meta.url.endsWith('.ts') ? '.ts' : '.js';
}
