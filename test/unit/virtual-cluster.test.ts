/** The cluster under the virtual clock itself: time, faults, and that a run is a function of its seed. */
import test from 'ava';
import { nodeAddress } from '../../lib/address.ts';
import { json, string } from '../../lib/codec.ts';
import { testMinLimits } from '../../lib/config.ts';
import { isRingletError } from '../../lib/errors.ts';
import { type ObservedEnvelope, VirtualCluster } from '../../lib/sim/virtual-cluster.ts';

test('a value that was put is read back (Dynamo §4.1)', async (t) => {
  const cluster = new VirtualCluster({ seed: 1, nodes: 5 });
  const bucket = cluster.bucket('b', { codec: string });
  await cluster.settle(bucket.put('k', 'v'));
  const entry = await cluster.settle(bucket.get('k'));
  t.is(entry.value, 'v');
  t.deepEqual(cluster.failures, []);
});

test('blind writes become siblings, and a write with their context replaces them (Dynamo §4.4)', async (t) => {
  const cluster = new VirtualCluster({ seed: 2, nodes: 5 });
  const bucket = cluster.bucket<string[]>('b', {
    codec: json<string[]>(),
    resolve: (s) => s.flat().sort(),
  });
  await Promise.all(['x', 'y'].map((v) => cluster.settle(bucket.put('k', [v]))));
  const entry = await cluster.settle(bucket.get('k'));
  t.is(entry.siblings.length, 2);
  t.deepEqual(entry.value, ['x', 'y']);
  await cluster.settle(bucket.update('k', (value = []) => [...value, 'z']));
  const merged = await cluster.settle(bucket.get('k'));
  t.deepEqual(merged.siblings, [['x', 'y', 'z']]);
});

test('a write is refused for certain when fewer than W replicas are up', async (t) => {
  const cluster = new VirtualCluster({ seed: 3, nodes: 3 });
  const bucket = cluster.bucket('b', { codec: string });
  cluster.crash(nodeAddress(0));
  cluster.crash(nodeAddress(1));
  const error = await t.throwsAsync(cluster.settle(bucket.put('k', 'v')));
  t.true(isRingletError(error, 'RINGLET_UNAVAILABLE') && error.definite);
});

test('time stands still while there is work, and passes as asked for', async (t) => {
  const cluster = new VirtualCluster({ seed: 4, nodes: 3 });
  const bucket = cluster.bucket('b', { codec: string });
  const request = bucket.put('k', 'v');
  await cluster.run(0);
  await request;
  t.is(cluster.nowMs, 0);
  await cluster.run(12.5);
  t.is(cluster.nowMs, 12.5);
  await Promise.all([cluster.run(10), cluster.run(20)]);
  t.is(cluster.nowMs, 32.5, 'runs side by side do not turn time back');
});

test('an envelope arrives when its link says', async (t) => {
  const times: number[] = [];
  const cluster = new VirtualCluster({
    seed: 5,
    nodes: 2,
    onMessage: ({ source, target, timeMs }) => {
      if (source < 2 && target < 2) times.push(timeMs);
    },
  });
  cluster.applyNetwork({ type: 'set-default', settings: { latencyMs: 7 } });
  await cluster.settle(cluster.bucket('b', { codec: string }).put('k', 'v'));
  t.deepEqual(times, [7, 14]);
});

test('a crashed node keeps what it committed, a wiped one nothing', async (t) => {
  for (const isWiped of [false, true]) {
    const cluster = new VirtualCluster({ seed: 6, nodes: 1 });
    const bucket = cluster.bucket('b', { codec: string });
    await cluster.settle(bucket.put('k', 'v'));
    const { incarnation } = cluster.cell(nodeAddress(0)).store;
    cluster.crash(nodeAddress(0));
    if (isWiped) cluster.wipe(nodeAddress(0));
    cluster.restart(nodeAddress(0));
    t.is((await cluster.settle(bucket.get('k'))).value, isWiped ? undefined : 'v');
    t.is(cluster.cell(nodeAddress(0)).store.incarnation === incarnation, !isWiped);
  }
});

test('a paused node does nothing and forgets nothing', async (t) => {
  const cluster = new VirtualCluster({ seed: 7, nodes: 1, requestTimeoutMs: 10_000 });
  const bucket = cluster.bucket('b', { codec: string });
  cluster.pause(nodeAddress(0));
  const request = bucket.put('k', 'v');
  await cluster.run(5_000);
  t.is(cluster.client.pendingCount, 1);
  cluster.resume(nodeAddress(0));
  await cluster.settle(request);
  t.true(cluster.nowMs < 5_010);
});

test('what the others were told of a node in an earlier life does not reach the next', async (t) => {
  const cluster = new VirtualCluster({ seed: 8, nodes: 3 });
  const bucket = cluster.bucket('b', { codec: string, replication: { n: 3, r: 3, w: 3 } });
  const [x, y] = [nodeAddress(0), nodeAddress(1)];
  cluster.crash(y);
  cluster.crash(x);
  cluster.restart(y);
  cluster.restart(x);
  for (let count = 0; count < 10; count++) {
    await t.notThrowsAsync(cluster.settle(bucket.put(`k${count}`, 'v')));
  }
});

test('a node that fails is down for all, and can be started again', async (t) => {
  const cluster = new VirtualCluster({ seed: 9, nodes: 3 });
  const bucket = cluster.bucket('b', { codec: string });
  const broken = nodeAddress(1);
  cluster.cell(broken).store.commit = () => {
    throw new Error('broken');
  };
  for (let count = 0; count < 5; count++) {
    await cluster.settle(bucket.put('k', 'v')).catch(() => {});
  }
  t.is(cluster.failures.length, 1);
  t.throws(() => cluster.cell(broken));
  t.throws(() => cluster.node(broken));
  await t.notThrowsAsync(cluster.settle(bucket.put('k', 'v')));
  cluster.restart(broken);
  await t.notThrowsAsync(cluster.settle(bucket.put('k', 'v', { w: 3 })));
});

test('tiny limits refuse, but break nothing', async (t) => {
  const cluster = new VirtualCluster({ seed: 10, nodes: 3, limits: testMinLimits });
  const bucket = cluster.bucket('b', { codec: string });
  const value = 'v'.repeat(300);
  const requests = Array.from({ length: 200 }, (_, index) => bucket.put(`k${index}`, value));
  const outcomes = Promise.allSettled(requests);
  await cluster.run(10_000);
  const settled = await outcomes;
  const stored = settled.filter(({ status }) => status === 'fulfilled').length;
  t.true(stored > 0 && stored < 200);
  for (const outcome of settled) {
    if (outcome.status === 'rejected') t.true(isRingletError(outcome.reason));
  }
  t.deepEqual(cluster.failures, []);
  await t.notThrowsAsync(cluster.settle(bucket.put('after', value)));
});

/** One run with faults, as the list of all its messages. */
async function traceOf(seed: number): Promise<string[]> {
  const trace: string[] = [];
  const note = ({ timeMs, source, target, encoded }: ObservedEnvelope) =>
    trace.push(`${timeMs} ${source}>${target} ${encoded.join(' ')}`);
  const cluster = new VirtualCluster({ seed, nodes: 4, onMessage: note });
  const bucket = cluster.bucket('b', { codec: string });
  cluster.applyNetwork({
    type: 'set-default',
    settings: { latencyMs: 2, jitterMs: 9, jitterDistribution: 'exponential', loss: 0.05 },
  });
  const requests: Promise<unknown>[] = [];
  for (let step = 0; step < 30; step++) {
    const { context } = await cluster.settle(bucket.get('k')).catch(() => ({ context: undefined }));
    const options = context === undefined || step % 3 === 0 ? {} : { context };
    requests.push(bucket.put('k', `v${step}`, options).catch(() => {}));
    if (step === 10) cluster.crash(nodeAddress(1));
    if (step === 20) cluster.restart(nodeAddress(1));
  }
  await cluster.run(10_000);
  await Promise.all(requests);
  return trace;
}

test('the same seed and the same calls give the same messages at the same times', async (t) => {
  const [first, second, other] = [await traceOf(1), await traceOf(1), await traceOf(2)];
  t.true(first.length > 200);
  t.deepEqual(first, second);
  t.notDeepEqual(first, other);
});
