/** The protocol under the virtual clock: quorums, siblings, read repair, deadlines, crashes. */
import test from 'ava';
import { nodeAddress } from '../../lib/address.ts';
import { json, string } from '../../lib/codec.ts';
import { isRingletError } from '../../lib/errors.ts';
import { VirtualCluster } from '../../lib/sim/virtual-cluster.ts';

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
