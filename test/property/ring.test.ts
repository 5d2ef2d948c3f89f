/**
 * The ring against naive versions of itself: placement, walk, spread of keys, hashes of bytes and
 * strings.
 */
import test from 'ava';
import fc from 'fast-check';
import type { PartitionId } from '../../lib/address.ts';
import { bytesOfBinaryString } from '../../lib/bytes.ts';
import { createHashSeed, hashBytes, hashKey, hashKeyHigh, hashString } from '../../lib/hash.ts';
import { countCrowded, placePartitions } from '../../lib/ring/placement.ts';
import { PreferenceLists, preferenceList } from '../../lib/ring/preference-list.ts';
import { createRing, partitionOf, type Ring, ringBalance } from '../../lib/ring/ring.ts';

const weight = fc.oneof(
  fc.constant(1),
  fc.integer({ min: 1, max: 8 }),
  fc.double({ min: 0.01, max: 100, noNaN: true }),
);

const placement = fc.record({
  weights: fc.array(weight, { minLength: 1, maxLength: 40 }),
  partitionCount: fc.oneof(
    fc.integer({ min: 1, max: 300 }),
    fc.constantFrom(8, 16, 32, 64, 128, 256, 1024),
  ),
  replicationFactor: fc.integer({ min: 1, max: 16 }),
});

const ring: fc.Arbitrary<Ring> = fc
  .record({
    weights: fc.array(fc.oneof(weight, fc.constant(0)), { minLength: 1, maxLength: 40 }),
    partitionCount: fc.constantFrom(2, 8, 32, 256),
    replicationFactor: fc.integer({ min: 1, max: 16 }),
    seed: fc.nat(),
  })
  .filter(({ weights }) => weights.some((value) => value > 0))
  .map(({ seed, ...options }) => createRing({ ...options, hashSeed: createHashSeed(seed) }));

const binaryString = fc.uint8Array({ maxLength: 40 }).map((bytes) => String.fromCharCode(...bytes));

/** Windows of `size` successive partitions that hold a node twice. */
function naiveCrowdedWindowCount(owners: Uint16Array, size: number): number {
  let count = 0;
  for (let start = 0; start < owners.length; start++) {
    const nodes = new Set<number>();
    for (let step = 0; step < size; step++) nodes.add(owners[(start + step) % owners.length]!);
    if (nodes.size < size) count++;
  }
  return count;
}

/**
 * The exact shares: cap the nodes above the cap, give what is left to the others, until none is
 * above.
 */
function naiveShares(
  weights: readonly number[],
  partitionCount: number,
  shareMax: number,
): number[] {
  const capped = new Set<number>();
  for (;;) {
    const weightFree = weights.reduce(
      (sum, value, node) => sum + (capped.has(node) ? 0 : value),
      0,
    );
    const partitionsFree = partitionCount - capped.size * shareMax;
    const shares = weights.map((value, node) =>
      capped.has(node) ? shareMax : (partitionsFree * value) / weightFree,
    );
    const above = shares.findIndex((share, node) => !capped.has(node) && share > shareMax + 1e-9);
    if (above === -1) return shares;
    capped.add(above);
  }
}

test('every node owns its capped share, rounded', (t) => {
  fc.assert(
    fc.property(placement, ({ weights, partitionCount, replicationFactor }) => {
      const owners = placePartitions(weights, partitionCount, replicationFactor);
      const distance = Math.min(replicationFactor, weights.length, partitionCount);
      const shareMax = Math.max(
        Math.floor(partitionCount / distance),
        partitionCount / weights.length,
      );
      const counts = new Array<number>(weights.length).fill(0);
      for (const owner of owners) counts[owner]!++;
      return (
        owners.length === partitionCount &&
        counts.length === weights.length &&
        naiveShares(weights, partitionCount, shareMax).every(
          (share, node) => Math.abs(counts[node]! - share) < 1 + 1e-6,
        )
      );
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('successive partitions lie on distinct nodes wherever the numbers allow it', (t) => {
  let possibleCount = 0;
  fc.assert(
    fc.property(placement, ({ weights, partitionCount, replicationFactor }) => {
      const owners = placePartitions(weights, partitionCount, replicationFactor);
      const distance = Math.min(replicationFactor, weights.length, partitionCount);
      const isPossible = weights.length * Math.floor(partitionCount / distance) >= partitionCount;
      if (!isPossible) return naiveCrowdedWindowCount(owners, distance) > 0;
      possibleCount++;
      return naiveCrowdedWindowCount(owners, distance) === 0;
    }),
    { numRuns: 500 },
  );
  t.true(possibleCount > 100);
});

test('crowded partitions are counted as naive windows find them', (t) => {
  const owners = fc.array(fc.nat(6), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(owners, fc.integer({ min: 1, max: 8 }), (list, wanted) => {
      const ownersOf = Uint16Array.from(list);
      const distance = Math.min(wanted, list.length);
      const isFree = naiveCrowdedWindowCount(ownersOf, distance) === 0;
      return isFree === (countCrowded(ownersOf, distance) === 0);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('no placement whatsoever crowds fewer partitions', (t) => {
  for (let nodeCount = 1; nodeCount <= 4; nodeCount++) {
    for (let partitionCount = 1; partitionCount <= 7; partitionCount++) {
      for (let replicationFactor = 1; replicationFactor <= 4; replicationFactor++) {
        const distance = Math.min(nodeCount, partitionCount, replicationFactor);
        const weights = [1, 5, 1, 2].slice(0, nodeCount);
        const owners = placePartitions(weights, partitionCount, replicationFactor);
        t.is(
          countCrowded(owners, distance),
          crowdedCountMin(nodeCount, partitionCount, distance),
          `nodes ${nodeCount}, partitions ${partitionCount}, copies ${replicationFactor}`,
        );
      }
    }
  }
});

/** Tries all placements. */
function crowdedCountMin(nodeCount: number, partitionCount: number, distance: number): number {
  const owners = new Uint16Array(partitionCount);
  let min = partitionCount;
  for (let index = 0; index < nodeCount ** partitionCount; index++) {
    for (let partition = 0, rest = index; partition < partitionCount; partition++) {
      owners[partition] = rest % nodeCount;
      rest = Math.floor(rest / nodeCount);
    }
    min = Math.min(min, countCrowded(owners, distance));
  }
  return min;
}

test('placement is a function of its arguments', (t) => {
  fc.assert(
    fc.property(placement, ({ weights, partitionCount, replicationFactor }) => {
      const first = placePartitions(weights, partitionCount, replicationFactor);
      const second = placePartitions([...weights], partitionCount, replicationFactor);
      return first.every((owner, partition) => owner === second[partition]);
    }),
  );
  t.pass();
});

test('balance counts every partition once', (t) => {
  fc.assert(
    fc.property(ring, (value) => {
      const { partitionCounts, maxToMean } = ringBalance(value);
      const sum = partitionCounts.reduce((total, count) => total + count, 0);
      return sum === value.partitionCount && maxToMean >= 1 - 1e-9;
    }),
  );
  t.pass();
});

/** Owners from the partition on, all around the ring, without those that came before. */
function naiveWalk(value: Ring, partition: number): number[] {
  const around = [...value.owners.slice(partition), ...value.owners.slice(0, partition)];
  return around.filter((owner, index) => around.indexOf(owner) === index);
}

test('the preference list is the naive walk, cut off', (t) => {
  fc.assert(
    fc.property(ring, fc.nat(), fc.nat(50), (value, anywhere, count) => {
      const partition = (anywhere % value.partitionCount) as PartitionId;
      const list: readonly number[] = preferenceList(value, partition, count);
      t.deepEqual(list, naiveWalk(value, partition).slice(0, count));
    }),
    { numRuns: 300 },
  );
});

test('primaries and fallbacks together are the whole walk, in whatever order they are asked for', (t) => {
  const questions = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 16 }), fc.boolean()), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(ring, questions, (value, asked) => {
      const lists = new PreferenceLists(value);
      for (const [anywhere, n, isFallback] of asked) {
        const partition = (anywhere % value.partitionCount) as PartitionId;
        const walk = naiveWalk(value, partition);
        const list: readonly number[] = isFallback
          ? lists.fallbacks(partition, n)
          : lists.of(partition, n);
        t.deepEqual(list, isFallback ? walk.slice(n) : walk.slice(0, n));
      }
    }),
  );
});

test('the primaries of a well-spaced ring are the owners of successive partitions', (t) => {
  const value = createRing({
    weights: [1, 3, 1, 2, 1, 1],
    partitionCount: 256,
    replicationFactor: 3,
    hashSeed: createHashSeed(1),
  });
  for (let partition = 0; partition < 256; partition++) {
    const list: readonly number[] = preferenceList(value, partition as PartitionId, 3);
    t.deepEqual(
      list,
      [0, 1, 2].map((step) => value.owners[(partition + step) % 256]!),
    );
  }
});

test('hashed keys fill the partitions evenly', (t) => {
  // Chi-square over 255 degrees of freedom: mean 255, deviation 22.6. 400 is exceeded once in 10^8
  // trials.
  const keysPerPartition = 40;
  fc.assert(
    fc.property(fc.nat(), fc.string({ unit: 'binary-ascii', maxLength: 12 }), (seed, prefix) => {
      const value = createRing({
        weights: [1, 1, 1, 1],
        partitionCount: 256,
        replicationFactor: 3,
        hashSeed: createHashSeed(seed),
      });
      const counts = new Uint32Array(256);
      for (let index = 0; index < 256 * keysPerPartition; index++) {
        counts[partitionOf(value, prefix + index)]!++;
      }
      const chiSquare = counts.reduce(
        (sum, count) => sum + (count - keysPerPartition) ** 2 / keysPerPartition,
        0,
      );
      t.true(chiSquare < 400, `chi-square ${chiSquare}`);
    }),
    { numRuns: 50 },
  );
});

test('bytes and binary strings hash alike, wherever the bytes lie', (t) => {
  const offset = fc.integer({ min: 0, max: 5 });
  fc.assert(
    fc.property(binaryString, fc.nat(0xffffffff), offset, (text, seed, before) => {
      const hash = hashString(text, seed);
      const around = bytesOfBinaryString(`${'x'.repeat(before)}${text}yz`);
      return (
        hashBytes(bytesOfBinaryString(text), seed) === hash &&
        hashBytes(around, seed, before, before + text.length) === hash &&
        Number.isInteger(hash) &&
        hash >= 0 &&
        hash < 2 ** 32
      );
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test('the high half is the same with and without the low one', (t) => {
  fc.assert(
    fc.property(binaryString, fc.nat(), (text, number) => {
      const seed = createHashSeed(number);
      const { high, low } = hashKey(text, seed);
      return high === hashKeyHigh(text, seed) && high >= 0 && low >= 0 && low < 2 ** 32;
    }),
    { numRuns: 1000 },
  );
  t.pass();
});
