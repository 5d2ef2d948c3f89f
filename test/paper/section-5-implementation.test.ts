/** Dynamo §5, Implementation: request coordination. Each test names the claim that it checks. */
import test from 'ava';
import { nodeAddress } from '../../lib/address.ts';
import { VirtualFixture } from '../helpers/virtual-fixture.ts';

test('"the coordinator updates those nodes with the latest version": read repair', async (t) => {
  const fixture = new VirtualFixture({ seed: 1, nodes: 5 });
  const { cluster, world, bucket } = fixture;
  await fixture.putEverywhere('k', 'v1');
  const stale = fixture.replicasOf('k')[1]!;
  world.crash(stale);
  await cluster.run(10);
  const { context } = await fixture.settle(bucket.get('k'));
  await fixture.putEverywhere('k', 'v2', context);
  world.restart(stale);
  await cluster.run(10);

  fixture.forget();
  await fixture.settle(bucket.get('k', { fanout: 'all' }));
  await cluster.run(1_000);
  t.deepEqual(fixture.valuesEverywhere('k'), [['v2'], ['v2'], ['v2']]);
  const repaired = fixture.sentOf('ReplicaPut').map(({ target }) => target);
  const isLocal = fixture.lastCoordinator('ClientGet') === stale;
  t.deepEqual(repaired, isLocal ? [] : [stale], 'only who is stale is written to');
});

test('"waits for a small period of time to receive any outstanding responses": the answer does not wait', async (t) => {
  const fixture = new VirtualFixture({ seed: 2, nodes: 3, hedgeAfterMs: 3_000 });
  const { cluster, world, bucket } = fixture;
  const stale = nodeAddress(0);
  world.crash(stale);
  await fixture.putEverywhere('k', 'v');
  world.restart(stale);
  for (const delayMs of [300, 2_000]) {
    world.applyNetwork({
      type: 'rule',
      id: 'late',
      rule: { sources: [stale], verdict: { type: 'delay', delayMs } },
    });
    fixture.forget();
    const startMs = cluster.nowMs;
    const request = bucket.get('k', { fanout: 'all' });
    if (fixture.lastCoordinator('ClientGet') === stale) world.applyNetwork({ type: 'heal' });
    t.is((await fixture.settle(request)).value, 'v');
    t.true(cluster.nowMs - startMs < 5);
    await cluster.run(5_000);
    t.is(world.nextEventMs, Number.POSITIVE_INFINITY, 'the state machine is gone');
  }
  t.deepEqual(fixture.valuesAt(stale, 'k'), ['v'], 'what came within the period was repaired');
});

test('"the node that replied fastest to the previous read" coordinates the write', async (t) => {
  const fixture = new VirtualFixture({ seed: 3, nodes: 5 });
  const { bucket } = fixture;
  await fixture.putEverywhere('k', 'v');
  const coordinators = new Set<number>();
  for (let count = 0; count < 30; count++) {
    const { context } = await fixture.settle(bucket.get('k'));
    // The replica that the read went to answered itself first, without a message.
    const fastest = fixture.lastCoordinator('ClientGet');
    await fixture.settle(bucket.put('k', `v${count}`, { context }));
    t.is(fixture.lastCoordinator('ClientPut'), fastest);
    coordinators.add(fastest);
  }
  t.is(coordinators.size, 3);
});

test('claim: that node is preferred, not needed', async (t) => {
  const fixture = new VirtualFixture({ seed: 4, nodes: 5 });
  const { world, bucket } = fixture;
  await fixture.putEverywhere('k', 'v');
  const { context } = await fixture.settle(bucket.get('k'));
  const fastest = fixture.lastCoordinator('ClientGet');
  world.crash(fastest);
  await fixture.putEverywhere('k', 'w', context);
  t.not(fixture.lastCoordinator('ClientPut'), fastest);
  t.is((await fixture.settle(bucket.get('k'))).value, 'w');
});

test("claim: it raises the chance of reading one's own writes, even with R + W of N or less", async (t) => {
  const fixture = new VirtualFixture({ seed: 5, nodes: 3, replication: { n: 3, r: 1, w: 1 } });
  const { cluster, world, bucket } = fixture;
  world.applyNetwork({ type: 'set-default', settings: { latencyMs: 50 } });
  for (let count = 0; count < 10; count++) {
    const { context } = await fixture.settle(bucket.get('k'));
    const reader = fixture.lastCoordinator('ClientGet');
    await fixture.settle(bucket.put('k', `v${count}`, { context }));
    // The node that this client read from holds its write, before any replica has heard of it.
    t.true(fixture.valuesAt(reader, 'k')?.includes(`v${count}`));
    await cluster.run(200);
  }
});

test('claim: each request has a state machine of its own, which ends by its deadline', async (t) => {
  const fixture = new VirtualFixture({ seed: 6, nodes: 3, requestTimeoutMs: 300 });
  const { cluster, world, bucket } = fixture;
  world.applyNetwork({ type: 'set-default', settings: { loss: 1 } });
  const requests = Array.from({ length: 30 }, (_, index) =>
    index % 2 === 0 ? bucket.get(`k${index}`) : bucket.put(`k${index}`, 'v'),
  );
  const outcomes = Promise.allSettled(requests);
  await cluster.run(10);
  const depths = fixture.nodes.map((node) => world.node(node).queueDepth);
  t.is(
    depths.reduce((sum, depth) => sum + depth),
    30,
  );
  await cluster.run(300);
  for (const node of fixture.nodes) t.is(world.node(node).queueDepth, 0);
  t.true((await outcomes).every(({ status }) => status === 'rejected'));
});
