/** The same seed is the same run, whoever looks on; and where two runs differ the first step that does is named. */
import test from 'ava';
import { drawPlan } from '../../lib/sim/swarm/plan.ts';
import { runSeed, runSeedTwice } from '../../lib/sim/swarm/run-seed.ts';
import type { World } from '../../lib/sim/world/world.ts';

const SEEDS = [3, 11, 12, 17, 20];

test('a seed has the same fingerprint and the same report each time', (t) => {
  const fingerprints = new Set<string>();
  for (const seed of SEEDS) {
    const plan = drawPlan(seed);
    const report = runSeedTwice(plan);
    t.is(report.violation, null);
    t.deepEqual(runSeed(plan), report);
    fingerprints.add(report.fingerprint);
  }
  t.is(fingerprints.size, SEEDS.length);
});

test('looking on changes nothing', (t) => {
  for (const seed of SEEDS) {
    const plan = drawPlan(seed);
    let messageCount = 0;
    const lines: string[] = [];
    const observed = runSeed(plan, {
      observer: {
        onMessage: () => messageCount++,
        onVerdict: () => {},
        onTurn: () => {},
        onStep: () => {},
        onNode: () => {},
        onCommitted: () => {},
      },
      trace: (line) => lines.push(line),
    });
    t.is(observed.fingerprint, runSeed(plan).fingerprint, `seed ${seed}`);
    t.is(messageCount, observed.messageCount);
    t.true(lines.length > 0);
  }
});

test('a run ends before the step that is asked for', (t) => {
  const plan = drawPlan(11);
  const whole = runSeed(plan);
  const part = runSeed(plan, { breakAtStep: 500 });
  t.is(part.stepCount, 499);
  t.is(part.violation, null);
  t.true(whole.stepCount > 500);
});

test('the first step in which two runs differ is named', (t) => {
  const plan = drawPlan(11);
  let runCount = 0;
  // What a run must not do: to depend on how many there were before.
  const disturb = (world: World) => {
    if (++runCount === 2) world.at(100, () => world.crash(world.nodes[0]!));
  };
  const report = runSeedTwice(plan, disturb);
  t.is(report.violation?.checker, 'I16 determinism');
  t.true(report.violation!.timeMs >= 100 && report.violation!.timeMs < 1_000);
  t.true(report.violation!.step > 1 && report.violation!.step < report.stepCount);
});
