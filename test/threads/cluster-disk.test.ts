/** Disks that fill up under nodes on threads: writes are refused for certain, and the nodes come back to serve reads. */
import test from 'ava';
import { string } from '../../lib/index.ts';
import { keysOf, openThreads, outcomeOf } from '../helpers/cluster-threads.ts';

const options = { nodes: 8, threads: 1, requestTimeoutMs: 30_000 };

test('nodes whose disk has filled up refuse writes for certain and are all started again', async (t) => {
  const { cluster, host, events } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  const stored = keysOf('stored', 60);
  await Promise.all(stored.map((key) => bucket.put(key, key, { w: 3 })));
  await host.injectFault(0, 'disk-full');
  const refused = keysOf('refused', 200);
  const outcomes = await Promise.all(refused.map((key) => outcomeOf(bucket.put(key, key))));
  t.deepEqual([...new Set(outcomes)], ['RINGLET_DISK_FULL definite']);

  // More than the deaths after which a thread's nodes stay down.
  for (const reason of await events.members('down', cluster.nodeIds)) {
    t.regex(reason, /a fault was injected/);
    t.notRegex(reason, /not started again/);
  }
  await events.members('up', cluster.nodeIds);
  for (const key of stored) t.is((await bucket.get(key, { r: 3 })).value, key);
  for (const key of refused) t.is((await bucket.get(key, { r: 3 })).value, undefined);
  t.is(await outcomeOf(bucket.put('later', 'v', { w: 3 })), 'ok');
});

test('with restartNodes: false a node whose disk has filled up stays down', async (t) => {
  const { cluster, host, events } = await openThreads(t, { ...options, restartNodes: false });
  const bucket = cluster.bucket('b', { codec: string });
  await host.injectFault(0, 'disk-full');
  const puts = keysOf('key', 200).map((key) => outcomeOf(bucket.put(key, key)));
  t.deepEqual([...new Set(await Promise.all(puts))], ['RINGLET_DISK_FULL definite']);
  for (const reason of await events.members('down', cluster.nodeIds)) {
    t.regex(reason, /not started again/);
  }
  t.false(cluster.nodeIds.some((id) => cluster.node(id).isUp));
});
