/**
 * `ringlet sim --seeds`: many seeds on all cores, and what they came to.
 *
 * Invariant: what is reported of a seed does not depend on the number of threads, nor on which one ran it.
 */
import { Piscina } from 'piscina';
import { messageOf } from '../errors.ts';
import type { Plan } from '../sim/swarm/plan.ts';
import { FULL_SWEEP_SEED_COUNT, requiredSometimes } from '../sim/swarm/sometimes.ts';
import { ExitStatus, InputError } from './exit.ts';
import { formatCount, formatTable, type Output, plural, round } from './output.ts';
import { showProgress } from './progress.ts';
import type { Session } from './session.ts';
import { type PlanChanges, planOf, withLastWriterWins, withSiblings } from './sim-plan.ts';
import {
  failureOf,
  LOST_TO_LATER_WRITER,
  remarkFailure,
  type SeedFailure,
  sayFaults,
  Tally,
} from './sim-report.ts';
import type { RunResult } from './sim-worker.ts';

export interface SweepOptions {
  /** How many. */
  readonly seeds: number;
  /** The first. */
  readonly from: number;
  /** Threads. */
  readonly jobs: number;
  readonly changes: PlanChanges;
  /** Run every seed twice: over siblings, and over a bucket that keeps the last writer. */
  readonly lastWriterWins: boolean;
}

/** A run that takes longer hangs. */
const RUN_MS_MAX = 600_000;

/** Failures that are described one by one, and those that `--json` lists. */
const FAILURES_DESCRIBED = 5;
const FAILURES_LISTED = 1000;

/** One run of the sweep, and the sums that it belongs to. */
interface SweepRun {
  readonly plan: Plan;
  readonly tally: Tally;
}

/** Runs plans, several at a time. */
export interface Runner {
  /** @throws if the plan's thread dies, and when the signal aborts, which ends the run wherever it is */
  run(plan: Plan, signal: AbortSignal): Promise<RunResult>;
  close(): Promise<void>;
}

/** Runs the seeds, and reports. */
export async function sweep(
  options: SweepOptions,
  { output, signal }: Session,
  openRunner: (jobs: number) => Runner = openThreads,
): Promise<ExitStatus> {
  const outcome = new SweepOutcome(options);
  const last = options.from + options.seeds - 1;
  output.say(`seeds     ${options.from} to ${last}, on ${plural(options.jobs, 'thread')}`);
  const startMs = performance.now();
  const runner = openRunner(options.jobs);
  await runAll(options, outcome, runner, signal).finally(() => runner.close());
  const wallSeconds = (performance.now() - startMs) / 1000;
  report(outcome, wallSeconds, output);
  signal.throwIfAborted();
  return outcome.hasFailed ? ExitStatus.Failed : ExitStatus.Ok;
}

/** What the runs came to so far. */
class SweepOutcome {
  readonly main = new Tally();
  /** The runs over buckets that keep the last writer; `null` unless asked for. */
  readonly lastWriterWins: Tally | null;
  failureCount = 0;
  readonly failures: { readonly failure: SeedFailure; readonly story: readonly string[] }[] = [];
  private readonly isUnchanged: boolean;

  constructor({ lastWriterWins, changes }: SweepOptions) {
    this.lastWriterWins = lastWriterWins ? new Tally() : null;
    this.isUnchanged = Object.keys(changes.fields).length === 0 && changes.off.length === 0;
  }

  add({ plan, tally }: SweepRun, result: RunResult): void {
    tally.add(result);
    const { violation, fingerprint } = result.report;
    if (violation !== null) this.fail(failureOf(plan, violation, fingerprint), violation.story);
  }

  fail(failure: SeedFailure, story: readonly string[]): void {
    this.failureCount += 1;
    if (this.failures.length < FAILURES_LISTED) this.failures.push({ failure, story });
  }

  /** How often each id was hit. */
  get sometimes(): Map<string, number> {
    const counts = new Map(requiredSometimes.map((id) => [id, 0]));
    for (const tally of [this.main, this.lastWriterWins]) {
      for (const [id, count] of tally?.sometimes ?? []) {
        counts.set(id, (counts.get(id) ?? 0) + count);
      }
    }
    return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** What had to be hit and was not. */
  get neverSeen(): string[] {
    const { sometimes } = this;
    return requiredSometimes.filter((id) => sometimes.get(id) === 0);
  }

  /** Enough seeds, and none kept from anything. */
  get isFull(): boolean {
    return this.isUnchanged && this.main.seeds >= FULL_SWEEP_SEED_COUNT;
  }

  get hasFailed(): boolean {
    return this.failureCount > 0 || (this.isFull && this.neverSeen.length > 0);
  }
}

/** Ends early, without an error, when the signal aborts. */
async function runAll(
  options: SweepOptions,
  outcome: SweepOutcome,
  runner: Runner,
  signal: AbortSignal,
): Promise<void> {
  const runs = runsOf(options, outcome);
  const runCount = options.seeds * (options.lastWriterWins ? 2 : 1);
  let doneCount = 0;
  const progress = showProgress(
    'sim',
    runCount,
    () => doneCount,
    () => detailsOf(outcome),
  );
  // As many at a time as there are threads: what runs has not waited, so its time is its own.
  const lane = async (): Promise<void> => {
    for (const run of runs) {
      await runOne(runner, run, outcome, signal);
      if (signal.aborted) return;
      doneCount += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: options.jobs }, lane));
  } finally {
    progress.stop();
  }
}

function* runsOf(options: SweepOptions, outcome: SweepOutcome): Generator<SweepRun, void> {
  const { seeds, from, changes } = options;
  for (let seed = from; seed < from + seeds; seed++) {
    if (outcome.lastWriterWins === null) {
      yield { plan: checkedPlan(seed, changes), tally: outcome.main };
    } else {
      yield { plan: checkedPlan(seed, withSiblings(changes)), tally: outcome.main };
      const plan = checkedPlan(seed, withLastWriterWins(changes));
      yield { plan, tally: outcome.lastWriterWins };
    }
  }
}

/** What is changed may suit most seeds, and not this one. @throws {InputError} that names it */
function checkedPlan(seed: number, changes: PlanChanges): Plan {
  try {
    return planOf(seed, changes);
  } catch (error) {
    throw new InputError(`seed ${seed}: ${messageOf(error)}`);
  }
}

async function runOne(
  runner: Runner,
  run: SweepRun,
  outcome: SweepOutcome,
  signal: AbortSignal,
): Promise<void> {
  const limit = AbortSignal.timeout(RUN_MS_MAX);
  try {
    outcome.add(run, await runner.run(run.plan, AbortSignal.any([signal, limit])));
  } catch (error) {
    if (signal.aborted) return;
    // A run reports what it finds; it throws only if the simulator itself is broken.
    const message = limit.aborted ? `still runs after ${RUN_MS_MAX} ms` : messageOf(error);
    const violation = { checker: 'simulator', message, step: 0, timeMs: 0, story: [] };
    outcome.fail(failureOf(run.plan, violation, ''), []);
  }
}

/** For the progress line. */
function detailsOf({ main, failureCount }: SweepOutcome): string[] {
  return [
    plural(failureCount, 'failure'),
    `${formatCount(main.simulatedMs / 1000)} s simulated`,
    plural(main.messages, 'message'),
    plural(main.acknowledgedWrites, 'write'),
    ...main.faultCounts(),
  ];
}

function report(outcome: SweepOutcome, wallSeconds: number, output: Output): void {
  const { main, lastWriterWins, failureCount } = outcome;
  const failures = outcome.failures.toSorted((a, b) => a.failure.seed - b.failure.seed);
  output.say();
  for (const line of formatTable(rowsOf(outcome, wallSeconds))) output.say(line);
  output.say();
  sayFaults(main, output);
  tellNeverSeen(outcome, output);
  for (const { failure, story } of failures.slice(0, FAILURES_DESCRIBED)) {
    remarkFailure(failure, story, output);
  }
  if (failureCount > FAILURES_DESCRIBED) {
    output.remark(`and ${plural(failureCount - FAILURES_DESCRIBED, 'more failure')}`);
  }
  output.result({
    seeds: main.seeds,
    failures: failureCount,
    ...main.summary(),
    wallSeconds: round(wallSeconds, 3),
    ...(lastWriterWins === null ? {} : { lastWriterWins: lastWriterWinsSummary(lastWriterWins) }),
    sometimes: Object.fromEntries(outcome.sometimes),
    neverSeen: outcome.neverSeen,
    failed: failures.map(({ failure }) => failure),
  });
}

function rowsOf({ main, lastWriterWins, failureCount }: SweepOutcome, wallSeconds: number) {
  const rows: string[][] = [
    ['seeds', formatCount(main.seeds)],
    ['failures', formatCount(failureCount)],
    ['wall seconds', wallSeconds.toFixed(1)],
  ];
  if (lastWriterWins === null) return [...rows, ...main.rows()];
  // What a later writer took is shown beside what siblings lost, which is nothing.
  const others = new Map(lastWriterWins.rows());
  others.set('lost', others.get(LOST_TO_LATER_WRITER)!);
  const compared = main.rows().filter(([name]) => name !== LOST_TO_LATER_WRITER);
  return [
    ['', 'siblings', 'last writer wins'],
    ...rows,
    ...compared.map(([name, value]) => [name, value, others.get(name)!]),
  ];
}

function tellNeverSeen({ neverSeen, isFull }: SweepOutcome, output: Output): void {
  if (neverSeen.length === 0) return;
  const tell = isFull ? output.remark : output.say;
  tell(isFull ? 'FAIL  never seen' : 'never seen');
  for (const id of neverSeen) tell(`  ${id}`);
}

/** Where the last writer wins, nothing else was promised. */
function lastWriterWinsSummary(tally: Tally) {
  const { lostWritesNotPromised, ...summary } = tally.summary();
  return {
    ...summary,
    lostWrites: lostWritesNotPromised.lastWriterWins,
    lostWritesNotPromised: { beyondModel: lostWritesNotPromised.beyondModel },
  };
}

function openThreads(jobs: number): Runner {
  const pool: Piscina<Plan, RunResult> = new Piscina({
    filename: new URL(`./sim-worker${extension()}`, import.meta.url).href,
    minThreads: jobs,
    maxThreads: jobs,
    atomics: 'disabled',
  });
  return {
    run: (plan, signal) => pool.run(plan, { signal }),
    close: () => pool.destroy(),
  };
}

/** Of this very file: sources and built files find each other alike. */
function extension(): string {
  return import.meta.url.endsWith('.ts') ? '.ts' : '.js';
}
