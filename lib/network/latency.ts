/**
 * How long an envelope takes. Only additions, multiplications and comparisons, so that every engine draws the
 * same delays from the same seed: `Math.log` may differ in the last bits.
 */
import type { Prng } from '../prng.ts';
import type { LinkSettings } from './rules.ts';

/** Beyond this many means an exponential draw is cut: one draw in 10^13. */
const EXPONENTIAL_MAX = 30;

/** Draws the time that one envelope takes. At least `latencyMs`; draws nothing without jitter. */
export function drawLatencyMs(settings: LinkSettings, random: Prng): number {
  const { latencyMs, jitterMs } = settings;
  if (jitterMs === 0) return latencyMs;
  const isUniform = settings.jitterDistribution === 'uniform';
  return latencyMs + jitterMs * (isUniform ? random.float() : drawExponential(random));
}

/**
 * Draws from the exponential distribution with mean 1 by comparing uniform draws (von Neumann, 1951): with first draw
 * x, the run of falling draws has odd length with probability e^-x; each run of even length adds 1 and starts anew.
 */
export function drawExponential(random: Prng): number {
  for (let whole = 0; whole < EXPONENTIAL_MAX; whole++) {
    const first = random.float();
    if (hasOddFall(first, random)) return whole + first;
  }
  return EXPONENTIAL_MAX;
}

/** Tells whether the run of ever smaller draws that begins with `first` has odd length. */
function hasOddFall(first: number, random: Prng): boolean {
  let isOdd = true;
  let last = first;
  for (let next = random.float(); next < last; next = random.float()) {
    isOdd = !isOdd;
    last = next;
  }
  return isOdd;
}
