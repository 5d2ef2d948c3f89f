/** Buckets: siblings and resolvers, contexts, tombstones, quorums of single requests (Dynamo §4.1, §4.4, §4.5). */
import test from 'ava';
import type { BucketOptions, Entry } from '../../lib/bucket.ts';
import { json, string } from '../../lib/codec.ts';
import { type ErrorCode, isRingletError } from '../../lib/errors.ts';
import { SimulatedCluster } from '../../lib/sim/simulated-cluster.ts';

const seed = 7;

/** A cluster of five and a bucket of texts, whose requests are run to their end. */
function createBucket(options: BucketOptions<string> = {}, nodes = 5) {
  const cluster = SimulatedCluster.open({ seed, nodes, readRepairSample: 0 });
  const bucket = cluster.bucket<string>('b', { codec: string, ...options });
  const settle = <Result>(request: Promise<Result>) => cluster.settle(request);
  return {
    cluster,
    bucket,
    settle,
    get: (...request: Parameters<typeof bucket.get>) => settle(bucket.get(...request)),
    put: (...request: Parameters<typeof bucket.put>) => settle(bucket.put(...request)),
    remove: (...request: Parameters<typeof bucket.delete>) => settle(bucket.delete(...request)),
    update: (...request: Parameters<typeof bucket.update>) => settle(bucket.update(...request)),
  };
}

function sorted(entry: Entry<string>): string[] {
  return [...entry.siblings].sort();
}

// --- Values and siblings -------------------------------------------------------------------------------

test('a key that was never written has no value, no siblings and a context', async (t) => {
  const { get, put } = createBucket();
  const entry = await get('k');
  t.is(entry.value, undefined);
  t.deepEqual(entry.siblings, []);
  await put('k', 'first', { context: entry.context });
  t.is((await get('k')).value, 'first');
});

test('siblings without a resolver are a conflict, and still there to be read', async (t) => {
  const { get, put, update } = createBucket();
  await put('k', 'x');
  await put('k', 'y');
  const entry = await get('k');
  t.deepEqual(sorted(entry), ['x', 'y']);
  const error = t.throws(() => entry.value, { code: 'RINGLET_CONFLICT', message: /2 siblings/ });
  t.true(isRingletError(error) && error.definite);
  await t.throwsAsync(
    update('k', () => 'z'),
    { code: 'RINGLET_CONFLICT' },
  );
  t.deepEqual(sorted(await get('k')), ['x', 'y'], 'nothing was written');
  await put('k', 'z', { context: entry.context });
  t.is((await get('k')).value, 'z');
});

test('a resolver is asked for two siblings or more, with the key, and what it throws passes', async (t) => {
  const calls: unknown[] = [];
  const { get, put } = createBucket({
    resolve: (siblings, key) => {
      calls.push([[...siblings].sort(), key]);
      if (siblings.length > 2) throw new RangeError('too many for me');
      return siblings.toSorted().join('+');
    },
  });
  t.is((await get('k')).value, undefined);
  await put('k', 'x');
  t.is((await get('k')).value, 'x');
  t.deepEqual(calls, []);
  await put('k', 'y');
  t.is((await get('k')).value, 'x+y');
  t.deepEqual(calls, [[['x', 'y'], 'k']]);
  await put('k', 'z');
  const entry = await get('k');
  t.throws(() => entry.value, { instanceOf: RangeError });
});

test('readers see siblings in one order', async (t) => {
  const { get, put } = createBucket();
  for (const value of ['x', 'y', 'z']) await put('k', value);
  const { siblings } = await get('k', { fanout: 'all' });
  for (let index = 0; index < 10; index++) t.deepEqual((await get('k')).siblings, siblings);
});

test('buckets are apart, and one name is one bucket', async (t) => {
  const { cluster, put, get, settle } = createBucket();
  await put('k', 'v');
  t.is((await settle(cluster.bucket('c').get('k'))).value, undefined);
  const same = cluster.bucket('b', { codec: string });
  t.is((await settle(same.get('k'))).value, 'v');
  // The name's length is part of the record's key: `ab` and `c` is not `a` and `bc`.
  await settle(cluster.bucket('ab', { codec: string }).put('c', 'x'));
  t.is((await settle(cluster.bucket('a').get('bc'))).value, undefined);
  t.is((await get('k')).value, 'v');
});

test('the last writer wins where that is asked for', async (t) => {
  const { put, get } = createBucket({ lastWriterWins: true });
  for (const value of ['x', 'y', 'z']) {
    await put('k', value);
    t.deepEqual((await get('k')).siblings, [value]);
  }
});

test('values stay as they were when they were put', async (t) => {
  const { cluster, settle } = createBucket();
  const raw = cluster.bucket('raw');
  const value = Uint8Array.of(1, 2, 3);
  const put = raw.put('k', value);
  value.fill(9);
  await settle(put);
  t.deepEqual([...((await settle(raw.get('k'))).value ?? [])], [1, 2, 3]);
});

// --- Contexts ------------------------------------------------------------------------------------------

test('a context is made when it is asked for, and is the same each time', async (t) => {
  const { get, put } = createBucket();
  await put('k', 'v');
  const entry = await get('k');
  t.regex(entry.context, /^[\w-]+$/);
  t.is(entry.context, entry.context);
  t.deepEqual(Object.keys(entry).includes('context'), false);
});

test('a put returns a context if nothing is there that its writer has not seen', async (t) => {
  const { get, put } = createBucket();
  const first = await put('k', '1');
  t.is(typeof first.context, 'string');
  const second = await put('k', '2', { context: first.context! });
  await put('k', '3', { context: second.context! });
  t.deepEqual((await get('k')).siblings, ['3']);
  const blind = await put('k', '4');
  t.is(blind.context, undefined);
  const stale = await put('k', '5', { context: first.context! });
  t.is(stale.context, undefined);
  t.deepEqual(sorted(await get('k')), ['3', '4', '5']);
});

test('a context covers what its read saw and nothing else', async (t) => {
  const { get, put } = createBucket();
  await put('k', 'seen');
  const { context } = await get('k');
  await put('k', 'unseen');
  await put('k', 'new', { context });
  t.deepEqual(sorted(await get('k')), ['new', 'unseen']);
});

// --- Deletes -------------------------------------------------------------------------------------------

test('a delete without a context deletes what is there', async (t) => {
  const { get, put, remove } = createBucket();
  await put('k', 'x');
  await put('k', 'y');
  await remove('k');
  const entry = await get('k', { fanout: 'all' });
  t.is(entry.value, undefined);
  t.deepEqual(entry.siblings, []);
});

test('a delete with a context leaves what its reader had not seen', async (t) => {
  const { get, put, remove } = createBucket();
  await put('k', 'seen');
  const { context } = await get('k');
  await put('k', 'unseen');
  await remove('k', { context });
  const entry = await get('k');
  t.deepEqual(entry.siblings, ['unseen'], 'a tombstone is no sibling');
  t.is(entry.value, 'unseen');
});

test('what was deleted does not come back with a replica that missed it', async (t) => {
  const { cluster, get, put, remove } = createBucket({}, 3);
  await put('k', 'v', { w: 3 });
  cluster.node('c').crash();
  await remove('k');
  cluster.node('c').restart();
  await cluster.run(10);
  for (let index = 0; index < 5; index++) {
    t.deepEqual((await get('k', { fanout: 'all', r: 3 })).siblings, []);
  }
  const { context } = await get('k');
  await put('k', 'again', { context });
  t.deepEqual((await get('k', { r: 3 })).siblings, ['again']);
  t.deepEqual(cluster.failures, []);
});

test('a key that was never written can be deleted', async (t) => {
  const { get, remove } = createBucket();
  await remove('k');
  await remove('k');
  t.is((await get('k')).value, undefined);
});

// --- Updates -------------------------------------------------------------------------------------------

test('an update creates, changes and returns what it wrote', async (t) => {
  const { get, update } = createBucket();
  t.is(await update('k', (value) => `${value}!`), 'undefined!');
  t.is(await update('k', (value) => `${value}!`), 'undefined!!');
  t.is((await get('k')).value, 'undefined!!');
});

test('updates that cross lose nothing', async (t) => {
  const { cluster } = createBucket();
  const union = (siblings: readonly string[][]) => [...new Set(siblings.flat())].sort();
  const sets = cluster.bucket('sets', { codec: json<string[]>(), resolve: union });
  const items = Array.from({ length: 12 }, (_, index) => `item ${index}`);
  const updates = items.map((item) => sets.update('k', (set = []) => [...set, item]));
  await cluster.settle(Promise.all(updates));
  const entry = await cluster.settle(sets.get('k'));
  t.deepEqual(entry.value, items.toSorted());
});

test('what a change throws passes through, and nothing is written', async (t) => {
  const { get, put, update } = createBucket();
  await put('k', 'v');
  const refuse = () => {
    throw new RangeError('sold out');
  };
  await t.throwsAsync(update('k', refuse), { instanceOf: RangeError });
  t.deepEqual((await get('k')).siblings, ['v']);
});

// --- Quorums, deadlines and signals ----------------------------------------------------------------------

test('a request may ask for other quorums than its bucket', async (t) => {
  const { cluster, get, put, remove, update } = createBucket({}, 3);
  await put('k', 'v', { w: 3 });
  cluster.node('b').crash();
  const unavailable = { code: 'RINGLET_UNAVAILABLE' };
  await t.throwsAsync(get('k', { r: 3 }), unavailable);
  await t.throwsAsync(put('k', 'x', { w: 3 }), unavailable);
  await t.throwsAsync(
    update('k', () => 'x', { w: 3 }),
    unavailable,
  );
  await t.throwsAsync(remove('k', { w: 3 }), unavailable);
  t.deepEqual((await get('k')).siblings, ['v']);
  cluster.node('c').crash();
  await t.throwsAsync(get('k'), unavailable);
  t.is((await get('k', { r: 1 })).value, 'v');
  await put('k', 'w', { w: 1, context: (await get('k', { r: 1 })).context });
  t.is(await update('k', (value) => `${value}!`, { r: 1, w: 1 }), 'w!');
});

test('a smaller N asks fewer replicas, and R and W follow it', async (t) => {
  const { cluster, get, put } = createBucket({}, 3);
  await put('k', 'v', { n: 1 });
  const puts = ['a', 'b', 'c'].map((id) => cluster.node(id).stats()?.store.putCount);
  t.deepEqual(puts.sort(), [0, 0, 1]);
  t.is((await get('k', { n: 1 })).value, 'v');
});

test('a read of all replicas repairs the one that missed a write (Dynamo §5)', async (t) => {
  const { cluster, get, put } = createBucket({}, 3);
  cluster.node('a').crash();
  await put('k', 'v');
  cluster.node('a').restart();
  const putCount = () => cluster.node('a').stats()?.store.putCount;
  t.is(putCount(), 0);
  await get('k', { fanout: 'all' });
  await cluster.run(100);
  t.is(putCount(), 1);
});

test('deadlines hold for reads for certain, for writes not', async (t) => {
  const { cluster, get, put, settle, bucket } = createBucket({}, 3);
  await put('k', 'v');
  for (const id of cluster.nodeIds) cluster.node(id).pause();
  const startMs = cluster.nowMs;
  const requests = [
    { request: bucket.get('k', { timeoutMs: 200 }), definite: true },
    { request: bucket.put('k', 'x', { timeoutMs: 200 }), definite: false },
  ];
  for (const { request, definite } of requests) {
    const error = await t.throwsAsync(settle(request), { code: 'RINGLET_TIMEOUT' });
    t.true(isRingletError(error) && error.definite === definite);
  }
  t.true(cluster.nowMs - startMs < 400);
  for (const id of cluster.nodeIds) cluster.node(id).resume();
  await cluster.run(1000);
  t.true((await get('k')).siblings.includes('v'));
});

test('a signal ends a request: for certain before it is sent, or if it only reads', async (t) => {
  const { bucket, get, put, settle, cluster } = createBucket({}, 3);
  await put('k', 'v');
  const reason = new Error('the user left');
  const early = { signal: AbortSignal.abort(reason) };
  for (const id of cluster.nodeIds) cluster.node(id).pause();
  const late = new AbortController();
  const { signal } = late;
  const requests = [
    { request: bucket.get('k', early), definite: true },
    { request: bucket.put('k', 'x', early), definite: true },
    { request: bucket.get('k', { signal }), definite: true },
    { request: bucket.put('k', 'y', { signal }), definite: false },
  ];
  late.abort(reason);
  for (const { request, definite } of requests) {
    const error = await t.throwsAsync(settle(request), {
      code: 'RINGLET_ABORTED',
      name: 'AbortError',
    });
    t.is(error?.cause, reason);
    t.true(isRingletError(error) && error.definite === definite);
  }
  for (const id of cluster.nodeIds) cluster.node(id).resume();
  await cluster.run(1000);
  t.false((await get('k')).siblings.includes('x'));
});

// --- Codecs --------------------------------------------------------------------------------------------

test('a value that its codec cannot read is an error of the read, with its cause', async (t) => {
  const { cluster, put, settle, get } = createBucket();
  await put('k', 'no JSON');
  const error = await t.throwsAsync(settle(cluster.bucket('b', { codec: json() }).get('k')), {
    code: 'RINGLET_VALUE_UNREADABLE',
    message: /bucket "b": codec "json" cannot read/,
  });
  t.true(error?.cause instanceof SyntaxError);
  t.is((await get('k')).value, 'no JSON');
});

const brokenCodecs: Record<string, [encode: () => unknown, message: RegExp]> = {
  'throws something': [
    () => {
      throw 'up';
    },
    /codec "odd" cannot encode it/,
  ],
  'returns text': [() => 'text', /codec "odd" made string of it/],
  'returns a promise': [() => Promise.resolve(), /codec "odd" made Promise of it/],
};

for (const [title, [encode, message]] of Object.entries(brokenCodecs)) {
  test(`a codec that ${title} is refused`, async (t) => {
    const code: ErrorCode = 'RINGLET_VALUE_TYPE';
    const codec = { name: 'odd', encode: encode as () => Uint8Array, decode: () => '' };
    const { put, get } = createBucket({ codec });
    await t.throwsAsync(put('k', 'v'), { code, message });
    t.is((await get('k')).value, undefined);
  });
}

test('a codec of the application’s own is used both ways', async (t) => {
  const { cluster, settle } = createBucket();
  const dates = cluster.bucket<number>('dates', {
    codec: {
      name: 'whole number',
      encode: (value) => Uint8Array.of(value >>> 8, value & 0xff),
      decode: ([high = 0, low = 0]) => high * 256 + low,
    },
  });
  await settle(dates.put('k', 1234));
  t.is((await settle(dates.get('k'))).value, 1234);
});
