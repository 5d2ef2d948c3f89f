/** Dynamo §4.5, Execution of get() and put() operations. Each test names the claim that it checks. */
import test from 'ava';
import { isRingletError } from '../../lib/errors.ts';
import { MessageKind } from '../../lib/protocol/messages.ts';
import { VirtualFixture } from '../helpers/virtual-fixture.ts';

test('claim: the first of the top N nodes need not coordinate, any of them may', async (t) => {
  const fixture = new VirtualFixture({ seed: 1, nodes: 5 });
  for (let count = 0; count < 60; count++) {
    await fixture.settle(fixture.bucket.put('k', 'v'));
    await fixture.settle(fixture.bucket.get('k'));
  }
  for (const kind of ['ClientGet', 'ClientPut'] as const) {
    const coordinators = new Set(fixture.sentOf(kind).map(({ target }) => target));
    t.deepEqual([...coordinators].toSorted(), fixture.replicasOf('k').toSorted());
  }
});

test('claim: nodes that are down are skipped, the others of the list serve', async (t) => {
  const fixture = new VirtualFixture({ seed: 2, nodes: 5 });
  const { world, bucket } = fixture;
  const [first, ...others] = fixture.replicasOf('k');
  world.crash(first!);
  await fixture.settle(bucket.put('k', 'v'));
  t.is((await fixture.settle(bucket.get('k'))).value, 'v');
  t.true(others.includes(fixture.lastCoordinator('ClientPut')));
  t.true(others.includes(fixture.lastCoordinator('ClientGet')));
});

test('"the coordinator generates the vector clock for the new version and writes the new version locally"', async (t) => {
  const fixture = new VirtualFixture({ seed: 3, nodes: 5 });
  const { cluster, world, bucket } = fixture;
  world.applyNetwork({ type: 'set-default', settings: { loss: 1 } });
  const request = bucket.put('k', 'v');
  await cluster.run(1);
  const coordinator = fixture.lastCoordinator('ClientPut');
  for (const node of fixture.nodes) {
    t.deepEqual(fixture.valuesAt(node, 'k'), node === coordinator ? ['v'] : undefined);
  }
  await fixture.errorOf(request);
});

test('claim: the coordinator then sends the version with its clock to the other replicas, who add nothing', async (t) => {
  const fixture = new VirtualFixture({ seed: 4, nodes: 5 });
  await fixture.putEverywhere('k', 'v');
  const coordinator = fixture.lastCoordinator('ClientPut');
  for (const { source, message } of fixture.sentOf('ReplicaPut')) {
    t.is(source, coordinator);
    t.true(message.kind === MessageKind.ReplicaPut);
  }
  const records = fixture.replicasOf('k').map((node) => fixture.recordAt(node, 'k'));
  t.deepEqual(records, Array(3).fill(records[0]), 'the same clock everywhere, byte by byte');
});

test('"If at least W-1 nodes respond then the write is considered successful"', async (t) => {
  for (const w of [1, 2, 3]) {
    const fixture = new VirtualFixture({ seed: w, nodes: 3 });
    const { cluster, world, bucket } = fixture;
    let isStored = false;
    const request = bucket.put('k', 'v', { w }).then(() => {
      isStored = true;
    });
    const coordinator = fixture.lastCoordinator('ClientPut');
    const [first, second] = fixture.nodes.filter((node) => node !== coordinator);
    for (const source of [first!, second!]) {
      world.applyNetwork({ type: 'hold', source, target: coordinator });
    }
    await cluster.run(10);
    t.is(isStored, w === 1, 'with no reply at all');
    world.applyNetwork({ type: 'release', source: first!, target: coordinator });
    await cluster.run(10);
    t.is(isStored, w <= 2, 'with one reply');
    world.applyNetwork({ type: 'release', source: second!, target: coordinator });
    await cluster.run(10);
    t.true(isStored, 'with both');
    await request;
  }
});

test('"R + W > N yields a quorum-like system": a read meets the last acknowledged write', async (t) => {
  for (const [r, w] of [
    [3, 1],
    [2, 2],
    [1, 3],
  ] as const) {
    const fixture = new VirtualFixture({ seed: 10 + r, nodes: 3, replication: { n: 3, r, w } });
    await leaveAtQuorum(fixture, w);
    for (let count = 0; count < 30; count++) {
      t.is((await fixture.settle(fixture.bucket.get('k'))).value, 'v');
    }
  }
});

test('claim: with R + W of N or less a read may miss it', async (t) => {
  for (const [r, w] of [
    [1, 1],
    [2, 1],
    [1, 2],
  ] as const) {
    const fixture = new VirtualFixture({ seed: 20 + r, nodes: 3, replication: { n: 3, r, w } });
    await leaveAtQuorum(fixture, w);
    const values = new Set<string | undefined>();
    for (let count = 0; count < 30; count++) {
      values.add((await fixture.settle(fixture.bucket.get('k'))).value);
    }
    t.true(values.has(undefined), `R=${r} W=${w}`);
  }
});

/** Writes `k` so that exactly W replicas hold it, and no read spreads it. */
async function leaveAtQuorum(fixture: VirtualFixture, w: number): Promise<void> {
  const { cluster, world, bucket } = fixture;
  const request = bucket.put('k', 'v');
  const coordinator = fixture.lastCoordinator('ClientPut');
  const others = fixture.nodes.filter((node) => node !== coordinator);
  const missing = others.slice(w - 1);
  if (missing.length > 0) {
    world.applyNetwork({
      type: 'rule',
      id: 'cut',
      rule: { kinds: ['ReplicaPut'], targets: missing, verdict: { type: 'drop' } },
    });
  }
  await fixture.settle(request);
  await cluster.run(100);
}

test('claim: a read waits for R replies and returns all versions that are causally unrelated', async (t) => {
  const fixture = new VirtualFixture({ seed: 5, nodes: 3, replication: { n: 3, r: 3, w: 1 } });
  const { world, bucket, nodes } = fixture;
  world.applyNetwork({ type: 'partition', groups: nodes.map((node) => [node]) });
  const written = new Set<number>();
  while (written.size < 3) {
    const before = fixture.sentOf('ClientPut').length;
    const request = bucket.put('k', `v${before}`);
    written.add(fixture.lastCoordinator('ClientPut'));
    await fixture.settle(request);
  }
  world.applyNetwork({ type: 'heal' });
  const count = fixture.sentOf('ClientPut').length;
  const { siblings } = await fixture.settle(bucket.get('k'));
  t.deepEqual(siblings.toSorted(), Array.from({ length: count }, (_, index) => `v${index}`).sort());
});

test('claim: the latency of an operation is that of the slowest of the R or W replicas', async (t) => {
  for (const quorum of [1, 2, 3]) {
    const fixture = new VirtualFixture({ seed: 6, nodes: 3, hedgeAfterMs: 3_000 });
    const { cluster, world, bucket } = fixture;
    await fixture.putEverywhere('k', 'v');
    // What the first node sends takes 20 ms, the second's 40, the third's 60.
    for (const node of fixture.nodes) {
      world.applyNetwork({
        type: 'rule',
        id: `from ${node}`,
        rule: { sources: [node], verdict: { type: 'delay', delayMs: 20 * (node + 1) } },
      });
    }
    const startMs = cluster.nowMs;
    const request = bucket.put('k', 'w', { w: quorum });
    const coordinator = fixture.lastCoordinator('ClientPut');
    await fixture.settle(request);
    const delays = fixture.nodes
      .filter((node) => node !== coordinator)
      .map((node) => 20 * (coordinator + 1) + 20 * (node + 1));
    const expectedMs = [0, Math.min(...delays), Math.max(...delays)][quorum - 1]!;
    t.true(Math.abs(cluster.nowMs - startMs - expectedMs) <= 2, `${cluster.nowMs - startMs}`);
  }
});

test('claim: with W = 1 a write succeeds as long as one node is up', async (t) => {
  const fixture = new VirtualFixture({ seed: 7, nodes: 3, replication: { n: 3, r: 1, w: 1 } });
  const { world, bucket } = fixture;
  const [first, second, last] = fixture.nodes;
  world.crash(first!);
  world.crash(second!);
  await t.notThrowsAsync(fixture.settle(bucket.put('k', 'v')));
  t.is((await fixture.settle(bucket.get('k'))).value, 'v');
  world.crash(last!);
  const error = await fixture.errorOf(bucket.put('k', 'w'));
  t.true(isRingletError(error, 'RINGLET_UNAVAILABLE') && error.definite);
});
