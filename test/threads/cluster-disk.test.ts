/** Disks that fill up under nodes on threads: writes are refused for certain, and the nodes come back to serve reads. */
import test, { type ExecutionContext } from 'ava';
import { string } from '../../lib/index.ts';
import { keysOf, openThreads, outcomeOf } from '../helpers/cluster-threads.ts';

const options = { nodes: 8, threads: 1, requestTimeoutMs: 30_000 };

/** What a node took it refuses for certain; what reaches it after it stopped is lost, and its caller cannot know. */
function checkRefusals(t: ExecutionContext, outcomes: readonly string[]): void {
  const [refused, lost] = ['RINGLET_DISK_FULL definite', 'RINGLET_NODE_STOPPED indefinite'];
  t.true(outcomes.includes(refused!));
  t.deepEqual(
    [...new Set(outcomes)].filter((outcome) => outcome !== refused && outcome !== lost),
    [],
  );
}

test('nodes whose disk has filled up refuse writes for certain and are all started again', async (t) => {
  const { cluster, host, events } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  const stored = keysOf('stored', 60);
  await Promise.all(stored.map((key) => bucket.put(key, key, { w: 3 })));
  await host.injectFault(0, 'disk-full');
  const refused = keysOf('refused', 200);
  checkRefusals(t, await Promise.all(refused.map((key) => outcomeOf(bucket.put(key, key)))));

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
  const keys = keysOf('key', 200);
  checkRefusals(t, await Promise.all(keys.map((key) => outcomeOf(bucket.put(key, key)))));
  for (const reason of await events.members('down', cluster.nodeIds)) {
    t.regex(reason, /not started again/);
  }
  t.false(cluster.nodeIds.some((id) => cluster.node(id).isUp));
});
