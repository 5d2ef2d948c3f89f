/** The simulated cluster as people hold it: time, requests, every fault by hand, a look inside, forks. */
import test from 'ava';
import { json, string } from '../../lib/codec.ts';
import { testMinLimits } from '../../lib/config.ts';
import { isRingletError } from '../../lib/errors.ts';
import { SimulatedCluster, type SimulatedClusterOptions } from '../../lib/sim/simulated-cluster.ts';
import type { SimulatedNode } from '../../lib/sim/simulated-node.ts';
import type { ObservedEnvelope } from '../../lib/sim/world/world.ts';

/** A cluster and a bucket of texts in it. */
function open(options: SimulatedClusterOptions = {}) {
  const cluster = SimulatedCluster.open({ nodes: 3, readRepairSample: 0, ...options });
  const bucket = cluster.bucket('b', { codec: string });
  return {
    cluster,
    bucket,
    get: (key: string) => cluster.settle(bucket.get(key)),
    put: (key: string, value: string, w = 3) => cluster.settle(bucket.put(key, value, { w })),
    /** What every node holds of a key, in words. */
    copies: (key: string) =>
      cluster
        .replicas(bucket, key)
        .map(({ state, siblings }) =>
          state === 'stored' ? siblings.map(({ value }) => value ?? 'deleted').join() : state,
        ),
  };
}

// ------------------------------------------------------------------------------------------- requests

test('a value that was put is read back (Dynamo §4.1)', async (t) => {
  const { cluster, put, get } = open({ nodes: 5 });
  await put('k', 'v');
  t.is((await get('k')).value, 'v');
  t.deepEqual(cluster.failures, []);
});

test('blind writes become siblings, and a write with their context replaces them (Dynamo §4.4)', async (t) => {
  const cluster = SimulatedCluster.open({ seed: 2 });
  const bucket = cluster.bucket<string[]>('b', {
    codec: json<string[]>(),
    resolve: (siblings) => siblings.flat().sort(),
  });
  await Promise.all(['x', 'y'].map((value) => cluster.settle(bucket.put('k', [value]))));
  const entry = await cluster.settle(bucket.get('k'));
  t.is(entry.siblings.length, 2);
  t.deepEqual(entry.value, ['x', 'y']);
  await cluster.settle(bucket.update('k', (value = []) => [...value, 'z']));
  t.deepEqual((await cluster.settle(bucket.get('k'))).siblings, [['x', 'y', 'z']]);
});

test('a write is refused for certain when fewer than W replicas are up', async (t) => {
  const { cluster, put } = open();
  cluster.node('a').crash();
  cluster.node('b').kill();
  const error = await t.throwsAsync(put('k', 'v', 2));
  t.true(isRingletError(error, 'RINGLET_UNAVAILABLE') && error.definite);
});

test('clients have addresses of their own', async (t) => {
  const sources = new Set<number>();
  const observer = { onMessage: ({ source }: ObservedEnvelope) => sources.add(source) };
  const cluster = SimulatedCluster.open({ nodes: 1, clients: 3, observer });
  for (const index of [0, 1, 2]) {
    await cluster.settle(cluster.client(index).bucket('b', { codec: string }).put('k', 'v'));
  }
  t.is(sources.size, 4, 'three clients and the node');
  t.throws(() => cluster.client(3), { code: 'RINGLET_OPTION_INVALID' });
});

test('tiny limits refuse, but break nothing', async (t) => {
  const { cluster, bucket, put } = open({ seed: 10, limits: testMinLimits });
  const value = 'v'.repeat(300);
  const requests = Array.from({ length: 200 }, (_, index) => bucket.put(`k${index}`, value));
  const settled = await cluster.settle(Promise.allSettled(requests));
  const stored = settled.filter(({ status }) => status === 'fulfilled').length;
  t.true(stored > 0 && stored < 200);
  for (const outcome of settled) {
    if (outcome.status === 'rejected') t.true(isRingletError(outcome.reason));
  }
  t.deepEqual(cluster.failures, []);
  await t.notThrowsAsync(put('after', value, 2));
});

// ----------------------------------------------------------------------------------------------- time

test('time stands still while there is work, and passes as asked for', async (t) => {
  const { cluster, bucket } = open();
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
  const onMessage = ({ source, target, timeMs }: ObservedEnvelope) => {
    if (source < 2 && target < 2) times.push(timeMs);
  };
  const links = { latencyMs: 7 };
  const { put } = open({ nodes: 2, links, observer: { onMessage } });
  await put('k', 'v', 2);
  t.deepEqual(times, [7, 14]);
});

test('callers go on at the instant at which their request ends, however deep they wait', async (t) => {
  const { cluster, bucket } = open({ links: { latencyMs: 5 } });
  const deeply = async (depth: number): Promise<number> => {
    if (depth > 0) return deeply(depth - 1);
    await bucket.put('k', 'v');
    return cluster.nowMs;
  };
  const times: number[] = [];
  const workload = async () => {
    for (let round = 0; round < 3; round++) {
      const endedMs = await deeply(12);
      times.push(endedMs, cluster.nowMs);
      await cluster.sleep(100);
    }
  };
  await Promise.all([cluster.settle(workload()), cluster.run(1_000)]);
  t.deepEqual(times, [10, 10, 120, 120, 230, 230]);
});

test('a promise that nothing will end is given up, one that takes too long as well', async (t) => {
  const { cluster, bucket } = open({ requestTimeoutMs: 5_000 });
  const never = new Promise<void>(() => {});
  const waitsForNothing = { code: 'RINGLET_TIMEOUT', message: /waits for nothing/ } as const;
  await t.throwsAsync(cluster.settle(never), waitsForNothing);
  for (const id of cluster.nodeIds) cluster.node(id).pause();
  const inTime = { code: 'RINGLET_TIMEOUT', message: /not ended in time/ } as const;
  await t.throwsAsync(cluster.settle(bucket.get('k'), 100), inTime);
  t.is(cluster.nowMs, 100);
});

test('quiet is when nothing is under way, and not before', async (t) => {
  const { cluster, bucket, copies } = open({ links: { latencyMs: 30 } });
  const request = bucket.put('k', 'v', { w: 1 });
  await t.throwsAsync(cluster.runUntilQuiet(20), { code: 'RINGLET_TIMEOUT', message: /not quiet/ });
  await cluster.runUntilQuiet();
  await request;
  t.deepEqual(copies('k'), ['v', 'v', 'v']);
  const { nowMs, step } = cluster;
  t.true(nowMs < 5_000, 'it stops there');
  await cluster.run(10_000);
  t.is(cluster.step, step);
});

// ------------------------------------------------------------------------------------ nodes and threads

test('a crashed node keeps what it committed, a wiped one nothing', async (t) => {
  for (const isWiped of [false, true]) {
    const { cluster, put, get } = open({ nodes: 1 });
    await put('k', 'v', 1);
    const node = cluster.node('a');
    const { incarnation } = node.stats()!;
    node.crash();
    t.is(node.stats(), null);
    t.false(node.isUp);
    if (isWiped) node.wipe();
    t.is(node.restart()?.status, isWiped ? 'created' : 'recovered');
    t.is((await get('k')).value, isWiped ? undefined : 'v');
    t.is(node.stats()?.incarnation === incarnation, !isWiped);
  }
});

test('a paused node does nothing and forgets nothing', async (t) => {
  const { cluster, bucket } = open({ nodes: 1, requestTimeoutMs: 10_000 });
  const node = cluster.node('a');
  node.pause();
  t.true(node.isPaused);
  const request = bucket.put('k', 'v');
  await cluster.run(5_000);
  t.is(node.stats()?.mailboxCount, 1);
  node.resume();
  await cluster.settle(request);
  t.is(cluster.nowMs, 5_000);
  node.crash();
  t.throws(() => node.pause(), { code: 'RINGLET_FAULT_SPEC', message: /node a is down/ });
});

test('what the others were told of a node in an earlier life does not reach the next', async (t) => {
  const { cluster, put } = open({ seed: 8 });
  const [x, y] = [cluster.node('a'), cluster.node('b')];
  y.crash();
  x.crash();
  y.restart();
  x.restart();
  await cluster.run(1);
  for (let count = 0; count < 10; count++) await t.notThrowsAsync(put(`k${count}`, 'v'));
});

test('a node that fails by itself is down for all, is a failure, and can be started again', async (t) => {
  const { cluster, put } = open({ seed: 9 });
  const [, address] = cluster.world.nodes;
  cluster.world.cell(address!).store.commit = () => {
    throw new Error('broken');
  };
  for (let count = 0; count < 5; count++) await put('k', 'v', 2).catch(() => {});
  t.is(cluster.failures.length, 1);
  t.false(cluster.node('b').isUp);
  await t.notThrowsAsync(put('k', 'v', 2));
  cluster.node('b').restart();
  await cluster.run(1);
  await t.notThrowsAsync(put('k', 'v'));
});

test('a thread takes all its nodes with it', async (t) => {
  const { cluster } = open({ nodes: 4, threads: 2 });
  const nodesOf = (thread: number) =>
    cluster.nodeIds.map((id) => cluster.node(id)).filter((node) => node.thread === thread);
  cluster.killThread(1);
  t.true(nodesOf(0).every(({ isUp }) => isUp));
  t.false(nodesOf(1).some(({ isUp }) => isUp));
  cluster.restartThread(1);
  t.true(nodesOf(1).every(({ isUp }) => isUp));
  t.throws(() => cluster.killThread(2), { code: 'RINGLET_OPTION_INVALID' });
});

test('a slow thread makes its requests slow', async (t) => {
  const { cluster, put } = open({ nodes: 1 });
  cluster.slowThread(0, 40);
  await put('k', 'v', 1);
  const startMs = cluster.nowMs;
  await put('k', 'w', 1);
  t.is(cluster.nowMs - startMs, 40);
  cluster.slowThread(0, 0);
  await cluster.run(40);
  const laterMs = cluster.nowMs;
  await put('k', 'x', 1);
  t.is(cluster.nowMs, laterMs);
});

// ---------------------------------------------------------------------------------------- disks and clocks

test('the loss of power takes what was not synced', async (t) => {
  for (const durability of ['full', 'normal'] as const) {
    let keptCount = 0;
    for (let seed = 0; seed < 8; seed++) {
      const { cluster, put, copies } = open({ seed, durability });
      for (const key of ['x', 'y', 'z']) await put(key, 'v');
      cluster.losePower();
      t.deepEqual(copies('x'), ['down', 'down', 'down']);
      for (const id of cluster.nodeIds) t.not(cluster.node(id).restart(), null);
      keptCount += ['x', 'y', 'z'].flatMap(copies).filter((copy) => copy === 'v').length;
    }
    if (durability === 'full') t.is(keptCount, 8 * 9);
    else t.true(keptCount > 0 && keptCount < 8 * 9, `${keptCount}`);
  }
});

test('syncs take the time that they are given', async (t) => {
  const { cluster, put } = open({ nodes: 1, syncMs: 20 });
  for (let count = 0; count < 50; count++) await put('k', 'v', 1);
  const meanMs = cluster.nowMs / 50;
  t.true(meanMs > 10 && meanMs < 40, `${meanMs}`);
  cluster.node('a').slowDisk(500);
  const startMs = cluster.nowMs;
  for (let count = 0; count < 20; count++) await put('k', 'v', 1);
  t.true(cluster.nowMs - startMs > 20 * 100);
});

test('a full disk refuses writes until there is space', async (t) => {
  const { cluster, put, get } = open({ nodes: 1 });
  await put('k', 'v', 1);
  const node = cluster.node('a');
  node.fillDisk();
  await t.throwsAsync(put('k', 'w', 1));
  node.fillDisk(false);
  node.restart();
  t.is((await get('k')).value, 'v');
  await t.notThrowsAsync(put('k', 'x', 1));
});

test('commits fail in each of three ways', async (t) => {
  for (const how of ['io-error', 'lost-send', 'sync-error'] as const) {
    const { cluster, put, copies } = open({ nodes: 1, syncMs: 1 });
    const node = cluster.node('a');
    node.failCommit(how, 1);
    await put('first', 'v', 1);
    await t.throwsAsync(put('k', 'v', 1), { code: 'RINGLET_NODE_STOPPED' }, how);
    t.false(node.isUp);
    node.restart();
    t.deepEqual(copies('first'), ['v']);
    t.deepEqual(copies('k'), [how === 'io-error' ? 'missing' : 'v'], how);
    t.deepEqual(cluster.failures, [], 'nobody is to blame');
  }
});

test('a damaged record shows as damaged, and is named', async (t) => {
  const { cluster, put, get, copies } = open();
  t.is(cluster.node('b').rotRecord(), null);
  await put('k', 'v');
  t.is(cluster.node('b').rotRecord(), 'k');
  t.deepEqual(copies('k'), ['v', 'damaged', 'v']);
  t.is((await get('k')).value, 'v');
});

test('a damaged journal and a damaged file are noticed when the node starts', async (t) => {
  const { cluster, put, copies } = open();
  for (let count = 0; count < 5; count++) await put('k', `v${count}`);
  t.true(cluster.node('a').rotJournal() > 0);
  t.is(cluster.node('a').restart()?.status, 'rolled-back');
  cluster.node('b').rotMeta();
  t.is(cluster.node('b').restart()?.status, 'quarantined');
  t.is(copies('k')[1], 'missing');
});

test('an older image of a disk is recognised, another node’s is refused', async (t) => {
  const { cluster, put, copies } = open();
  const [a, b] = [cluster.node('a'), cluster.node('b')];
  await put('k', 'old');
  const image = a.takeImage();
  const { context } = await cluster.settle(cluster.bucket('b').get('k'));
  await cluster.settle(cluster.bucket('b', { codec: string }).put('k', 'new', { context, w: 3 }));
  a.putBack(image);
  t.not(a.restart(), null);
  t.deepEqual(copies('k'), ['old', 'new', 'new']);
  b.putBack(image);
  t.is(b.restart(), null);
  t.false(b.isUp);
  t.throws(() => b.putBack({ node: 'a' }), { code: 'RINGLET_FAULT_SPEC' });
});

test('the later of two writes loses if its clock is behind or stands still', async (t) => {
  const clocks: readonly (readonly [string, (cluster: SimulatedCluster) => void])[] = [
    ['second', () => {}],
    ['first', (cluster) => cluster.node('a').skewClock(30_000)],
    ['first', (cluster) => cluster.node('b').setClock({ isFrozen: true })],
  ];
  for (const [winner, setClocks] of clocks) {
    const { cluster } = open({ nodes: 2, replication: { n: 2, r: 1, w: 1 } });
    const bucket = cluster.bucket('latest', { codec: string, lastWriterWins: true });
    const [a, b] = [cluster.node('a'), cluster.node('b')];
    setClocks(cluster);
    b.crash();
    await cluster.run(1_000);
    await cluster.settle(bucket.put('k', 'first'));
    a.crash();
    b.restart();
    await cluster.run(1_000);
    await cluster.settle(bucket.put('k', 'second'));
    a.restart();
    await cluster.repair();
    t.is((await cluster.settle(bucket.get('k'))).value, winner);
  }
});

// ----------------------------------------------------------------------------------------------- links

test('links are cut and healed as in a cluster on threads', async (t) => {
  const { cluster, bucket, put, copies } = open({ requestTimeoutMs: 100 });
  await cluster.network.partition([['a'], ['b'], ['c']]);
  await t.throwsAsync(put('k', 'v', 2), { code: 'RINGLET_TIMEOUT' });
  t.is(copies('k').filter((copy) => copy === 'v').length, 1);
  await cluster.network.heal();
  const counters = await cluster.network.counters();
  t.true(counters.length > 0);
  const seen: string[] = [];
  const end = await cluster.network.observe({ kinds: ['ReplicaPut'] }, ({ from, to, verdict }) =>
    seen.push(`${from}${to} ${verdict.type}`),
  );
  await cluster.network.link('a', 'b').set({ latencyMs: 3 });
  await cluster.settle(bucket.put('k', 'w', { w: 3 }));
  t.is(seen.filter((verdict) => /deliver|delay/.test(verdict)).length >= 2, true, `${seen}`);
  await end();
  await t.throwsAsync(cluster.network.link('a', 'b').set({ loss: 2 }), {
    code: 'RINGLET_FAULT_SPEC',
  });
});

test('heal ends all that lasts, and starts what is down', async (t) => {
  const { cluster, put } = open({ threads: 3, requestTimeoutMs: 500 });
  await cluster.network.setDefault({ loss: 1 });
  cluster.node('a').crash();
  cluster.node('b').pause();
  cluster.node('c').fillDisk();
  cluster.slowThread(2, 1_000);
  await t.throwsAsync(put('k', 'v'));
  t.deepEqual(cluster.heal(), []);
  await cluster.run(2_000);
  const startMs = cluster.nowMs;
  await t.notThrowsAsync(put('k', 'v'));
  t.is(cluster.nowMs, startMs);
});

test('repair makes replicas equal that are not, for any N', async (t) => {
  const { cluster } = open({ nodes: 5 });
  const bucket = cluster.bucket('wide', { codec: string, replication: { n: 5, r: 1, w: 1 } });
  cluster.node('c').crash();
  const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
  await cluster.settle(Promise.all(keys.map((key) => bucket.put(key, 'v'))));
  cluster.node('c').restart();
  await cluster.runUntilQuiet();
  const states = () =>
    keys.flatMap((key) => cluster.replicas(bucket, key).map(({ state }) => state));
  t.is(states().filter((state) => state === 'missing').length, 20);
  await cluster.repair();
  t.true(states().every((state) => state === 'stored'));
});

// --------------------------------------------------------------------------------------- a look inside

test('replicas shows values, tombstones and their names, of all nodes', async (t) => {
  const { cluster, bucket, put, copies } = open({ nodes: 4 });
  await put('k', 'x');
  await put('k', 'y');
  const list = cluster.preferenceList(bucket, 'k');
  t.is(list.length, 3);
  const views = cluster.replicas(bucket, 'k');
  t.deepEqual(
    views.map(({ node }) => node),
    ['a', 'b', 'c', 'd'],
  );
  for (const { node, state, siblings, vector } of views) {
    t.is(state, list.includes(node) ? 'stored' : 'missing');
    if (state !== 'stored') continue;
    t.deepEqual(siblings.map(({ value }) => value).sort(), ['x', 'y']);
    for (const { actor, counter } of siblings) {
      t.true(vector.some((entry) => entry.actor === actor && entry.counter >= counter));
    }
  }
  await cluster.settle(bucket.delete('k', { w: 3 }));
  cluster.node(list[0]!).crash();
  t.deepEqual(copies('k').sort(), ['deleted', 'deleted', 'down', 'missing']);
  t.true(cluster.replicas(bucket, 'k').some(({ siblings }) => siblings[0]?.isTombstone === true));
  t.throws(() => cluster.preferenceList(bucket, 'k', 5), { code: 'RINGLET_OPTION_INVALID' });
  t.throws(() => cluster.node('e'), { code: 'RINGLET_NODE_UNKNOWN' });
});

test('events tell what happens to nodes', async (t) => {
  const { cluster, put } = open();
  await put('k', 'v');
  const events: string[] = [];
  const end = cluster.onEvent(({ type, node, status }) => events.push(`${type} ${node} ${status}`));
  cluster.node('a').crash();
  cluster.node('a').restart();
  await cluster.run(1);
  t.deepEqual(events, ['member a down', 'member a up', 'store a recovered']);
  end();
  cluster.node('a').crash();
  await cluster.run(1);
  t.is(events.length, 3);
});

test('a trace has a line for what happens, and only those that are wanted', async (t) => {
  const all: string[] = [];
  const some: string[] = [];
  for (const [lines, traceFilter] of [
    [all, ''],
    [some, 'ReplicaPut'],
  ] as const) {
    const { put } = open({ trace: (line) => lines.push(line), traceFilter });
    await put('k', 'v');
  }
  t.true(all.length > some.length && some.length > 0);
  t.deepEqual(
    some,
    all.filter((line) => line.includes('ReplicaPut')),
  );
});

test('options are checked', (t) => {
  const invalid = { code: 'RINGLET_OPTION_INVALID' };
  t.throws(() => SimulatedCluster.open({ clients: 0 }), invalid);
  t.throws(() => SimulatedCluster.open({ syncMs: -1 }), invalid);
  t.throws(() => SimulatedCluster.open({ links: { loss: 2 } }), { code: 'RINGLET_FAULT_SPEC' });
  const misspelt = { node: 3 } as SimulatedClusterOptions;
  t.throws(() => SimulatedCluster.open(misspelt), { code: 'RINGLET_OPTION_UNKNOWN' });
});

// ---------------------------------------------------------------------------------- one run, and others

const roughLinks = {
  latencyMs: 2,
  jitterMs: 9,
  jitterDistribution: 'exponential',
  loss: 0.05,
} as const;

/** One of everything that can be done by hand. */
const actions: readonly ((cluster: SimulatedCluster, node: SimulatedNode) => unknown)[] = [
  (_, node) => node.crash(),
  (_, node) => node.restart(),
  (_, node) => node.isUp && node.pause(),
  (_, node) => node.isUp && node.resume(),
  (_, node) => node.skewClock(5_000),
  (_, node) => node.setClock({ isFrozen: true }),
  (_, node) => node.slowDisk(30),
  (_, node) => node.fillDisk(),
  (_, node) => node.fillDisk(false),
  (_, node) => node.failCommit('io-error', 2),
  (_, node) => node.rotRecord(),
  (_, node) => node.rotJournal(),
  (_, node) => node.rotMeta(),
  (_, node) => node.wipe(),
  (_, node) => node.putBack(node.takeImage()),
  (cluster) => cluster.losePower(),
  (cluster, node) => cluster.killThread(node.thread),
  (cluster, node) => cluster.restartThread(node.thread),
  (cluster, node) => cluster.slowThread(node.thread, 3),
  (cluster) => cluster.network.partition([['a'], ['b', 'c']]),
  (cluster) => cluster.heal(),
];

/** A run with requests and with everything that can be done, in an order of its own. */
async function play(seed: number, options: SimulatedClusterOptions = {}) {
  const world = { nodes: 4, threads: 2, clients: 2, syncMs: 2, requestTimeoutMs: 200 };
  const { cluster, bucket } = open({ ...world, seed, links: roughLinks, ...options });
  const pending: Promise<unknown>[] = [];
  for (const [step, action] of [...actions, ...actions.toReversed()].entries()) {
    const node = cluster.node(cluster.nodeIds[(step * 7 + seed) % 4]!);
    const key = `k${step % 3}`;
    const { context } = await cluster.settle(bucket.get(key)).catch(() => ({ context: undefined }));
    pending.push(bucket.put(key, `v${step}`, context === undefined ? {} : { context }));
    const abort = new AbortController();
    const other = cluster.client(1).bucket('b', { codec: string });
    pending.push(other.put(key, `w${step}`, { signal: abort.signal }), cluster.sleep(3));
    await cluster.run(step % 4);
    await action(cluster, node);
    if (step % 2 === 0) abort.abort();
    await cluster.run(step % 3 === 0 ? 0 : 11.5);
  }
  const ended = Promise.allSettled(pending);
  return { cluster, bucket, ended };
}

test('the same seed and the same calls give the same run', async (t) => {
  const traceOf = async (seed: number) => {
    const lines: string[] = [];
    const { cluster, ended } = await play(seed, { trace: (line) => lines.push(line) });
    cluster.heal();
    await cluster.settle(ended);
    return [cluster.fingerprint, ...lines];
  };
  const [first, second, other] = [await traceOf(1), await traceOf(1), await traceOf(2)];
  t.true(first.length > 500);
  t.deepEqual(first, second);
  t.not(first[0], other[0]);
});

test('a fork is at the same instant in the same state, whatever was done, and then goes its own way', async (t) => {
  for (let seed = 0; seed < 6; seed++) {
    const { cluster, bucket } = await play(seed);
    const lines: string[] = [];
    const fork = cluster.fork({ trace: (line) => lines.push(line) });
    t.deepEqual(lines, [], 'what was is not shown again');
    t.is(fork.fingerprint, cluster.fingerprint);
    t.is(fork.nowMs, cluster.nowMs);
    for (const key of ['k0', 'k1', 'k2']) {
      t.deepEqual(fork.replicas(bucket, key), cluster.replicas(bucket, key));
    }
    for (const each of [cluster, fork]) {
      each.heal();
      await each.runUntilQuiet();
    }
    t.is(fork.fingerprint, cluster.fingerprint, 'nobody has made a difference');
    t.true(lines.length > 0);
    fork.node('a').crash();
    await fork.run(1);
    t.not(fork.fingerprint, cluster.fingerprint);
    t.true(cluster.node('a').isUp);
    t.is(fork.fork().fingerprint, fork.fingerprint, 'a fork can be forked');
  }
});

test('contexts and images from before a fork work in both futures, and requests end in their own', async (t) => {
  const { cluster, bucket, put, get } = open({ links: { latencyMs: 5 } });
  await put('k', 'v');
  const image = cluster.node('a').takeImage();
  const { context } = await get('k');
  const request = bucket.put('under way', 'v', { w: 3 });
  await cluster.run(1);
  const fork = cluster.fork();
  const other = fork.bucket('b', { codec: string });
  for (const [each, value] of [
    [fork, 'left'],
    [cluster, 'right'],
  ] as const) {
    await each.settle(each.bucket('b', { codec: string }).put('k', value, { context, w: 3 }));
  }
  t.deepEqual((await get('k')).siblings, ['right']);
  t.deepEqual((await fork.settle(other.get('k'))).siblings, ['left']);
  t.is((await fork.settle(other.get('under way'))).value, 'v');
  await request;
  fork.node('a').putBack(image);
  t.not(fork.node('a').restart(), null);
  t.is(fork.replicas(other, 'k')[0]!.siblings[0]!.value, 'v');
});

test('what was changed behind its back cannot be forked', async (t) => {
  const { cluster, put } = open();
  await put('k', 'v');
  cluster.world.crash(cluster.world.nodes[0]!);
  await cluster.run(1);
  t.throws(() => cluster.fork(), { message: /behind its back|every instant/ });
});
