/**
 * Hunts: the simulator against mutants, each in a fresh thread, as many at a time as there are cores. A thread loads modules
 * once, so one that was used for a mutant is of no use for another.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Plan } from '../../lib/sim/swarm/plan.ts';
import type { Mutant } from './gallery.ts';
import type { Change } from './loader.ts';

/** One run of the simulator. */
export interface HuntRun {
  readonly seed: number;
  readonly plan: Partial<Plan>;
  readonly isTwice: boolean;
}

/** What a thread is to do: runs until there is a violation, or a script of `test/scenario/`. */
export interface Hunt {
  readonly changes: readonly Change[];
  readonly runs: readonly HuntRun[];
  readonly scenario: string | null;
}

/** The first violation of a hunt. */
export interface Found {
  /** `null` if a script found it. */
  readonly seed: number | null;
  readonly checker: string;
  readonly message: string;
  /** The line, if a script found it. */
  readonly step: number;
}

export interface HuntResult {
  /** Seeds that were run, the one that found something included. */
  readonly seedCount: number;
  readonly found: Found | null;
  readonly wallMs: number;
}

export interface Outcome extends HuntResult {
  readonly mutant: Mutant;
  /** It was found, and by a checker that looks for what it breaks. */
  readonly isCaught: boolean;
}

/** Many short runs find more than a few long ones in the same time. */
const short: Partial<Plan> = { rounds: 1, durationMs: 2_000, operationsPerSecond: 300 };

/** `I4` for a finding of `I4 convergence`. */
export function invariantOf({ checker }: Found): string {
  return checker.split(' ')[0]!;
}

/** Hunts all mutants. @returns the outcomes in the order of `mutants`; `onOutcome` is called with each as it comes. */
export async function huntMutants(
  mutants: readonly Mutant[],
  onOutcome: (outcome: Outcome) => void = () => {},
): Promise<Outcome[]> {
  return inParallel(mutants, async (mutant) => {
    const { changes, seedCountMax, scenario = null } = mutant;
    const runs = Array.from({ length: seedCountMax }, (_, index) => runOf(mutant, index + 1));
    const result = await hunt({ changes, runs, scenario });
    const isCaught = result.found !== null && mutant.checkers.includes(invariantOf(result.found));
    const outcome = { ...result, mutant, isCaught };
    onOutcome(outcome);
    return outcome;
  });
}

/** Runs the sound code with the seeds that found mutants. @returns findings, which are no mutant's doing: at most one per core */
export async function huntSound(outcomes: readonly Outcome[]): Promise<Found[]> {
  const runs = outcomes.flatMap(({ mutant, found }) =>
    found === null || found.seed === null ? [] : [runOf(mutant, found.seed)],
  );
  const shares = Array.from({ length: availableParallelism() }, (_, core) =>
    runs.filter((_run, index) => index % availableParallelism() === core),
  );
  const results = await inParallel(shares, (share) =>
    hunt({ changes: [], runs: share, scenario: null }),
  );
  return results.flatMap(({ found }) => found ?? []);
}

function runOf({ plan, isRunTwice = false }: Mutant, seed: number): HuntRun {
  return { seed, plan: { ...short, ...plan }, isTwice: isRunTwice };
}

function hunt(workerData: Hunt): Promise<HuntResult> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread ended without a result')));
  });
}

async function inParallel<T, U>(items: readonly T[], run: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  const entries = items.entries();
  const runNext = async (): Promise<void> => {
    for (const [index, item] of entries) results[index] = await run(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, runNext));
  return results;
}
