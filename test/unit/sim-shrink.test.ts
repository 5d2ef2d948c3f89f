/** Shrinking, against checkers that are made up: what comes out still fails, and nothing in it can be left out. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { drawPlan, type Plan } from '../../lib/sim/swarm/plan.ts';
import type { Violation } from '../../lib/sim/swarm/run-seed.ts';
import { type RunPlan, shrink, shrinking } from '../../lib/sim/swarm/shrink.ts';

const BUDGET = 2000;

function violation(checker: string, timeMs = 1e6): Violation {
  return { checker, message: '', step: 1, timeMs, story: [] };
}

/** Fails where `isBad` says so. */
function failing(isBad: (plan: Plan) => boolean): RunPlan {
  return (plan) => (isBad(plan) ? violation('I1 lost write') : null);
}

const large = drawPlan(1, {
  nodes: 7,
  threads: 3,
  n: 3,
  r: 2,
  w: 2,
  sessions: 30,
  clients: 4,
  keys: 9,
  buckets: 3,
  ownQuorumShare: 0.2,
  rounds: 3,
  durationMs: 10_000,
  operationsPerSecond: 500,
  scheduler: 'priority',
  changePoints: 9,
  faults: ['loss', 'delay', 'crash', 'wipe'],
  faultsPerSecond: 8,
  buggify: true,
});

test('a plan that does not fail is left as it is', (t) => {
  t.deepEqual(
    shrink(large, () => null, BUDGET),
    { plan: large, violation: null, tried: 1 },
  );
});

test('what the failure does not need goes', (t) => {
  const shrunk = shrink(
    large,
    failing(() => true),
    BUDGET,
  );
  t.like(shrunk.plan, {
    seed: large.seed,
    nodes: 1,
    threads: 1,
    n: 1,
    r: 1,
    w: 1,
    sessions: 1,
    clients: 1,
    keys: 1,
    buckets: 1,
    ownQuorumShare: 0,
    rounds: 1,
    durationMs: 1,
    operationsPerSecond: 1,
    scheduler: 'ordered',
    faults: [],
    buggify: false,
  });
  t.is(shrunk.violation?.checker, 'I1 lost write');
});

test('what it needs stays, down to the last one', (t) => {
  const isBad = ({ faults, nodes, keys, sessions, buggify, scheduler, durationMs }: Plan) =>
    faults.includes('delay') &&
    faults.includes('wipe') &&
    nodes >= 5 &&
    keys >= 2 &&
    sessions >= 13 &&
    durationMs > 900 &&
    buggify &&
    scheduler === 'priority';
  const { plan } = shrink(large, failing(isBad), BUDGET);
  t.true(isBad(plan));
  t.deepEqual(plan.faults, ['delay', 'wipe']);
  t.like(plan, { nodes: 5, keys: 2, sessions: 13, rounds: 1, clients: 1, changePoints: 0 });
  t.true(plan.durationMs < 1100, `${plan.durationMs}`);
});

test('another checker is another failure', (t) => {
  const run: RunPlan = ({ keys, nodes }) =>
    keys === 1 ? violation('I8 stale read') : nodes >= 3 ? violation('I1 lost write') : null;
  const { plan, violation: found } = shrink(large, run, BUDGET);
  t.is(found?.checker, 'I1 lost write');
  t.like(plan, { keys: 2, nodes: 3 });
});

test('a run is cut off where it failed', (t) => {
  const seen: number[] = [];
  shrink(
    large,
    ({ durationMs }) => {
      seen.push(durationMs);
      return durationMs >= 4321 ? violation('I1 lost write', 4320.5) : null;
    },
    BUDGET,
  );
  t.deepEqual(seen.slice(0, 2), [large.durationMs, 4321]);
});

test('the budget is kept, and what was found so far is the result', (t) => {
  let count = 0;
  const run: RunPlan = () => {
    count += 1;
    return violation('I1 lost write');
  };
  const { tried, plan } = shrink(large, run, 5);
  t.is(count, 5);
  t.is(tried, 5);
  t.true(plan.durationMs < large.durationMs);
});

test('whoever looks on sees every run', (t) => {
  const tried = [
    ...shrinking(
      large,
      failing(({ nodes }) => nodes > 1),
      BUDGET,
    ),
  ].map((shrunk) => shrunk.tried);
  t.deepEqual(
    tried,
    tried.map((_, index) => index + 1),
  );
});

/** A failure that needs some faults and at least so many of some things. */
const needs = fc.record({
  faults: fc.subarray(['loss', 'clog', 'crash', 'pause', 'clock-skew'] as const),
  nodes: fc.integer({ min: 1, max: 9 }),
  keys: fc.integer({ min: 1, max: 20 }),
  n: fc.integer({ min: 1, max: 5 }),
});

testProp(
  'every plan on the way is one that can be drawn, none runs twice, and the last one fails',
  [fc.integer({ min: 0, max: 1e6 }), needs],
  (t, seed, { faults, nodes, keys, n }) => {
    const seen = new Set<string>();
    const isBad = (plan: Plan) =>
      faults.every((kind) => plan.faults.includes(kind)) &&
      plan.nodes >= nodes &&
      plan.keys >= keys &&
      plan.n >= n;
    const run: RunPlan = (plan) => {
      const { seed: _, ...fields } = plan;
      t.deepEqual(drawPlan(seed, fields), plan);
      t.is(seen.size + 1, seen.add(JSON.stringify(plan)).size, 'runs twice');
      return isBad(plan) ? violation('I1 lost write') : null;
    };
    const { plan, violation: found } = shrink(drawPlan(seed), run, BUDGET);
    t.is(found !== null, isBad(drawPlan(seed)));
    t.is(found !== null, isBad(plan));
    if (found === null) return;
    t.deepEqual([...plan.faults].sort(), [...faults].sort());
    t.like(plan, { nodes, keys, n });
  },
  { numRuns: 40 },
);
