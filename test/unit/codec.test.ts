/** Value codecs: what comes back, and what is refused when it is written. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { bytes, type Codec, json, string } from '../../lib/codec.ts';
import { type ErrorCode, isRingletError } from '../../lib/errors.ts';

function roundTrip<T>(codec: Codec<T>, value: T): T {
  return codec.decode(codec.encode(value));
}

// --- Bytes -------------------------------------------------------------------------------------------

const plain = Uint8Array.of(1, 2, 3);

test('bytes come back, whatever their buffer is larger by, and as a copy', (t) => {
  t.deepEqual(roundTrip(bytes, plain), plain);
  t.deepEqual(roundTrip(bytes, new Uint8Array()), new Uint8Array());
  t.deepEqual([...roundTrip(bytes, Buffer.from('abcdef').subarray(2, 4))], [...Buffer.from('cd')]);
  const source = Uint8Array.of(7);
  const decoded = bytes.decode(source);
  source[0] = 8;
  t.is(decoded[0], 7);
});

function detached(): Uint8Array {
  const value = new Uint8Array(8);
  structuredClone(value.buffer, { transfer: [value.buffer] });
  return value;
}

const badBytes: Record<string, [value: unknown, code: ErrorCode, message: RegExp]> = {
  detached: [detached(), 'RINGLET_VALUE_BUFFER', /transferred away/],
  resizable: [
    new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }), 0, 4),
    'RINGLET_VALUE_BUFFER',
    /may be resized/,
  ],
  shared: [new Uint8Array(new SharedArrayBuffer(8)), 'RINGLET_VALUE_BUFFER', /shared/],
  'shared and growing': [
    new Uint8Array(new SharedArrayBuffer(8, { maxByteLength: 16 })),
    'RINGLET_VALUE_BUFFER',
    /shared/,
  ],
  text: ['abc', 'RINGLET_VALUE_TYPE', /got string, expected a Uint8Array/],
  null: [null, 'RINGLET_VALUE_TYPE', /got null/],
  'a buffer alone': [new ArrayBuffer(8), 'RINGLET_VALUE_TYPE', /got ArrayBuffer/],
  'larger numbers': [new Float64Array(1), 'RINGLET_VALUE_TYPE', /got Float64Array/],
  'a proxy': [new Proxy(plain, {}), 'RINGLET_VALUE_TYPE', /got Object/],
};

for (const [title, [value, code, message]] of Object.entries(badBytes)) {
  test(`bytes: ${title} is refused`, (t) => {
    const error = t.throws(() => bytes.encode(value as Uint8Array), { code, message });
    t.true(isRingletError(error) && error.definite);
  });
}

// --- Text --------------------------------------------------------------------------------------------

testProp('text comes back', [fc.string({ unit: 'binary' })], (t, value) => {
  t.is(roundTrip(string, value), value);
});

test('text keeps a byte order mark and NUL bytes', (t) => {
  for (const value of ['', '\ufeffa', 'a\0b', 'e\u0301']) t.is(roundTrip(string, value), value);
});

test('text that is none is refused', (t) => {
  t.throws(() => string.encode('\ud800'), {
    code: 'RINGLET_VALUE_TYPE',
    message: /lone surrogate/,
  });
  for (const value of [5, null, new String('x'), Buffer.from('x')]) {
    t.throws(() => string.encode(value as string), { code: 'RINGLET_VALUE_TYPE' });
  }
  t.throws(() => string.decode(Uint8Array.of(0xff)));
});

// --- JSON --------------------------------------------------------------------------------------------

testProp('JSON comes back', [fc.jsonValue({ noUnicodeString: false })], (t, value) => {
  t.deepEqual(roundTrip(json(), value), JSON.parse(JSON.stringify(value)));
});

const kept: Record<string, unknown> = {
  null: null,
  'an empty text': '',
  'a lone surrogate': '\ud800',
  'a great number': Number.MAX_VALUE,
  'lists and objects': [{ a: [] }, {}, [[1]]],
  'an object without a prototype': Object.assign(Object.create(null), { a: 1 }),
};

for (const [title, value] of Object.entries(kept)) {
  test(`JSON keeps ${title}`, (t) => {
    t.is(JSON.stringify(roundTrip(json(), value)), JSON.stringify(value));
  });
}

test('JSON takes the word of toJSON', (t) => {
  const when = new Date(0);
  t.deepEqual(roundTrip(json(), { when }), { when: '1970-01-01T00:00:00.000Z' });
  class Money {
    toJSON(name: string) {
      return { name, cents: 5 };
    }
  }
  t.deepEqual(roundTrip(json(), { price: new Money() }), { price: { name: 'price', cents: 5 } });
});

test('JSON leaves out members that are undefined and the sign of nothing', (t) => {
  t.deepEqual(roundTrip(json(), { a: undefined, b: 1 }), { b: 1 });
  t.is(roundTrip(json(), -0), 0);
});

test('names that mean something to JavaScript are plain data', (t) => {
  const source =
    '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1}';
  const value = roundTrip(json(), JSON.parse(source));
  t.is(JSON.stringify(value), source);
  t.is(Object.getPrototypeOf(value), Object.prototype);
  t.is((value as { polluted?: unknown }).polluted, undefined);
  t.is(({} as { polluted?: unknown }).polluted, undefined);
});

class Cart {
  items = [];
}

const badJson: Record<string, [value: unknown, message: RegExp]> = {
  undefined: [undefined, /^value: undefined has no JSON/],
  'a function': [() => 1, /^value: a function has no JSON/],
  'a function within': [{ a: [{ b: () => 1 }] }, /^value\.a\[0\]\.b: a function/],
  'a symbol': [[Symbol('s')], /^value\[0\]: a symbol/],
  'a bigint': [{ n: 1n }, /^value\.n: a bigint/],
  NaN: [[1, Number.NaN], /^value\[1\]: NaN/],
  Infinity: [Infinity, /^value: Infinity/],
  'undefined in a list': [[undefined], /^value\[0\]: undefined/],
  'a hole in a list': [new Array(2), /^value\[0\]: undefined/],
  'a map': [{ m: new Map() }, /^value\.m: an instance of Map would lose its class/],
  'a set': [new Set(), /an instance of Set/],
  bytes: [new Uint8Array(1), /an instance of Uint8Array/],
  'a class': [new Cart(), /an instance of Cart/],
  'a class without a name': [new (class {})(), /an instance of Object/],
  'a boxed number': [new Number(1), /an instance of Number/],
  'an odd name': [{ 'a b': { 'c\nd': 1n } }, /^value\["a b"\]\["c\\nd"\]: a bigint/],
  'an endless name': [{ ['x'.repeat(10_000)]: 1n }, /^value\["x{40}"\]: a bigint/],
  'toJSON to nothing': [{ a: { toJSON() {} } }, /^value\.a\.toJSON\(\): undefined/],
  'toJSON to a bigint': [{ toJSON: () => 1n }, /^value\.toJSON\(\): a bigint/],
};

for (const [title, [value, message]] of Object.entries(badJson)) {
  test(`JSON: ${title} is refused`, (t) => {
    const error = t.throws(() => json().encode(value), { code: 'RINGLET_VALUE_TYPE', message });
    t.true(isRingletError(error) && error.definite);
  });
}

function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

test('JSON has a greatest depth', (t) => {
  const refusal = { code: 'RINGLET_VALUE_DEPTH' };
  t.deepEqual(roundTrip(json(), nested(64)), nested(64));
  t.throws(() => json().encode(nested(65)), { ...refusal, message: /deeper than 64/ });
  t.throws(() => json().encode(nested(20_000)), refusal);
  t.deepEqual(roundTrip(json({ depthMax: 1 }), [0]), [0]);
  t.throws(() => json({ depthMax: 1 }).encode([[0]]), { ...refusal, message: /^value\[0\]: / });
  t.deepEqual(roundTrip(json({ depthMax: 1000 }), nested(1000)), nested(1000));
});

test('JSON finds circles, and what turns into itself', (t) => {
  const circle: unknown[] = [];
  circle.push({ circle });
  const itself = {
    toJSON() {
      return this;
    },
  };
  for (const value of [circle, itself]) {
    const error = t.throws(() => json().encode(value), { code: 'RINGLET_VALUE_DEPTH' });
    t.true((error?.message.length ?? 0) < 400);
  }
});

test('a depth that is none is refused', (t) => {
  for (const depthMax of [0, -1, 1.5, Number.NaN, 1001, '5', null]) {
    t.throws(() => json({ depthMax: depthMax as number }), { code: 'RINGLET_OPTION_INVALID' });
  }
});
