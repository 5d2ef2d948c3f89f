/**
 * Hash functions: published vectors of MurmurHash3, and how good the two halves of a key hash are.
 */
import test from 'ava';
import { bytesOfBinaryString } from '../../lib/bytes.ts';
import { createHashSeed, hashBytes, hashKey, hashKeyHigh, hashString } from '../../lib/hash.ts';

const KEY_COUNT = 200_000;

test('MurmurHash3 gives its published values', (t) => {
  const vectors: readonly [text: string, seed: number, hash: number][] = [
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['\0', 0, 0x514e28b7],
    ['\0\0', 0, 0x30f4c306],
    ['\0\0\0', 0, 0x85f0b427],
    ['\0\0\0\0', 0, 0x2362f9de],
    ['!', 0, 0x72661cf4],
    ['!C', 0, 0xa0f7b07a],
    ['!Ce', 0, 0x7e4a8634],
    ['!Ce\x87', 0, 0xf55b516b],
    ['!Ce\x87', 0x5082edee, 0x2362f9de],
    ['\xff\xff\xff\xff', 0, 0x76293b50],
    ['hello', 0, 0x248bfa47],
    ['hello, world', 0, 0x149bbb7f],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ];
  for (const [text, seed, hash] of vectors) {
    t.is(hashString(text, seed), hash, JSON.stringify(text));
    t.is(hashBytes(bytesOfBinaryString(text), seed), hash, JSON.stringify(text));
  }
});

/** Ways to make keys that differ in little. */
const keyFamilies: Record<string, (index: number) => string> = {
  'numbered names': (index) => `user${index}`,
  'names of one length': (index) => `\x05cartscart:${String(index).padStart(8, '0')}`,
  'four bytes': (index) => littleEndian(index),
  'two letters': (index) => index.toString(2).padStart(18, '0'),
  'first and last byte of two blocks': (index) =>
    littleEndian(((index & 0x1ff) << 23) | 1) + littleEndian(index >>> 9),
};

function littleEndian(value: number): string {
  return String.fromCharCode(
    value & 0xff,
    (value >>> 8) & 0xff,
    (value >>> 16) & 0xff,
    value >>> 24,
  );
}

/**
 * How many of the values occur again. Of 200,000 random ones 4.7 do; 25 or more once in 10^10
 * trials.
 */
function collisionCount(values: Uint32Array): number {
  return values.length - new Set(values).size;
}

const REPEATS_MAX = 25;

/**
 * The largest number of standard deviations by which any bit of `high` agrees with any bit of `low`
 * more or less than half the time.
 */
function bitCorrelationMax(highs: Uint32Array, lows: Uint32Array): number {
  const agreements = new Int32Array(32 * 32);
  for (let key = 0; key < highs.length; key++) {
    for (let bit = 0; bit < 32; bit++) {
      const isSet = (highs[key]! >>> bit) & 1;
      let agreeing = isSet === 1 ? lows[key]! : ~lows[key]!;
      for (let other = 0; other < 32; other++, agreeing >>>= 1) {
        agreements[bit * 32 + other]! += agreeing & 1;
      }
    }
  }
  let deviationMax = 0;
  for (const count of agreements) {
    deviationMax = Math.max(deviationMax, Math.abs(count - highs.length / 2));
  }
  return deviationMax / Math.sqrt(highs.length / 4);
}

/**
 * By how many standard deviations chi-square exceeds its mean, for buckets that should be equally
 * full.
 */
function chiSquareExcess(buckets: Uint32Array): number {
  const expected = buckets.reduce((sum, count) => sum + count, 0) / buckets.length;
  let chiSquare = 0;
  for (const count of buckets) chiSquare += (count - expected) ** 2 / expected;
  const freedom = buckets.length - 1;
  return (chiSquare - freedom) / Math.sqrt(2 * freedom);
}

for (const [name, keyOf] of Object.entries(keyFamilies)) {
  test(`the halves of a key hash are good and independent: ${name}`, (t) => {
    const seed = createHashSeed(20);
    const highs = new Uint32Array(KEY_COUNT);
    const lows = new Uint32Array(KEY_COUNT);
    const tops = new Uint32Array(KEY_COUNT);
    const bottoms = new Uint32Array(KEY_COUNT);
    const byHigh = new Uint32Array(1024);
    const byBoth = new Uint32Array(1024);
    for (let index = 0; index < KEY_COUNT; index++) {
      const { high, low } = hashKey(keyOf(index), seed);
      highs[index] = high;
      lows[index] = low;
      // Half of the bits of each: these collide if the halves depend on each other.
      tops[index] = (high & 0xffff0000) | (low >>> 16);
      bottoms[index] = (high << 16) | (low & 0xffff);
      byHigh[high >>> 22]!++;
      byBoth[((high >>> 27) << 5) | (low >>> 27)]!++;
    }
    for (const values of [highs, lows, tops, bottoms]) {
      t.true(collisionCount(values) < REPEATS_MAX, `${collisionCount(values)} collisions`);
    }
    const correlation = bitCorrelationMax(highs.subarray(0, 30_000), lows);
    t.true(correlation < 6, `${correlation} deviations`);
    t.true(chiSquareExcess(byHigh) < 5, `partitions: ${chiSquareExcess(byHigh)}`);
    t.true(chiSquareExcess(byBoth) < 5, `both halves: ${chiSquareExcess(byBoth)}`);
  });
}

test('one bit of a key changes about half of the bits of either half', (t) => {
  const seed = createHashSeed(3);
  const changes = { high: 0, low: 0 };
  let trialCount = 0;
  for (let index = 0; index < 500; index++) {
    const key = `cart:${index}`;
    const before = hashKey(key, seed);
    for (let bit = 0; bit < key.length * 8; bit++) {
      const bytes = bytesOfBinaryString(key);
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
      const after = hashKey(String.fromCharCode(...bytes), seed);
      changes.high += bitCount(before.high ^ after.high);
      changes.low += bitCount(before.low ^ after.low);
      trialCount++;
    }
  }
  t.true(Math.abs(changes.high / trialCount - 16) < 0.2, `high: ${changes.high / trialCount}`);
  t.true(Math.abs(changes.low / trialCount - 16) < 0.2, `low: ${changes.low / trialCount}`);
});

function bitCount(value: number): number {
  let count = 0;
  for (let rest = value; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** The inverse of what MurmurHash3 does to a block before it takes it in. */
function blockThatMixesTo(mixed: number): string {
  const rotated = Math.imul(mixed, 0x56ed309b);
  return littleEndian(Math.imul((rotated >>> 15) | (rotated << 17), 0xdee13bb1));
}

test('keys that collide under every seed of MurmurHash3 do not share a partition', (t) => {
  // Bit 18 of a mixed block becomes the top bit of the state, where the next block's top bit undoes
  // it.
  const keys: string[] = [];
  for (let choice = 0; choice < 256; choice++) {
    let key = '';
    for (let pair = 0; pair < 8; pair++) {
      const isFlipped = (choice >>> pair) & 1;
      key += blockThatMixesTo(0x1234567 ^ (isFlipped << 18));
      key += blockThatMixesTo(0x7654321 ^ (isFlipped << 31));
    }
    keys.push(key);
  }
  for (const number of [1, 2, 3]) {
    const seed = createHashSeed(number);
    t.is(new Set(keys.map((key) => hashString(key, number))).size, 1);
    const partitions = new Set(keys.map((key) => hashKeyHigh(key, seed) >>> 24));
    t.true(partitions.size > 128, `256 keys on ${partitions.size} of 256 partitions`);
  }
});

test('seeds give unrelated hashes', (t) => {
  const highs = new Set<number>();
  const lows = new Set<number>();
  for (let seed = 0; seed < 1000; seed++) {
    const { high, low } = hashKey('cart:42', createHashSeed(seed));
    highs.add(high);
    lows.add(low);
    t.not(high, low);
  }
  t.true(highs.size >= 999 && lows.size >= 999);
});
