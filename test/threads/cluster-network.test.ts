/** `cluster.network` on real threads: every fault does what it says, to whichever thread, and outlives it. */
import test from 'ava';
import { string } from '../../lib/index.ts';
import {
  keysOf,
  openThreads,
  outcomeOf,
  type ThreadCluster,
  Verdicts,
} from '../helpers/cluster-threads.ts';

const options = { nodes: 4, threads: 2, requestTimeoutMs: 30_000 };
const SHORT_MS = 250;
const INDEFINITE = /^RINGLET_(TIMEOUT|QUORUM_UNMET) indefinite$/;

test('replicas that are cut off from each other store nothing for certain, and heal', async (t) => {
  const { cluster } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  await bucket.put('k', 'before');
  await cluster.network.partition(cluster.nodeIds.map((id) => [id]));
  const put = await outcomeOf(bucket.put('k', 'during', { timeoutMs: SHORT_MS }));
  t.regex(put, INDEFINITE);
  t.is(await outcomeOf(bucket.get('k', { timeoutMs: SHORT_MS })), 'RINGLET_TIMEOUT definite');
  t.is((await bucket.get('k', { r: 1 })).siblings.includes('before'), true);

  await cluster.network.heal();
  const { siblings, context } = await bucket.get('k', { r: 3 });
  t.deepEqual([...siblings].sort(), ['before', 'during'], 'what was indefinite did happen');
  await bucket.put('k', 'after', { context });
  t.is((await bucket.get('k', { r: 3 })).value, 'after');
});

test('with one replica cut off, writes through the others succeed and those through it do not', async (t) => {
  const { cluster, replicasOf } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  const [alone] = replicasOf('b', 'k');
  await cluster.network.partition([[alone!]]);
  const outcomes = await Promise.all(
    keysOf('value', 60).map((value) => outcomeOf(bucket.put('k', value, { timeoutMs: 1000 }))),
  );
  t.true(outcomes.includes('ok'));
  t.true(
    outcomes.some((outcome) => INDEFINITE.test(outcome)),
    outcomes.join(),
  );
  for (const outcome of outcomes) if (outcome !== 'ok') t.regex(outcome, INDEFINITE);
});

test('a blocked direction stays open the other way', async (t) => {
  const { cluster, replicasOf } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  const replicas = replicasOf('b', 'k');
  // Requests arrive, answers do not: every write is stored and none is acknowledged.
  await cluster.network.rule('deaf', { kinds: ['ReplicaPutReply'] }, { type: 'drop' });
  t.regex(await outcomeOf(bucket.put('k', 'stored', { timeoutMs: SHORT_MS })), INDEFINITE);
  await cluster.network.heal();
  t.is((await bucket.get('k', { r: 3 })).value, 'stored');

  const others = cluster.nodeIds.filter((id) => id !== replicas[0]);
  await cluster.network.block(others, [replicas[0]!]);
  t.regex(await outcomeOf(bucket.put('k', 'v', { w: 3, timeoutMs: SHORT_MS })), INDEFINITE);
  await cluster.network.unblock(others, [replicas[0]!]);
  t.is(await outcomeOf(bucket.put('k', 'v', { w: 3 })), 'ok');
});

test('latency is felt on every link that has it, and only there', async (t) => {
  const { cluster, replicasOf } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string, replication: { n: 2, r: 2, w: 2 } });
  const slow = keysOf('key', 100).find((key) => replicasOf('b', key, 2).includes('a'))!;
  const fast = keysOf('key', 100).find((key) => !replicasOf('b', key, 2).includes('a'))!;
  for (const id of ['b', 'c', 'd']) await cluster.network.link('a', id).set({ latencyMs: 600 });
  const slowMs = await durationOf(bucket.put(slow, 'v'));
  t.true(slowMs >= 599, `${slowMs} ms`);
  const fastMs = Math.min(
    ...(await Promise.all(keysOf('value', 5).map((value) => durationOf(bucket.put(fast, value))))),
  );
  t.true(fastMs < 599, `${fastMs} ms`);

  for (const id of ['b', 'c', 'd']) await cluster.network.link('a', id).reset();
  await cluster.network.setDefault({ latencyMs: 100 });
  const bothWaysMs = await durationOf(bucket.put(fast, 'v'));
  t.true(bothWaysMs >= 199, `${bothWaysMs} ms`);
});

test('what is held is delivered on release; observers see each verdict, counters count it', async (t) => {
  const { cluster, replicasOf } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  const [first, second, third] = replicasOf('b', 'k');
  const verdicts = new Verdicts();
  const end = await cluster.network.observe({ kinds: ['ReplicaPut'] }, verdicts.add);
  const pairs = [first, second, third].flatMap((from) =>
    [first, second, third].filter((to) => to !== from).map((to) => [from!, to!] as const),
  );
  for (const [from, to] of pairs) await cluster.network.link(from, to).hold();
  const put = outcomeOf(bucket.put('k', 'v', { w: 3 }));
  const held = [await verdicts.next('hold'), await verdicts.next('hold')];
  const coordinator = held[0]!.from;
  t.deepEqual(
    held.map(({ from, kind }) => [from, kind]),
    [
      [coordinator, 'ReplicaPut'],
      [coordinator, 'ReplicaPut'],
    ],
  );
  const waiting = (await cluster.network.counters()).filter(({ from }) => from === coordinator);
  t.deepEqual(
    waiting.map((link) => link.waiting),
    [1, 1],
  );

  for (const [from, to] of pairs) await cluster.network.link(from, to).release();
  t.is(await put, 'ok');
  await verdicts.next('deliver');
  await verdicts.next('deliver');
  await end();
  const seen = verdicts.all.length;
  await bucket.put('k', 'w', { w: 3 });
  t.is(verdicts.all.length, seen);
});

test('faults and observers outlive a thread', async (t) => {
  const threads = await openThreads(t, options);
  const { cluster } = threads;
  const bucket = cluster.bucket('b', { codec: string });
  await cluster.network.partition(cluster.nodeIds.map((id) => [id]));
  const verdicts = new Verdicts();
  await cluster.network.observe({ kinds: ['ReplicaPut'] }, verdicts.add);
  await reviveAll(threads);
  const puts = keysOf('key', 30).map((key) => bucket.put(key, key, { timeoutMs: SHORT_MS }));
  for (const outcome of await Promise.all(puts.map(outcomeOf))) t.regex(outcome, INDEFINITE);
  const sources = new Set<string>();
  while (sources.size < cluster.nodeIds.length) {
    const { from, verdict } = await verdicts.next('drop');
    t.deepEqual(verdict, { type: 'drop', reason: 'partition' });
    sources.add(from);
  }
  await cluster.network.heal();
  t.is(await outcomeOf(bucket.put('k', 'v', { w: 3 })), 'ok');
  await reviveAll(threads);
  t.is(await outcomeOf(bucket.put('k', 'v', { w: 3 })), 'ok', 'what was healed stays so');
});

test('a change that comes while a thread starts reaches it', async (t) => {
  const { cluster, host, events, nodesOf } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  host.terminateThread(1);
  await events.members('down', nodesOf(1));
  await cluster.network.partition(cluster.nodeIds.map((id) => [id]));
  await events.members('up', nodesOf(1));
  const puts = keysOf('key', 30).map((key) => bucket.put(key, key, { timeoutMs: SHORT_MS }));
  for (const outcome of await Promise.all(puts.map(outcomeOf))) t.regex(outcome, INDEFINITE);
});

test('what is wrong with a fault is said before anything of it is done', async (t) => {
  const { cluster } = await openThreads(t, { nodes: 2, threads: 1 });
  const outcomes = [
    cluster.network.partition([['a'], ['z']]),
    cluster.network.rule('r', { kinds: ['ReplicaPutt' as 'ReplicaPut'] }, { type: 'drop' }),
  ].map(outcomeOf);
  t.deepEqual(await Promise.all(outcomes), [
    'RINGLET_FAULT_SPEC definite',
    'RINGLET_FAULT_SPEC definite',
  ]);
  t.throws(() => cluster.network.link('a', 'z'), { code: 'RINGLET_FAULT_SPEC' });
});

/** Ends every thread once and waits until all are back. */
async function reviveAll({ host, events, nodesOf }: ThreadCluster): Promise<void> {
  for (const threadIndex of [0, 1]) {
    host.terminateThread(threadIndex);
    await events.members('down', nodesOf(threadIndex));
    await events.members('up', nodesOf(threadIndex));
  }
}

async function durationOf(request: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await request;
  return performance.now() - startedMs;
}
