/** Plans: what a seed draws, how overrides leave the rest alone, and what no plan can have. */
import test from 'ava';
import fc from 'fast-check';
import { REPLICATION_FACTOR_MAX } from '../../lib/config.ts';
import { isRingletError } from '../../lib/errors.ts';
import { isQuorumRead, planKeys } from '../../lib/sim/swarm/buckets.ts';
import { drawPlan, type FaultKind, faultKinds, type Plan } from '../../lib/sim/swarm/plan.ts';

const seeds = fc.nat({ max: 2 ** 48 });

test('a seed draws the same plan each time, and other seeds draw others', (t) => {
  t.deepEqual(drawPlan(5), drawPlan(5));
  const drawn = new Set(Array.from({ length: 200 }, (_, seed) => JSON.stringify(drawPlan(seed))));
  t.is(drawn.size, 200);
});

test('an override changes its own field and no other', (t) => {
  const overrides: Partial<Plan>[] = [
    { nodes: 64 },
    { n: 16 },
    { durationMs: 77 },
    { operationsPerSecond: 3 },
    { loss: 0.9 },
    { faults: ['wipe'] },
    { scheduler: 'priority' },
    { lastWriterWins: true },
    { buckets: 3 },
    { ownQuorumShare: 0.5 },
    { buggify: false },
  ];
  fc.assert(
    fc.property(seeds, fc.constantFrom(...overrides), (seed, override) => {
      t.deepEqual(drawPlan(seed, override), { ...drawPlan(seed), ...override });
    }),
  );
});

test('threads, R and W are cut to fewer nodes or copies', (t) => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const plan = drawPlan(seed, { nodes: 1, n: 1 });
      t.deepEqual([plan.threads, plan.r, plan.w], [1, 1, 1]);
    }),
  );
});

test('what is given is not cut but refused', (t) => {
  const cases: [overrides: object, code: string][] = [
    [{ n: 2, w: 3 }, 'RINGLET_QUORUM_IMPOSSIBLE'],
    [{ n: 2, r: 3 }, 'RINGLET_QUORUM_IMPOSSIBLE'],
    [{ n: 17 }, 'RINGLET_OPTION_N'],
    [{ w: 0 }, 'RINGLET_OPTION_N'],
    [{ nodes: 2, threads: 3 }, 'RINGLET_OPTION_INVALID'],
    [{ nodes: 65 }, 'RINGLET_OPTION_INVALID'],
    [{ nodes: '3' }, 'RINGLET_OPTION_INVALID'],
    [{ partitions: 12 }, 'RINGLET_RING_SIZE'],
    [{ partitions: 4 }, 'RINGLET_RING_SIZE'],
    [{ buckets: 0 }, 'RINGLET_OPTION_INVALID'],
    [{ ownQuorumShare: 2 }, 'RINGLET_OPTION_INVALID'],
    [{ loss: 1.1 }, 'RINGLET_OPTION_INVALID'],
    [{ hedgeAfterMs: 0 }, 'RINGLET_OPTION_INVALID'],
    [{ durability: 'memory' }, 'RINGLET_OPTION_INVALID'],
    [{ faults: 'wipe' }, 'RINGLET_OPTION_INVALID'],
    [{ faults: ['wipes'] }, 'RINGLET_OPTION_INVALID'],
    [{ los: 0.1 }, 'RINGLET_OPTION_UNKNOWN'],
  ];
  for (const [overrides, code] of cases) {
    const error = t.throws(() => drawPlan(1, overrides), undefined, JSON.stringify(overrides));
    t.true(isRingletError(error) && error.code === code, `${JSON.stringify(overrides)}: ${error}`);
  }
  t.throws(() => drawPlan(-1), { message: /seed/ });
});

test('many seeds draw all that there is to draw', (t) => {
  const plans = Array.from({ length: 1_000 }, (_, seed) => drawPlan(seed));
  const share = (has: (plan: Plan) => boolean) => plans.filter(has).length / plans.length;
  const between = (has: (plan: Plan) => boolean, min: number, max: number) => {
    const found = share(has);
    t.true(found >= min && found <= max, `${has}: ${found}`);
  };
  between(({ nodes }) => nodes <= 9, 0.85, 0.98);
  between(({ nodes }) => nodes === 1, 0.01, 0.15);
  between(({ n, r, w }) => n === 3 && r === 2 && w === 2, 0.3, 0.6);
  between(({ n, nodes }) => n > nodes, 0.005, 0.15);
  between(({ faults }) => faults.length === 0, 0.05, 0.25);
  between(({ faults }) => faults.length === faultKinds.length, 0.05, 0.25);
  between(({ isWithinModel }) => !isWithinModel, 0.1, 0.2);
  between(({ durability }) => durability === 'normal', 0.15, 0.35);
  between(({ checkReplay }) => checkReplay, 0.02, 0.09);
  between(({ lastWriterWins }) => lastWriterWins, 0.03, 0.15);
  between(({ buckets }) => buckets === 1, 0.55, 0.8);
  between(({ ownQuorumShare }) => ownQuorumShare === 0, 0.55, 0.8);
  between(({ keys }) => keys <= 5, 0.5, 0.9);
  const all = new Set<FaultKind>(plans.flatMap(({ faults }) => faults));
  t.is(all.size, faultKinds.length);
});

const manyBuckets = fc
  .record({
    n: fc.integer({ min: 1, max: REPLICATION_FACTOR_MAX }),
    buckets: fc.integer({ min: 1, max: 5 }),
    keys: fc.integer({ min: 1, max: 20 }),
    ownQuorumShare: fc.constantFrom(0, 0.2),
    lastWriterWins: fc.boolean(),
  })
  .chain((fields) => seeds.map((seed) => drawPlan(seed, fields)));

test('keys are dealt out to all buckets, and the first one is as the plan says', (t) => {
  fc.assert(
    fc.property(manyBuckets, (plan) => {
      const keys = planKeys(plan);
      t.is(new Set(keys.map(({ key }) => key)).size, plan.keys);
      t.is(new Set(keys.map(({ bucket }) => bucket)).size, Math.min(plan.keys, plan.buckets));
      const { n, r, w, lastWriterWins } = plan;
      t.like(keys[0]!.bucket, { replication: { n, r, w }, lastWriterWins });
    }),
  );
});

test('no bucket and no request asks for more than there are copies', (t) => {
  fc.assert(
    fc.property(manyBuckets, (plan) => {
      for (const { bucket } of planKeys(plan)) {
        const { replication, ownReplication } = bucket;
        t.true(replication.n <= plan.n);
        t.true(ownReplication.n <= replication.n);
        for (const { n, r, w } of [replication, ownReplication]) {
          t.true(r >= 1 && r <= n && w >= 1 && w <= n);
        }
        t.true(bucket.lastWriterWins || !plan.lastWriterWins);
      }
    }),
  );
});

test('a bucket counts on the least W that any of its writes may have', (t) => {
  fc.assert(
    fc.property(manyBuckets, (plan) => {
      for (const { bucket } of planKeys(plan)) {
        const { replication, ownReplication, copyCountMin } = bucket;
        const least = Math.min(replication.w, ownReplication.w);
        t.is(copyCountMin, plan.ownQuorumShare === 0 ? replication.w : least);
        t.true(isQuorumRead(bucket, replication.n));
        t.false(isQuorumRead(bucket, replication.n - copyCountMin));
      }
    }),
  );
});

test('many seeds draw buckets of all kinds beside each other', (t) => {
  const buckets = Array.from({ length: 300 }, (_, seed) =>
    planKeys(drawPlan(seed, { n: 3, buckets: 3, keys: 3, lastWriterWins: false })),
  ).flatMap((keys) => keys.slice(1).map(({ bucket }) => bucket));
  const kinds = new Set(buckets.map(({ replication: { n, r, w } }) => `${n}/${r}/${w}`));
  // All that there is with N = 1, 2 and 3.
  t.is(kinds.size, 1 + 4 + 9);
  const lastWriterCount = buckets.filter(({ lastWriterWins }) => lastWriterWins).length;
  t.true(lastWriterCount > 60 && lastWriterCount < 200, `${lastWriterCount}`);
});
