/**
 * A hybrid logical clock: timestamps near real time that order writes as they happened where nodes heard of each
 * other, even if their clocks differ. Used by buckets that keep the last writer only.
 *
 * A timestamp is a whole number: milliseconds since 1970 times 2048, plus a count of what happened in that millisecond.
 * When the count is full it carries into the milliseconds. Timestamps stay below 2^53 until the year 2109.
 *
 * Invariants: {@link HybridClock.now} never returns the same or a lesser timestamp again, nor one that is
 * not greater than every timestamp observed; a remote clock pulls this one ahead by the permitted skew at most.
 */
import { assert } from '../assert.ts';

const TICKS_PER_MS = 2048;

export class HybridClock {
  private readonly clockSkewMsMax: number;
  private last = 0;

  /** @param clockSkewMsMax How far ahead of the wall clock a timestamp may be and still be observed. */
  constructor(clockSkewMsMax: number) {
    assert(clockSkewMsMax >= 0, 'clock skew');
    this.clockSkewMsMax = clockSkewMsMax;
  }

  /** A timestamp greater than any before. @param wallMs Milliseconds since 1970; may jump either way. */
  now(wallMs: number): number {
    this.last = Math.max(this.last + 1, ticksOf(wallMs));
    assert(Number.isSafeInteger(this.last), 'time out of range');
    return this.last;
  }

  /**
   * Learns of another node's timestamp, so that later ones of this clock are greater. One that is further
   * ahead of the wall clock than the permitted skew is not learnt.
   */
  observe(timestamp: number, wallMs: number): 'accepted' | 'too-far-ahead' {
    if (timestamp > ticksOf(wallMs + this.clockSkewMsMax)) return 'too-far-ahead';
    this.last = Math.max(this.last, timestamp);
    return 'accepted';
  }
}

/** The first timestamp of a millisecond. */
function ticksOf(wallMs: number): number {
  return Math.floor(wallMs) * TICKS_PER_MS;
}
