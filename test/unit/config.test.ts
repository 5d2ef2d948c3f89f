/** Options become a configuration: defaults, ranges, relations, names. */
import test from 'ava';
import {
  type ClusterOptions,
  checkTimeout,
  defaultLimits,
  type Limits,
  nearestName,
  readOptions,
  resolveConfig,
  resolveReplication,
  show,
  testMinLimits,
} from '../../lib/config.ts';
import { type ErrorCode, isRingletError } from '../../lib/errors.ts';

const environment = { coreCount: 4, randomSeed: 12345 };

function resolve(options: unknown = {}) {
  return resolveConfig(options as ClusterOptions, environment);
}

test('every option has a default', (t) => {
  t.deepEqual(resolve(), {
    dataDir: null,
    nodes: ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, weight: 1 })),
    threads: 4,
    partitions: 256,
    replication: { n: 3, r: 2, w: 2 },
    durability: 'full',
    requestTimeoutMs: 5000,
    controlTimeoutMs: 20_000,
    seed: 12345,
    restartNodes: true,
    readRepairSample: 0.01,
    hedgeAfterMs: -1,
    limits: defaultLimits,
  });
});

test('what is given is taken, what is undefined is not given', (t) => {
  const given = {
    dataDir: 'data',
    nodes: [{ id: 'x', weight: 2 }, { id: 'y' }],
    threads: 2,
    partitions: 8,
    replication: { n: 2, r: 1, w: 2 },
    durability: 'memory',
    requestTimeoutMs: 0.5,
    controlTimeoutMs: 3_600_000,
    seed: Number.MAX_SAFE_INTEGER,
    restartNodes: false,
    readRepairSample: 0,
    hedgeAfterMs: 10,
  };
  t.deepEqual(resolve({ ...given, limits: { keyBytesMax: 65_536 } }), {
    ...given,
    nodes: [
      { id: 'x', weight: 2 },
      { id: 'y', weight: 1 },
    ],
    limits: { ...defaultLimits, keyBytesMax: 65_536 },
  });
  const names = [...Object.keys(given), 'limits'];
  const absent = Object.fromEntries(names.map((name) => [name, undefined]));
  t.deepEqual(resolve(absent), resolve());
  t.deepEqual(resolve({ limits: { keyBytesMax: undefined } }), resolve());
});

const derived: readonly [title: string, options: ClusterOptions, expected: object][] = [
  ['one node', { nodes: 1 }, { threads: 1, replication: { n: 1, r: 1, w: 1 } }],
  ['two nodes', { nodes: 2 }, { threads: 2, replication: { n: 2, r: 2, w: 2 } }],
  ['N alone', { replication: { n: 1 } }, { replication: { n: 1, r: 1, w: 1 } }],
  ['a greater N alone', { replication: { n: 5 } }, { replication: { n: 5, r: 2, w: 2 } }],
  ['R alone', { replication: { r: 3 } }, { replication: { n: 3, r: 3, w: 2 } }],
];

for (const [title, options, expected] of derived) {
  test(`defaults follow from ${title}`, (t) => {
    t.like(resolve(options), expected);
  });
}

test('threads default to the cores, the nodes or 8, whichever is least', (t) => {
  const threads = (coreCount: number, nodes: number) =>
    resolveConfig({ nodes }, { coreCount, randomSeed: 0 }).threads;
  t.is(threads(64, 100), 8);
  t.is(threads(2, 100), 2);
  t.is(threads(64, 3), 3);
  t.is(threads(0, 3), 1);
});

test('nodes are named by letters, then by numbers', (t) => {
  const ids = resolve({ nodes: 1024 }).nodes.map(({ id }) => id);
  t.deepEqual([ids[0], ids[25], ids[26], ids[1023]], ['a', 'z', 'n26', 'n1023']);
  t.is(new Set(ids).size, 1024);
});

test('a configuration is frozen through and through, and apart from what it was made of', (t) => {
  const nodes = [{ id: 'a' }, { id: 'b', weight: 2 }];
  const options = { nodes, limits: { keyBytesMax: 10 } };
  for (const config of [resolve(), resolve(options)]) {
    const parts = [config, config.nodes, ...config.nodes, config.replication, config.limits];
    for (const part of parts) t.true(Object.isFrozen(part));
  }
  const config = resolve(options);
  nodes[0]!.id = 'changed';
  options.limits.keyBytesMax = 20;
  t.is(config.nodes[0]?.id, 'a');
  t.is(config.limits.keyBytesMax, 10);
});

const invalid = 'RINGLET_OPTION_INVALID';
const bad: readonly [options: object, code: ErrorCode, message: RegExp][] = [
  [{ nodes: 0 }, invalid, /nodes: got 0, expected a whole number from 1 to 1024/],
  [{ nodes: 1025 }, invalid, /nodes: got 1025/],
  [{ nodes: 2.5 }, invalid, /nodes: got 2\.5/],
  [{ nodes: '3' }, invalid, /nodes: got "3", expected a number or a list of 1 to 1024 nodes/],
  [{ nodes: [] }, invalid, /nodes: got a list/],
  [{ nodes: null }, invalid, /nodes: got null/],
  [{ nodes: ['a'] }, invalid, /node options: got "a", expected a plain object/],
  [{ nodes: [{ id: 'a', weight: 0 }] }, invalid, /weight: got 0, .* from 0\.01 to 100/],
  [{ nodes: [{ id: 'a', weight: 101 }] }, invalid, /weight: got 101/],
  [{ nodes: [{ id: 'a', weight: '1' }] }, invalid, /weight: got "1"/],
  [{ nodes: [{ id: 'a', wieght: 1 }] }, 'RINGLET_OPTION_UNKNOWN', /did you mean `weight`/],
  [{ nodes: [{ id: 'A' }] }, 'RINGLET_NODE_ID', /node id "A" is not \[a-z0-9-\]\{1,63\}/],
  [{ nodes: [{ id: 'a' }, { id: 'a' }] }, 'RINGLET_NODE_ID', /"a" is given twice/],
  [{ threads: 0 }, invalid, /threads: got 0, expected a whole number from 1 to 64/],
  [{ threads: 65 }, invalid, /threads: got 65/],
  [{ threads: 6 }, invalid, /threads: got 6, expected at most one per node \(5\)/],
  [{ partitions: 4 }, 'RINGLET_RING_SIZE', /partitions: got 4, .* a power of two from 8 to 65536/],
  [{ partitions: 24 }, 'RINGLET_RING_SIZE', /partitions: got 24/],
  [{ partitions: 131_072 }, 'RINGLET_RING_SIZE', /partitions: got 131072/],
  [{ replication: 3 }, invalid, /replication options: got 3/],
  [{ replication: { n: 0 } }, 'RINGLET_OPTION_N', /n: got 0/],
  [{ replication: { n: 17 } }, 'RINGLET_OPTION_N', /n: got 17/],
  [{ replication: { r: 1.5 } }, 'RINGLET_OPTION_N', /r: got 1\.5/],
  [{ replication: { r: 4 } }, 'RINGLET_QUORUM_IMPOSSIBLE', /R=4 > N=3/],
  [{ replication: { w: 4 } }, 'RINGLET_QUORUM_IMPOSSIBLE', /W=4 > N=3/],
  [{ replication: { q: 4 } }, 'RINGLET_OPTION_UNKNOWN', /unknown replication option "q"/],
  [{ durability: 'none' }, invalid, /durability: got "none", expected one of full, normal, memory/],
  [{ requestTimeoutMs: 0 }, 'RINGLET_OPTION_DEADLINE', /requestTimeoutMs: got 0/],
  [{ requestTimeoutMs: 3_600_001 }, 'RINGLET_OPTION_DEADLINE', /at most 3600000 ms/],
  [{ controlTimeoutMs: '1' }, 'RINGLET_OPTION_DEADLINE', /controlTimeoutMs: got "1"/],
  [{ seed: -1 }, invalid, /seed: got -1/],
  [{ seed: 2 ** 53 }, invalid, /seed: got 9007199254740992/],
  [{ seed: '0xff' }, invalid, /seed: got "0xff"/],
  [{ restartNodes: 'no' }, invalid, /restartNodes: got "no", expected true or false/],
  [{ readRepairSample: 1.1 }, invalid, /readRepairSample: got 1\.1, .* from 0 to 1/],
  [{ readRepairSample: Number.NaN }, invalid, /readRepairSample: got NaN/],
  [{ hedgeAfterMs: 0 }, invalid, /hedgeAfterMs: got 0, expected auto or a number from 0\.1/],
  [{ hedgeAfterMs: 'never' }, invalid, /hedgeAfterMs: got "never"/],
  [{ dataDir: null }, invalid, /dataDir: got null, expected a path/],
  [{ limits: 5 }, invalid, /limits: got 5/],
  [{ limits: { keyBytesMax: 65_537 } }, invalid, /limits\.keyBytesMax: .* from 1 to 65536/],
  [{ limits: { valueBytesMax: 2 ** 30 + 1 } }, invalid, /limits\.valueBytesMax: got 1073741825/],
  [{ limits: { threadHeapBytesMax: 2 ** 20 } }, invalid, /limits\.threadHeapBytesMax: .*33554432/],
  [{ limits: { bufferCount: 1 } }, 'RINGLET_OPTION_UNKNOWN', /did you mean `bufferCountMax`/],
  [{ durabilty: 'full' }, 'RINGLET_OPTION_UNKNOWN', /"durabilty", did you mean `durability`/],
  [{ quorum: 2 }, 'RINGLET_OPTION_UNKNOWN', /unknown option "quorum" \(/],
];

for (const [index, [options, code, message]] of bad.entries()) {
  test(`refused, ${index}: ${JSON.stringify(options)}`, (t) => {
    const error = t.throws(() => resolve(options), { code, message });
    t.true(isRingletError(error) && error.definite);
  });
}

test('every limit is a whole number from 1', (t) => {
  for (const name of Object.keys(defaultLimits) as (keyof Limits)[]) {
    for (const value of [0, -1, 1.5, Number.NaN, '1', null, 2 ** 53]) {
      const error = t.throws(() => resolve({ limits: { [name]: value } }), { code: invalid });
      t.true(error?.message.startsWith(`limits.${name}: got `), error?.message);
    }
  }
});

test('the limits for tests are limits', (t) => {
  t.deepEqual(resolve({ limits: testMinLimits }).limits, testMinLimits);
});

test('a request keeps what it does not override', (t) => {
  const defaults = { n: 5, r: 3, w: 4 };
  t.deepEqual(resolveReplication({}, defaults), defaults);
  t.deepEqual(resolveReplication({ r: 1 }, defaults), { n: 5, r: 1, w: 4 });
  t.deepEqual(resolveReplication({ n: 2 }, defaults), { n: 2, r: 2, w: 2 });
  t.deepEqual(resolveReplication({ n: undefined, w: 1 }, defaults), { n: 5, r: 3, w: 1 });
});

test('a deadline is any number above 0 up to an hour', (t) => {
  for (const timeoutMs of [Number.MIN_VALUE, 0.1, 1, 3_600_000]) {
    t.is(checkTimeout('timeoutMs', timeoutMs), timeoutMs);
  }
});

const known = { first: true, second: true } as const;
interface Known {
  readonly first?: unknown;
  readonly second?: unknown;
}

test('options are read once, and only what is their own', (t) => {
  let readCount = 0;
  const options = {
    get first() {
      return ++readCount;
    },
  };
  const own = readOptions<Known>('option', options, known);
  t.deepEqual([own.first, own.first, readCount], [1, 1, 1]);
  t.deepEqual({ ...readOptions<Known>('option', Object.create({ third: 1 }), known) }, {});
  t.notThrows(() => readOptions<Known>('option', Object.create(null), known));
});

const names: readonly [name: string, near: string | null][] = [
  ['durabilty', 'durability'],
  ['DURABILITY', 'durability'],
  ['thread', 'threads'],
  ['sed', 'seed'],
  ['x', null],
  ['', null],
  ['quorum', null],
  ['durability'.repeat(100), null],
];

for (const [name, near] of names) {
  test(`the nearest name to ${show(name)} is ${near}`, (t) => {
    t.is(nearestName(name, ['durability', 'threads', 'seed', 'n']), near);
  });
}

const shown: readonly [value: unknown, text: string][] = [
  ['a\n"b"', '"a\\n\\"b\\""'],
  ['x'.repeat(61), `"${'x'.repeat(60)}…"`],
  [10n ** 100n, `1${'0'.repeat(59)}…`],
  [-0.5, '-0.5'],
  [undefined, 'undefined'],
  [null, 'null'],
  [[1], 'a list'],
  [{ a: 1 }, 'an object'],
  [new Date(0), 'an object ("Date")'],
  [() => 'source', 'a function'],
  [Symbol('description'), 'a symbol'],
];

for (const [value, text] of shown) {
  test(`a message quotes ${text}`, (t) => {
    t.is(show(value), text);
  });
}
