/** Dynamo §4.2, Partitioning Algorithm. Each test names the claim that it checks. */
import test from 'ava';
import type { PartitionId } from '../../lib/address.ts';
import { partitionOfHash, ringBalance } from '../../lib/ring/ring.ts';
import { VirtualFixture } from '../helpers/virtual-fixture.ts';

test('"the output range of a hash function is treated as a fixed circular space or ring"', (t) => {
  const { world, nodes } = new VirtualFixture({ seed: 1, nodes: 5, partitions: 64 });
  const { ring, preferenceLists } = world;
  t.is(partitionOfHash(ring, 0), 0 as PartitionId);
  t.is(partitionOfHash(ring, 0xffff_ffff), 63 as PartitionId);
  // The walk from the last partition goes on with the first, as from any other with its neighbour.
  for (let partition = 0; partition < 64; partition++) {
    const walked = [...ring.owners, ...ring.owners].slice(partition, partition + 64);
    const distinct = [...new Set(walked)];
    t.deepEqual(preferenceLists.of(partition as PartitionId, nodes.length).map(Number), distinct);
  }
});

test('claim: hashing the key of an item tells its position, and so its node, alike for everybody', (t) => {
  const one = new VirtualFixture({ seed: 2, nodes: 5 });
  const other = new VirtualFixture({ seed: 2, nodes: 5 });
  for (let index = 0; index < 200; index++) {
    t.deepEqual(one.replicasOf(`k${index}`), other.replicasOf(`k${index}`));
  }
});

test('claim: keys spread over nodes nearly evenly', (t) => {
  const fixture = new VirtualFixture({ seed: 3, nodes: 5 });
  const counts = fixture.nodes.map(() => 0);
  for (let index = 0; index < 10_000; index++) counts[fixture.replicasOf(`cart:${index}`)[0]!]!++;
  t.true(Math.max(...counts) < 2_000 * 1.15, `${counts} are within 15 % of the mean`);
  t.true(Math.min(...counts) > 2_000 * 0.85);
});

test('claim: a node of more capacity takes more of the ring, which accounts for heterogeneity', (t) => {
  const nodes = [1, 1, 1, 3].map((weight, index) => ({ id: `n${index}`, weight }));
  const { world } = new VirtualFixture({ seed: 4, nodes, replication: { n: 2, r: 1, w: 1 } });
  const { partitionCounts } = ringBalance(world.ring);
  t.is(
    partitionCounts.reduce((sum, count) => sum + count),
    256,
  );
  t.true(Math.abs(partitionCounts[3]! - 128) <= 2, `${partitionCounts}`);
});
