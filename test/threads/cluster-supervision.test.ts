/** Threads that die: noticed at once, their nodes down for everybody and started again, nothing acknowledged lost. */
import type { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import type { RequestId } from '../../lib/address.ts';
import { string } from '../../lib/index.ts';
import { pingReply } from '../../lib/protocol/messages.ts';
import { openHost } from '../../workers/open-host.ts';
import type { ThreadHost } from '../../workers/thread-host.ts';
import { runChild } from '../helpers/cluster-process.ts';
import {
  addressOf,
  keysOf,
  openThreads,
  outcomeOf,
  type ThreadCluster,
} from '../helpers/cluster-threads.ts';
import { temporaryFolder } from '../helpers/store-fixture.ts';

const options = { nodes: 6, threads: 2, requestTimeoutMs: 30_000 };
const MEBIBYTE = 1024 * 1024;

// Serial: the workers of other tests would be counted.
for (const [death, die] of Object.entries<(host: ThreadHost) => Promise<void>>({
  'was ended': (host) => host.terminateThread(1),
  threw: (host) => host.injectFault(1, 'throw'),
})) {
  test.serial(`a thread that ${death} starts again only after its worker is gone`, async (t) => {
    const log: string[] = [];
    const onWorker = (worker: Worker) => {
      log.push('created');
      worker.once('exit', () => log.push('gone'));
    };
    process.on('worker', onWorker);
    t.teardown(() => process.off('worker', onWorker));
    const threads = await openThreads(t, options);
    const { host, events, nodesOf } = threads;
    await die(host);
    await events.members('down', nodesOf(1));
    await events.members('up', nodesOf(1));
    t.deepEqual(log, ['created', 'created', 'gone', 'created']);
  });
}

test(
  'a thread that throws',
  diesUnderLoad,
  (host) => host.injectFault(1, 'throw'),
  /a fault was injected/,
);

test(
  'a thread that exits',
  diesUnderLoad,
  (host) => host.injectFault(1, 'exit'),
  /exited with code: 7/,
);

test(
  'a thread that runs out of memory',
  diesUnderLoad,
  (host) => host.injectFault(1, 'out-of-memory'),
  /memory limit/,
);

test('a thread that is ended', diesUnderLoad, (host) => host.terminateThread(1), /terminated/);

/** Kills thread 1 while requests wait for its nodes and for others'. */
async function diesUnderLoad(
  t: ExecutionContext,
  die: (host: ThreadHost) => unknown,
  reason: RegExp,
): Promise<void> {
  const threads = await openThreads(t, {
    ...options,
    limits: { threadHeapBytesMax: 256 * MEBIBYTE },
  });
  const { cluster, host, events, nodesOf } = threads;
  const bucket = cluster.bucket('b', { codec: string });
  const stored = keysOf('stored', 60);
  await Promise.all(stored.map((key) => bucket.put(key, key)));
  // Whatever is asked of other nodes from here on stays on its way.
  await cluster.network.rule('stall', { kinds: ['ReplicaPut', 'ReplicaGet'] }, { type: 'hold' });
  const written = keysOf('written', 40);
  const startedMs = performance.now();
  const puts = Promise.all(written.map((key) => outcomeOf(bucket.put(key, key))));
  const gets = Promise.all(stored.map((key) => outcomeOf(bucket.get(key))));
  die(host);
  for (const text of await events.members('down', nodesOf(1))) t.regex(text, reason);
  t.deepEqual(
    cluster.nodeIds.filter((id) => !cluster.node(id).isUp),
    nodesOf(1),
  );

  await cluster.network.heal();
  const served = keyWithout(threads, nodesOf(1));
  await bucket.put(served, 'served');
  t.is((await bucket.get(served)).value, 'served');

  const [putOutcomes, getOutcomes] = await Promise.all([puts, gets]);
  t.true(performance.now() - startedMs < options.requestTimeoutMs / 2);
  t.true(putOutcomes.includes('RINGLET_NODE_STOPPED indefinite'));
  t.true(getOutcomes.includes('RINGLET_NODE_STOPPED definite'));
  for (const outcome of putOutcomes) {
    t.regex(
      outcome,
      /^(ok|RINGLET_(NODE_STOPPED|QUORUM_UNMET) indefinite|RINGLET_UNAVAILABLE definite)$/,
    );
  }
  for (const outcome of getOutcomes) {
    t.regex(outcome, /^(ok|RINGLET_(NODE_STOPPED|QUORUM_UNMET|UNAVAILABLE) definite)$/);
  }

  await events.members('up', nodesOf(1));
  const acknowledged = written.filter((_, index) => putOutcomes[index] === 'ok');
  for (const key of [...stored, ...acknowledged]) t.is((await bucket.get(key)).value, key);
  await writeEverywhere(t, threads);
}

test('threads that die at once, and while they start, are linked again with all others', async (t) => {
  const threads = await openThreads(t, { ...options, threads: 3 });
  const { host, events, nodesOf } = threads;
  const nodes = [...nodesOf(1), ...nodesOf(2)];
  host.terminateThread(1);
  host.terminateThread(2);
  await events.members('down', nodes);
  host.terminateThread(1);
  await events.members('down', nodesOf(1));
  await events.members('up', nodes);
  await writeEverywhere(t, threads);
});

test('a thread that keeps dying stays down until a node of it is restarted', async (t) => {
  const threads = await openThreads(t, { ...options, nodes: 4, threads: 2 });
  const { cluster, host, events, nodesOf } = threads;
  const [first, second] = nodesOf(1);
  for (let death = 1; death <= 5; death++) {
    host.terminateThread(1);
    for (const reason of await events.members('down', nodesOf(1)))
      t.notRegex(reason, /not started again/);
    if (death === 5) await events.members('up', nodesOf(1));
  }
  host.terminateThread(1);
  for (const reason of await events.members('down', nodesOf(1)))
    t.regex(reason, /not started again/);
  t.is((await cluster.stats()).length, 1);
  t.is(await cluster.node(first!).stats(), null);
  t.is(await outcomeOf(cluster.node(first!).pause()), 'RINGLET_NODE_STOPPED definite');

  await cluster.node(first!).restart();
  t.deepEqual([cluster.node(first!).isUp, cluster.node(second!).isUp], [true, false]);
  await cluster.node(second!).restart();
  await writeEverywhere(t, threads);
});

test('with restartNodes: false a thread that died stays down', async (t) => {
  const threads = await openThreads(t, { ...options, restartNodes: false });
  const { cluster, host, events, nodesOf } = threads;
  const bucket = cluster.bucket('b', { codec: string });
  host.terminateThread(1);
  for (const reason of await events.members('down', nodesOf(1)))
    t.regex(reason, /not started again/);
  const served = keyWithout(threads, nodesOf(1));
  await bucket.put(served, 'v', { r: 2, w: 2 });
  t.is(
    await outcomeOf(bucket.put(keyWith(threads, nodesOf(1)), 'v')),
    'RINGLET_UNAVAILABLE definite',
  );
  t.false(cluster.node(nodesOf(1)[0]!).isUp);
  for (const id of nodesOf(1)) await cluster.node(id).restart();
  await writeEverywhere(t, threads);
});

test('a node that was killed, before or while its thread starts again, stays down', async (t) => {
  const threads = await openThreads(t, options);
  const { cluster, host, events, nodesOf } = threads;
  const [first, second] = nodesOf(1);
  await cluster.node(first!).kill();
  host.terminateThread(1);
  await events.members('down', [second!]);
  await cluster.node(second!).kill();
  t.deepEqual([cluster.node(first!).isUp, cluster.node(second!).isUp], [false, false]);
  await Promise.all([cluster.node(first!).restart(), cluster.node(second!).restart()]);
  t.deepEqual([cluster.node(first!).isUp, cluster.node(second!).isUp], [true, true]);
  await writeEverywhere(t, threads);
});

test('restarts and kills of one node at the same time end as the last of them says', async (t) => {
  const threads = await openThreads(t, { ...options, nodes: 3 });
  const { cluster } = threads;
  const node = cluster.node('b');
  const killedLast = [node.restart(), node.restart(), node.kill()].map(outcomeOf);
  t.deepEqual(await Promise.all(killedLast), [
    'RINGLET_NODE_STOPPED indefinite',
    'RINGLET_NODE_STOPPED indefinite',
    'ok',
  ]);
  t.false(node.isUp);
  const startedLast = [node.restart(), node.kill(), node.restart()].map(outcomeOf);
  t.deepEqual(await Promise.all(startedLast), ['RINGLET_NODE_STOPPED indefinite', 'ok', 'ok']);
  t.true(node.isUp);
  await writeEverywhere(t, threads);
});

test('a node that fails alone is started again, and its neighbours run on', async (t) => {
  const threads = await openThreads(t, options);
  const { cluster, host, events, nodesOf } = threads;
  const [failing, neighbour] = nodesOf(1);
  const bucket = cluster.bucket('b', { codec: string });
  await Promise.all(keysOf('key', 30).map((key) => bucket.put(key, key)));
  const before = (await cluster.node(neighbour!).stats())!.store.putCount;
  const endpoint = await host.openClient();
  // A node crashes when it is sent what only clients receive.
  const message = pingReply(1 as RequestId, 0);
  endpoint.send(endpoint.address, addressOf(cluster, failing!), message);
  const [reason] = await events.members('down', [failing!]);
  t.regex(reason!, /only clients receive/);
  await events.members('up', [failing!]);
  const after = (await cluster.node(neighbour!).stats())!.store.putCount;
  t.true(before > 0 && after >= before, 'a store that was opened anew counts from 0');
  await writeEverywhere(t, threads);
});

test('restarts and kills while the old worker is still going end as the last of them says', async (t) => {
  const threads = await openThreads(t, options);
  const { cluster, host, events, nodesOf } = threads;
  const [first, second, third] = nodesOf(1).map((id) => cluster.node(id));
  host.terminateThread(1);
  await events.members('down', nodesOf(1));
  const calls = [
    first!.restart(),
    second!.restart(),
    second!.kill(),
    third!.kill(),
    third!.restart(),
  ];
  t.deepEqual(await Promise.all(calls.map(outcomeOf)), [
    'ok',
    'RINGLET_NODE_STOPPED indefinite',
    'ok',
    'ok',
    'ok',
  ]);
  t.deepEqual(
    [first, second, third].map((node) => node!.isUp),
    [true, false, true],
  );
  await second!.restart();
  await writeEverywhere(t, threads);
});

test("a store that cannot be closed does not keep the others' from it, and close says so", async (t) => {
  const failing = { ...options, threads: 1, dataDir: temporaryFolder(t) };
  const { host } = await openHost(failing);
  await host.injectFault(0, 'close-error');
  await t.throwsAsync(host.close(), { code: 'RINGLET_STORE_FAILED', message: /injected/ });

  const { cluster } = await openThreads(t, failing);
  const recovered = cluster.openEvents.filter(({ type }) => type === 'store');
  t.like(recovered, [{ node: 'a', status: 'recovered' }]);
  t.is(recovered.length, 1);
});

test('an observer that throws gets every verdict', async (t) => {
  const { code, stdout, stderr } = await runChild('throwing-observer');
  t.is(stdout, 'caught 40\n');
  t.is(stderr, '');
  t.is(code, 0);
});

/** Fails unless every thread reaches every other one and the client all of them. */
async function writeEverywhere(t: ExecutionContext, { cluster }: ThreadCluster): Promise<void> {
  const bucket = cluster.bucket('everywhere', { codec: string, replication: { n: 3, r: 3, w: 3 } });
  const keys = keysOf('key', 60);
  const puts = await Promise.all(keys.map((key) => outcomeOf(bucket.put(key, key))));
  t.deepEqual([...new Set(puts)], ['ok']);
  const entries = await Promise.all(keys.map((key) => bucket.get(key)));
  t.deepEqual(
    entries.map(({ value }) => value),
    keys,
  );
}

/** A key of bucket `b` whose quorum does not need these nodes. */
function keyWithout({ replicasOf }: ThreadCluster, nodes: readonly string[]): string {
  return keysOf('served', 1000).find(
    (key) => replicasOf('b', key).filter((id) => nodes.includes(id)).length <= 1,
  )!;
}

/** A key of bucket `b` whose quorum needs one of these nodes. */
function keyWith({ replicasOf }: ThreadCluster, nodes: readonly string[]): string {
  return keysOf('lost', 1000).find(
    (key) => replicasOf('b', key).filter((id) => nodes.includes(id)).length >= 2,
  )!;
}
