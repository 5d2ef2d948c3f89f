/**
 * `ringlet sim --seed`: one seed again, in as much detail as wanted, and the search for a smaller plan that still fails.
 *
 * It runs on this thread, so that a debugger or profiler of the process sees it.
 */
import { setImmediate } from 'node:timers/promises';
import type { Plan } from '../sim/swarm/plan.ts';
import type { SeedReport } from '../sim/swarm/run-seed.ts';
import { type RunPlan, type Shrunk, shrinking } from '../sim/swarm/shrink.ts';
import { joinObservers } from '../sim/world/observers.ts';
import { createTraceFilter, Trace } from '../sim/world/trace.ts';
import type { World } from '../sim/world/world.ts';
import { ExitStatus, endAtInterrupts } from './exit.ts';
import { formatCount, formatTable, type Output, plural } from './output.ts';
import { showProgress } from './progress.ts';
import type { Session } from './session.ts';
import { reproduceCommand } from './sim-plan.ts';
import { failureOf, remarkFailure, sayFaults, Tally, wrapWords } from './sim-report.ts';
import { describeWorld, RecentKeys } from './sim-state.ts';
import run, { type RunResult, type Simulator, simulator } from './sim-worker.ts';

export interface ReplayOptions {
  readonly plan: Plan;
  /** Print what happens, as far as the filter lets it through; `null`: print nothing of it. */
  readonly trace: string | null;
  /** Stop before this step; `null`: run to the end. */
  readonly breakAtStep: number | null;
  /** Look for a smaller plan that fails in the same way. */
  readonly isShrunk: boolean;
}

/** Runs that the search for a smaller plan may take. */
const SHRINK_RUNS_MAX = 400;

/** Runs one plan, and reports. */
export async function replay(
  options: ReplayOptions,
  session: Session,
  engine: Simulator = simulator,
): Promise<ExitStatus> {
  const { plan, trace, breakAtStep, isShrunk } = options;
  const { output, signal } = session;
  signal.throwIfAborted();
  // Between the runs of a search listeners are called.
  if (!isShrunk) endAtInterrupts();
  output.say(`seed ${plan.seed}`);
  for (const line of wrapWords(settingsOf(plan), '  ')) output.say(line);
  output.say();
  const isPlain = trace === null && breakAtStep === null;
  const result = isPlain ? run(plan, engine) : runObserved(options, engine, output);
  const { report } = result;
  const tally = new Tally();
  tally.add(result);
  sayReport(tally, report, output);
  const shrunk = isShrunk ? await shrinkPlan(report, engine, session) : null;
  output.result({
    plan,
    steps: report.stepCount,
    ...tally.summary(),
    sometimes: report.sometimes,
    failure: failureIn(report),
    ...(shrunk === null ? {} : { shrunk: shrunkSummary(shrunk) }),
  });
  signal.throwIfAborted();
  return report.violation === null ? ExitStatus.Ok : ExitStatus.Failed;
}

/** As `--set` takes them. */
function settingsOf(plan: Plan): string[] {
  return Object.entries(plan)
    .filter(([name]) => name !== 'seed')
    .map(([name, value]) => `${name}=${value}`);
}

/** Runs once, with a look inside. */
function runObserved(
  { plan, trace, breakAtStep }: ReplayOptions,
  { runSeed }: Simulator,
  output: Output,
): RunResult {
  // With --json nothing but the result may stand on stdout.
  const write = output.isJson ? output.remark : output.say;
  const lines = new Trace({ write, filter: createTraceFilter(trace ?? '') });
  const keys = new RecentKeys();
  const worlds: World[] = [];
  const startMs = performance.now();
  const report = runSeed(plan, {
    ...(breakAtStep === null ? {} : { breakAtStep }),
    observer: joinObservers([...(trace === null ? [] : [lines.observer]), keys.observer]),
    onWorld: (world) => {
      worlds.push(world);
      lines.follow(world);
    },
    ...(trace === null ? {} : { trace: (line) => lines.note(line) }),
  });
  const busySeconds = (performance.now() - startMs) / 1000;
  if (trace !== null) write('');
  if (breakAtStep !== null) stopAt(breakAtStep, worlds.at(-1), keys, write);
  return { report, messages: report.messageCount, busySeconds };
}

/** Shows the world as it is, and lets an inspector that is attached look around in it. */
function stopAt(
  step: number,
  world: World | undefined,
  keys: RecentKeys,
  write: (line: string) => void,
): void {
  if (world === undefined || world.stepCount + 1 < step) {
    write(`the run ended before step ${step}`);
    write('');
    return;
  }
  write(`before step ${step}, at ${world.nowMs.toFixed(3)} ms`);
  for (const line of describeWorld(world, keys.list())) write(line);
  write('');
  // biome-ignore lint/suspicious/noDebugger: what --break-at-step is for.
  debugger;
}

function sayReport(tally: Tally, report: SeedReport, output: Output): void {
  const rows = [...tally.rows(), ['steps', formatCount(report.stepCount)]];
  for (const line of formatTable(rows)) output.say(line);
  output.say();
  sayFaults(tally, output);
  output.say(`fingerprint ${report.fingerprint}`);
  const failure = failureIn(report);
  if (failure !== null) remarkFailure(failure, report.violation?.story ?? [], output);
}

function failureIn({ plan, violation, fingerprint }: SeedReport) {
  return violation === null ? null : failureOf(plan, violation, fingerprint);
}

// ------------------------------------------------------------------------------------- shrinking

/** @returns `null` if there was nothing to shrink. */
async function shrinkPlan(
  { plan, violation }: SeedReport,
  { runSeed, runSeedTwice }: Simulator,
  { output, signal }: Session,
): Promise<Shrunk | null> {
  if (violation === null) {
    output.say('nothing failed: there is nothing to shrink');
    return null;
  }
  // A run is compared with itself only if that is what failed.
  const isCompared = violation.checker.startsWith('I16');
  const runPlan: RunPlan = (candidate) =>
    (isCompared ? runSeedTwice(candidate) : runSeed(candidate)).violation;
  let shrunk: Shrunk = { plan, violation, tried: 0 };
  const progress = showProgress('shrink', SHRINK_RUNS_MAX, () => shrunk.tried);
  try {
    for (const next of shrinking(plan, runPlan, SHRINK_RUNS_MAX)) {
      shrunk = next;
      await setImmediate();
      if (signal.aborted) break;
    }
  } finally {
    progress.stop();
  }
  output.say();
  output.say(`smallest after ${plural(shrunk.tried, 'run')}`);
  output.say(`  ${reproduceCommand(shrunk.plan)}`);
  if (shrunk.violation !== null) {
    const { checker, message, step, timeMs } = shrunk.violation;
    output.say(`  ${checker}, step ${formatCount(step)}, ${timeMs.toFixed(3)} ms: ${message}`);
  }
  return shrunk;
}

function shrunkSummary({ plan, violation, tried }: Shrunk) {
  const { checker, message, step, timeMs } = violation ?? {};
  return { checker, message, step, timeMs, tried, command: reproduceCommand(plan) };
}
