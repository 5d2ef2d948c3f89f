/** The parts of `ringlet sim`: plans from options and back, sums, sweeps and replays over runs that are made up. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { ExitStatus, InputError, InterruptedError } from '../../lib/cli/exit.ts';
import type { Output } from '../../lib/cli/output.ts';
import { fitParts } from '../../lib/cli/progress.ts';
import { parseChanges, planOf, reproduceCommand } from '../../lib/cli/sim-plan.ts';
import { replay } from '../../lib/cli/sim-replay.ts';
import { type SeedFailure, Tally, wrapWords } from '../../lib/cli/sim-report.ts';
import { type Runner, sweep } from '../../lib/cli/sim-sweep.ts';
import type { Simulator } from '../../lib/cli/sim-worker.ts';
import { drawPlan, faultKinds, type Plan } from '../../lib/sim/swarm/plan.ts';
import type { SeedReport, Violation } from '../../lib/sim/swarm/run-seed.ts';
import { FULL_SWEEP_SEED_COUNT, requiredSometimes } from '../../lib/sim/swarm/sometimes.ts';

const never = new AbortController().signal;
const unchanged = parseChanges([], []);
const lostWrite: Violation = {
  checker: 'I1 lost write',
  message: 'b/k1: w7 is gone',
  step: 12,
  timeMs: 34.5,
  story: ['1.000 ms  nemesis: crash, a', 'Error: x\n    at y'],
};

/** What a run of a plan might have come to. */
function reportOf(plan: Plan, fields: Partial<SeedReport> = {}): SeedReport {
  return {
    plan,
    violation: null,
    fingerprint: plan.seed.toString(16).padStart(16, '0'),
    stepCount: 100,
    messageCount: 1000,
    simulatedMs: 2500,
    reads: 20,
    acknowledgedWrites: 10,
    failedWrites: 3,
    indefiniteWrites: 2,
    lostWrites: 0,
    lostToLaterWriter: 0,
    staleReads: 1,
    faults: { crash: 2 },
    sometimes: Object.fromEntries(requiredSometimes.map((id) => [id, 1])),
    ...fields,
  };
}

/** What a verb hands over for `--json`, as far as tests go into it. */
interface Result {
  readonly seeds: number;
  readonly failed: readonly SeedFailure[];
  readonly shrunk: { readonly command: string };
  readonly [name: string]: unknown;
}

/** What a verb wrote. */
function recordOutput(isJson: boolean) {
  const lines: string[] = [];
  const remarks: string[] = [];
  const results: Result[] = [];
  const output: Output = {
    isJson,
    say: (line = '') => void lines.push(line),
    remark: (line) => void remarks.push(line),
    result: (value) => void results.push(value as Result),
  };
  return { output, lines, remarks, results };
}

// ------------------------------------------------------------------------------------------ plans

test('a plan is what the seed draws, but for what was changed', (t) => {
  t.deepEqual(planOf(7, unchanged), drawPlan(7));
  const seed = 5;
  const changes = parseChanges(
    ['loss,crash', 'wipe'],
    ['nodes=3', 'n=3', 'buggify=true', 'scheduler=ordered', 'faults=clog,loss,pause', 'nodes=4'],
  );
  t.deepEqual(
    planOf(seed, changes),
    drawPlan(seed, {
      nodes: 4,
      n: 3,
      buggify: true,
      scheduler: 'ordered',
      faults: ['clog', 'pause'],
    }),
  );
  t.deepEqual(planOf(seed, parseChanges(['all'], [])).faults, []);
  t.deepEqual(planOf(seed, parseChanges(['loss'], ['faults=all'])).faults, faultKinds.slice(1));
  t.deepEqual(planOf(seed, parseChanges([], ['faults=none'])).faults, []);
});

const badChanges: [off: string[], set: string[], message: RegExp][] = [
  [['los'], [], /^--off: there is no fault "los", did you mean loss\?$/],
  [['loss,'], [], /there is no fault ""$/],
  [[], ['faults=cras'], /^--set faults: .*did you mean crash\?$/],
  [[], ['nodes'], /expected name=value/],
  [[], ['=3'], /expected name=value/],
  [[], ['nodes=three'], /--set nodes=three: expected a number/],
  [[], ['nodes= '], /expected a number/],
  [[], ['nodes=Infinity'], /expected a number/],
  [[], ['buggify=yes'], /expected true or false/],
  [[], ['seed=3'], /use --seed/],
];

for (const [off, set, message] of badChanges) {
  test(`bad change: ${[...off, ...set]}`, (t) => {
    t.throws(() => parseChanges(off, set), { instanceOf: InputError, message });
  });
}

test('what is out of range, or no field, the plan refuses', (t) => {
  const plan = (set: string) => () => planOf(1, parseChanges([], [set]));
  t.throws(plan('nodes=0'), { message: /nodes: got 0/ });
  t.throws(plan('nods=1'), { message: /did you mean `nodes`/ });
  t.throws(plan('toString=1'), { message: /unknown plan option "toString"/ });
  t.throws(plan('scheduler=fair'), { message: /ordered, random, priority/ });
});

/** The changes in a command that {@link reproduceCommand} printed. */
function changesOf(command: string): { seed: number; off: string[]; set: string[] } {
  const [seed, ...options] = command.replace(/^npx ringlet sim --seed /, '').split(' ');
  const off: string[] = [];
  const set: string[] = [];
  for (let index = 0; index < options.length; index += 2) {
    (options[index] === '--off' ? off : set).push(options[index + 1]!);
  }
  return { seed: Number(seed), off, set };
}

const overrides = fc.record(
  {
    nodes: fc.integer({ min: 3, max: 9 }),
    keys: fc.integer({ min: 1, max: 20 }),
    loss: fc.double({ min: 0, max: 1, noNaN: true }),
    scheduler: fc.constantFrom('ordered' as const, 'random' as const),
    lastWriterWins: fc.boolean(),
    faults: fc.subarray([...faultKinds]),
  },
  { requiredKeys: [] },
);

testProp(
  'the command of a plan leads to that plan',
  [fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), overrides],
  (t, seed, fields) => {
    const plan = planOf(seed, { fields: { threads: 1, ...fields }, off: [], on: [] });
    const { seed: given, off, set } = changesOf(reproduceCommand(plan));
    t.deepEqual(planOf(given, parseChanges(off, set)), plan);
  },
);

test('the command says no more than it has to', (t) => {
  const drawn = [...Array(50).keys()].map((seed) => drawPlan(seed));
  const plan = drawn.find(({ faults }) => faults.length > 2 && faults.length < 10)!;
  const command = `npx ringlet sim --seed ${plan.seed}`;
  t.is(reproduceCommand(plan), command);
  const [first, second, ...others] = plan.faults;
  t.is(reproduceCommand({ ...plan, faults: others }), `${command} --off ${first},${second}`);
  t.is(reproduceCommand({ ...plan, faults: [] }), `${command} --off all`);
  t.is(
    reproduceCommand({ ...plan, nodes: 64, buggify: !plan.buggify }),
    `${command} --set nodes=64 --set buggify=${!plan.buggify}`,
  );
});

// ------------------------------------------------------------------------------------------- text

test('words fill lines; details go as far as there is room', (t) => {
  const lines = wrapWords(new Array(40).fill('word'), '  ');
  t.true(lines.every((line) => line.startsWith('  word') && line.length <= 100));
  t.is(lines.join(' ').match(/word/g)?.length, 40);
  t.deepEqual(wrapWords([], ''), []);
  t.is(fitParts(['ab', 'cd', 'e'], 8), '  ab  cd');
  t.is(fitParts(['abcdefg'], 8), '');
});

test('sums keep apart what was promised to survive and what was not', (t) => {
  const tally = new Tally();
  const add = (isWithinModel: boolean, lostWrites: number, lostToLaterWriter: number) => {
    const report = reportOf(drawPlan(1, { isWithinModel }), { lostWrites, lostToLaterWriter });
    tally.add({ report, messages: 1000, busySeconds: 0.5 });
  };
  add(true, 0, 0);
  add(true, 5, 5);
  add(false, 7, 3);
  t.like(tally.summary(), {
    acknowledgedWrites: 30,
    lostWrites: 0,
    lostWritesNotPromised: { lastWriterWins: 5, beyondModel: 7 },
    messages: 3000,
    messagesPerSecond: 2000,
    simulatedSeconds: 7.5,
  });
  t.is(tally.summary().faults.crash, 6);
  add(true, 4, 3);
  t.like(tally.summary(), { lostWrites: 1, lostWritesNotPromised: { lastWriterWins: 8 } });
});

test('the fingerprint of one run is its own, that of several does not depend on their order', (t) => {
  const fingerprintOf = (...seeds: number[]) => {
    const tally = new Tally();
    for (const seed of seeds) {
      tally.add({ report: reportOf(drawPlan(seed)), messages: 1, busySeconds: 1 });
    }
    return tally.fingerprint;
  };
  t.is(fingerprintOf(0xabc), '0000000000000abc');
  t.is(fingerprintOf(1, 2, 3), fingerprintOf(3, 1, 2));
  t.not(fingerprintOf(1, 2), fingerprintOf(1, 4));
});

// ----------------------------------------------------------------------------------------- sweeps

interface SweepCase {
  readonly seeds?: number;
  readonly from?: number;
  readonly jobs?: number;
  readonly lastWriterWins?: boolean;
  readonly changes?: typeof unchanged;
  readonly signal?: AbortSignal;
  readonly isJson?: boolean;
  readonly run: (plan: Plan) => SeedReport | Promise<SeedReport>;
}

async function runSweep(given: SweepCase) {
  const { run, isJson = true, signal = never, ...options } = given;
  const recorded = recordOutput(isJson);
  const plans: Plan[] = [];
  let [running, runningMax, closeCount] = [0, 0, 0];
  const openRunner = (): Runner => ({
    run: async (plan) => {
      plans.push(plan);
      runningMax = Math.max(runningMax, ++running);
      try {
        await null;
        return { report: await run(plan), messages: 1000, busySeconds: 0.25 };
      } finally {
        running--;
      }
    },
    close: async () => void closeCount++,
  });
  const defaults = { seeds: 10, from: 0, jobs: 3, changes: unchanged, lastWriterWins: false };
  let error: unknown = null;
  const status = await sweep(
    { ...defaults, ...options },
    { output: recorded.output, signal },
    openRunner,
  ).catch((reason) => {
    error = reason;
    return null;
  });
  return {
    ...recorded,
    status,
    error,
    plans,
    runningMax,
    closeCount,
    result: recorded.results[0]!,
  };
}

test('a sweep runs every seed once, on as many threads as it has', async (t) => {
  const { status, plans, runningMax, closeCount, result, lines } = await runSweep({
    from: 5,
    run: (plan) => reportOf(plan),
  });
  t.is(status, ExitStatus.Ok);
  t.deepEqual(
    plans,
    Array.from({ length: 10 }, (_, index) => drawPlan(5 + index)),
  );
  t.is(runningMax, 3);
  t.is(closeCount, 1);
  t.like(result, { seeds: 10, failures: 0, failed: [], neverSeen: [], acknowledgedWrites: 100 });
  t.is(lines[0], 'seeds     5 to 14, on 3 threads');
});

test('a sweep lists what failed by seed, with its command, and goes on', async (t) => {
  const { status, result, remarks } = await runSweep({
    changes: parseChanges(['all'], []),
    run: (plan) => reportOf(plan, { violation: plan.seed % 4 === 3 ? lostWrite : null }),
  });
  t.is(status, ExitStatus.Failed);
  t.like(result, { seeds: 10, failures: 2 });
  const { failed } = result;
  t.deepEqual(
    failed.map(({ seed }) => seed),
    [3, 7],
  );
  t.deepEqual(failed[1], {
    seed: 7,
    checker: 'I1 lost write',
    message: 'b/k1: w7 is gone',
    step: 12,
    timeMs: 34.5,
    fingerprint: '0000000000000007',
    command: reproduceCommand({ ...drawPlan(7), faults: [] }),
  });
  t.deepEqual(remarks.slice(0, 8), [
    'FAIL  I1 lost write  seed 3  step 12  34.500 ms',
    '      b/k1: w7 is gone',
    '      | 1.000 ms  nemesis: crash, a',
    '      | Error: x',
    '      |     at y',
    '      fingerprint 0000000000000003',
    `      reproduce: ${reproduceCommand({ ...drawPlan(3), faults: [] })}`,
    'FAIL  I1 lost write  seed 7  step 12  34.500 ms',
  ]);
});

test('of many failures the first are told, and all are counted', async (t) => {
  const { remarks, result } = await runSweep({
    seeds: 30,
    run: (plan) => reportOf(plan, { violation: lostWrite }),
  });
  t.is(remarks.filter((line) => line.startsWith('FAIL')).length, 5);
  t.is(remarks.at(-1), 'and 25 more failures');
  t.is(result.failures, 30);
  t.is(result.failed.length, 30);
});

test('a run whose thread dies is a failure of its seed', async (t) => {
  const { status, result } = await runSweep({
    run: (plan) => {
      if (plan.seed === 4) throw new Error('out of memory');
      return reportOf(plan);
    },
  });
  t.is(status, ExitStatus.Failed);
  t.like(result, { seeds: 9, failures: 1 });
  t.like(result.failed[0], {
    seed: 4,
    checker: 'simulator',
    message: 'out of memory',
  });
});

test('a change that does not suit a seed ends the sweep and names the seed', async (t) => {
  const { error, closeCount } = await runSweep({
    changes: parseChanges([], ['w=9']),
    run: (plan) => reportOf(plan),
  });
  t.true(error instanceof InputError);
  t.regex((error as Error).message, /^seed 0: W=9 > N=/);
  t.is(closeCount, 1);
});

test('an interrupt ends a sweep with what was done so far', async (t) => {
  const controller = new AbortController();
  const { error, result, closeCount } = await runSweep({
    seeds: 1e6,
    signal: controller.signal,
    run: (plan) => {
      if (plan.seed === 20) controller.abort(new InterruptedError());
      return reportOf(plan);
    },
  });
  t.true(error instanceof InterruptedError);
  t.is(closeCount, 1);
  const { seeds } = result;
  t.true(seeds >= 20 && seeds < 30, `${seeds}`);
});

/** A run that loses what a later writer took, and nothing else. */
function lastWriterLoses(plan: Plan): SeedReport {
  const lostToLaterWriter = plan.lastWriterWins ? 4 : 0;
  return reportOf(plan, { lostWrites: lostToLaterWriter, lostToLaterWriter });
}

test('last writer wins: each seed on both kinds of bucket, what was lost side by side', async (t) => {
  const { status, plans, result } = await runSweep({
    seeds: 6,
    lastWriterWins: true,
    changes: parseChanges(['clock-jump'], ['isWithinModel=true']),
    run: lastWriterLoses,
  });
  t.is(status, ExitStatus.Ok);
  t.is(plans.length, 12);
  for (const plan of plans) {
    t.deepEqual(plan, {
      ...drawPlan(plan.seed),
      isWithinModel: true,
      buckets: 1,
      lastWriterWins: plan.lastWriterWins,
      faults: faultKinds.filter(
        (kind) =>
          kind !== 'clock-jump' &&
          ((plan.lastWriterWins && kind === 'clock-skew') ||
            drawPlan(plan.seed).faults.includes(kind)),
      ),
    });
  }
  t.is(plans.filter(({ lastWriterWins }) => lastWriterWins).length, 6);
  t.like(result, {
    seeds: 6,
    acknowledgedWrites: 60,
    lostWrites: 0,
    lastWriterWins: { acknowledgedWrites: 60, lostWrites: 24 },
  });
  const { lines } = await runSweep({
    seeds: 6,
    lastWriterWins: true,
    changes: parseChanges([], ['isWithinModel=true']),
    isJson: false,
    run: lastWriterLoses,
  });
  t.true(lines.some((line) => /^ +siblings +last writer wins$/.test(line)));
  t.true(lines.some((line) => /^lost +0 +24$/.test(line)));
});

const [unseen] = requiredSometimes;

/** A run that saw all but one of the states that must be seen. */
function almostAllSeen(plan: Plan): SeedReport {
  const seen = requiredSometimes.map((id) => [id, id === unseen ? 0 : 1]);
  return reportOf(plan, { sometimes: Object.fromEntries(seen) });
}

test('a state that is never seen fails a full sweep, and only that', async (t) => {
  const small = await runSweep({ seeds: 10, run: almostAllSeen });
  t.is(small.status, ExitStatus.Ok);
  t.deepEqual(small.result.neverSeen, [unseen]);
  t.true(small.lines.includes('never seen') && small.lines.includes(`  ${unseen}`));

  const full = await runSweep({ seeds: FULL_SWEEP_SEED_COUNT, run: almostAllSeen });
  t.is(full.status, ExitStatus.Failed);
  t.deepEqual(full.remarks, ['FAIL  never seen', `  ${unseen}`]);
  t.is(full.result.failures, 0);

  const changed = await runSweep({
    seeds: FULL_SWEEP_SEED_COUNT,
    changes: parseChanges(['loss'], []),
    run: almostAllSeen,
  });
  t.is(changed.status, ExitStatus.Ok);
});

// ---------------------------------------------------------------------------------------- replays

/** Runs in which a plan with at least two nodes and the fault `crash` fails. */
const brittle: Simulator = {
  runSeed: (plan) => {
    const isBad = plan.nodes >= 2 && plan.faults.includes('crash');
    return reportOf(plan, { violation: isBad ? lostWrite : null });
  },
  runSeedTwice: (plan) => brittle.runSeed(plan),
};

const brittlePlan = drawPlan(3, { nodes: 7, faults: ['loss', 'crash'] });

test('a replay prints the plan, the report and how it failed', async (t) => {
  const { output, lines, remarks, results } = recordOutput(false);
  const options = { plan: brittlePlan, trace: null, breakAtStep: null, isShrunk: true };
  t.is(await replay(options, { output, signal: never }, brittle), ExitStatus.Failed);
  t.is(lines[0], 'seed 3');
  t.true(lines.some((line) => /^ {2}nodes=7 {2}threads=/.test(line)));
  t.true(lines.some((line) => /^acknowledged writes +10$/.test(line)));
  t.true(lines.includes('fingerprint 0000000000000003'));
  t.is(remarks[0], 'FAIL  I1 lost write  seed 3  step 12  34.500 ms');
  t.like(results[0], {
    plan: brittlePlan,
    fingerprint: '0000000000000003',
    failure: { seed: 3, checker: 'I1 lost write', command: reproduceCommand(brittlePlan) },
  });
});

test('shrinking prints the smallest options that fail, as a command', async (t) => {
  const { output, lines, results } = recordOutput(false);
  const options = { plan: brittlePlan, trace: null, breakAtStep: null, isShrunk: true };
  await replay(options, { output, signal: never }, brittle);
  const { command } = results[0]!.shrunk;
  t.true(lines.includes(`  ${command}`));
  const { seed, off, set } = changesOf(command);
  const smallest = planOf(seed, parseChanges(off, set));
  t.like(smallest, { nodes: 2, faults: ['crash'], keys: 1, sessions: 1, scheduler: 'ordered' });
  t.not(brittle.runSeed(smallest).violation, null);
});

test('there is nothing to shrink where nothing fails', async (t) => {
  const { output, lines, results } = recordOutput(false);
  const plan = { ...brittlePlan, faults: [] };
  const options = { plan, trace: null, breakAtStep: null, isShrunk: true };
  t.is(await replay(options, { output, signal: never }, brittle), ExitStatus.Ok);
  t.regex(lines.at(-1)!, /nothing failed/);
  t.false('shrunk' in results[0]!);
});

test('an interrupt ends the shrinking with the smallest so far', async (t) => {
  const controller = new AbortController();
  let count = 0;
  const engine: Simulator = {
    ...brittle,
    runSeed: (plan) => {
      if (++count === 8) controller.abort(new InterruptedError());
      return brittle.runSeed(plan);
    },
  };
  const { output, results } = recordOutput(true);
  const options = {
    plan: { ...brittlePlan, checkReplay: false },
    trace: null,
    breakAtStep: null,
    isShrunk: true,
  };
  await t.throwsAsync(replay(options, { output, signal: controller.signal }, engine), {
    instanceOf: InterruptedError,
  });
  t.like(results[0]?.shrunk, { tried: 7, checker: 'I1 lost write' });
  t.is(count, 8);
});
