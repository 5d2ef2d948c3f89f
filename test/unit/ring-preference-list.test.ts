/** Preference lists: the walk on rings small enough to read, and the table that remembers it. */
import test from 'ava';
import type { PartitionId } from '../../lib/address.ts';
import {
  PRIMARY_COUNT_MAX,
  PreferenceLists,
  preferenceList,
} from '../../lib/ring/preference-list.ts';
import { createRing, type Ring } from '../../lib/ring/ring.ts';

/** A ring with the owners as given. */
function ringOf(owners: readonly number[], nodeCount = Math.max(...owners) + 1): Ring {
  return {
    epoch: 1,
    partitionCount: owners.length,
    nodeCount,
    weights: new Array<number>(nodeCount).fill(1),
    owners: Uint16Array.from(owners),
    hashSeed: { high: 1, low: 2 },
  };
}

function listOf(ring: Ring, partition: number, count: number): readonly number[] {
  return preferenceList(ring, partition as PartitionId, count);
}

test('the walk goes clockwise, wraps around and takes each node once', (t) => {
  const ring = ringOf([0, 1, 2, 3, 0, 2, 1, 3]);
  t.deepEqual(listOf(ring, 0, 3), [0, 1, 2]);
  t.deepEqual(listOf(ring, 3, 3), [3, 0, 2]);
  t.deepEqual(listOf(ring, 7, 3), [3, 0, 1]);
  t.deepEqual(listOf(ring, 7, 4), [3, 0, 1, 2]);
  const crowded = ringOf([0, 0, 1, 1, 0, 0, 2, 2]);
  t.deepEqual(listOf(crowded, 0, 2), [0, 1]);
  t.deepEqual(listOf(crowded, 2, 3), [1, 0, 2]);
  t.deepEqual(listOf(crowded, 7, 3), [2, 0, 1]);
});

test('a list is as long as there are nodes that own something', (t) => {
  t.deepEqual(listOf(ringOf([0, 0]), 1, 3), [0]);
  t.deepEqual(listOf(ringOf([0, 1, 0, 1]), 1, 3), [1, 0]);
  t.deepEqual(listOf(ringOf([0, 2, 0, 2], 4), 1, 4), [2, 0]);
  t.deepEqual(listOf(ringOf([0, 1]), 0, 0), []);
});

test('impossible arguments are refused', (t) => {
  const ring = ringOf([0, 1, 2, 3]);
  const lists = new PreferenceLists(ring);
  t.throws(() => listOf(ring, 4, 3), { message: 'partition' });
  t.throws(() => listOf(ring, -1, 3), { message: 'partition' });
  for (const n of [0, -1, 1.5, PRIMARY_COUNT_MAX + 1]) {
    t.throws(() => lists.of(1 as PartitionId, n), { message: 'number of primaries' });
    t.throws(() => lists.fallbacks(1 as PartitionId, n), { message: 'number of primaries' });
  }
  t.throws(() => lists.of(4 as PartitionId, 3), { message: 'partition' });
  t.throws(() => lists.fallbacks(4 as PartitionId, 3), { message: 'partition' });
});

test('the table remembers lists, frozen', (t) => {
  const ring = ringOf([0, 1, 2, 3, 0, 2, 1, 3]);
  const lists = new PreferenceLists(ring);
  const partition = 4 as PartitionId;
  const primaries = lists.of(partition, 3);
  const fallbacks = lists.fallbacks(partition, 3);
  t.deepEqual(primaries, [0, 2, 1] as never);
  t.deepEqual(fallbacks, [3] as never);
  t.true(Object.isFrozen(primaries) && Object.isFrozen(fallbacks));
  t.is(lists.of(partition, 3), primaries);
  t.is(lists.fallbacks(partition, 3), fallbacks);
  t.deepEqual(lists.of(partition, 1), [0] as never);
  t.deepEqual(lists.fallbacks(partition, 1), [2, 1, 3] as never);
  t.deepEqual(lists.of(partition, 16), [0, 2, 1, 3] as never);
  t.deepEqual(lists.fallbacks(partition, 16), []);
});

test('the table forgets fallbacks when it holds too many, and finds them again', (t) => {
  const ring = createRing({
    weights: new Array<number>(1000).fill(1),
    partitionCount: 2048,
    replicationFactor: 3,
    hashSeed: { high: 1, low: 2 },
  });
  const lists = new PreferenceLists(ring);
  const first = lists.fallbacks(0 as PartitionId, 3);
  t.is(first.length, 997);
  for (let partition = 1; partition < 1100; partition++) {
    lists.fallbacks(partition as PartitionId, 3);
  }
  const again = lists.fallbacks(0 as PartitionId, 3);
  t.not(again, first);
  t.deepEqual(again, first);
});
