/**
 * A thread of a world: its turns and its timer, as `workers/node-thread.ts` runs them, without the event loop.
 *
 * Invariant: a turn is asked for only where a real thread asks for one, so a thread that would sleep through its mail
 * sleeps here too.
 */
import type { ActorAddress } from '../../address.ts';
import type { NodeCell } from '../../runtime/node-cell.ts';
import { type TurnEnvironment, type TurnLimits, TurnRunner } from '../../runtime/turn.ts';
import type { Lanes } from './lanes.ts';

export interface VirtualThreadOptions {
  /** Its lane. */
  readonly index: number;
  readonly limits: TurnLimits;
  readonly lanes: Lanes;
  readonly clock: { readonly nowMs: number };
  readonly environment: Pick<TurnEnvironment, 'route' | 'onCellFailed'>;
  /** How far a node's wall clock is ahead. */
  readonly skewOf: (node: ActorAddress, wallMs: number) => number;
  /** Calls back at a time. */
  readonly at: (timeMs: number, action: () => void) => void;
}

export class VirtualThread {
  readonly runner: TurnRunner;
  /** How long a turn takes: the next one begins no earlier. */
  turnMs = 0;
  /** When the next timer fires; Infinity if a turn comes first. */
  timerDueMs = Number.POSITIVE_INFINITY;
  private readonly options: VirtualThreadOptions;
  private isTurnDue = false;
  private isInLane = false;
  private busyUntilMs = 0;

  constructor(options: VirtualThreadOptions) {
    this.options = options;
    this.runner = new TurnRunner(options.limits, {
      ...options.environment,
      onReleased: () => this.scheduleTurn(),
    });
  }

  get index(): number {
    return this.options.index;
  }

  scheduleTurn(): void {
    const { clock, lanes, index } = this.options;
    this.isTurnDue = true;
    this.timerDueMs = Number.POSITIVE_INFINITY;
    if (this.isInLane || this.busyUntilMs > clock.nowMs) return;
    this.isInLane = true;
    lanes.add(index);
  }

  /** A step: one turn of all its nodes. */
  runTurn(wallMs: number): void {
    const { clock, skewOf } = this.options;
    this.isInLane = false;
    this.isTurnDue = false;
    for (const cell of this.runner.all()) cell.wallSkewMs = skewOf(cell.self, wallMs);
    this.runner.run(clock.nowMs, wallMs);
    if (this.turnMs > 0) this.stayBusy();
    if (this.runner.hasWork(clock.nowMs)) this.scheduleTurn();
    else if (!this.isTurnDue) this.timerDueMs = this.runner.dueMs;
  }

  /** Takes a node off the thread; its store is discarded. */
  drop(cell: NodeCell): void {
    this.runner.remove(cell.self);
    cell.state = 'stopped';
    cell.store.discard();
  }

  private stayBusy(): void {
    const { clock, at } = this.options;
    this.busyUntilMs = clock.nowMs + this.turnMs;
    at(this.busyUntilMs, () => {
      if (this.isTurnDue) this.scheduleTurn();
    });
  }
}
