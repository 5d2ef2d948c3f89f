/** The coordinator under the virtual clock: whom it asks, what it answers, what it leaves behind. */
import test, { type ExecutionContext } from 'ava';
import { Replica } from '../../actors/replica.ts';
import {
  type ActorAddress,
  nodeAddress,
  type PartitionId,
  type RecordKey,
  type RequestId,
} from '../../lib/address.ts';
import {
  decodeVersionSet,
  emptyVersionSet,
  encodeVersionSet,
  siblingsOf,
  updateVersionSet,
} from '../../lib/clock/version-set.ts';
import { createActorId, type VersionVector } from '../../lib/clock/version-vector.ts';
import { json } from '../../lib/codec.ts';
import { type ErrorCode, RingletError } from '../../lib/errors.ts';
import { Prng } from '../../lib/prng.ts';
import { clientPut, type Message, ping, pingReply } from '../../lib/protocol/messages.ts';
import type { Context, TimerId } from '../../lib/runtime/actor.ts';
import { NodeCell } from '../../lib/runtime/node-cell.ts';
import { CORRUPT, type PartitionStore } from '../../lib/store/contract.ts';
import { openMemoryStore } from '../../lib/store/memory-store.ts';
import { VirtualFixture } from '../helpers/virtual-fixture.ts';

/** Soon every node is idle, and nothing will happen by itself. */
async function checkIdle(t: ExecutionContext, fixture: VirtualFixture): Promise<void> {
  const { cluster, world, nodes } = fixture;
  await cluster.run(1_000);
  for (const node of nodes) t.is(world.node(node).queueDepth, 0);
  t.is(world.clients[0]!.pendingCount, 0);
  t.is(world.nextEventMs, Number.POSITIVE_INFINITY);
  t.deepEqual(cluster.failures, []);
}

async function checkError(
  t: ExecutionContext,
  fixture: VirtualFixture,
  request: Promise<unknown>,
  code: ErrorCode,
  definite: boolean,
): Promise<void> {
  const error = await fixture.errorOf(request);
  t.is(error.code, code);
  t.is(error.definite, definite);
}

// ------------------------------------------------------------------------------------------- reads

test('a read asks R replicas, the coordinator among them, and no more', async (t) => {
  for (const r of [1, 2, 3]) {
    const fixture = new VirtualFixture({ seed: r, nodes: 5 });
    await fixture.putEverywhere('k', 'v');
    fixture.forget();
    t.is((await fixture.settle(fixture.bucket.get('k', { r }))).value, 'v');
    t.is(fixture.sentOf('ReplicaGet').length, r - 1);
    await checkIdle(t, fixture);
  }
});

test('a read with fanout `all`, and a sampled one, asks all N', async (t) => {
  for (const readRepairSample of [0, 1]) {
    const fixture = new VirtualFixture({ seed: 1, nodes: 5, readRepairSample });
    await fixture.putEverywhere('k', 'v');
    fixture.forget();
    const fanout = readRepairSample === 1 ? 'quorum' : 'all';
    await fixture.settle(fixture.bucket.get('k', { r: 1, fanout }));
    t.is(fixture.sentOf('ReplicaGet').length, 2);
  }
});

test('a slow replica is passed over after the hedge delay, and its late reply changes nothing', async (t) => {
  const fixture = new VirtualFixture({ seed: 4, nodes: 3, hedgeAfterMs: 10 });
  const { cluster, world, bucket } = fixture;
  await fixture.putEverywhere('k', 'v');
  const slow = nodeAddress(0);
  world.applyNetwork({
    type: 'rule',
    id: 'slow',
    rule: { targets: [slow], kinds: ['ReplicaGet'], verdict: { type: 'delay', delayMs: 300 } },
  });
  let hedgedCount = 0;
  for (let count = 0; count < 12; count++) {
    const startMs = cluster.nowMs;
    t.is((await fixture.settle(bucket.get('k'))).value, 'v');
    const tookMs = cluster.nowMs - startMs;
    t.true(tookMs <= 32, `took ${tookMs} ms: the delay, and at most one look at the clock`);
    if (tookMs >= 10) hedgedCount++;
  }
  t.true(hedgedCount > 0, 'the slow replica was asked first at times');
  const counted = fixture.nodes.reduce((sum, n) => sum + world.node(n).counters.hedgeCount, 0);
  t.is(counted, hedgedCount);
  fixture.forget();
  await cluster.run(1_000);
  t.true(fixture.sentOf('ReplicaGetReply').length > 0, 'late replies came');
  t.deepEqual(fixture.sentOf('ReplicaPut'), []);
  await checkIdle(t, fixture);
});

test('replicas that answer in time are not hedged', async (t) => {
  const fixture = new VirtualFixture({ seed: 5, nodes: 3, hedgeAfterMs: 100 });
  const { world, bucket } = fixture;
  world.applyNetwork({ type: 'set-default', settings: { latencyMs: 20, jitterMs: 20 } });
  for (let count = 0; count < 20; count++) await fixture.settle(bucket.get('k'));
  for (const node of fixture.nodes) t.is(world.node(node).counters.hedgeCount, 0);
});

test('the automatic hedge delay learns how long replies take', async (t) => {
  const fixture = new VirtualFixture({ seed: 6, nodes: 3 });
  const { world, bucket } = fixture;
  world.applyNetwork({ type: 'set-default', settings: { latencyMs: 15 } });
  const hedgeCount = () =>
    fixture.nodes.reduce((sum, node) => sum + world.node(node).counters.hedgeCount, 0);
  for (let count = 0; count < 20; count++) await fixture.settle(bucket.get('k'));
  t.true(hedgeCount() >= 15, 'at first the delay is too short');
  for (let count = 0; count < 400; count++) await fixture.settle(bucket.get('k'));
  const before = hedgeCount();
  for (let count = 0; count < 100; count++) await fixture.settle(bucket.get('k'));
  t.true(hedgeCount() - before <= 15, 'later few replies are late');
});

test('a replica that missed a write while it was down gets it from a read', async (t) => {
  const fixture = new VirtualFixture({ seed: 7, nodes: 5 });
  const { cluster, world, bucket } = fixture;
  const [, , missing] = fixture.replicasOf('k');
  world.crash(missing!);
  await fixture.putEverywhere('k', 'v');
  world.restart(missing!);
  await cluster.run(100);
  t.is(fixture.valuesAt(missing!, 'k'), undefined);

  t.is((await fixture.settle(bucket.get('k', { fanout: 'all' }))).value, 'v');
  await cluster.run(5);
  t.deepEqual(fixture.valuesEverywhere('k'), [['v'], ['v'], ['v']], 'as soon as all have answered');
  t.deepEqual(fixture.recordAt(missing!, 'k'), fixture.recordAt(fixture.replicasOf('k')[0]!, 'k'));
  await checkIdle(t, fixture);
});

test('a coordinator that missed a write repairs itself', async (t) => {
  const fixture = new VirtualFixture({ seed: 8, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  for (const stale of fixture.nodes) {
    const key = `k${stale}`;
    world.crash(stale);
    await fixture.putEverywhere(key, 'v');
    world.restart(stale);
    fixture.forget();
    do await fixture.settle(bucket.get(key));
    while (fixture.lastCoordinator('ClientGet') !== stale);
    await cluster.run(1_000);
    t.deepEqual(fixture.valuesAt(stale, key), ['v']);
  }
  await checkIdle(t, fixture);
});

test('what the late replies of a read bring is repaired too', async (t) => {
  const fixture = new VirtualFixture({ seed: 9, nodes: 3, hedgeAfterMs: 1_000 });
  const { cluster, world, bucket } = fixture;
  const stale = nodeAddress(2);
  const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
  world.crash(stale);
  for (const key of keys) await fixture.putEverywhere(key, 'v');
  world.restart(stale);
  world.applyNetwork({
    type: 'rule',
    id: 'late',
    rule: { sources: [stale], verdict: { type: 'delay', delayMs: 200 } },
  });
  let lateCount = 0;
  for (const key of keys) {
    await fixture.settle(bucket.get(key, { fanout: 'all' }));
    if (fixture.lastCoordinator('ClientGet') === stale) continue;
    t.is(fixture.valuesAt(stale, key), undefined, 'answered before the stale replica was heard');
    await cluster.run(1_000);
    t.deepEqual(fixture.valuesAt(stale, key), ['v']);
    lateCount++;
  }
  t.true(lateCount > 0);
  await checkIdle(t, fixture);
});

test('where the replicas agree a read writes nothing', async (t) => {
  const fixture = new VirtualFixture({ seed: 10, nodes: 5 });
  const { cluster, bucket } = fixture;
  await fixture.putEverywhere('one', 'v');
  await Promise.all([bucket.put('two', 'x'), bucket.put('two', 'y'), cluster.run(1_000)]);
  await fixture.settle(bucket.get('two', { fanout: 'all' }));
  await cluster.run(1_000);
  await fixture.settle(bucket.delete('one'));
  await cluster.run(1_000);

  const before = fixture.commitCount;
  fixture.forget();
  for (const key of ['one', 'two', 'none']) {
    for (let count = 0; count < 5; count++) {
      await fixture.settle(bucket.get(key, { fanout: 'all' }));
      await cluster.run(100);
    }
  }
  t.deepEqual(fixture.sentOf('ReplicaPut'), []);
  t.is(fixture.commitCount, before);
  await checkIdle(t, fixture);
});

test('answered reads that wait for late replies take no room from new ones', async (t) => {
  const fixture = new VirtualFixture({ seed: 11, nodes: 3, limits: { coordinatorCountMax: 4 } });
  const { cluster, world, bucket } = fixture;
  await fixture.putEverywhere('k', 'v');
  world.applyNetwork({ type: 'partition', groups: [[nodeAddress(0)]] });
  for (let count = 0; count < 60; count++) {
    t.is((await fixture.settle(bucket.get('k', { r: 1, fanout: 'all' }))).value, 'v');
  }
  for (const node of fixture.nodes) t.is(world.node(node).queueDepth, 0);
  await cluster.run(1_000);
  await checkIdle(t, fixture);
});

test('a damaged record counts as no answer, and its holder is not named as the fastest', async (t) => {
  const fixture = new VirtualFixture({ seed: 12, nodes: 3 });
  const { world, bucket } = fixture;
  await fixture.putEverywhere('k', 'v');
  const damaged = nodeAddress(1);
  world.cell(damaged).store.get = () => CORRUPT;
  for (let count = 0; count < 10; count++) {
    const { value, context } = await fixture.settle(bucket.get('k', { fanout: 'all' }));
    t.is(value, 'v');
    fixture.forget();
    await fixture.settle(bucket.put('k', 'v', { context }));
    t.not(fixture.lastCoordinator('ClientPut'), damaged);
  }
  await checkError(t, fixture, bucket.get('k', { r: 3 }), 'RINGLET_RECORD_CORRUPT', true);
  world.crash(nodeAddress(0));
  world.crash(nodeAddress(2));
  await checkError(t, fixture, bucket.put('k', 'w', { w: 1 }), 'RINGLET_RECORD_CORRUPT', true);
});

test('a replica that cannot answer is replaced at once, and is not the fastest', async (t) => {
  const fixture = new VirtualFixture({ seed: 13, nodes: 3, hedgeAfterMs: 4_000 });
  const { cluster, world, bucket } = fixture;
  await fixture.putEverywhere('k', 'v');
  const sound = nodeAddress(2);
  for (const node of fixture.nodes) {
    if (node !== sound) world.cell(node).store.get = () => CORRUPT;
  }
  for (let count = 0; count < 12; count++) {
    const startMs = cluster.nowMs;
    const { value, context } = await fixture.settle(bucket.get('k', { r: 1 }));
    t.is(value, 'v');
    t.true(cluster.nowMs - startMs < 5);
    const coordinator = fixture.lastCoordinator('ClientGet');
    await fixture.errorOf(bucket.put('k', 'v', { context, w: 3 }));
    t.is(fixture.lastCoordinator('ClientPut'), sound, `read through ${coordinator}`);
  }
});

// ------------------------------------------------------------------------------------------ writes

test('every N, R and W works, more copies than nodes included', async (t) => {
  for (let n = 1; n <= 5; n++) {
    for (let quorum = 1; quorum <= n; quorum++) {
      const replication = { n, r: n - quorum + 1, w: quorum };
      const fixture = new VirtualFixture({ seed: n * 10 + quorum, nodes: 5, replication });
      await fixture.settle(fixture.bucket.put('k', 'v'));
      t.is((await fixture.settle(fixture.bucket.get('k'))).value, 'v');
      await fixture.cluster.run(1_000);
      t.deepEqual(fixture.valuesEverywhere('k'), Array(n).fill(['v']));
      for (const node of fixture.nodes) {
        if (!fixture.replicasOf('k').includes(node)) t.is(fixture.recordAt(node, 'k'), null);
      }
      await checkIdle(t, fixture);
    }
  }
});

test('where there are fewer nodes than N, each has a copy, and more than that is refused for certain', async (t) => {
  const fixture = new VirtualFixture({ seed: 1, nodes: 3, replication: { n: 5, r: 3, w: 3 } });
  const { bucket } = fixture;
  await fixture.putEverywhere('k', 'v');
  t.deepEqual(fixture.valuesEverywhere('k'), [['v'], ['v'], ['v']]);
  t.is((await fixture.settle(bucket.get('k'))).value, 'v');
  await checkError(t, fixture, bucket.put('other', 'v', { w: 4 }), 'RINGLET_UNAVAILABLE', true);
  await checkError(t, fixture, bucket.get('k', { r: 4 }), 'RINGLET_UNAVAILABLE', true);
  t.deepEqual(fixture.valuesEverywhere('other'), [undefined, undefined, undefined]);
});

test('a cluster of one node', async (t) => {
  const fixture = new VirtualFixture({ seed: 1, nodes: 1 });
  const { bucket } = fixture;
  t.is((await fixture.settle(bucket.get('k'))).value, undefined);
  await fixture.settle(bucket.put('k', 'v'));
  t.is((await fixture.settle(bucket.get('k'))).value, 'v');
  await fixture.settle(bucket.delete('k'));
  t.is((await fixture.settle(bucket.get('k'))).value, undefined);
  fixture.world.crash(nodeAddress(0));
  await checkError(t, fixture, bucket.put('k', 'w'), 'RINGLET_UNAVAILABLE', true);
  fixture.world.restart(nodeAddress(0));
  t.deepEqual(fixture.valuesAt(nodeAddress(0), 'k'), [null]);
  await checkIdle(t, fixture);
});

test('a write that cannot reach W replicas is refused for certain and stored nowhere', async (t) => {
  const fixture = new VirtualFixture({ seed: 2, nodes: 5, replication: { n: 3, r: 2, w: 3 } });
  const { cluster, world, bucket } = fixture;
  const [first, ...others] = fixture.replicasOf('k');
  world.crash(first!);
  await checkError(t, fixture, bucket.put('k', 'v'), 'RINGLET_UNAVAILABLE', true);
  await cluster.run(10_000);
  for (const node of others) t.is(fixture.recordAt(node, 'k'), null);
  world.restart(first!);
  await cluster.run(10_000);
  t.deepEqual(fixture.valuesEverywhere('k'), [undefined, undefined, undefined]);
  await fixture.settle(bucket.put('k', 'v'));
  await checkIdle(t, fixture);
});

test('a coordinator that knows better than the client refuses too, before it stores', async (t) => {
  const fixture = new VirtualFixture({ seed: 3, nodes: 3, replication: { n: 3, r: 2, w: 3 } });
  const { cluster, world, bucket } = fixture;
  // The client has not heard yet when it sends; the coordinator has when it receives.
  const request = bucket.put('k', 'v');
  const coordinator = fixture.lastCoordinator('ClientPut');
  const other = fixture.nodes.find((node) => node !== coordinator)!;
  world.crash(other);
  await checkError(t, fixture, request, 'RINGLET_UNAVAILABLE', true);
  await cluster.run(1_000);
  t.is(fixture.recordAt(coordinator, 'k'), null);
  t.is(world.node(coordinator).counters.refusedCount, 1);
});

test('W counts distinct replicas: an acknowledgement that comes twice is one', async (t) => {
  const fixture = new VirtualFixture({ seed: 4, nodes: 3, replication: { n: 3, r: 1, w: 3 } });
  const { world, bucket } = fixture;
  world.applyNetwork({
    type: 'set-default',
    settings: { duplication: 1, latencyMs: 1, jitterMs: 5, reordering: 0.5 },
  });
  const request = bucket.put('k', 'v');
  const coordinator = fixture.lastCoordinator('ClientPut');
  const cut = fixture.nodes.find((node) => node !== coordinator)!;
  world.applyNetwork({ type: 'block', sources: [coordinator], targets: [cut] });
  await checkError(t, fixture, request, 'RINGLET_TIMEOUT', false);
  t.true(
    fixture.sentOf('ReplicaPutReply').length >= 2,
    'the other one acknowledged at least twice',
  );
  t.is(fixture.valuesAt(cut, 'k'), undefined);
});

test('with everything sent twice, all is as if it were sent once', async (t) => {
  const fixture = new VirtualFixture({ seed: 5, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  world.applyNetwork({
    type: 'set-default',
    settings: { duplication: 1, latencyMs: 1, jitterMs: 20, reordering: 0.5 },
  });
  let context: string | undefined;
  for (let count = 0; count < 20; count++) {
    const options = context === undefined ? {} : { context };
    ({ context } = await fixture.settle(bucket.put('k', `v${count}`, options)));
    t.not(context, undefined, 'one writer makes no siblings');
    t.is((await fixture.settle(bucket.get('k', { fanout: 'all' }))).value, `v${count}`);
  }
  await cluster.run(1_000);
  t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill(['v19']));
  await checkIdle(t, fixture);
});

test('requests that the links swallow end by their deadline with what is certain', async (t) => {
  const fixture = new VirtualFixture({ seed: 6, nodes: 3, requestTimeoutMs: 300 });
  const { cluster, world, bucket } = fixture;
  world.applyNetwork({ type: 'set-default', settings: { loss: 1 } });
  for (const [request, definite] of [
    [() => bucket.put('k', 'v'), false],
    [() => bucket.get('k'), true],
    [() => bucket.get('k', { fanout: 'all', r: 3 }), true],
  ] as const) {
    const startMs = cluster.nowMs;
    await checkError(t, fixture, request(), 'RINGLET_TIMEOUT', definite);
    const tookMs = cluster.nowMs - startMs;
    t.true(tookMs >= 250 && tookMs <= 300, `took ${tookMs} ms`);
  }
  await cluster.run(1_000);
  await checkIdle(t, fixture);
});

test('a coordinator that is stuck does not keep its client waiting', async (t) => {
  const fixture = new VirtualFixture({ seed: 7, nodes: 3, requestTimeoutMs: 300 });
  const { cluster, world, bucket } = fixture;
  for (const node of fixture.nodes) world.pause(node);
  await checkError(t, fixture, bucket.put('k', 'v'), 'RINGLET_TIMEOUT', false);
  await checkError(t, fixture, bucket.get('k'), 'RINGLET_TIMEOUT', true);
  t.true(cluster.nowMs <= 2 * 310);
  for (const node of fixture.nodes) world.resume(node);
  await cluster.run(1_000);
  t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill(['v']), 'it was indefinite indeed');
  await checkIdle(t, fixture);
});

test('a put whose coordinator crashes before the replicas have it is indefinite, and may appear later', async (t) => {
  const fixture = new VirtualFixture({ seed: 8, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  world.applyNetwork({
    type: 'rule',
    id: 'cut',
    rule: { kinds: ['ReplicaPut'], verdict: { type: 'drop' } },
  });
  const request = bucket.put('k', 'v');
  const coordinator = fixture.lastCoordinator('ClientPut');
  await cluster.run(5);
  world.crash(coordinator);
  await checkError(t, fixture, request, 'RINGLET_NODE_STOPPED', false);
  world.applyNetwork({ type: 'heal' });
  t.is((await fixture.settle(bucket.get('k'))).value, undefined);

  world.restart(coordinator);
  await fixture.settle(bucket.get('k', { fanout: 'all' }));
  await cluster.run(1_000);
  t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill(['v']));
  await checkIdle(t, fixture);
});

test('a put whose coordinator crashes before its commit is nowhere, although its client cannot know', async (t) => {
  const fixture = new VirtualFixture({ seed: 9, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  const request = bucket.put('k', 'v');
  world.crash(fixture.lastCoordinator('ClientPut'));
  await checkError(t, fixture, request, 'RINGLET_NODE_STOPPED', false);
  await cluster.run(1);
  world.restart(fixture.lastCoordinator('ClientPut'));
  await cluster.run(1_000);
  t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill(undefined));
});

test('a put whose coordinator crashes after the replicas have it is indefinite and stays', async (t) => {
  const fixture = new VirtualFixture({ seed: 10, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  world.applyNetwork({
    type: 'rule',
    id: 'hold',
    rule: { kinds: ['ReplicaPutReply'], verdict: { type: 'hold' } },
  });
  const request = bucket.put('k', 'v');
  await cluster.run(5);
  t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill(['v']));
  const coordinator = fixture.lastCoordinator('ClientPut');
  world.crash(coordinator);
  await checkError(t, fixture, request, 'RINGLET_NODE_STOPPED', false);
  world.restart(coordinator);
  // The held acknowledgements reach the coordinator's next life, which knows nothing of them.
  world.applyNetwork({ type: 'heal' });
  await cluster.run(1_000);
  t.is((await fixture.settle(bucket.get('k'))).value, 'v');
  await checkIdle(t, fixture);
});

test('a node whose commit fails stops, and what it was asked is not told to anyone', async (t) => {
  const fixture = new VirtualFixture({ seed: 11, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  const request = bucket.put('k', 'v');
  const coordinator = fixture.lastCoordinator('ClientPut');
  world.cell(coordinator).store.commit = () => {
    throw new RingletError('RINGLET_STORE_FAILED', 'broken');
  };
  await checkError(t, fixture, request, 'RINGLET_NODE_STOPPED', false);
  await cluster.run(1_000);
  t.false(world.isUp(coordinator));
  t.deepEqual(fixture.sentOf('ReplicaPut'), []);
  await fixture.settle(bucket.put('k', 'w'));
  world.restart(coordinator);
  t.is((await fixture.settle(bucket.get('k', { r: 3 }))).value, 'w');
});

test('a full disk refuses writes for certain at the coordinator, and counts as a failure elsewhere', async (t) => {
  const fixture = new VirtualFixture({ seed: 12, nodes: 3, replication: { n: 3, r: 2, w: 3 } });
  const { cluster, world, bucket } = fixture;
  const full = nodeAddress(1);
  world.cell(full).store.put = () => false;
  const seen = new Set<string>();
  while (seen.size < 2) {
    const key = `k${fixture.sent.length}`;
    const error = await fixture.errorOf(bucket.put(key, 'v'));
    seen.add(error.code);
    await cluster.run(100);
    if (fixture.lastCoordinator('ClientPut') === full) {
      t.is(error.code, 'RINGLET_DISK_FULL');
      t.true(error.definite);
      t.deepEqual(fixture.valuesEverywhere(key), Array(3).fill(undefined));
    } else {
      t.is(error.code, 'RINGLET_QUORUM_UNMET');
      t.false(error.definite);
    }
  }
  await checkIdle(t, fixture);
});

test('more requests than a coordinator may have are refused for certain', async (t) => {
  const fixture = new VirtualFixture({ seed: 13, nodes: 3, limits: { coordinatorCountMax: 2 } });
  const { cluster, world, bucket } = fixture;
  world.applyNetwork({ type: 'set-default', settings: { latencyMs: 50 } });
  const requests = Array.from({ length: 20 }, (_, index) => bucket.put(`k${index}`, 'v'));
  const outcomes = Promise.allSettled(requests);
  await cluster.run(2_000);
  const refused = (await outcomes).flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ key: `k${index}`, error: outcome.reason }] : [],
  );
  t.is(refused.length, 20 - 3 * 2);
  for (const { key, error } of refused) {
    t.true(error instanceof RingletError && error.code === 'RINGLET_OVERLOADED' && error.definite);
    t.deepEqual(fixture.valuesEverywhere(key), Array(3).fill(undefined));
  }
  await checkIdle(t, fixture);
});

test('more siblings than allowed are refused until a write resolves them', async (t) => {
  const fixture = new VirtualFixture({ seed: 14, nodes: 3, limits: { siblingCountMax: 3 } });
  const { bucket } = fixture;
  for (const value of ['x', 'y', 'z']) await fixture.putEverywhere('k', value);
  await checkError(t, fixture, bucket.put('k', 'u'), 'RINGLET_TOO_MANY_SIBLINGS', true);
  const entry = await fixture.settle(bucket.get('k'));
  t.deepEqual(entry.siblings.toSorted(), ['x', 'y', 'z']);
  await fixture.putEverywhere('k', 'xyz', entry.context);
  t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill(['xyz']));
});

// ------------------------------------------------------------------------------------ members

test('a write that waits for a replica that stops is decided at once', async (t) => {
  const fixture = new VirtualFixture({ seed: 20, nodes: 3, replication: { n: 3, r: 2, w: 3 } });
  const { cluster, world, bucket } = fixture;
  const request = bucket.put('k', 'v');
  const slow = fixture.nodes.find((node) => node !== fixture.lastCoordinator('ClientPut'))!;
  world.pause(slow);
  await cluster.run(100);
  world.crash(slow);
  const startMs = cluster.nowMs;
  await checkError(t, fixture, request, 'RINGLET_QUORUM_UNMET', false);
  t.true(cluster.nowMs - startMs < 5);
});

test('a read that waits for a replica that stops asks another, or ends for certain', async (t) => {
  for (const r of [2, 3]) {
    const fixture = new VirtualFixture({ seed: 21, nodes: 3, hedgeAfterMs: 4_000 });
    const { cluster, world, bucket } = fixture;
    await fixture.putEverywhere('k', 'v');
    fixture.forget();
    const request = bucket.get('k', { r });
    const coordinator = fixture.lastCoordinator('ClientGet');
    for (const node of fixture.nodes) if (node !== coordinator) world.pause(node);
    await cluster.run(100);
    const asked = fixture.sentOf('ReplicaGet')[0]!.target;
    for (const node of fixture.nodes)
      if (node !== asked && node !== coordinator) world.resume(node);
    world.crash(asked);
    const startMs = cluster.nowMs;
    if (r === 2) t.is((await fixture.settle(request)).value, 'v');
    else await checkError(t, fixture, request, 'RINGLET_QUORUM_UNMET', true);
    t.true(cluster.nowMs - startMs < 5);
  }
});

test('a node that starts again counts for itself and for the others', async (t) => {
  const fixture = new VirtualFixture({ seed: 22, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  for (const again of fixture.nodes) {
    world.crash(again);
    await cluster.run(10);
    world.restart(again);
    await cluster.run(10);
    const other = fixture.nodes.find((node) => node !== again)!;
    world.crash(other);
    await cluster.run(10);
    for (let count = 0; count < 6; count++) await fixture.settle(bucket.put(`k${count}`, 'v'));
    world.restart(other);
    await cluster.run(10);
  }
  for (const node of fixture.nodes) t.is(world.node(node).counters.refusedCount, 0);
  await checkIdle(t, fixture);
});

test('a replica that is down is not sent to', async (t) => {
  const fixture = new VirtualFixture({ seed: 23, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  const down = nodeAddress(2);
  world.crash(down);
  await cluster.run(10);
  fixture.forget();
  for (let count = 0; count < 5; count++) {
    await fixture.settle(bucket.put('k', 'v'));
    await fixture.settle(bucket.get('k', { fanout: 'all' }));
  }
  t.false(fixture.sent.some(({ target }) => target === down));
});

// ------------------------------------------------------------------------------------ amnesia

/** The dots of a key over all that was sent, each with the values it was seen with. */
function valuesOfDots(fixture: VirtualFixture): Map<string, Set<string>> {
  const values = new Map<string, Set<string>>();
  const note = (record: Uint8Array | null) => {
    if (record === null) return;
    for (const { actor, counter, value } of siblingsOf(decodeVersionSet(record))) {
      const dot = `${actor}:${counter}`;
      values.set(dot, (values.get(dot) ?? new Set()).add(String(value)));
    }
  };
  for (const { message } of fixture.sent) if ('record' in message) note(message.record);
  return values;
}

test('a node that lost its store makes no dot a second time and loses no acknowledged write', async (t) => {
  for (let seed = 30; seed < 36; seed++) {
    const fixture = new VirtualFixture({ seed, nodes: 3 });
    const { cluster, world, bucket } = fixture;
    const lost = nodeAddress(0);
    await fixture.putEverywhere('k', 'first');
    const { context } = await fixture.settle(bucket.get('k', { fanout: 'all' }));
    await fixture.putEverywhere('k', 'second', context);
    const old = await fixture.settle(bucket.get('k', { fanout: 'all' }));
    await cluster.run(1_000);

    world.crash(lost);
    world.disk(lost).wipe();
    world.restart(lost);
    // It coordinates blindly and with a context of its earlier life, and its own old dots come back to it.
    const written = ['u', 'v', 'w', 'x'];
    for (const [index, value] of written.entries()) {
      const options = index % 2 === 0 ? {} : { context: old.context };
      await fixture.settle(bucket.put('k', value, options));
    }
    for (let count = 0; count < 3; count++) {
      await fixture.settle(bucket.get('k', { fanout: 'all' }));
      await cluster.run(1_000);
    }
    t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill(written));
    for (const [dot, values] of valuesOfDots(fixture)) t.is(values.size, 1, `${dot}, seed ${seed}`);
    await checkIdle(t, fixture);
  }
});

const partition = 0 as PartitionId;
const key = 'k' as RecordKey;

/** A replica whose store may have lost a suffix: it is empty but has the incarnation it had before. */
function openForgetfulReplica(): { replica: Replica; store: PartitionStore; context: NodeCell } {
  const store = openMemoryStore({ incarnation: 7 });
  const address = nodeAddress(0);
  const replica = new Replica({ address, store, siblingCountMax: 10, clockSkewMsMax: 1_000 });
  const limits = { mailboxCountMax: 1, mailboxBytesMax: 1, controlCountMax: 1 };
  const actor = { start() {}, receive() {}, queueDepth: 0 };
  const context = new NodeCell({ address, actor, store, random: new Prng(1), limits });
  return { replica, store, context };
}

const forgotten = createActorId(0, 7);

function put(context: VersionVector) {
  const id = 1 as RequestId;
  return clientPut(id, partition, key, 3, 2, false, context, new Uint8Array([9]), 100);
}

test('a store that coordinates with a dot of its own that it does not know takes a new incarnation first', (t) => {
  const { replica, store, context } = openForgetfulReplica();
  const read = [{ actor: forgotten, counter: 5 }];
  t.deepEqual(replica.coordinate(context, put(read)), { status: 'unknown-dot' });
  t.is(store.get(partition, key), null, 'nothing was stored');
  t.not(store.incarnation, 7);
  t.is(replica.counters.amnesiaCount, 1);

  const again = replica.coordinate(context, put(read));
  t.is(again.status, 'stored');
  const [sibling] = siblingsOf(decodeVersionSet(store.get(partition, key) as Uint8Array));
  t.is(sibling?.actor, createActorId(0, store.incarnation));
  t.is(replica.counters.amnesiaCount, 1);
});

test('a store that replicates a dot of its own that it does not know takes a new incarnation first', (t) => {
  const { replica, store, context } = openForgetfulReplica();
  const lost = { value: new Uint8Array([1]), timestamp: 0 };
  const record = encodeVersionSet(updateVersionSet(emptyVersionSet(false), [], forgotten, lost));
  t.is(replica.merge(context, partition, key, record), 'stored');
  t.deepEqual(store.get(partition, key), record);
  t.not(store.incarnation, 7);

  replica.coordinate(context, put([]));
  const siblings = siblingsOf(decodeVersionSet(store.get(partition, key) as Uint8Array));
  t.deepEqual(
    siblings.map(({ actor }) => actor).toSorted((a, b) => a - b),
    [forgotten, createActorId(0, store.incarnation)].toSorted((a, b) => a - b),
  );
  t.is(replica.merge(context, partition, key, record), 'stored');
  t.is(replica.counters.amnesiaCount, 1, 'what is known by now is no surprise again');
});

// ------------------------------------------------------------------------------------ last writer wins

test('replicas of a last-writer-wins bucket agree on the newest value, whatever their clocks', async (t) => {
  for (let seed = 40; seed < 45; seed++) {
    const fixture = new VirtualFixture({ seed, nodes: 3 });
    const { cluster, world } = fixture;
    const bucket = cluster.bucket<number>('b', { codec: json<number>(), lastWriterWins: true });
    for (const [index, node] of fixture.nodes.entries()) {
      world.setClock(node, { skewMs: (index - 1) * 20_000 });
    }
    world.applyNetwork({ type: 'partition', groups: [[nodeAddress(seed % 3)]] });
    const requests = Array.from({ length: 10 }, (_, value) => bucket.put('k', value, { w: 1 }));
    await Promise.all([...requests, cluster.run(100)]);
    world.applyNetwork({ type: 'heal' });
    const { value, siblings } = await fixture.settle(bucket.get('k', { fanout: 'all', r: 3 }));
    t.is(siblings.length, 1);
    await cluster.run(1_000);
    t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill([String(value)]));
    await fixture.settle(bucket.update('k', () => 99));
    await cluster.run(1_000);
    t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill(['99']), 'what was read is replaced');
    await checkIdle(t, fixture);
  }
});

// ------------------------------------------------------------------------------------ rest

test('an idle cluster has no events: time may jump', async (t) => {
  const fixture = new VirtualFixture({ seed: 50, nodes: 5 });
  await fixture.putEverywhere('k', 'v');
  await fixture.settle(fixture.bucket.get('k', { fanout: 'all' }));
  await fixture.cluster.run(1_000);
  await checkIdle(t, fixture);
  fixture.forget();
  await fixture.cluster.run(1e12);
  t.deepEqual(fixture.sent, []);
});

test('a ping is answered with the load', async (t) => {
  const fixture = new VirtualFixture({ seed: 51, nodes: 3 });
  const { cluster, world, bucket, nodes } = fixture;
  world.applyNetwork({ type: 'set-default', settings: { latencyMs: 50 } });
  const request = bucket.put('k', 'v');
  await cluster.run(10);
  const coordinator = fixture.lastCoordinator('ClientPut');
  for (const node of nodes) {
    const sent: [ActorAddress, Message][] = [];
    const { self, nowMs, wallMs, random, probe } = world.cell(node);
    const context: Context = {
      self,
      nowMs,
      wallMs,
      random,
      probe,
      send: (target, message) => sent.push([target, message]),
      schedule: () => 1 as TimerId,
      cancel() {},
    };
    world.node(node).receive(context, nodes[0]!, ping(5 as RequestId));
    const queueDepth = node === coordinator ? 1 : 0;
    t.deepEqual(sent, [[nodes[0]!, pingReply(5 as RequestId, queueDepth)]]);
  }
  await fixture.settle(request);
});
