/**
 * When operations are meant to start in an open loop: a fixed schedule that does not wait for answers.
 *
 * Latency is measured from the intended start. A store that stalls for a second then shows that second in every
 * operation that should have started meanwhile, rather than in the few that happened to be under way
 * ("coordinated omission").
 */
import { assert } from '../assert.ts';

/** Intended start times at a constant rate. */
export class OpenLoopSchedule {
  private readonly startMs: number;
  private readonly intervalMs: number;

  /** @param startMs When the first operation starts. @param targetPerSecond Operations per second, above 0. */
  constructor(startMs: number, targetPerSecond: number) {
    assert(targetPerSecond > 0, 'rate of a schedule');
    this.startMs = startMs;
    this.intervalMs = 1000 / targetPerSecond;
  }

  /** When operation `index`, counted from 0, is meant to start, in milliseconds. */
  intendedMs(index: number): number {
    // A product, not a sum: rounding errors must not add up over millions of operations.
    return this.startMs + index * this.intervalMs;
  }
}
