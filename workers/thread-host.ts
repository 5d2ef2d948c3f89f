/**
 * The thread host: starts the threads, connects them, watches over them (Dynamo has no such part; its nodes
 * are processes that an operator restarts).
 *
 * A thread's control port is first in, first out, and takes calls before the thread has loaded. So what is told in an
 * order is done in that order, and nobody has to wait before he tells the next thing.
 *
 * Invariants:
 * 1. A thread that ends without being told to, or lets a control call's deadline pass, is noticed: its nodes are down
 *    for everybody before its callers' deadlines, and are started again unless the options say otherwise or it keeps dying.
 * 2. A node is up for clients only after its store is open, its links are in place and every thread knows that it is up.
 * 3. What a thread was told of faults, observers and clocks is told to its next life too.
 * 4. A thread starts again only after the worker of its last life is gone: until then that may hold the nodes' files.
 */
import { randomInt } from 'node:crypto';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import {
  type ActorAddress,
  ADDRESS_MAX,
  CLIENT_ADDRESS_MIN,
  clientAddress,
  nodeAddress,
} from '../lib/address.ts';
import { assert } from '../lib/assert.ts';
import type { ClusterConfig } from '../lib/config.ts';
import { decodeError, isRingletError, messageOf, RingletError } from '../lib/errors.ts';
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
  /** Resolves when the thread was stopped, rejects with the reason when it died. */
  readonly ended: Promise<void>;
  /** Ends the thread at once, wherever it is. Resolves when its worker is gone. */
  end(reason: Error): Promise<void>;
}

/** A node as the host sees it. */
interface Member {
  /** `killed` stays down until someone restarts it; `down` starts with its thread. */
  state: 'up' | 'down' | 'killed';
  /** Counts starts and stops: news of an earlier life is no news. */
  life: number;
  /** How far its wall clock is off. */
  skewMs: number;
}

interface Observer {
  readonly filter: EnvelopeFilter;
  readonly listener: (event: VerdictEvent) => void;
}

/** Deaths of one thread and its nodes within {@link RESTART_WINDOW_MS} after which they stay down. */
const RESTART_COUNT_MAX = 5;
const RESTART_WINDOW_MS = 60_000;
const CLIENT_COUNT_MAX = 1024;
const CLIENT_ADDRESS_COUNT = ADDRESS_MAX - CLIENT_ADDRESS_MIN + 1;
const MEBIBYTE = 1024 * 1024;
/**
 * Three times the 16 MiB that Node.js grants a thread beyond its heap limit to end itself. With V8's own, larger choice
 * one collection may promote more than that, and the whole process aborts instead of the thread.
 */
const YOUNG_GENERATION_MIB = 48;

export class ThreadHost implements ClusterHost<ThreadStats[]> {
  private readonly options: ThreadHostOptions;
  private readonly threads = new Map<number, Thread>();
  /** The threads that are no more, but whose workers are not gone yet. Each resolves when its thread may start again. */
  private readonly endings = new Map<number, Promise<void>>();
  private readonly threadOf: readonly number[];
  private readonly members: readonly Member[];
  private readonly endpoints = new Map<ActorAddress, ClientEndpoint>();
  /** The host's ends of the ports of clients in other threads. */
  private readonly remoteClients = new Map<ActorAddress, MessagePort>();
  private readonly observers = new Map<number, Observer>();
  private readonly deathTimes = new Map<number, number[]>();
  /** Delivers nothing: it knows which commands a thread that starts again has to be told. */
  private readonly network: Network;
  private nextClient = 0;
  private nextObserver = 1;
  private hasOpened = false;
  /** Why a thread or a node died before all had started. */
  private openError: Error | null = null;
  private closing: Promise<void> | null = null;

  /**
   * Starts all threads and nodes.
   *
   * @throws {RingletError} what a store's opening throws, RINGLET_NODE_STOPPED if a thread cannot run; nothing is left running
   */
  static async open(options: ThreadHostOptions): Promise<ThreadHost> {
    const host = new ThreadHost(options);
    try {
      await host.startAll();
    } catch (error) {
      // What fails on top of that is of no interest.
      await host.close().catch(() => {});
      throw host.openError ?? error;
    }
    return host;
  }

  private constructor(options: ThreadHostOptions) {
    const { config } = options;
    this.options = options;
    this.network = new Network({ seed: config.seed, heldCountMax: 1 });
    this.threadOf = config.nodes.map((_, index) => index % config.threads);
    this.members = config.nodes.map(() => ({ state: 'down', life: 0, skewMs: 0 }));
  }

  private async startAll(): Promise<void> {
    for (let index = 0; index < this.options.config.threads; index++) this.startThread(index);
    await Promise.all(this.members.map((_, index) => this.startNode(nodeAddress(index))));
    if (this.openError !== null) throw this.openError;
    this.hasOpened = true;
  }

  // -------------------------------------------------------------------------------- threads

  /** Starts a thread without nodes, linked with all other threads and all clients. */
  private startThread(index: number): void {
    const thread = this.launch(index);
    thread.ended.then(
      () => this.onThreadEnded(thread, null),
      (error: unknown) => this.onThreadEnded(thread, error),
    );
    for (const other of this.threads.values()) {
      const { port1, port2 } = new MessageChannel();
      this.tell(thread, [port1], 'attachThread', other.index, port1);
      this.tell(other, [port2], 'attachThread', index, port2);
    }
    this.threads.set(index, thread);
    for (const [id, { filter }] of this.observers) {
      this.tell(thread, [], 'observeNetwork', id, filter);
    }
    for (const [address, endpoint] of this.endpoints) {
      endpoint.attachThread(index, this.linkClient(thread, address));
    }
    for (const [address, remote] of this.remoteClients) {
      const port = this.linkClient(thread, address);
      remote.postMessage({ type: 'attach', threadIndex: index, port } satisfies ClientNotice, [
        port,
      ]);
    }
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
    // A pool for this life alone: one whose worker failed to load would never start another.
    const pool = new Piscina({
      filename: new URL(`./thread-entry${extension()}`, import.meta.url).href,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      resourceLimits: {
        maxOldGenerationSizeMb: config.limits.threadHeapBytesMax / MEBIBYTE,
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB,
      },
    });
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
    // A worker that fails to load is announced so; its task is left waiting.
    pool.on('error', reject);
    pool.run(task, { transferList: [control.port2, notice.port2] }).then(resolve, reject);
    // The pool itself lets go of a worker that failed before that one is gone.
    const [worker] = pool.threads;
    assert(worker !== undefined, 'a task without a worker starts one');
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const end = (reason: Error) => {
      reject(reason);
      pool.destroy();
      return exited;
    };
    notice.port1.on('message', (message: ThreadNotice) => this.onNotice(message));
    return {
      index,
      control: new Control<ThreadApi>(control.port1, config.controlTimeoutMs, end),
      noticePort: notice.port1,
      ended,
      end,
    };
  }

  private nodesOf(threadIndex: number): NodeTask[] {
    const { config, directory } = this.options;
    return config.nodes
      .map(({ id }, index) => ({
        address: nodeAddress(index),
        id,
        storePath: directory.storePath(id),
        markPath: directory.markPath(id),
      }))
      .filter(({ address }) => this.threadOf[address] === threadIndex);
  }

  /** @returns the client's end of a new link. */
  private linkClient(thread: Thread, address: ActorAddress): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.tell(thread, [port1], 'attachClient', address, port1);
    return port2;
  }

  /** A thread has ended. If nobody told it to, its nodes are down and it is started again. */
  private onThreadEnded(thread: Thread, error: unknown): void {
    const { index } = thread;
    assert(this.threads.get(index) === thread, 'a thread ends once');
    this.threads.delete(index);
    const reason = `thread ${index} ended: ${error === null ? 'without a reason' : messageOf(error)}`;
    const cause = new RingletError('RINGLET_NODE_STOPPED', reason, { cause: error });
    thread.control.close();
    thread.noticePort.close();
    const isRevived = this.closing === null && this.hasOpened && this.mayRestart(index);
    this.endings.set(index, this.awaitEnd(thread, cause, isRevived));
    if (this.closing !== null) return;
    if (!this.hasOpened) {
      this.openError ??= cause;
      return;
    }
    const nodes = this.nodesOf(index).filter(
      ({ address }) => this.members[address]!.state !== 'killed',
    );
    for (const { address } of nodes) this.setDown(address, 'down', outlook(reason, isRevived));
    // After the nodes are down: a client without a port to a node that is up would take it for overloaded.
    for (const endpoint of this.endpoints.values()) endpoint.detachThread(index);
    this.notifyClients({ type: 'detach', threadIndex: index });
    this.tellAll('detachThread', index);
    if (isRevived) for (const { address } of nodes) this.revive(address);
  }

  /** Waits until the thread's worker is gone, then starts the thread again if that is wanted. */
  private async awaitEnd(thread: Thread, cause: Error, isRevived: boolean): Promise<void> {
    await thread.end(cause);
    this.endings.delete(thread.index);
    if (isRevived && this.closing === null) this.startThread(thread.index);
  }

  /** Counts a death. @returns `true` if what died is to be started again. */
  private mayRestart(threadIndex: number): boolean {
    const nowMs = performance.now();
    const recent = (this.deathTimes.get(threadIndex) ?? []).filter(
      (timeMs) => nowMs - timeMs < RESTART_WINDOW_MS,
    );
    recent.push(nowMs);
    this.deathTimes.set(threadIndex, recent);
    return this.options.config.restartNodes && recent.length <= RESTART_COUNT_MAX;
  }

  /** Tells a thread something that its end makes needless. Resolves when the thread has taken it, or has ended. */
  private async tell<Name extends keyof ThreadApi>(
    thread: Thread,
    ports: readonly MessagePort[],
    name: Name,
    ...parameters: Parameters<ThreadApi[Name]>
  ): Promise<void> {
    try {
      await thread.control.transferCall(name, ports, ...parameters);
    } catch (error) {
      if (!isEnd(error)) throw error;
    }
  }

  private async tellAll<Name extends keyof ThreadApi>(
    name: Name,
    ...parameters: Parameters<ThreadApi[Name]>
  ): Promise<void> {
    const threads = [...this.threads.values()];
    await Promise.all(threads.map((thread) => this.tell(thread, [], name, ...parameters)));
  }

  /** Asks all threads; one that ends before it answers is left out. */
  private async askAll<Name extends keyof ThreadApi>(
    name: Name,
    ...parameters: Parameters<ThreadApi[Name]>
  ): Promise<Awaited<ReturnType<ThreadApi[Name]>>[]> {
    this.checkOpen();
    const answers = await Promise.all(
      [...this.threads.values()].map(async (thread) => {
        try {
          return [await thread.control.call(name, ...parameters)];
        } catch (error) {
          if (!isEnd(error)) throw error;
          return [];
        }
      }),
    );
    return answers.flat();
  }

  private threadFor(address: ActorAddress): Thread {
    this.checkOpen();
    const thread = this.threads.get(this.threadOf[address]!);
    if (thread !== undefined) return thread;
    throw new RingletError('RINGLET_NODE_STOPPED', "the node's thread is not running", {
      definite: true,
    });
  }

  private checkOpen(): void {
    if (this.closing === null) return;
    throw new RingletError('RINGLET_CLOSED', 'the cluster is closed');
  }

  /** Makes a thread fail, for tests of supervision. */
  async injectFault(threadIndex: number, fault: ThreadFault): Promise<void> {
    const thread = this.threads.get(threadIndex);
    if (thread !== undefined) await this.tell(thread, [], 'injectFault', fault);
  }

  /** Ends a thread at once, wherever it is, as a crash would; one that is about to start again, as soon as it does. */
  async terminateThread(threadIndex: number): Promise<void> {
    while (this.endings.has(threadIndex)) await this.endings.get(threadIndex);
    this.threads.get(threadIndex)?.end(new Error('terminated'));
  }

  // -------------------------------------------------------------------------------- nodes

  isUp(address: ActorAddress): boolean {
    return this.closing === null && this.members[address]!.state === 'up';
  }

  async killNode(address: ActorAddress): Promise<void> {
    this.checkOpen();
    if (this.members[address]!.state === 'killed') return;
    this.setDown(address, 'killed', 'killed');
    const thread = this.threads.get(this.threadOf[address]!);
    if (thread !== undefined) await this.tell(thread, [], 'killNode', address);
  }

  async restartNode(address: ActorAddress): Promise<void> {
    this.checkOpen();
    if (this.isUp(address)) this.setDown(address, 'down', 'restarted');
    await this.startNode(address);
  }

  async pauseNode(address: ActorAddress): Promise<void> {
    await this.threadFor(address).control.call('pauseNode', address);
  }

  async resumeNode(address: ActorAddress): Promise<void> {
    await this.threadFor(address).control.call('resumeNode', address);
  }

  async skewClock(address: ActorAddress, skewMs: number): Promise<void> {
    this.checkOpen();
    this.members[address]!.skewMs = skewMs;
    if (!this.isUp(address)) return;
    await this.tell(this.threadFor(address), [], 'skewClock', address, skewMs);
  }

  /** Opens a node's store and starts the node; one that runs is killed first. Starts its thread if that has ended. */
  private async startNode(address: ActorAddress): Promise<void> {
    const member = this.members[address]!;
    const index = this.threadOf[address]!;
    const life = ++member.life;
    member.state = 'down';
    while (this.endings.has(index)) await this.endings.get(index);
    this.checkLife(member, life);
    if (!this.threads.has(index)) this.startThread(index);
    const thread = this.threadFor(address);
    const down = this.downNodes().filter((other) => other !== address);
    const started = thread.control.call('startNode', address, life, down);
    if (member.skewMs !== 0) this.tell(thread, [], 'skewClock', address, member.skewMs);
    const { open } = await started;
    this.checkLife(member, life);
    member.state = 'up';
    await this.tellAll('setMemberStatus', address, 'up');
    this.checkLife(member, life);
    this.publish(address, 'up', open.status);
    if (open.status === 'created' || open.status === 'opened') return;
    const { status, detail } = open;
    this.options.onEvent({ type: 'store', member: address, status, detail });
  }

  private checkLife(member: Member, life: number): void {
    this.checkOpen();
    if (member.life === life) return;
    throw new RingletError('RINGLET_NODE_STOPPED', 'the node was stopped while it started');
  }

  /** Starts a node that nobody waits for. */
  private revive(address: ActorAddress): void {
    this.startNode(address).catch((error: unknown) => {
      // The end of its thread, or of this life of the node, is dealt with where it is noticed.
      if (this.closing !== null || isEnd(error)) return;
      const reason = `cannot be started again: ${messageOf(error)}`;
      this.options.onEvent({ type: 'member', member: address, status: 'down', reason });
    });
  }

  private setDown(address: ActorAddress, state: 'down' | 'killed', reason: string): void {
    const member = this.members[address]!;
    member.state = state;
    member.life++;
    this.tellAll('setMemberStatus', address, 'down');
    this.publish(address, 'down', reason);
  }

  /** Tells clients and the application of a change that the threads have been told. */
  private publish(member: ActorAddress, status: 'up' | 'down', reason: string): void {
    for (const { client } of this.endpoints.values()) client.onMemberStatus(member, status);
    this.notifyClients({ type: 'member', member, status });
    this.options.onEvent({ type: 'member', member, status, reason });
  }

  private downNodes(): ActorAddress[] {
    return this.members.map((_, index) => nodeAddress(index)).filter((node) => !this.isUp(node));
  }

  private onNotice(notice: ThreadNotice): void {
    if (notice.type === 'verdicts') this.onVerdicts(notice);
    // What the node sent before it failed came through other ports, and is taken in with this turn of the event loop.
    else setImmediate(() => this.onNodeFailed(notice));
  }

  private onVerdicts({ id, events }: Extract<ThreadNotice, { type: 'verdicts' }>): void {
    const observer = this.observers.get(id);
    if (observer === undefined) return;
    // Each on its own: one that throws must not keep the others from their observer.
    for (const event of events) {
      queueMicrotask(() => {
        if (this.observers.has(id)) observer.listener(event);
      });
    }
  }

  private onNodeFailed(notice: Extract<ThreadNotice, { type: 'node-failed' }>): void {
    const { address, life, error } = notice;
    if (this.closing !== null || this.members[address]!.life !== life) return;
    if (!this.hasOpened) {
      this.openError ??= decodeError(error);
      return;
    }
    // A disk that has filled up is no flaw of the thread: opened again, the store serves reads. One that took no writes
    // already would fail in the same way again.
    const isDiskFull = error.code === 'RINGLET_DISK_FULL' && !notice.wasReadOnly;
    const isRevived = isDiskFull
      ? this.options.config.restartNodes
      : this.mayRestart(this.threadOf[address]!);
    this.setDown(address, 'down', outlook(error.message, isRevived));
    if (isRevived) this.revive(address);
  }

  // -------------------------------------------------------------------------------- clients

  /** A client in this thread. */
  async openClient(): Promise<ClientEndpoint> {
    this.checkOpen();
    const { config, ring } = this.options;
    const address = this.takeClientAddress();
    const endpoint = new ClientEndpoint({
      address,
      config,
      ring,
      threadOf: this.threadOf,
      down: this.downNodes(),
      randomSeed: randomInt(2 ** 47),
    });
    this.endpoints.set(address, endpoint);
    for (const thread of this.threads.values()) {
      endpoint.attachThread(thread.index, this.linkClient(thread, address));
    }
    return endpoint;
  }

  /** A port for a client in any thread; it may be transferred before it is used. */
  async openClientPort(): Promise<MessagePort> {
    this.checkOpen();
    const { config, ring } = this.options;
    const address = this.takeClientAddress();
    const { port1, port2 } = new MessageChannel();
    const links = [...this.threads.values()].map((thread) => ({
      threadIndex: thread.index,
      port: this.linkClient(thread, address),
    }));
    const notice: ClientNotice = {
      type: 'open',
      address,
      links,
      config,
      ring,
      threadOf: this.threadOf,
      down: this.downNodes(),
      randomSeed: randomInt(2 ** 47),
    };
    port1.postMessage(
      notice,
      links.map(({ port }) => port),
    );
    port1.once('close', () => this.forgetClient(address));
    // The cluster outlives its clients: an idle port of theirs keeps no process alive.
    port1.unref();
    this.remoteClients.set(address, port1);
    return port2;
  }

  private notifyClients(notice: ClientNotice): void {
    for (const port of this.remoteClients.values()) port.postMessage(notice);
  }

  private forgetClient(address: ActorAddress): void {
    this.remoteClients.delete(address);
    this.tellAll('detachClient', address);
  }

  /** The next address that no client has. Replies to an earlier owner match no request of the new one. */
  private takeClientAddress(): ActorAddress {
    if (this.endpoints.size + this.remoteClients.size >= CLIENT_COUNT_MAX) {
      throw new RingletError('RINGLET_OVERLOADED', `${CLIENT_COUNT_MAX} clients are open`);
    }
    for (;;) {
      const address = clientAddress(this.nextClient);
      this.nextClient = (this.nextClient + 1) % CLIENT_ADDRESS_COUNT;
      if (!this.endpoints.has(address) && !this.remoteClients.has(address)) return address;
    }
  }

  // -------------------------------------------------------------------------------- network and statistics

  async applyNetwork(command: NetworkCommand): Promise<void> {
    this.checkOpen();
    this.network.apply(command, 0, () => {});
    await this.tellAll('applyNetwork', command);
  }

  async networkCounters(): Promise<LinkCounters[]> {
    return (await this.askAll('networkCounters')).flat();
  }

  async observeNetwork(
    filter: EnvelopeFilter,
    listener: (event: VerdictEvent) => void,
  ): Promise<() => Promise<void>> {
    this.checkOpen();
    const id = this.nextObserver++;
    this.observers.set(id, { filter, listener });
    await this.tellAll('observeNetwork', id, filter);
    return async () => {
      this.observers.delete(id);
      await this.tellAll('unobserveNetwork', id);
    };
  }

  stats(): Promise<ThreadStats[]> {
    return this.askAll('stats');
  }

  // -------------------------------------------------------------------------------- the end

  /**
   * Stops all nodes in good order. A thread that has not ended by the deadline of a control call is ended.
   *
   * @throws {RingletError} what a store's closing throws, after everything else is closed too
   */
  close(): Promise<void> {
    this.closing ??= this.stopAll();
    return this.closing;
  }

  private async stopAll(): Promise<void> {
    for (const endpoint of this.endpoints.values()) endpoint.close();
    this.notifyClients({ type: 'close' });
    for (const port of this.remoteClients.values()) port.close();
    const stops = [...this.threads.values()].map((thread) => this.stopThread(thread));
    const problems = await Promise.all(stops);
    await Promise.all(this.endings.values());
    this.options.directory.close();
    const problem = problems.find((error) => error !== null);
    if (problem !== undefined) throw problem;
  }

  /** @returns what a store's closing threw, or `null`. */
  private async stopThread({ control, ended, end }: Thread): Promise<unknown> {
    const timer = setTimeout(
      () => end(new Error('did not stop')),
      this.options.config.controlTimeoutMs,
    );
    let problem: unknown = null;
    control.call('stop').catch((error) => {
      if (!isEnd(error)) problem = error;
      end(error);
    });
    await ended.catch(() => {});
    clearTimeout(timer);
    await end(new Error('stopped'));
    return problem;
  }
}

/** True if a call failed because its thread had ended, or was ended for not answering. */
function isEnd(error: unknown): boolean {
  return isRingletError(error, 'RINGLET_NODE_STOPPED') || isRingletError(error, 'RINGLET_TIMEOUT');
}

function outlook(reason: string, isRevived: boolean): string {
  return isRevived ? reason : `${reason}; not started again`;
}

/** The extension of this very file: sources and built files find each other alike. */
function extension(): string {
  return import.meta.url.endsWith('.ts') ? '.ts' : '.js';
}
