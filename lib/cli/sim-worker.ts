/**
 * The file that piscina loads in each thread of a sweep: runs one plan and reports.
 *
 * One at a time keeps the progress smooth and all threads busy to the end: to hand over takes microseconds, a run a good
 * part of a second.
 */
import type { Plan } from '../sim/swarm/plan.ts';
import { runSeed, runSeedTwice, type SeedReport } from '../sim/swarm/run-seed.ts';

/** What a run came to. */
export interface RunResult {
  readonly report: SeedReport;
  /** Messages carried, both times if the plan ran twice, and the seconds that they took this thread. */
  readonly messages: number;
  readonly busySeconds: number;
}

/** What runs plans. */
export interface Simulator {
  readonly runSeed: typeof runSeed;
  readonly runSeedTwice: typeof runSeedTwice;
}

/** The real one; tests have others, in which plans fail that they choose. */
export const simulator: Simulator = { runSeed, runSeedTwice };

/** Runs a plan, or runs it twice if it says so. */
export default function run(
  plan: Plan,
  { runSeed, runSeedTwice }: Simulator = simulator,
): RunResult {
  const startMs = performance.now();
  const report = plan.checkReplay ? runSeedTwice(plan) : runSeed(plan);
  const busySeconds = (performance.now() - startMs) / 1000;
  return { report, messages: report.messageCount * (plan.checkReplay ? 2 : 1), busySeconds };
}
