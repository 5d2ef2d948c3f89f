/** Context tokens: each way in which one can be wrong has its error. */
import test from 'ava';
import { type ActorAddress, nodeAddress } from '../../lib/address.ts';
import { decodeContextToken, encodeContextToken } from '../../lib/clock/context-token.ts';
import { createActorId, type VersionVector } from '../../lib/clock/version-vector.ts';
import { RingletError } from '../../lib/errors.ts';
import { createHashSeed, hashBytes, hashKey } from '../../lib/hash.ts';

const keyHash = hashKey('\x05cartscart:42', createHashSeed(1));
const coordinator = nodeAddress(3);
const vector: VersionVector = [
  { actor: createActorId(0, 123_456_789_012), counter: 17 },
  { actor: createActorId(3, 1), counter: 2 ** 52 },
];
const token = encodeContextToken({ vector, coordinator, keyHash });
const BYTES_MAX = 16 * 1024;

test('a token brings back its vector and coordinator', (t) => {
  t.deepEqual(decodeContextToken(token, keyHash, BYTES_MAX), { vector, coordinator });
  t.regex(token, /^[A-Za-z0-9_-]+$/);
  const last = 0xffff as ActorAddress;
  const empty = encodeContextToken({ vector: [], coordinator: last, keyHash });
  t.deepEqual(decodeContextToken(empty, keyHash, BYTES_MAX), { vector: [], coordinator: last });
});

test('base64url is as Node.js has it', (t) => {
  // Vectors of one to three more bytes make every length modulo three.
  for (const counter of [1, 200, 20_000, 2 ** 21]) {
    const text = encodeContextToken({
      vector: [{ actor: createActorId(0, 5), counter }],
      coordinator,
      keyHash,
    });
    t.is(Buffer.from(text, 'base64url').toString('base64url'), text);
    t.throws(() => decodeContextToken(`${text}A`, keyHash, BYTES_MAX), {
      code: 'RINGLET_CONTEXT_INVALID',
    });
  }
});

test('what is no token is invalid', (t) => {
  const damaged = Buffer.from(token, 'base64url');
  damaged[10]! ^= 1;
  const inputs: readonly unknown[] = [
    undefined,
    null,
    42,
    {},
    vector,
    '',
    'A',
    'AAAA',
    'AAAAAAAA',
    'not a token',
    'ünïcode',
    `${token}=`,
    `${token} `,
    `${token}A`,
    `${token}AAAA`,
    token.slice(0, -1),
    token.slice(4),
    token.toLowerCase(),
    damaged.toString('base64url'),
  ];
  for (const input of inputs) {
    t.throws(() => decodeContextToken(input, keyHash, BYTES_MAX), {
      instanceOf: RingletError,
      code: 'RINGLET_CONTEXT_INVALID',
    });
  }
});

test('a change of any one character is found', (t) => {
  for (let index = 0; index < token.length; index++) {
    const other = token[index] === 'A' ? 'B' : 'A';
    const changed = token.slice(0, index) + other + token.slice(index + 1);
    t.throws(() => decodeContextToken(changed, keyHash, BYTES_MAX), {
      code: 'RINGLET_CONTEXT_INVALID',
    });
  }
});

test('a sound checksum does not make a sound token', (t) => {
  const bytes = Buffer.from(token, 'base64url');
  const otherVersion = Buffer.from(bytes);
  otherVersion[4] = 2;
  for (const [changed, message] of [
    [bytes, null],
    [otherVersion, /version/],
    [Buffer.concat([bytes, Buffer.alloc(1)]), /after the end/],
    [bytes.subarray(0, -1), /cut off/],
  ] as const) {
    changed.writeUInt32LE(hashBytes(changed, 0x746f6b65, 4));
    const decode = () => decodeContextToken(changed.toString('base64url'), keyHash, BYTES_MAX);
    if (message === null) t.notThrows(decode);
    else t.throws(decode, { code: 'RINGLET_CONTEXT_INVALID', message });
  }
});

test('a token of another key, bucket or cluster is a mismatch', (t) => {
  for (const otherHash of [
    hashKey('\x05cartscart:43', createHashSeed(1)),
    hashKey('\x05cardscart:42', createHashSeed(1)),
    hashKey('\x05cartscart:42', createHashSeed(2)),
    { high: keyHash.high, low: keyHash.low ^ 1 },
    { high: keyHash.high ^ 1, low: keyHash.low },
  ]) {
    const error = t.throws(() => decodeContextToken(token, otherHash, BYTES_MAX), {
      instanceOf: RingletError,
      code: 'RINGLET_CONTEXT_MISMATCH',
    });
    t.true((error as RingletError).definite);
  }
});

test('a token over the limit is too large, whatever it holds', (t) => {
  for (const input of [token, 'A'.repeat(token.length), ' '.repeat(token.length)]) {
    t.throws(() => decodeContextToken(input, keyHash, token.length - 1), {
      instanceOf: RingletError,
      code: 'RINGLET_CONTEXT_TOO_LARGE',
    });
  }
  t.notThrows(() => decodeContextToken(token, keyHash, token.length));
});
