/**
 * The turn: the unit of execution and of durability, for all nodes of a thread at once.
 *
 * 1. Take the messages that wait, up to a limit; sample the time once.
 * 2. Run the handlers. What they send stays in each node's outbox.
 * 3. Commit every store that changed.
 * 4. Hand over the outboxes of the nodes whose commit is durable. Where stores sync in the background, side by side, their
 *    nodes' outboxes are held, and the mail that comes meanwhile makes up the next turn's batch.
 *
 * Invariant: nothing that a turn promises leaves before the state that it rests on is durable. A node
 * whose handler, commit or sync fails is stopped: its store is discarded and nothing that it still holds leaves.
 */
import type { ActorAddress } from '../address.ts';
import { assert } from '../assert.ts';
import { isRingletError } from '../errors.ts';
import { diskFullReplyOf, type Message, refusalOf } from '../protocol/messages.ts';
import type { NodeCell } from './node-cell.ts';

/** What a turn needs from the thread or the simulator that runs it. */
export interface TurnEnvironment {
  /** Takes an envelope after its sender's commit. Called in order of sending. */
  route(source: ActorAddress, target: ActorAddress, message: Message): void;
  /** A node's handler or store threw. The cell is stopped and its store discarded. */
  onCellFailed(cell: NodeCell, error: unknown): void;
  /** No sync is waited for any more: they have ended, or their nodes have. The next turn may begin. */
  onReleased(): void;
}

export interface TurnLimits {
  /** Messages that one turn takes over all nodes. */
  readonly turnCountMax: number;
  /** Records that a store may write in the background after a turn. */
  readonly maintainCountMax: number;
}

export class TurnRunner {
  private readonly environment: TurnEnvironment;
  private readonly limits: TurnLimits;
  private readonly cells = new Map<ActorAddress, NodeCell>();
  /** Background work waits although no message does. */
  private hasBackgroundWork = false;
  /** Turns that took at least one message. */
  turnCount = 0;
  /** Messages handled. */
  messageCount = 0;

  constructor(limits: TurnLimits, environment: TurnEnvironment) {
    this.limits = limits;
    this.environment = environment;
  }

  add(cell: NodeCell): void {
    assert(!this.cells.has(cell.self), 'address is taken');
    this.cells.set(cell.self, cell);
    cell.store.onDurable = (error) => this.onDurable(cell, error);
  }

  remove(address: ActorAddress): void {
    this.withoutWaiting(() => this.cells.delete(address));
  }

  /** Mail and timers of a node wait from now on, as in a long collection of garbage. */
  pause(address: ActorAddress): void {
    const cell = this.cellAt(address);
    this.withoutWaiting(() => {
      cell.state = 'paused';
    });
  }

  /** Ends {@link pause}. Its owner has a turn run. */
  resume(address: ActorAddress): void {
    this.cellAt(address).state = 'running';
  }

  /** What ends the wait for syncs lets the next turn begin: mail that gathered must not lie until something else happens. */
  private withoutWaiting(change: () => void): void {
    const wasSyncing = this.isSyncing;
    change();
    if (wasSyncing && !this.isSyncing) this.environment.onReleased();
  }

  private cellAt(address: ActorAddress): NodeCell {
    const cell = this.cells.get(address);
    assert(cell !== undefined, 'the node is of this thread');
    return cell;
  }

  get(address: ActorAddress): NodeCell | undefined {
    return this.cells.get(address);
  }

  all(): IterableIterator<NodeCell> {
    return this.cells.values();
  }

  /**
   * Puts a message into a node's mailbox. A full mailbox refuses: requests get a reply that says so.
   *
   * @returns `false` if this thread has no such node; the message is dropped, as by a network.
   */
  deliver(source: ActorAddress, target: ActorAddress, message: Message, size: number): boolean {
    const cell = this.cells.get(target);
    if (cell === undefined) return false;
    if (cell.mailbox.offer(source, message, size)) return true;
    const refusal = refusalOf(message, target, cell.mailbox.count);
    if (refusal !== null) this.environment.route(target, source, refusal);
    return true;
  }

  /** True if a turn would have something to do now. */
  hasWork(nowMs: number): boolean {
    if (this.isSyncing) return false;
    if (this.hasBackgroundWork) return true;
    for (const cell of this.cells.values()) {
      if (cell.state !== 'running') continue;
      if (!cell.hasStarted || cell.mailbox.count > 0 || cell.timers.dueMs <= nowMs) return true;
    }
    return false;
  }

  /** When the next timer of a running node is due, or Infinity. While a sync is under way its end comes first. */
  get dueMs(): number {
    if (this.isSyncing) return Number.POSITIVE_INFINITY;
    let dueMs = Number.POSITIVE_INFINITY;
    for (const cell of this.cells.values()) {
      if (cell.state === 'running') dueMs = Math.min(dueMs, cell.timers.dueMs);
    }
    return dueMs;
  }

  /** A running node's outbox waits for a sync. The next turn begins when all have ended: bigger batches cost less. */
  private get isSyncing(): boolean {
    for (const cell of this.cells.values()) {
      if (cell.isHeld && cell.state === 'running') return true;
    }
    return false;
  }

  /** Runs one turn over all running nodes, unless a sync is under way. @param wallMs The host's wall clock; each node adds its own skew. */
  run(nowMs: number, wallMs: number): void {
    const active = [...this.cells.values()].filter((cell) => cell.state === 'running');
    for (const cell of active) {
      // A sync may have ended while the node was paused.
      if (cell.isHeld) this.flush(cell);
    }
    if (this.isSyncing) return;
    const share = Math.max(1, Math.floor(this.limits.turnCountMax / Math.max(1, active.length)));
    let takenCount = 0;
    for (const cell of active) {
      cell.nowMs = nowMs;
      cell.wallMs = wallMs + cell.wallSkewMs;
      takenCount += this.attempt(cell, () => handle(cell, share)) ?? 0;
    }
    for (const cell of active) {
      if (cell.state === 'running') this.commit(cell);
    }
    for (const cell of active) {
      if (cell.state === 'running') this.flush(cell);
    }
    this.messageCount += takenCount;
    if (takenCount > 0) this.turnCount++;
    this.maintain(active);
  }

  private commit(cell: NodeCell): void {
    try {
      cell.store.commit();
    } catch (error) {
      if (isRingletError(error, 'RINGLET_DISK_FULL')) this.refuseWrites(cell);
      this.fail(cell, error);
    }
  }

  /** Nothing of the turn was stored or sent, so its writes are refused for certain. */
  private refuseWrites(cell: NodeCell): void {
    for (const [index, message] of cell.takenMessages.entries()) {
      const reply = diskFullReplyOf(message);
      if (reply !== null) this.environment.route(cell.self, cell.takenSources[index]!, reply);
    }
  }

  /** Hands over what the turn sent, or holds it until what it rests on is durable. */
  private flush(cell: NodeCell): void {
    const { self, store, outboxTargets, outboxMessages } = cell;
    cell.isHeld = outboxMessages.length > 0 && store.durableNumber < store.commitNumber;
    if (cell.isHeld) return;
    for (let index = 0; index < outboxMessages.length; index++) {
      this.environment.route(self, outboxTargets[index]!, outboxMessages[index]!);
    }
    cell.clearTurn();
  }

  /** A sync of a node's store has ended. */
  private onDurable(cell: NodeCell, error: unknown): void {
    if (this.cells.get(cell.self) !== cell) return;
    this.withoutWaiting(() => {
      if (error !== null) this.fail(cell, error);
      else if (cell.isHeld && cell.state === 'running') this.flush(cell);
    });
  }

  private maintain(active: readonly NodeCell[]): void {
    this.hasBackgroundWork = false;
    for (const cell of active) {
      if (cell.state !== 'running') continue;
      const waits = this.attempt(cell, () => cell.store.maintain(this.limits.maintainCountMax));
      if (waits === true) this.hasBackgroundWork = true;
    }
  }

  private attempt<T>(cell: NodeCell, step: () => T): T | null {
    try {
      return step();
    } catch (error) {
      this.fail(cell, error);
      return null;
    }
  }

  private fail(cell: NodeCell, error: unknown): void {
    cell.state = 'stopped';
    cell.clearTurn();
    this.cells.delete(cell.self);
    cell.store.discard();
    this.environment.onCellFailed(cell, error);
  }
}

/** Runs a node's start, due timers and waiting messages, at most `countMax` of the latter. */
function handle(cell: NodeCell, countMax: number): number {
  const { actor, mailbox, timers } = cell;
  if (!cell.hasStarted) {
    cell.hasStarted = true;
    actor.start(cell);
  }
  const lastTimer = timers.lastId;
  const takeTimer = () => timers.takeDue(cell.nowMs, lastTimer);
  for (let timer = takeTimer(); timer !== null; timer = takeTimer()) {
    actor.receive(cell, cell.self, timer);
  }
  let count = 0;
  for (let lane = mailbox.next; lane !== null && count < countMax; lane = mailbox.next) {
    const source = lane.nextSource;
    const message = lane.shift();
    cell.takenSources.push(source);
    cell.takenMessages.push(message);
    actor.receive(cell, source, message);
    count++;
  }
  return count;
}
