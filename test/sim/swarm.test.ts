/**
 * The swarm: fixed seeds, always the same, and then as many as fit a time, other ones with every commit. Whatever a seed
 * draws, no promise is broken.
 */
import test from 'ava';
import { drawPlan } from '../../lib/sim/swarm/plan.ts';
import { runSeed, type SeedReport } from '../../lib/sim/swarm/run-seed.ts';
import { commitSeed, describeViolation } from '../helpers/swarm.ts';

const FIXED_SEED_COUNT = 50;
const GROUP_SIZE = 10;

/** Seconds of seeds that the commit decides. */
const SWARM_SECONDS = 15;

for (let first = 1; first <= FIXED_SEED_COUNT; first += GROUP_SIZE) {
  const last = first + GROUP_SIZE - 1;
  test(`no promise is broken: seeds ${first} to ${last}`, (t) => {
    const reports: SeedReport[] = [];
    for (let seed = first; seed <= last; seed++) reports.push(runSeed(drawPlan(seed)));
    for (const report of reports) t.is(describeViolation(report), null);
    const sum = (field: 'acknowledgedWrites' | 'reads' | 'messageCount') =>
      reports.reduce((total, report) => total + report[field], 0);
    t.true(sum('acknowledgedWrites') > 200, 'hardly anything was written');
    t.true(sum('reads') > 200, 'hardly anything was read');
    t.true(sum('messageCount') > 5_000, 'hardly anything was sent');
  });
}

test(`no promise is broken: seeds of this commit, for ${SWARM_SECONDS} s`, (t) => {
  const from = commitSeed() * 1_000;
  const endMs = performance.now() + SWARM_SECONDS * 1_000;
  let count = 0;
  for (; count < 1_000 && performance.now() < endMs; count++) {
    const report = runSeed(drawPlan(from + count));
    t.is(describeViolation(report), null);
  }
  t.log(`${count} seeds from ${from}`);
  t.true(count > 0);
});

test('writes that a last writer replaced are counted, and nothing else is lost', (t) => {
  const faults = ['partition', 'clock-skew', 'crash'] as const;
  const overrides = { nodes: 5, n: 3, r: 2, w: 2, faults, isWithinModel: true, staleShare: 0.2 };
  let lastWriterLost = 0;
  for (let seed = 1; seed <= 5; seed++) {
    const siblings = runSeed(drawPlan(seed, { ...overrides, lastWriterWins: false }));
    const lastWriter = runSeed(drawPlan(seed, { ...overrides, lastWriterWins: true }));
    t.is(describeViolation(siblings), null);
    t.is(describeViolation(lastWriter), null);
    t.is(siblings.lostWrites, siblings.lostToLaterWriter);
    t.is(lastWriter.lostWrites, lastWriter.lostToLaterWriter);
    lastWriterLost += lastWriter.lostWrites;
  }
  t.true(lastWriterLost > 10, `only ${lastWriterLost} writes lost`);
});

test('buckets of different N, R and W beside each other keep what each of them promises', (t) => {
  const overrides = { nodes: 5, n: 4, buckets: 3, keys: 6, ownQuorumShare: 0.2, partitions: 8 };
  let acknowledged = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const report = runSeed(drawPlan(seed, { ...overrides, durationMs: 2_000 }));
    t.is(describeViolation(report), null);
    acknowledged += report.acknowledgedWrites;
  }
  t.true(acknowledged > 500, `only ${acknowledged} writes`);
});
