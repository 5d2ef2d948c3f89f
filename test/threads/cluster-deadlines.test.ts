/** Deadlines and AbortSignals: every request ends, and says whether it may have happened. */
import { getEventListeners } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { RingletError, string } from '../../lib/index.ts';
import { keysOf, openThreads, outcomeOf, Verdicts } from '../helpers/cluster-threads.ts';

/** A bucket whose requests reach their coordinator and no further. */
async function openStalled(t: ExecutionContext) {
  const { cluster } = await openThreads(t, { nodes: 3, threads: 2, requestTimeoutMs: 30_000 });
  const bucket = cluster.bucket('b', { codec: string });
  await bucket.put('stored', 'v');
  const verdicts = new Verdicts();
  await cluster.network.observe({}, verdicts.add);
  const kinds = ['ReplicaPut', 'ReplicaGet'] as const;
  await cluster.network.rule('stall', { kinds }, { type: 'hold' });
  return { cluster, bucket, verdicts };
}

test('a request whose signal has aborted is not sent', async (t) => {
  const { cluster, bucket, verdicts } = await openStalled(t);
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  const error = await t.throwsAsync(bucket.put('k', 'v', { signal }), { name: 'AbortError' });
  t.true(error instanceof RingletError && error.code === 'RINGLET_ABORTED' && error.definite);
  t.is(error.cause, reason);
  t.is(await outcomeOf(bucket.get('k', { signal })), 'RINGLET_ABORTED definite');
  t.is(await outcomeOf(bucket.update('k', () => 'v', { signal })), 'RINGLET_ABORTED definite');
  await cluster.network.heal();
  t.is((await bucket.get('k', { r: 3 })).value, undefined);
  t.deepEqual(
    verdicts.all.filter(({ kind }) => kind === 'ReplicaPut'),
    [],
  );
});

test('a request that is aborted while under way may have happened', async (t) => {
  const { cluster, bucket, verdicts } = await openStalled(t);
  const controller = new AbortController();
  const { signal } = controller;
  const put = t.throwsAsync(bucket.put('k', 'v', { signal }), { name: 'AbortError' });
  const get = outcomeOf(bucket.get('stored', { signal, r: 3 }));
  for (let held = 0; held < 4; held++) await verdicts.next('hold');
  controller.abort();
  const error = await put;
  t.true(error instanceof RingletError && error.code === 'RINGLET_ABORTED' && !error.definite);
  t.is(await get, 'RINGLET_ABORTED definite');
  await cluster.network.heal();
  t.is((await bucket.get('k', { r: 3 })).value, 'v', 'it did happen');
});

test('a signal for many requests keeps none of them, and no warning is given', async (t) => {
  const { cluster, bucket } = await openStalled(t);
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const { signal } = new AbortController();
  const puts = Promise.all(keysOf('key', 100).map((key) => bucket.put(key, key, { signal })));
  t.is(getEventListeners(signal, 'abort').length, 100);
  await cluster.network.heal();
  await puts;
  t.is(getEventListeners(signal, 'abort').length, 0);
  process.off('warning', onWarning);
  t.deepEqual(warnings, []);
});

test('requests end at the deadline of the request, the bucket or the cluster', async (t) => {
  const { bucket } = await openStalled(t);
  const startedMs = performance.now();
  const outcomes = await Promise.all([
    outcomeOf(bucket.put('k', 'v', { timeoutMs: 100 })),
    outcomeOf(bucket.get('stored', { timeoutMs: 100, r: 3 })),
    outcomeOf(bucket.delete('stored', { timeoutMs: 100 })),
  ]);
  t.deepEqual(outcomes.slice(0, 2), ['RINGLET_TIMEOUT indefinite', 'RINGLET_TIMEOUT definite']);
  t.regex(outcomes[2]!, /^RINGLET_TIMEOUT/);
  const durationMs = performance.now() - startedMs;
  t.true(durationMs >= 89, `${durationMs} ms: the coordinator has nine tenths of the time`);
  t.true(durationMs < 10_000, `${durationMs} ms`);
});

test("a deadline so short that the client's own clock ends the request", async (t) => {
  const { bucket } = await openStalled(t);
  const put = (key: string) => outcomeOf(bucket.put(key, 'v', { timeoutMs: 0.1 }));
  const outcomes = new Set(await Promise.all(keysOf('key', 10).map(put)));
  t.deepEqual([...outcomes], ['RINGLET_TIMEOUT indefinite']);
});
