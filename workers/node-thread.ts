/**
 * A thread that runs nodes: the turn loop, the router between its nodes, other threads and clients, and
 * the control methods. Everything here lives on one worker thread.
 *
 * Invariant: a message to a node of this thread is input of the next turn, never of the one that sent it.
 */
import type { MessagePort } from 'node:worker_threads';
import { Node } from '../actors/node.ts';
import { drawIncarnation } from '../actors/replica.ts';
import { type ActorAddress, isClientAddress } from '../lib/address.ts';
import { assert, unreachable } from '../lib/assert.ts';
import { encodeError, RingletError } from '../lib/errors.ts';
import { Network, type VerdictEvent } from '../lib/network/network.ts';
import type { EnvelopeFilter, NetworkCommand } from '../lib/network/rules.ts';
import { messageBytes } from '../lib/network/size.ts';
import { Prng } from '../lib/prng.ts';
import { type Message, memberStatus } from '../lib/protocol/messages.ts';
import { PreferenceLists } from '../lib/ring/preference-list.ts';
import { NodeCell } from '../lib/runtime/node-cell.ts';
import { TurnRunner } from '../lib/runtime/turn.ts';
import type { PartitionStore } from '../lib/store/contract.ts';
import { exposeControl } from './control.ts';
import { FramePort } from './frame-port.ts';
import { openSqliteStore } from './sqlite-store.ts';
import type {
  NodeReport,
  NodeStats,
  NodeTask,
  ThreadApi,
  ThreadFault,
  ThreadNotice,
  ThreadStats,
  ThreadTask,
} from './thread-messages.ts';

/** Verdicts that wait for an observer; more are dropped, an observer only looks. */
const VERDICT_COUNT_MAX = 10_000;

interface Observation {
  readonly end: () => void;
  readonly events: VerdictEvent[];
}

export class NodeThread implements ThreadApi {
  private readonly task: ThreadTask;
  private readonly preferenceLists: PreferenceLists;
  private readonly runner: TurnRunner;
  private readonly network: Network;
  private readonly random: Prng;
  /** The host's number for each node's present life. */
  private readonly lives = new Map<ActorAddress, number>();
  private readonly threads = new Map<number, FramePort>();
  private readonly clients = new Map<ActorAddress, FramePort>();
  private readonly observations = new Map<number, Observation>();
  private isTurnScheduled = false;
  private timer: NodeJS.Timeout | null = null;
  private timerDueMs = Number.POSITIVE_INFINITY;
  private droppedCount = 0;
  private end: () => void = () => {};
  /** Resolves when the thread was told to stop and has stopped. */
  readonly ended: Promise<void>;

  constructor(task: ThreadTask) {
    const { config, ring } = task;
    this.task = task;
    this.preferenceLists = new PreferenceLists(ring);
    this.random = new Prng(task.randomSeed);
    this.network = new Network({
      seed: config.seed,
      heldCountMax: config.limits.networkHeldCountMax,
    });
    this.runner = new TurnRunner(config.limits, {
      route: this.route,
      // The turn that this asks for, even an empty one, sends the frames.
      onReleased: () => this.scheduleTurn(),
      onCellFailed: this.onCellFailed,
    });
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
    for (const command of task.networkCommands) this.applyNetwork(command);
    exposeControl<ThreadApi>(this, task.controlPort);
  }

  // ---------------------------------------------------------------------------------- nodes

  killNode(address: ActorAddress): void {
    const cell = this.runner.get(address);
    if (cell === undefined) return;
    this.runner.remove(address);
    cell.state = 'stopped';
    cell.store.discard();
  }

  startNode(address: ActorAddress, life: number, down: readonly ActorAddress[]): NodeReport {
    this.killNode(address);
    const node = this.nodeTask(address);
    const { config, clusterId, bootId } = this.task;
    const random = this.random.split(`${node.id} ${this.random.uint32()}`);
    const store = openSqliteStore({
      path: node.storePath,
      markPath: node.markPath,
      clusterId,
      nodeId: node.id,
      durability: config.durability,
      hasPeers: config.nodes.length > 1,
      limits: config.limits,
      createIncarnation: () => drawIncarnation(random),
      bootId,
    });
    const { preferenceLists } = this;
    const actor = new Node({ address, config, preferenceLists, store, down });
    this.runner.add(new NodeCell({ address, actor, store, random, limits: config.limits }));
    this.lives.set(address, life);
    this.scheduleTurn();
    return { address, open: store.openReport };
  }

  pauseNode(address: ActorAddress): void {
    this.runner.pause(this.cell(address).self);
  }

  resumeNode(address: ActorAddress): void {
    this.runner.resume(this.cell(address).self);
    this.scheduleTurn();
  }

  skewClock(address: ActorAddress, skewMs: number): void {
    this.cell(address).wallSkewMs = skewMs;
  }

  setMemberStatus(member: ActorAddress, status: 'up' | 'down'): void {
    for (const { self } of this.runner.all()) {
      if (self !== member) this.accept(member, self, memberStatus(member, status));
    }
  }

  private readonly onCellFailed = ({ self, store }: NodeCell, error: unknown): void => {
    // What it answered last must come before the news: a client that hears those first gives its requests up.
    this.flush();
    this.notify({
      type: 'node-failed',
      address: self,
      life: this.lives.get(self)!,
      error: encodeError(error),
      wasReadOnly: store.stats().isReadOnly,
    });
  };

  private nodeTask(address: ActorAddress): NodeTask {
    const node = this.task.nodes.find((candidate) => candidate.address === address);
    assert(node !== undefined, 'a node of this thread');
    return node;
  }

  private cell(address: ActorAddress): NodeCell {
    const cell = this.runner.get(address);
    if (cell !== undefined) return cell;
    throw new RingletError('RINGLET_NODE_STOPPED', 'the node is down', { definite: true });
  }

  // ---------------------------------------------------------------------------------- router

  attachThread(threadIndex: number, port: MessagePort): void {
    this.threads.set(threadIndex, this.openFramePort(port));
  }

  detachThread(threadIndex: number): void {
    this.threads.get(threadIndex)?.close();
    this.threads.delete(threadIndex);
  }

  attachClient(address: ActorAddress, port: MessagePort): void {
    this.clients.set(address, this.openFramePort(port));
  }

  detachClient(address: ActorAddress): void {
    this.clients.get(address)?.close();
    this.clients.delete(address);
  }

  private openFramePort(port: MessagePort): FramePort {
    return new FramePort(port, this.task.config.limits, {
      deliver: this.acceptFrom,
      malformed: () => {
        this.droppedCount++;
      },
    });
  }

  /** Takes what a node sent in a committed turn. Links are simulated between nodes alone. */
  private readonly route = (source: ActorAddress, target: ActorAddress, message: Message): void => {
    if (isClientAddress(target)) {
      if (this.clients.get(target)?.send(source, target, message) !== true) this.droppedCount++;
    } else if (this.network.isQuiet) this.forward(source, target, message);
    else this.network.admit(performance.now(), source, target, message, this.forward);
  };

  private readonly forward = (
    source: ActorAddress,
    target: ActorAddress,
    message: Message,
  ): void => {
    const threadIndex = this.task.threadOf[target];
    if (threadIndex === this.task.threadIndex) this.accept(source, target, message);
    else if (this.threads.get(threadIndex!)?.send(source, target, message) !== true) {
      this.droppedCount++;
    }
  };

  private accept(source: ActorAddress, target: ActorAddress, message: Message): void {
    this.acceptFrom(source, target, message, messageBytes(message));
  }

  private readonly acceptFrom = (
    source: ActorAddress,
    target: ActorAddress,
    message: Message,
    size: number,
  ): void => {
    if (!this.runner.deliver(source, target, message, size)) this.droppedCount++;
    this.scheduleTurn();
  };

  // ---------------------------------------------------------------------------------- turns

  /** Between two turns the event loop takes in whatever frames have come: they make up the next batch. */
  private scheduleTurn(): void {
    if (this.isTurnScheduled) return;
    this.isTurnScheduled = true;
    setImmediate(this.runTurn);
  }

  private readonly runTurn = (): void => {
    this.isTurnScheduled = false;
    const nowMs = performance.now();
    this.network.releaseDue(nowMs, this.forward);
    this.runner.run(nowMs, Date.now());
    this.flush();
    this.sendVerdicts();
    if (this.runner.hasWork(nowMs)) this.scheduleTurn();
    else this.setTimer(nowMs);
  };

  private flush(): void {
    for (const port of this.threads.values()) port.flush();
    for (const port of this.clients.values()) port.flush();
  }

  private setTimer(nowMs: number): void {
    const dueMs = Math.min(this.runner.dueMs, this.network.dueMs());
    if (this.timer !== null) {
      if (this.timerDueMs <= dueMs && this.timerDueMs > nowMs) return;
      clearTimeout(this.timer);
      this.timer = null;
    }
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.timerDueMs = dueMs;
    this.timer = setTimeout(this.onTimer, Math.max(1, dueMs - nowMs));
  }

  private readonly onTimer = (): void => {
    this.timer = null;
    this.scheduleTurn();
  };

  // ---------------------------------------------------------------------------------- network and statistics

  applyNetwork(command: NetworkCommand): void {
    this.network.apply(command, performance.now(), this.forward);
    this.scheduleTurn();
  }

  networkCounters(): ReturnType<Network['counters']> {
    return this.network.counters();
  }

  observeNetwork(id: number, filter: EnvelopeFilter): void {
    const events: VerdictEvent[] = [];
    const end = this.network.observe(filter, (event) => {
      if (events.length < VERDICT_COUNT_MAX) events.push(event);
    });
    this.observations.set(id, { events, end });
  }

  unobserveNetwork(id: number): void {
    this.observations.get(id)?.end();
    this.observations.delete(id);
  }

  private sendVerdicts(): void {
    for (const [id, { events }] of this.observations) {
      if (events.length > 0) this.notify({ type: 'verdicts', id, events: events.splice(0) });
    }
  }

  stats(): ThreadStats {
    const { threadIndex } = this.task;
    const { turnCount, messageCount } = this.runner;
    const nodes = [...this.runner.all()].map(statsOf);
    return { threadIndex, turnCount, messageCount, droppedCount: this.droppedCount, nodes };
  }

  private notify(notice: ThreadNotice): void {
    this.task.noticePort.postMessage(notice);
  }

  // ---------------------------------------------------------------------------------- the end

  injectFault(fault: ThreadFault): void {
    const stores = [...this.runner.all()].map(({ store }) => store);
    setImmediate(() => fail(fault, stores));
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    // The answer to this very call still has to leave.
    setImmediate(() => {
      for (const port of [...this.threads.values(), ...this.clients.values()]) port.close();
      this.task.controlPort.close();
      this.task.noticePort.close();
      this.end();
    });
    this.closeStores();
  }

  /** Closes all stores, whichever of them fails. @throws {RingletError} what the first of them threw */
  private closeStores(): void {
    const errors: unknown[] = [];
    for (const cell of [...this.runner.all()]) {
      this.runner.remove(cell.self);
      try {
        cell.store.close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}

function statsOf(cell: NodeCell): NodeStats {
  assert(cell.actor instanceof Node, 'threads run nodes');
  return {
    address: cell.self,
    state: cell.state,
    queueDepth: cell.actor.queueDepth,
    mailboxCount: cell.mailbox.count,
    mailboxRefusedCount: cell.mailbox.refusedCount,
    counters: cell.actor.counters,
    store: cell.store.stats(),
  };
}

function fail(fault: ThreadFault, stores: readonly PartitionStore[]): void {
  switch (fault) {
    case 'throw':
      throw new Error('a fault was injected');
    case 'exit':
      return process.exit(7);
    case 'hang':
      for (;;);
    case 'out-of-memory': {
      const hoard: number[][] = [];
      for (;;) hoard.push(new Array<number>(1000).fill(Math.random()));
    }
    case 'disk-full':
      for (const store of stores) failNextCommit(store);
      return;
    case 'close-error':
      stores[0]!.close = () => {
        throw new RingletError('RINGLET_STORE_FAILED', 'a fault was injected');
      };
      return;
    default:
      return unreachable(fault);
  }
}

/** Turns commit even if nothing was put; those succeed. */
function failNextCommit(store: PartitionStore): void {
  const { putCount } = store.stats();
  store.commit = () => {
    if (store.stats().putCount === putCount) return;
    throw new RingletError('RINGLET_DISK_FULL', 'a fault was injected');
  };
}
