/**
 * Bad input: what a careless or hostile user may pass, one row of a table per input. Each gets one typed, definite error
 * that says what was wrong and what to do and shows no value, changes nothing, and leaves a cluster that works.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import Database from 'better-sqlite3';
import { bucketPrefix, nodeAddress, recordKey } from '../../lib/address.ts';
import { decodeContextToken, encodeContextToken } from '../../lib/clock/context-token.ts';
import {
  createActorId,
  nodeOfActor,
  VECTOR_COUNT_MAX,
  type VersionVector,
} from '../../lib/clock/version-vector.ts';
import { createHashSeed, hashKey } from '../../lib/hash.ts';
import {
  type Bucket,
  type BucketOptions,
  bytes,
  Cluster,
  type ClusterEvent,
  type ClusterOptions,
  type Codec,
  type ErrorCode,
  errorCodes,
  json,
  RingletError,
  string,
} from '../../lib/index.ts';
import { SimulatedCluster } from '../../lib/sim/simulated-cluster.ts';
import { checkSqliteVersion } from '../../workers/store-file.ts';
import { temporaryFolder } from '../helpers/store-fixture.ts';

const SIBLING_COUNT_MAX = 4;

/** Is part of every bad key and value; no message may show it. */
const SECRET = 'hunter2';

/** What the rows act on: three views of one bucket, and a key in it that no other row touches. */
interface World {
  readonly cluster: Cluster;
  readonly text: Bucket<string>;
  readonly raw: Bucket<Uint8Array>;
  readonly data: Bucket<unknown>;
  readonly latest: Bucket<string>;
  readonly key: string;
}

interface Row {
  readonly title: string;
  readonly code: ErrorCode;
  /** Names the value, the limit or the place. */
  readonly message: RegExp;
  readonly act: (world: World) => unknown;
}

/** Passes a value off as what the types ask for, as JavaScript lets everybody. */
function wrong<T>(value: unknown): T {
  return value as T;
}

/** The error that `act` throws or rejects with, after the checks that hold for every bad input. */
async function refused(
  t: ExecutionContext,
  { code, message, act }: { code: ErrorCode; message: RegExp; act: () => unknown },
): Promise<RingletError> {
  const error = await t.throwsAsync(async () => act(), { instanceOf: RingletError, code });
  t.is(error.definite, true);
  t.is(errorCodes[code].definite, true);
  t.regex(error.message, message);
  t.true(error.message.endsWith(`(${errorCodes[code].advice})`), error.message);
  t.notRegex(error.message, /[\x00-\x1f\x7f]/, 'one line');
  t.true(error.message.length < 500, 'a short line');
  t.false(error.message.includes(SECRET), 'a value was shown');
  t.false(error.message.includes(String(utf8(SECRET))), 'the bytes of a value were shown');
  return error;
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

// --- Requests ----------------------------------------------------------------------------------------

let cluster: Cluster;

test.before(async () => {
  cluster = await Cluster.open({
    nodes: 3,
    threads: 1,
    durability: 'memory',
    limits: { siblingCountMax: SIBLING_COUNT_MAX },
  });
});

test.after.always(() => cluster.close());

function createWorld(key: string): World {
  return {
    cluster,
    text: cluster.bucket('b', { codec: string }),
    raw: cluster.bucket('b', { codec: bytes }),
    data: cluster.bucket('b', { codec: json<unknown>() }),
    latest: cluster.bucket('latest', { codec: string, lastWriterWins: true }),
    key,
  };
}

/** Runs rows against the cluster of this file. */
function checkRows(rows: readonly Row[]): void {
  for (const { title, code, message, act } of rows) {
    test.serial(`${code}: ${title}`, async (t) => {
      const world = createWorld(title);
      await world.text.put(title, 'before');
      await refused(t, { code, message, act: () => act(world) });
      const { value, context } = await world.text.get(title, { fanout: 'all' });
      t.is(value, 'before', 'the key reads as it did');
      await world.text.put(title, 'after', { context });
      t.is((await world.text.get(title)).value, 'after', 'the cluster works');
    });
  }
}

function badKey(title: string, code: ErrorCode, message: RegExp, key: unknown): Row[] {
  return [
    { title: `get of a key: ${title}`, code, message, act: ({ text }) => text.get(wrong(key)) },
    {
      title: `put to a key: ${title}`,
      code,
      message,
      act: ({ text }) => text.put(wrong(key), SECRET),
    },
  ];
}

const revoked = Proxy.revocable({}, {});
revoked.revoke();

checkRows([
  ...badKey('empty text', 'RINGLET_KEY_EMPTY', /got 0 bytes, expected 1 to 1024/, ''),
  ...badKey('no bytes', 'RINGLET_KEY_EMPTY', /got 0 bytes/, new Uint8Array()),
  ...badKey('detached', 'RINGLET_KEY_EMPTY', /got 0 bytes/, detached()),
  ...badKey('1025 letters', 'RINGLET_KEY_TOO_LARGE', /got 1025 .*max 1024/, SECRET.padEnd(1025)),
  ...badKey('513 letters of two bytes', 'RINGLET_KEY_TOO_LARGE', /1026 .*1024/, 'é'.repeat(513)),
  ...badKey('1025 bytes', 'RINGLET_KEY_TOO_LARGE', /1025 .*1024/, new Uint8Array(1025)),
  ...badKey('100 MB', 'RINGLET_KEY_TOO_LARGE', /100000000 .*1024/, SECRET.padEnd(100_000_000)),
  ...badKey('a lone high surrogate', 'RINGLET_KEY_ENCODING', /lone surrogate/, `${SECRET}\ud800`),
  ...badKey('a lone low surrogate', 'RINGLET_KEY_ENCODING', /lone surrogate/, `\udc00${SECRET}`),
  ...badKey('none', 'RINGLET_KEY_TYPE', /got undefined/, undefined),
  ...badKey('null', 'RINGLET_KEY_TYPE', /got null/, null),
  ...badKey('a number', 'RINGLET_KEY_TYPE', /got number/, 5),
  ...badKey('a bigint', 'RINGLET_KEY_TYPE', /got bigint/, 5n),
  ...badKey('a symbol', 'RINGLET_KEY_TYPE', /got symbol/, Symbol(SECRET)),
  ...badKey('a function', 'RINGLET_KEY_TYPE', /got function/, () => SECRET),
  ...badKey('an object', 'RINGLET_KEY_TYPE', /got Object/, { toString: () => SECRET }),
  ...badKey('a list', 'RINGLET_KEY_TYPE', /got Array/, [SECRET]),
  ...badKey('a boxed string', 'RINGLET_KEY_TYPE', /got String/, new String(SECRET)),
  ...badKey('an ArrayBuffer', 'RINGLET_KEY_TYPE', /got ArrayBuffer/, utf8(SECRET).buffer),
  ...badKey('other numbers', 'RINGLET_KEY_TYPE', /got Uint16Array/, new Uint16Array(4)),
  ...badKey('a counterfeit', 'RINGLET_KEY_TYPE', /got/, Object.create(Uint8Array.prototype)),
  ...badKey('a proxy of bytes', 'RINGLET_KEY_TYPE', /got/, new Proxy(utf8(SECRET), {})),
  ...badKey('a revoked proxy', 'RINGLET_KEY_TYPE', /got object/, revoked.proxy),
]);

function detached(): Uint8Array {
  const value = utf8(SECRET);
  structuredClone(value.buffer, { transfer: [value.buffer] });
  return value;
}

function shared(): Uint8Array {
  const value = new Uint8Array(new SharedArrayBuffer(SECRET.length));
  value.set(utf8(SECRET));
  return value;
}

function nested(depth: number): unknown {
  let value: unknown = SECRET;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { in: value };
  return value;
}

function cyclic(): unknown {
  const value: Record<string, unknown> = { secret: SECRET };
  value.self = value;
  return value;
}

function badData(title: string, code: ErrorCode, message: RegExp, value: unknown): Row {
  return {
    title: `put of JSON: ${title}`,
    code,
    message,
    act: ({ data, key }) => data.put(key, value),
  };
}

function badBytes(title: string, code: ErrorCode, message: RegExp, value: unknown): Row {
  return {
    title: `put of bytes: ${title}`,
    code,
    message,
    act: ({ raw, key }) => raw.put(key, wrong(value)),
  };
}

const custom = { name: 'mine', decode: () => SECRET };

checkRows([
  badData('nothing', 'RINGLET_VALUE_TYPE', /value: undefined/, undefined),
  badData('a function', 'RINGLET_VALUE_TYPE', /value\.a\.b: a function/, {
    a: { b: () => SECRET },
  }),
  badData('a symbol', 'RINGLET_VALUE_TYPE', /value\[1\]: a symbol/, [SECRET, Symbol(SECRET)]),
  badData('a bigint', 'RINGLET_VALUE_TYPE', /value\.a\[0\]: a bigint/, { a: [1n] }),
  badData('NaN', 'RINGLET_VALUE_TYPE', /value\.a: NaN/, { a: Number.NaN }),
  badData('an infinite number', 'RINGLET_VALUE_TYPE', /value: -Infinity/, -Infinity),
  badData('a map', 'RINGLET_VALUE_TYPE', /value: an instance of Map/, new Map([[SECRET, SECRET]])),
  badData('a hole', 'RINGLET_VALUE_TYPE', /value\[0\]: undefined/, new Array(3)),
  badData('a throwing getter', 'RINGLET_VALUE_TYPE', /codec "json" cannot encode/, {
    get a() {
      throw new Error(SECRET);
    },
  }),
  badData('a strange name', 'RINGLET_VALUE_TYPE', /value\["a\\n b"\]: a bigint/, { 'a\n b': 1n }),
  badData('a revoked proxy', 'RINGLET_VALUE_TYPE', /cannot encode/, revoked.proxy),
  badData('a cycle', 'RINGLET_VALUE_DEPTH', /deeper than 64, or in a circle/, cyclic()),
  badData('65 levels', 'RINGLET_VALUE_DEPTH', /deeper than 64/, nested(65)),
  badData('20,000 levels', 'RINGLET_VALUE_DEPTH', /deeper than 64/, nested(20_000)),
  badBytes('text', 'RINGLET_VALUE_TYPE', /got string, expected a Uint8Array/, SECRET),
  badBytes('a list', 'RINGLET_VALUE_TYPE', /got Array/, [1, 2]),
  badBytes('a counterfeit', 'RINGLET_VALUE_TYPE', /got/, Object.create(Uint8Array.prototype)),
  badBytes('detached', 'RINGLET_VALUE_BUFFER', /transferred away/, detached()),
  badBytes('shared', 'RINGLET_VALUE_BUFFER', /shared with other threads/, shared()),
  badBytes(
    'resizable',
    'RINGLET_VALUE_BUFFER',
    /may be resized/,
    new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 })),
  ),
  badBytes(
    'one byte too many',
    'RINGLET_VALUE_TOO_LARGE',
    /got 8388609 bytes, max 8388608/,
    new Uint8Array(8 * 1024 * 1024 + 1),
  ),
  {
    title: 'put of text with a lone surrogate',
    code: 'RINGLET_VALUE_TYPE',
    message: /lone surrogate/,
    act: ({ text, key }) => text.put(key, `${SECRET}\ud800`),
  },
  {
    title: 'a codec that throws',
    code: 'RINGLET_VALUE_TYPE',
    message: /codec "mine" cannot encode it/,
    act: ({ cluster, key }) => {
      const encode = () => {
        throw new Error(SECRET);
      };
      return cluster.bucket('b', { codec: { ...custom, encode } }).put(key, SECRET);
    },
  },
  {
    title: 'a codec that promises bytes',
    code: 'RINGLET_VALUE_TYPE',
    message: /codec "mine" made Promise of it/,
    act: ({ cluster, key }) => {
      const encode = async () => utf8(SECRET);
      return cluster
        .bucket('b', { codec: wrong<Codec<string>>({ ...custom, encode }) })
        .put(key, SECRET);
    },
  },
  {
    title: 'get with another codec than the one that wrote',
    code: 'RINGLET_VALUE_UNREADABLE',
    message: /bucket "b": codec "json"/,
    act: ({ data, key }) => data.get(key),
  },
  {
    title: 'update without a function',
    code: 'RINGLET_OPTION_INVALID',
    message: /change: got undefined, expected a function/,
    act: ({ text, key }) => text.update(key, wrong(undefined)),
  },
  {
    title: 'update to nothing',
    code: 'RINGLET_VALUE_TYPE',
    message: /got undefined, expected a string/,
    act: ({ text, key }) => text.update(key, () => wrong(undefined)),
  },
  {
    title: 'update by an asynchronous function',
    code: 'RINGLET_VALUE_TYPE',
    message: /got Promise, expected a string/,
    act: ({ text, key }) => text.update(key, () => wrong(Promise.resolve(SECRET))),
  },
]);

// --- Contexts ------------------------------------------------------------------------------------------

function badContext(
  title: string,
  code: ErrorCode,
  message: RegExp,
  change: (context: string, world: World) => unknown,
): Row[] {
  const act = (send: (world: World, options: { context: string }) => unknown) => {
    return async (world: World) => {
      const { context } = await world.text.get(world.key);
      return send(world, { context: wrong(await change(context, world)) });
    };
  };
  return [
    {
      title: `put with a context: ${title}`,
      code,
      message,
      act: act(({ text, key }, options) => text.put(key, SECRET, options)),
    },
    {
      title: `delete with a context: ${title}`,
      code,
      message,
      act: act(({ text, key }, options) => text.delete(key, options)),
    },
  ];
}

/** The same token with other counters, checksum and all, sent to the node whose counters they are. */
function forge(token: string, { cluster, key }: World, counter: (known: number) => number): string {
  const record = recordKey(bucketPrefix('b'), key);
  const keyHash = hashKey(record, createHashSeed(cluster.config.seed));
  const { vector } = decodeContextToken(token, keyHash, 16_384);
  const forged: VersionVector = vector.map((entry) => ({
    ...entry,
    counter: counter(entry.counter),
  }));
  const coordinator = nodeOfActor(forged[0]!.actor);
  return encodeContextToken({ vector: forged, coordinator: wrong(coordinator), keyHash });
}

/** A token of writes by actors that never were. */
function forgeActors({ cluster, key }: World): string {
  const keyHash = hashKey(recordKey(bucketPrefix('b'), key), createHashSeed(cluster.config.seed));
  const vector: VersionVector = Array.from({ length: VECTOR_COUNT_MAX }, (_, index) => ({
    actor: createActorId(9, index),
    counter: 1,
  }));
  return encodeContextToken({ vector, coordinator: nodeAddress(0), keyHash });
}

async function contextElsewhere(key: string): Promise<string> {
  const other = SimulatedCluster.open({ seed: 99, nodes: 3 });
  return (await other.settle(other.bucket('b').get(key))).context;
}

const invalidContext = 'RINGLET_CONTEXT_INVALID';

checkRows([
  ...badContext('null', invalidContext, /is a string/, () => null),
  ...badContext('a number', invalidContext, /is a string, not number/, () => 5),
  ...badContext('an object', invalidContext, /is a string, not object/, () => ({
    context: SECRET,
  })),
  ...badContext('empty', invalidContext, /cut off/, () => ''),
  ...badContext('prose', invalidContext, /no base64url/, () => `${SECRET}!`),
  ...badContext('cut off', invalidContext, /./, (context) => context.slice(0, -1)),
  ...badContext('cut in half', invalidContext, /./, (context) => context.slice(0, 8)),
  ...badContext('with more at the end', invalidContext, /./, (context) => `${context}AAAA`),
  ...badContext('one letter changed', invalidContext, /checksum/, (context) =>
    context.replace(/.{4}$/, (end) => (end === 'AAAA' ? 'BAAA' : 'AAAA')),
  ),
  ...badContext(
    'of another key',
    'RINGLET_CONTEXT_MISMATCH',
    /another key, bucket or cluster/,
    async (_, { text }) => (await text.get('another')).context,
  ),
  ...badContext(
    'of another bucket',
    'RINGLET_CONTEXT_MISMATCH',
    /another key, bucket or cluster/,
    async (_, { cluster, key }) => (await cluster.bucket('c').get(key)).context,
  ),
  ...badContext(
    'of another cluster',
    'RINGLET_CONTEXT_MISMATCH',
    /another key, bucket or cluster/,
    (_, { key }) => contextElsewhere(key),
  ),
  ...badContext(
    'over 16 KiB',
    'RINGLET_CONTEXT_TOO_LARGE',
    /16385 bytes, at most 16384/,
    (context) => context.padEnd(16_385, 'A'),
  ),
  ...badContext(
    'one write ahead of its node',
    'RINGLET_CONTEXT_UNKNOWN_DOT',
    /a write that no node can have made/,
    (context, world) => forge(context, world, (known) => known + 1),
  ),
  ...badContext(
    'with a counter far beyond any',
    'RINGLET_CONTEXT_UNKNOWN_DOT',
    /a write that no node can have made/,
    (context, world) => forge(context, world, () => Number.MAX_SAFE_INTEGER),
  ),
  ...badContext(
    'of as many actors as fit, none of which ever was',
    'RINGLET_CONTEXT_UNKNOWN_DOT',
    /a write that no node can have made/,
    (_, world) => forgeActors(world),
  ),
]);

test.serial(
  'RINGLET_TOO_MANY_SIBLINGS: more blind writes than a key may have siblings',
  async (t) => {
    const { text } = createWorld('');
    const values = Array.from({ length: SIBLING_COUNT_MAX }, (_, index) => `${SECRET} ${index}`);
    for (const value of values) await text.put('crowd', value);
    const before = await text.get('crowd');
    t.deepEqual([...before.siblings].sort(), values);
    await refused(t, {
      code: 'RINGLET_TOO_MANY_SIBLINGS',
      message: /as many siblings as it may/,
      act: () => text.put('crowd', SECRET),
    });
    await refused(t, {
      code: 'RINGLET_CONFLICT',
      message: /4 siblings/,
      act: () => before.value,
    });
    const after = await text.get('crowd', { fanout: 'all' });
    t.deepEqual(after.siblings, before.siblings);
    await text.put('crowd', 'one', { context: after.context });
    t.is((await text.get('crowd')).value, 'one');
  },
);

// --- Options -------------------------------------------------------------------------------------------

function badRequest(title: string, code: ErrorCode, message: RegExp, options: unknown): Row[] {
  return [
    {
      title: `get: ${title}`,
      code,
      message,
      act: ({ text, key }) => text.get(key, wrong(options)),
    },
    {
      title: `put: ${title}`,
      code,
      message,
      act: ({ text, key }) => text.put(key, SECRET, wrong(options)),
    },
    {
      title: `update: ${title}`,
      code,
      message,
      act: ({ text, key }) => text.update(key, () => SECRET, wrong(options)),
    },
    {
      title: `delete: ${title}`,
      code,
      message,
      act: ({ text, key }) => text.delete(key, wrong(options)),
    },
  ];
}

function badBucket(title: string, code: ErrorCode, message: RegExp, options: unknown): Row {
  return {
    title: `bucket: ${title}`,
    code,
    message,
    act: ({ cluster }) => cluster.bucket('b', wrong<BucketOptions<string>>(options)),
  };
}

const notCopies: readonly [shown: string, value: unknown][] = [
  ['0', 0],
  ['-1', -1],
  ['2.5', 2.5],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['2147483649', 2 ** 31 + 1],
  ['17', 17],
  ['"3"', '3'],
  ['null', null],
  ['3', 3n],
  ['a symbol', Symbol('3')],
  ['an object', { valueOf: () => 3 }],
];

const throwing = {
  get timeoutMs() {
    throw new Error('got you');
  },
};
const trap = new Proxy(
  {},
  {
    ownKeys() {
      throw new Error('trapped');
    },
  },
);

checkRows([
  ...notCopies.flatMap(([shown, value]) =>
    (['n', 'r', 'w'] as const).flatMap((name): Row[] => {
      const code = 'RINGLET_OPTION_N';
      const message = new RegExp(`${name}: got ${shown}, expected a whole number from 1 to 16`);
      const options = { [name]: value };
      return [
        ...badRequest(`${name} is ${typeof value} ${shown}`, code, message, options).slice(0, 2),
        badBucket(`${name} is ${typeof value} ${shown}`, code, message, { replication: options }),
      ];
    }),
  ),
  ...badRequest('n over the bucket’s', 'RINGLET_OPTION_N', /got 4, the bucket keeps 3/, { n: 4 }),
  ...badRequest('R over N', 'RINGLET_QUORUM_IMPOSSIBLE', /R=4 > N=3/, { r: 4 }),
  ...badRequest('W over N', 'RINGLET_QUORUM_IMPOSSIBLE', /W=4 > N=3/, { w: 4 }),
  ...badRequest('W over a smaller N', 'RINGLET_QUORUM_IMPOSSIBLE', /W=2 > N=1/, { n: 1, w: 2 }),
  ...([0, -1, Infinity, Number.NaN, 3_600_001, '5', null] as const).flatMap((timeoutMs) =>
    badRequest(
      `a deadline of ${typeof timeoutMs} ${timeoutMs}`,
      'RINGLET_OPTION_DEADLINE',
      new RegExp(
        `timeoutMs: got ${JSON.stringify(timeoutMs)?.startsWith('"') ? '"5"' : timeoutMs},`,
      ),
      { timeoutMs },
    ),
  ),
  ...badRequest('no signal', 'RINGLET_OPTION_INVALID', /signal: got "x"/, { signal: 'x' }),
  ...badRequest('a null signal', 'RINGLET_OPTION_INVALID', /signal: got null/, { signal: null }),
  ...badRequest('a false signal', 'RINGLET_OPTION_INVALID', /signal: got an object/, {
    signal: { aborted: false, addEventListener: () => SECRET },
  }),
  ...badRequest('a misspelled name', 'RINGLET_OPTION_UNKNOWN', /did you mean `timeoutMs`/, {
    timeoutMS: 5,
  }),
  ...badRequest('an unknown name', 'RINGLET_OPTION_UNKNOWN', /"consistency"/, {
    consistency: 'all',
  }),
  ...badRequest('an endless name', 'RINGLET_OPTION_UNKNOWN', /"x{60}…"/, {
    ['x'.repeat(1_000_000)]: 1,
  }),
  ...badRequest('a name of many lines', 'RINGLET_OPTION_UNKNOWN', /"a\\u001b\\nb"/, {
    'a\x1b\nb': 1,
  }),
  ...badRequest(
    '__proto__',
    'RINGLET_OPTION_UNKNOWN',
    /"__proto__"/,
    JSON.parse('{"__proto__": {"n": 1}}'),
  ),
  ...badRequest('null', 'RINGLET_OPTION_INVALID', /options: got null, expected a plain/, null),
  ...badRequest('text', 'RINGLET_OPTION_INVALID', /options: got "x"/, 'x'),
  ...badRequest('a list', 'RINGLET_OPTION_INVALID', /options: got a list/, [1]),
  ...badRequest('a function', 'RINGLET_OPTION_INVALID', /options: got a function/, () => SECRET),
  ...badRequest('a map', 'RINGLET_OPTION_INVALID', /options: got an object \("Map"\)/, new Map()),
  ...badRequest('a getter', 'RINGLET_OPTION_INVALID', /cannot be read: got you/, throwing),
  ...badRequest('a proxy', 'RINGLET_OPTION_INVALID', /cannot be read: trapped/, trap),
  ...badRequest('a revoked proxy', 'RINGLET_OPTION_INVALID', /plain object/, revoked.proxy),
  {
    title: 'get: an unknown fanout',
    code: 'RINGLET_OPTION_INVALID',
    message: /fanout: got "some", expected quorum or all/,
    act: ({ text, key }) => text.get(key, { fanout: wrong('some') }),
  },
  {
    title: 'update: a context of its own',
    code: 'RINGLET_OPTION_UNKNOWN',
    message: /unknown update option "context"/,
    act: ({ text, key }) => text.update(key, () => SECRET, wrong({ context: '' })),
  },
  badBucket('R over N', 'RINGLET_QUORUM_IMPOSSIBLE', /R=4 > N=3/, { replication: { r: 4 } }),
  badBucket('a number of copies alone', 'RINGLET_OPTION_INVALID', /replication options: got 3/, {
    replication: 3,
  }),
  badBucket('a misspelled name', 'RINGLET_OPTION_UNKNOWN', /did you mean `resolve`/, {
    reslove: () => 1,
  }),
  badBucket('null', 'RINGLET_OPTION_INVALID', /bucket options: got null/, null),
  badBucket('a codec not called', 'RINGLET_OPTION_INVALID', /codec: got a function/, {
    codec: json,
  }),
  badBucket('the name of a codec', 'RINGLET_OPTION_INVALID', /codec: got "json"/, {
    codec: 'json',
  }),
  badBucket('a null codec', 'RINGLET_OPTION_INVALID', /codec: got null/, { codec: null }),
  badBucket('no resolver', 'RINGLET_OPTION_INVALID', /resolve: got "last"/, { resolve: 'last' }),
  badBucket('a vague wish', 'RINGLET_OPTION_INVALID', /lastWriterWins: got 1/, {
    lastWriterWins: 1,
  }),
  ...[undefined, null, 5, '', '\ud800', {}, 'é'.repeat(33), 'x'.repeat(65)].map(
    (name, index): Row => ({
      title: `a bucket’s name, number ${index}`,
      code: 'RINGLET_OPTION_INVALID',
      message: /bucket name: got .*, expected text of 1 to 64 bytes/,
      act: ({ cluster }) => cluster.bucket(wrong(name)),
    }),
  ),
  ...[undefined, null, 0, '', 'A', 'd', 'aa', {}].map(
    (id, index): Row => ({
      title: `a node’s name, number ${index}`,
      code: 'RINGLET_NODE_UNKNOWN',
      message: /there is no node/,
      act: ({ cluster }) => cluster.node(wrong(id)),
    }),
  ),
]);

test.serial(
  'an inherited option is not an option: a polluted prototype changes no request',
  async (t) => {
    const { text } = createWorld('');
    const options = Object.assign(Object.create({ n: 99, timeoutMs: -1, context: SECRET }), {
      w: 3,
    });
    await text.put('heir', 'x', options);
    t.is((await text.get('heir', Object.create({ fanout: SECRET }))).value, 'x');
  },
);

// --- Links ---------------------------------------------------------------------------------------------

function badLink(title: string, message: RegExp, act: Row['act']): Row {
  return { title: `network: ${title}`, code: 'RINGLET_FAULT_SPEC', message, act };
}

checkRows([
  badLink('a loss of 1.5', /loss: got 1\.5, expected a number from 0 to 1/, ({ cluster }) =>
    cluster.network.link('a', 'b').set({ loss: 1.5 }),
  ),
  badLink('a negative latency', /latencyMs: got -1/, ({ cluster }) =>
    cluster.network.link('a', 'b').set({ latencyMs: -1 }),
  ),
  badLink('a latency of NaN', /latencyMs: got NaN/, ({ cluster }) =>
    cluster.network.setDefault({ latencyMs: Number.NaN }),
  ),
  badLink('a latency as text', /latencyMs: got "5"/, ({ cluster }) =>
    cluster.network.setDefault({ latencyMs: wrong('5') }),
  ),
  badLink('a misspelled setting', /did you mean `latencyMs`/, ({ cluster }) =>
    cluster.network.link('a', 'b').set(wrong({ latency: 5 })),
  ),
  badLink('no settings', /got undefined, expected an object/, ({ cluster }) =>
    cluster.network.link('a', 'b').set(wrong(undefined)),
  ),
  badLink('a link of an unknown node', /there is no node "z"/, ({ cluster }) =>
    cluster.network.link('a', 'z'),
  ),
  badLink('a link to itself', /another node than the source/, ({ cluster }) =>
    cluster.network.link('a', 'a').hold(),
  ),
  badLink('a partition of an unknown node', /there is no node "bb"/, ({ cluster }) =>
    cluster.network.partition([['a'], ['bb']]),
  ),
  badLink('a partition with a node twice', /each node in one group/, ({ cluster }) =>
    cluster.network.partition([['a', 'b'], ['b']]),
  ),
  badLink('a partition of names', /got "a", expected a list of node ids/, ({ cluster }) =>
    cluster.network.partition(wrong(['a', 'b'])),
  ),
  badLink('a block from nowhere', /not empty/, ({ cluster }) => cluster.network.block([], ['a'])),
  badLink('a rule with a misspelled verdict', /did you mean `drop`/, ({ cluster }) =>
    cluster.network.rule('r', {}, wrong({ type: 'dorp' })),
  ),
  badLink('a rule with a misspelled kind', /did you mean ReplicaPut/, ({ cluster }) =>
    cluster.network.rule('r', { kinds: [wrong('ReplicaPot')] }, { type: 'drop' }),
  ),
  badLink('a rule with a certainty of 2', /probability: got 2/, ({ cluster }) =>
    cluster.network.rule('r', {}, { type: 'drop' }, { probability: 2 }),
  ),
  badLink('a rule without a name', /id: got ""/, ({ cluster }) =>
    cluster.network.rule('', {}, { type: 'drop' }),
  ),
]);

// --- Nodes that are not there ----------------------------------------------------------------------------

test.serial('RINGLET_UNAVAILABLE: a quorum that the nodes that are up cannot make', async (t) => {
  const { text } = createWorld('');
  const greedy = cluster.bucket('greedy', { codec: string, replication: { n: 4, w: 4 } });
  await refused(t, {
    code: 'RINGLET_UNAVAILABLE',
    message: /needs 4 of .* 4 replicas.*3 of 3 nodes/,
    act: () => greedy.put('k', SECRET),
  });

  await text.put('lonely', 'before', { w: 3 });
  await cluster.node('b').kill();
  const three = { code: 'RINGLET_UNAVAILABLE', message: /needs 3 .*\(2 of 3 nodes/ } as const;
  await refused(t, { ...three, act: () => text.put('lonely', SECRET, { w: 3 }) });
  await refused(t, { ...three, act: () => text.get('lonely', { r: 3 }) });
  await cluster.node('c').kill();
  const two = { code: 'RINGLET_UNAVAILABLE', message: /needs 2 .*\(1 of 3 nodes/ } as const;
  await refused(t, { ...two, act: () => text.put('lonely', SECRET) });
  await refused(t, { ...two, act: () => text.delete('lonely') });
  t.is((await text.get('lonely', { r: 1 })).value, 'before', 'one replica still answers one');
  await cluster.node('b').restart();
  await cluster.node('c').restart();
  t.deepEqual((await text.get('lonely', { fanout: 'all' })).siblings, ['before']);
});

// --- What is odd but right -----------------------------------------------------------------------------

const oddKeys: Record<string, string> = {
  'a NUL byte': 'a\0b',
  'nothing but a NUL byte': '\0',
  'a line feed': 'a\nb\r\n',
  'a way up': '../../etc/passwd',
  'a statement': "'; DROP TABLE record; --",
  'a pattern': '%_*?[a]',
  'a name of an object': '__proto__',
  'an emoji': '👩‍👩‍👧',
  'a right-to-left override': '\u202eabc',
  'a byte order mark': '\ufeffa',
  'é in one code point': '\u00e9',
  'é in two': 'e\u0301',
  '1024 bytes': 'é'.repeat(512),
};

test.serial('odd keys are keys, each its own', async (t) => {
  const { text } = createWorld('');
  for (const [title, key] of Object.entries(oddKeys)) await text.put(key, title);
  for (const [title, key] of Object.entries(oddKeys)) {
    t.is((await text.get(key)).value, title);
    t.is((await text.get(utf8(key))).value, title, 'the bytes of a text are the same key');
  }
});

test.serial('names that mean something to JavaScript are plain data in a value', async (t) => {
  const { data } = createWorld('');
  const source = '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}';
  await data.put('proto', JSON.parse(source));
  const { value } = await data.get('proto');
  t.is(JSON.stringify(value), source);
  t.is(Object.getPrototypeOf(value), Object.prototype);
  t.is((value as { isAdmin?: boolean }).isAdmin, undefined);
  t.is(({} as { isAdmin?: boolean }).isAdmin, undefined);
});

// --- Clusters that do not open -------------------------------------------------------------------------

function badCluster(title: string, code: ErrorCode, message: RegExp, options: unknown): void {
  test(`open, ${code}: ${title}`, async (t) => {
    const act = () => Cluster.open(wrong(options));
    await refused(t, { code, message, act });
  });
}

for (const [title, id] of Object.entries({
  empty: '',
  '64 letters': 'x'.repeat(64),
  '300 letters': 'x'.repeat(300),
  'upper case': 'A',
  'not ASCII': 'ä',
  'the folder above': '..',
  'a way up': '../a',
  'a NUL byte': 'a\0',
  'a line feed at the end': 'a\n',
  'a number': 5,
  none: undefined,
})) {
  badCluster(`a node’s id: ${title}`, 'RINGLET_NODE_ID', /node id .* is not \[a-z0-9-\]\{1,63\}/, {
    nodes: [{ id }, { id: 'b' }],
  });
}
badCluster('two nodes of one name', 'RINGLET_NODE_ID', /"a" is given twice/, {
  nodes: [{ id: 'a' }, { id: 'b' }, { id: 'a' }],
});
for (const partitions of [0, 4, 100, 2 ** 17, -8, 8.5, Number.NaN, '256', null]) {
  const shown = typeof partitions === 'string' ? `"${partitions}"` : `${partitions}`;
  badCluster(
    `${typeof partitions} ${partitions} partitions`,
    'RINGLET_RING_SIZE',
    new RegExp(`partitions: got ${shown}, expected a power of two from 8 to 65536`),
    { partitions },
  );
}
badCluster('N of 0', 'RINGLET_OPTION_N', /n: got 0/, { replication: { n: 0 } });
badCluster('W over N', 'RINGLET_QUORUM_IMPOSSIBLE', /W=4 > N=3/, { replication: { w: 4 } });
badCluster('no time', 'RINGLET_OPTION_DEADLINE', /requestTimeoutMs: got 0/, {
  requestTimeoutMs: 0,
});
badCluster('a misspelled name', 'RINGLET_OPTION_UNKNOWN', /did you mean `durability`/, {
  durabilty: 'normal',
});
badCluster('a misspelled limit', 'RINGLET_OPTION_UNKNOWN', /did you mean `keyBytesMax`/, {
  limits: { keyByteMax: 1 },
});
badCluster(
  'too little memory for a thread',
  'RINGLET_OPTION_INVALID',
  /threadHeapBytesMax: got 1/,
  {
    limits: { threadHeapBytesMax: 1 },
  },
);
badCluster('null', 'RINGLET_OPTION_INVALID', /options: got null/, null);
badCluster('no nodes', 'RINGLET_OPTION_INVALID', /nodes: got 0/, { nodes: 0 });
badCluster('a path that is none', 'RINGLET_OPTION_INVALID', /dataDir: got 5/, { dataDir: 5 });

for (const [title, dataDir] of Object.entries({
  empty: '',
  'a NUL byte': 'a\0b',
  'a space at the end': '/tmp/ringlet-test ',
  'a URI': 'file:data?vfs=unix-none',
  'a name of SQLite': ':memory:',
})) {
  const quoted = JSON.stringify(dataDir).replace(/[\\?.]/g, '\\$&');
  badCluster(`a folder’s name: ${title}`, 'RINGLET_DATADIR_NAME', new RegExp(quoted), { dataDir });
}

/** Small and quick, with files. */
const withFiles: ClusterOptions = { nodes: 3, threads: 1, partitions: 8, durability: 'normal' };

/** A folder in which a cluster was opened, written to and closed in good order. */
async function createData(t: ExecutionContext): Promise<string> {
  const folder = path.join(temporaryFolder(t), 'data');
  const opened = await Cluster.open({ ...withFiles, dataDir: folder });
  await opened.bucket('b', { codec: string }).put('k', 'kept', { w: 3 });
  await opened.close();
  return folder;
}

async function readBack(folder: string): Promise<string | undefined> {
  await using opened = await Cluster.open({ ...withFiles, dataDir: folder });
  return (await opened.bucket('b', { codec: string }).get('k')).value;
}

/** What a refusal must leave alone; the stores of other nodes may have been opened and closed. */
function checksums(folder: string): number[] {
  return ['a.db', 'cluster.json'].map((name) => crc32(fs.readFileSync(path.join(folder, name))));
}

interface FolderRow {
  readonly title: string;
  readonly code: ErrorCode;
  readonly message: RegExp;
  /** Spoils a sound folder. @returns the folder to open, if it is another one, and a way back. */
  readonly spoil: (folder: string) => { readonly dataDir?: string; readonly undo: () => void };
  readonly options?: ClusterOptions;
}

const folderRows: readonly FolderRow[] = [
  {
    title: 'a file',
    code: 'RINGLET_DATADIR',
    message: /cluster\.json": /,
    spoil: (folder) => ({ dataDir: path.join(folder, 'cluster.json'), undo: () => {} }),
  },
  {
    title: 'a folder below a file',
    code: 'RINGLET_DATADIR',
    message: /cluster\.json\/data": .*not a directory/,
    spoil: (folder) => ({ dataDir: path.join(folder, 'cluster.json', 'data'), undo: () => {} }),
  },
  {
    title: 'a symbolic link',
    code: 'RINGLET_DATADIR_LINK',
    message: /link" is a symbolic link/,
    spoil: (folder) => {
      const link = path.join(path.dirname(folder), 'link');
      fs.symlinkSync(folder, link);
      return { dataDir: link, undo: () => {} };
    },
  },
  {
    title: 'a store that is a symbolic link',
    code: 'RINGLET_DATADIR_LINK',
    message: /a\.db": a link/,
    spoil: (folder) => {
      const [file, other] = [path.join(folder, 'a.db'), path.join(folder, '..', 'other.db')];
      fs.renameSync(file, other);
      fs.symlinkSync(other, file);
      return { undo: () => fs.renameSync(other, file) };
    },
  },
  {
    title: 'a store with two names',
    code: 'RINGLET_DATADIR_LINK',
    message: /a\.db": 2 names lead to this file/,
    spoil: (folder) => {
      const other = path.join(folder, '..', 'other.db');
      fs.linkSync(path.join(folder, 'a.db'), other);
      return { undo: () => fs.rmSync(other) };
    },
  },
  {
    title: 'a newer format',
    code: 'RINGLET_FORMAT_NEWER',
    message: /cluster\.json": format 99, this Ringlet knows up to 1/,
    spoil: (folder) => {
      const file = path.join(folder, 'cluster.json');
      const text = fs.readFileSync(file, 'utf8');
      fs.writeFileSync(file, text.replace('"format": 1', '"format": 99'));
      return { undo: () => fs.writeFileSync(file, text) };
    },
  },
  {
    title: 'a store of a newer format',
    code: 'RINGLET_FORMAT_NEWER',
    message: /a\.db" has format 99, this Ringlet knows up to 1/,
    spoil: (folder) => setFormat(path.join(folder, 'a.db'), 99, 1),
  },
  {
    title: 'a store of another node',
    code: 'RINGLET_DATADIR_FOREIGN',
    message: /a\.db" belongs to node "b"/,
    spoil: (folder) => {
      const file = path.join(folder, 'a.db');
      const saved = fs.readFileSync(file);
      fs.copyFileSync(path.join(folder, 'b.db'), file);
      return { undo: () => fs.writeFileSync(file, saved) };
    },
  },
  {
    title: 'a description that cannot be read',
    code: 'RINGLET_STORE_CORRUPT',
    message: /cluster\.json": not readable/,
    spoil: (folder) => {
      const file = path.join(folder, 'cluster.json');
      const text = fs.readFileSync(file, 'utf8');
      fs.writeFileSync(file, text.slice(0, 40));
      return { undo: () => fs.writeFileSync(file, text) };
    },
  },
  {
    title: 'other partitions than before',
    code: 'RINGLET_RING_SIZE',
    message: /cluster\.json": .*8.*not 16/,
    spoil: () => ({ undo: () => {} }),
    options: { partitions: 16 },
  },
  {
    title: 'another seed than before',
    code: 'RINGLET_DATADIR_FOREIGN',
    message: /cluster\.json": .*seed \d+, not 1/,
    spoil: () => ({ undo: () => {} }),
    options: { seed: 1 },
  },
  {
    title: 'other nodes than before',
    code: 'RINGLET_DATADIR_FOREIGN',
    message: /cluster\.json": .*nodes .*a.*b.*c.*, not /,
    spoil: () => ({ undo: () => {} }),
    options: { nodes: 2 },
  },
];

function setFormat(file: string, format: number, former: number): { undo: () => void } {
  const write = (version: number) => {
    const database = new Database(file);
    database.pragma(`user_version = ${version}`);
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
  };
  write(format);
  return { undo: () => write(former) };
}

test.serial(
  'folders that are not a cluster’s, or not as they were, are refused and kept',
  async (t) => {
    const folder = await createData(t);
    for (const { title, code, message, spoil, options } of folderRows) {
      const { dataDir = folder, undo } = spoil(folder);
      const before = checksums(folder);
      const act = () => Cluster.open({ ...withFiles, dataDir, ...options });
      await refused(t, { code, message, act });
      t.deepEqual(checksums(folder), before, title);
      undo();
    }
    t.is(await readBack(folder), 'kept');
  },
);

test.serial('RINGLET_DATADIR_NAME: SQLITE_USE_URI in the environment', async (t) => {
  process.env.SQLITE_USE_URI = '1';
  try {
    const act = () => Cluster.open({ nodes: 1 });
    await refused(t, { code: 'RINGLET_DATADIR_NAME', message: /SQLITE_USE_URI=1/, act });
  } finally {
    delete process.env.SQLITE_USE_URI;
  }
});

test('RINGLET_SQLITE_VERSION: a SQLite that loses data', (t) => {
  return refused(t, {
    code: 'RINGLET_SQLITE_VERSION',
    message: /SQLite 3\.51\.2: 3\.51\.3 or newer is needed/,
    act: () => checkSqliteVersion('3.51.2'),
  });
});

/** What a program in another process imports. */
const ENTRY = new URL('../../lib/index.ts', import.meta.url).href;

/** Runs a program in another process until it says something. */
async function startProgram(program: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--input-type=module', '--eval', program],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

test.serial(
  'RINGLET_DATADIR_LOCKED: a folder that another process has open; killed, its writes are there, log or no log',
  async (t) => {
    const folder = await createData(t);
    const program = `
      import { Cluster, string } from ${JSON.stringify(ENTRY)};
      const options = ${JSON.stringify({ ...withFiles, dataDir: folder })};
      const cluster = await Cluster.open(options);
      const bucket = cluster.bucket('b', { codec: string });
      const { context } = await bucket.get('k');
      await bucket.put('k', 'written by the child', { context, w: 3 });
      process.stdout.write('open');
      setInterval(() => {}, 1000);`;
    const child = await startProgram(program);
    await refused(t, {
      code: 'RINGLET_DATADIR_LOCKED',
      message: new RegExp(`data": process ${child.pid} has it open`),
      act: () => Cluster.open({ ...withFiles, dataDir: folder }),
    });
    await kill(child);
    t.true(fs.existsSync(path.join(folder, 'a.db-wal')));
    fs.rmSync(path.join(folder, 'a.db-wal'));
    t.is(await readBack(folder), 'written by the child');
    t.is(await readBack(folder), 'written by the child');
  },
);

test.serial('RINGLET_STORE_ROLLED_BACK: a single node whose log was removed', async (t) => {
  const folder = path.join(temporaryFolder(t), 'data');
  const alone: ClusterOptions = { nodes: 1, dataDir: folder };
  const program = `
    import { Cluster, string } from ${JSON.stringify(ENTRY)};
    const cluster = await Cluster.open(${JSON.stringify(alone)});
    await cluster.bucket('b', { codec: string }).put('k', 'acknowledged');
    process.stdout.write('stored');
    setInterval(() => {}, 1000);`;
  const child = await startProgram(program);
  await kill(child);
  const log = path.join(folder, 'a.db-wal');
  const content = fs.readFileSync(log);
  fs.rmSync(log);
  await refused(t, {
    code: 'RINGLET_STORE_ROLLED_BACK',
    message: /a\.db": the file ends with row \d+, row \d+ was committed/,
    act: () => Cluster.open(alone),
  });
  fs.writeFileSync(log, content);
  await using cluster = await Cluster.open(alone);
  t.is((await cluster.bucket('b', { codec: string }).get('k')).value, 'acknowledged');
});

// --- Stores that were tampered with --------------------------------------------------------------------

interface TamperRow {
  readonly title: string;
  readonly status: 'rolled-back' | 'quarantined';
  readonly tamper: (file: string, earlier: Buffer) => void;
}

const tamperRows: readonly TamperRow[] = [
  {
    title: 'an older copy was put back',
    status: 'rolled-back',
    tamper: (file, earlier) => fs.writeFileSync(file, earlier),
  },
  { title: 'the file is gone', status: 'rolled-back', tamper: (file) => fs.rmSync(file) },
  {
    title: 'random bytes',
    status: 'quarantined',
    tamper: (file) => fs.writeFileSync(file, crypto.getRandomValues(new Uint8Array(20_000))),
  },
  { title: 'no bytes', status: 'quarantined', tamper: (file) => fs.truncateSync(file) },
  {
    title: 'another application’s database',
    status: 'quarantined',
    tamper: (file) => {
      fs.rmSync(file);
      new Database(file).exec('CREATE TABLE note (text)').close();
    },
  },
];

test.serial(
  'a store that is not as its node left it is reported, kept, and served from the others',
  async (t) => {
    const folder = await createData(t);
    const file = path.join(folder, 'a.db');
    await using opened = await Cluster.open({ ...withFiles, dataDir: folder });
    const bucket = opened.bucket('b', { codec: string });
    const node = opened.node('a');
    await node.kill();
    const earlier = fs.readFileSync(file);
    await node.restart();
    let setAsideCount = 0;
    for (const { title, status, tamper } of tamperRows) {
      const { context } = await bucket.get('k');
      await bucket.put('k', title, { context, w: 3 });
      await node.kill();
      tamper(file, earlier);
      const tampered = fs.existsSync(file) ? fs.readFileSync(file) : null;
      const events: ClusterEvent[] = [];
      const end = opened.onEvent((event) => void events.push(event));
      await node.restart();
      end();
      const report = events.find((event) => event.type === 'store');
      t.is(report?.status, status, title);
      t.is(report?.node, 'a');
      t.true(report?.detail !== '');
      if (status === 'quarantined') {
        const name = `${file}.corrupt-${++setAsideCount}`;
        t.true(report?.detail.includes(JSON.stringify(name)), report?.detail);
        t.deepEqual(fs.readFileSync(name), tampered, 'what was there is kept');
      }
      t.deepEqual((await bucket.get('k', { fanout: 'all' })).siblings, [title]);
    }
  },
);

// --- A disk that is full -------------------------------------------------------------------------------

test('RINGLET_DISK_FULL: writes to nodes whose stores take none; reads go on', async (t) => {
  const full = SimulatedCluster.open({ seed: 34, nodes: 3 });
  const bucket = full.bucket('b', { codec: string });
  const { context } = await full.settle(bucket.put('k', 'before', { w: 3 }));
  // What a store on disk does until there is room again.
  const stores = [0, 1, 2].map((index) => full.world.cell(nodeAddress(index)).store);
  const puts = stores.map((store) => store.put);
  for (const store of stores) store.put = () => false;
  for (const act of [
    () => full.settle(bucket.put('k', SECRET)),
    () => full.settle(bucket.put('k', SECRET, { context: context! })),
    () => full.settle(bucket.update('k', () => SECRET)),
    () => full.settle(bucket.delete('k')),
  ]) {
    await refused(t, { code: 'RINGLET_DISK_FULL', message: /coordinator's disk is full/, act });
  }
  const entry = await full.settle(bucket.get('k', { fanout: 'all' }));
  t.deepEqual(entry.siblings, ['before']);
  for (const [index, store] of stores.entries()) store.put = puts[index]!;
  await full.settle(bucket.put('k', 'after', { context: entry.context }));
  t.deepEqual((await full.settle(bucket.get('k'))).siblings, ['after']);
  t.deepEqual(full.failures, []);
});

// --- The end -------------------------------------------------------------------------------------------

test.serial('RINGLET_CLOSED: requests after the end, and while it comes', async (t) => {
  const ending = await Cluster.open({ nodes: 2, threads: 1, durability: 'memory' });
  const bucket = ending.bucket('b', { codec: string });
  await bucket.put('k', 'v');
  const underWay = bucket.put('k', SECRET).then(
    () => null,
    (error: unknown) => error,
  );
  const closing = ending.close();
  const code = 'RINGLET_CLOSED';
  const requests = [
    () => bucket.get('k'),
    () => bucket.put('k', SECRET),
    () => bucket.update('k', () => SECRET),
    () => bucket.delete('k'),
    () => ending.bucket('other').get('k'),
  ];
  for (const act of requests) await refused(t, { code, message: /the cluster is closed/, act });
  const error = await underWay;
  t.true(error === null || (error instanceof RingletError && !error.definite), String(error));
  await closing;
  const others = [
    () => ending.node('a').kill(),
    () => ending.node('a').restart(),
    () => ending.node('a').stats(),
    () => ending.stats(),
    () => ending.network.heal(),
    () => ending.network.counters(),
    () => ending.client(),
  ];
  for (const act of [...requests, ...others]) {
    await refused(t, { code, message: /the cluster is closed/, act });
  }
  await ending.close();
});
