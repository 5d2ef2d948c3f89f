/** Dynamo §4.3, Replication. Each test names the claim that it checks. */
import test from 'ava';
import { string } from '../../lib/codec.ts';
import { VirtualFixture } from '../helpers/virtual-fixture.ts';

test('"Each data item is replicated at N hosts, where N is a parameter configured per-instance"', async (t) => {
  for (const n of [1, 2, 3, 5]) {
    const fixture = new VirtualFixture({ seed: n, nodes: 6, replication: { n } });
    await fixture.putEverywhere('k', 'v');
    const holders = fixture.nodes.filter((node) => fixture.recordAt(node, 'k') !== null);
    t.deepEqual(
      holders,
      fixture.replicasOf('k', n).toSorted((a, b) => a - b),
    );
    t.is(holders.length, n);
  }
});

test('claim: N may differ from bucket to bucket in one cluster', async (t) => {
  const { cluster, world, nodes } = new VirtualFixture({ seed: 1, nodes: 5 });
  for (const n of [1, 4]) {
    const bucket = cluster.bucket(`n${n}`, { codec: string, replication: { n, r: 1, w: 1 } });
    const before = nodes.map((node) => world.cell(node).store.stats().putCount);
    await cluster.settle(bucket.put('k', 'v'));
    await cluster.run(1_000);
    const after = nodes.map((node) => world.cell(node).store.stats().putCount);
    t.is(after.filter((count, node) => count > before[node]!).length, n);
  }
});

test('claim: the coordinator keeps the key itself and replicates it at the N-1 successors clockwise', (t) => {
  const fixture = new VirtualFixture({ seed: 2, nodes: 5 });
  const { owners, partitionCount } = fixture.world.ring;
  for (let index = 0; index < 100; index++) {
    const { partition } = fixture.locate(`k${index}`);
    const successors = [0, 1, 2].map((step) => owners[(partition + step) % partitionCount]);
    t.deepEqual(fixture.replicasOf(`k${index}`).map(Number), successors);
  }
});

test('"the list contains only distinct physical nodes"', (t) => {
  const nodes = [5, 1, 1, 1].map((weight, index) => ({ id: `n${index}`, weight }));
  const fixture = new VirtualFixture({ seed: 3, nodes, partitions: 32 });
  for (let index = 0; index < 200; index++) {
    t.is(new Set(fixture.replicasOf(`k${index}`)).size, 3);
  }
});

test('claim: the list holds more than N nodes, to account for failures', (t) => {
  const fixture = new VirtualFixture({ seed: 4, nodes: 6 });
  const { partition } = fixture.locate('k');
  const fallbacks = fixture.world.preferenceLists.fallbacks(partition, 3);
  const all = [...fixture.replicasOf('k'), ...fallbacks].map(Number);
  t.deepEqual(all.toSorted(), [0, 1, 2, 3, 4, 5]);
});

test('"every node in the system can determine which nodes should be in this list for any particular key"', async (t) => {
  const fixture = new VirtualFixture({ seed: 5, nodes: 6 });
  for (let index = 0; index < 20; index++) {
    const key = `k${index}`;
    fixture.forget();
    await fixture.putEverywhere(key, 'v');
    // Whoever coordinates sends to the replicas at once: nobody is asked the way.
    const coordinator = fixture.lastCoordinator('ClientPut');
    const reached = [coordinator, ...fixture.sentOf('ReplicaPut').map(({ target }) => target)];
    t.deepEqual(reached.toSorted(), fixture.replicasOf(key).toSorted());
  }
});
