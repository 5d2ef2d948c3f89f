/** Threads that hang: requests end at their deadlines, a control call's deadline ends the thread, and close ends. */
import test from 'ava';
import { string } from '../../lib/index.ts';
import { keysOf, openThreads, outcomeOf } from '../helpers/cluster-threads.ts';

/** Long enough for a thread to start on a busy machine. */
const CONTROL_TIMEOUT_MS = 8000;
const options = { nodes: 4, threads: 2, controlTimeoutMs: CONTROL_TIMEOUT_MS };

test('what waits for a thread that hangs ends at its deadline, or when the thread is found out', async (t) => {
  const { cluster, host, events, nodesOf } = await openThreads(t, {
    ...options,
    requestTimeoutMs: 60_000,
  });
  const bucket = cluster.bucket('b', { codec: string });
  const stored = keysOf('stored', 30);
  await Promise.all(stored.map((key) => bucket.put(key, key)));
  await host.injectFault(1, 'hang');

  const keys = keysOf('key', 30);
  const brief = await Promise.all(
    keys.map((key) => outcomeOf(bucket.put(key, key, { w: 3, timeoutMs: 200 }))),
  );
  t.deepEqual([...new Set(brief)], ['RINGLET_TIMEOUT indefinite']);

  const startedMs = performance.now();
  const patient = Promise.all(keys.map((key) => outcomeOf(bucket.put(key, key, { w: 3 }))));
  t.is((await cluster.stats()).length, 1, 'only the other thread answers');
  for (const reason of await events.members('down', nodesOf(1))) t.regex(reason, /did not answer/);
  const outcomes = new Set(await patient);
  t.true(outcomes.has('RINGLET_NODE_STOPPED indefinite'), [...outcomes].join());
  t.true(performance.now() - startedMs < 30_000);

  await events.members('up', nodesOf(1));
  for (const key of stored) t.is((await bucket.get(key, { r: 3 })).value, key);
});

test('close ends a thread that hangs at the deadline of a control call', async (t) => {
  const { cluster, host } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  await host.injectFault(1, 'hang');
  const put = outcomeOf(bucket.put('k', 'v', { w: 3 }));
  const startedMs = performance.now();
  await cluster.close();
  const durationMs = performance.now() - startedMs;
  t.true(durationMs >= CONTROL_TIMEOUT_MS - 50, `${durationMs} ms`);
  t.true(durationMs < 2 * CONTROL_TIMEOUT_MS, `${durationMs} ms`);
  t.is(await put, 'RINGLET_INTERRUPTED indefinite');
});
