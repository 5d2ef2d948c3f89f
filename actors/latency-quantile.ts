/**
 * A running estimate of one quantile of recent latencies, in constant space: each sample moves the
 * estimate up or down by steps whose ratio is the quantile's odds, so it settles where they balance.
 */
import { assert } from '../lib/assert.ts';

/** Steps are this share of the estimate: small enough to be calm, large enough to follow within some hundred samples. */
const STEP_SHARE = 0.02;
const MS_MIN = 0.05;

export class LatencyQuantile {
  private readonly quantile: number;
  /** Milliseconds. */
  value: number;

  /** @param quantile Between 0 and 1, exclusive. @param startMs The estimate before the first sample. */
  constructor(quantile: number, startMs: number) {
    assert(quantile > 0 && quantile < 1 && startMs > 0, 'quantile and start');
    this.quantile = quantile;
    this.value = startMs;
  }

  add(sampleMs: number): void {
    const step = Math.max(MS_MIN, this.value) * STEP_SHARE;
    if (sampleMs > this.value) this.value += step * this.quantile;
    else this.value = Math.max(MS_MIN, this.value - step * (1 - this.quantile));
  }
}
