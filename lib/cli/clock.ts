/** Time for the runner: the monotonic clock of the process, and waiting that is exact to well below a millisecond. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { RunnerClock } from '../workload/runner.ts';

/** Timers of Node.js may fire this much late. */
const TIMER_MS = 2;

export const processClock: RunnerClock = {
  nowMs: () => performance.now(),
  async waitUntil(timeMs) {
    for (let left = timeMs - performance.now(); left > 0; left = timeMs - performance.now()) {
      // A timer alone would add up to a millisecond to every latency of an open loop.
      await (left > TIMER_MS ? setTimeout(left - TIMER_MS) : setImmediate());
    }
  },
};
