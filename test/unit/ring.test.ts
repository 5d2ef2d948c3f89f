/** The ring: which partition a hash belongs to, and how a ring is measured. */
import test from 'ava';
import { createHashSeed, hashKey } from '../../lib/hash.ts';
import {
  createRing,
  partitionOf,
  partitionOfHash,
  type Ring,
  ringBalance,
} from '../../lib/ring/ring.ts';

const hashSeed = createHashSeed(46);

function openRing(weights: readonly number[], partitionCount: number): Ring {
  return createRing({ weights, partitionCount, replicationFactor: 3, hashSeed });
}

test('a new ring is of the first epoch and does not change', (t) => {
  const weights = [1, 1, 2, 1];
  const ring = openRing(weights, 64);
  weights[2] = 5;
  t.is(ring.epoch, 1);
  t.is(ring.partitionCount, 64);
  t.is(ring.nodeCount, 4);
  t.is(ring.owners.length, 64);
  t.deepEqual(ring.weights, [1, 1, 2, 1]);
  t.true(Object.isFrozen(ring) && Object.isFrozen(ring.weights));
});

test('a ring is plain data', (t) => {
  const ring = openRing([1, 1, 2, 1], 64);
  t.deepEqual(structuredClone(ring), ring);
});

test('the number of partitions is a power of two', (t) => {
  for (const partitionCount of [0, 1, 3, 24, 131_072]) {
    t.throws(() => openRing([1, 1, 1], partitionCount), { message: /number of partitions/ });
  }
});

test('the top bits of a hash name its partition', (t) => {
  const rows: readonly [partitionCount: number, hashHigh: number, partition: number][] = [
    [2, 0, 0],
    [2, 0x7fffffff, 0],
    [2, 0x80000000, 1],
    [8, 0xffffffff, 7],
    [256, 0x00ffffff, 0],
    [256, 0x01000000, 1],
    [256, 0xfedcba98, 0xfe],
    [65_536, 0xfedcba98, 0xfedc],
  ];
  for (const [partitionCount, hashHigh, partition] of rows) {
    t.is(partitionOfHash(openRing([1, 1, 1], partitionCount), hashHigh), partition as never);
  }
});

test('a key belongs to the partition of its hash', (t) => {
  const ring = openRing([1, 1, 1], 1024);
  for (const key of ['', 'a', 'cart:536365', '\xff\x00\x80']) {
    t.is(partitionOf(ring, key), partitionOfHash(ring, hashKey(key, hashSeed).high));
  }
});

test('clusters with other seeds spread the same keys otherwise', (t) => {
  const ring = openRing([1, 1, 1], 1024);
  const other = createRing({
    weights: [1, 1, 1],
    partitionCount: 1024,
    replicationFactor: 3,
    hashSeed: createHashSeed(47),
  });
  let sameCount = 0;
  for (let index = 0; index < 1024; index++) {
    if (partitionOf(ring, `key-${index}`) === partitionOf(other, `key-${index}`)) sameCount++;
  }
  t.true(sameCount < 10, `${sameCount} of 1024 keys, 1 expected`);
});

test('balance compares what nodes own with what their weights entitle them to', (t) => {
  t.deepEqual(ringBalance(openRing([1, 1, 1, 1], 64)), {
    partitionCounts: [16, 16, 16, 16],
    maxToMean: 1,
  });
  // Of 64 partitions a fifth is 12.8.
  t.deepEqual(ringBalance(openRing([1, 1, 1, 1, 1], 64)), {
    partitionCounts: [13, 13, 13, 13, 12],
    maxToMean: 13 / 12.8,
  });
  // 1:1:1:5 entitles the lighter nodes to 8, but the last is capped at a third.
  t.deepEqual(ringBalance(openRing([1, 1, 1, 5], 64)), {
    partitionCounts: [15, 14, 14, 21],
    maxToMean: 15 / 8,
  });
  t.deepEqual(ringBalance(openRing([2, 0, 2, 4], 64)).partitionCounts[1], 0);
});
