/** Keys: what is one, which are the same, and how they come back. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { binaryStringOf } from '../../lib/bytes.ts';
import { type ErrorCode, isRingletError } from '../../lib/errors.ts';
import { binaryKey, publicKey } from '../../lib/key.ts';

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const texts = {
  plain: 'cart:42',
  'a NUL byte': 'a\0b',
  'a line feed': 'a\nb',
  'a way up': '../../etc/passwd',
  'a statement': "'; DROP TABLE record; --",
  'a name of an object': '__proto__',
  Latin: 'é',
  'a byte order mark': '\ufeffa',
  'beyond the first plane': '👩‍👩‍👧',
};

for (const [title, text] of Object.entries(texts)) {
  test(`text and its bytes are one key and come back as text: ${title}`, (t) => {
    const binary = binaryKey(text, 1024);
    t.is(binary, binaryStringOf(utf8(text)));
    t.is(binaryKey(utf8(text), 1024), binary);
    t.is(binaryKey(Buffer.from(text), 1024), binary);
    t.is(publicKey(binary), text);
  });
}

test('what looks the same is not the same key: nothing is normalised', (t) => {
  const composed = binaryKey('\u00e9', 1024);
  const decomposed = binaryKey('e\u0301', 1024);
  t.not(composed, decomposed);
  t.is(publicKey(composed), '\u00e9');
  t.is(publicKey(decomposed), 'e\u0301');
});

test('bytes that are no text come back as bytes', (t) => {
  for (const key of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0x61, 0x80]]) {
    const bytes = Uint8Array.from(key);
    t.deepEqual(publicKey(binaryKey(bytes, 1024)), bytes);
  }
});

const atLimit = ['x'.repeat(1024), 'é'.repeat(512), `${'€'.repeat(341)}x`, '😀'.repeat(256)];

for (const key of [...atLimit, ...atLimit.map(utf8)]) {
  test(`the limit counts bytes: ${key.length} of ${typeof key} ${String(key).slice(0, 2)}`, (t) => {
    t.is(binaryKey(key, 1024).length, 1024);
    const error = t.throws(() => binaryKey(key, 1023), { code: 'RINGLET_KEY_TOO_LARGE' });
    t.true(error?.message.includes('max 1023 bytes'));
  });
}

test('bytes are taken as they are when the key is given', (t) => {
  const bytes = utf8('abc');
  const binary = binaryKey(bytes, 1024);
  bytes.fill(0);
  t.is(binary, 'abc');
});

const bad: readonly [key: unknown, code: ErrorCode, message: RegExp][] = [
  ['', 'RINGLET_KEY_EMPTY', /got 0 bytes, expected 1 to 1024/],
  [new Uint8Array(), 'RINGLET_KEY_EMPTY', /got 0 bytes/],
  ['\ud83d', 'RINGLET_KEY_ENCODING', /lone surrogate/],
  ['a\udc00b', 'RINGLET_KEY_ENCODING', /lone surrogate/],
  ['x'.repeat(1025), 'RINGLET_KEY_TOO_LARGE', /got 1025 characters, max 1024 bytes/],
  ['é'.repeat(513), 'RINGLET_KEY_TOO_LARGE', /got 1026 bytes, max 1024 bytes/],
  [new Uint8Array(1025), 'RINGLET_KEY_TOO_LARGE', /got 1025 bytes, max 1024 bytes/],
  [undefined, 'RINGLET_KEY_TYPE', /got undefined, expected a string or a Uint8Array/],
  [null, 'RINGLET_KEY_TYPE', /got null/],
  [42, 'RINGLET_KEY_TYPE', /got number/],
  [['cart'], 'RINGLET_KEY_TYPE', /got Array/],
  [new ArrayBuffer(2), 'RINGLET_KEY_TYPE', /got ArrayBuffer/],
  [new Uint8ClampedArray(2), 'RINGLET_KEY_TYPE', /got Uint8ClampedArray/],
  [new DataView(new ArrayBuffer(2)), 'RINGLET_KEY_TYPE', /got DataView/],
  [Object.create(Uint8Array.prototype), 'RINGLET_KEY_TYPE', /got Object/],
  [new Proxy(new Uint8Array(2), {}), 'RINGLET_KEY_TYPE', /got Object/],
];

for (const [index, [key, code, message]] of bad.entries()) {
  test(`no key, ${index}: ${code} ${message.source}`, (t) => {
    const error = t.throws(() => binaryKey(key, 1024), { code, message });
    t.true(isRingletError(error) && error.definite);
  });
}

testProp(
  'any text comes back as it was given',
  [fc.string({ unit: 'binary', minLength: 1 })],
  (t, key) => {
    t.is(publicKey(binaryKey(key, 65_536)), key);
  },
);

testProp(
  'any bytes come back, as text exactly if they are text',
  [fc.uint8Array({ minLength: 1 })],
  (t, key) => {
    const back = publicKey(binaryKey(key, 65_536));
    t.deepEqual(typeof back === 'string' ? utf8(back) : back, key);
    t.is(typeof back === 'string', Buffer.from(Buffer.from(key).toString()).equals(key));
  },
);
