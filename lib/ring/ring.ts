/**
 * The ring: Q equal partitions of the hash space, each owned by one node (Dynamo §4.2, §6.2
 * strategy 3).
 *
 * Invariants:
 * 1. A ring never changes; another placement is another ring of a higher epoch.
 * 2. Every 64-bit hash belongs to exactly one partition, which the top bits of its high half name.
 */
import type { PartitionId } from '../address.ts';
import { assert } from '../assert.ts';
import { type HashSeed, hashKeyHigh } from '../hash.ts';
import { PARTITION_COUNT_MAX, placePartitions } from './placement.ts';

/** Who owns what. Plain data: it may be sent to another thread. */
export interface Ring {
  /** Counts the placements of a cluster, from 1. */
  readonly epoch: number;
  /** Q, a power of two. */
  readonly partitionCount: number;
  readonly nodeCount: number;
  /** One for each node, by its index. */
  readonly weights: readonly number[];
  /** The index of the node that owns each partition. */
  readonly owners: Uint16Array;
  readonly hashSeed: HashSeed;
}

/** What a ring is made from. */
export interface RingOptions {
  /** One for each node: see {@link placePartitions}. */
  readonly weights: readonly number[];
  /** Q, a power of two from 2 to {@link PARTITION_COUNT_MAX}. */
  readonly partitionCount: number;
  /** Successive partitions that are to lie on distinct nodes. */
  readonly replicationFactor: number;
  readonly hashSeed: HashSeed;
}

/** Places the partitions of a new cluster. */
export function createRing(options: RingOptions): Ring {
  const { weights, partitionCount, replicationFactor, hashSeed } = options;
  assert(partitionCount >= 2 && partitionCount <= PARTITION_COUNT_MAX, 'number of partitions');
  assert((partitionCount & (partitionCount - 1)) === 0, 'number of partitions is a power of two');
  return Object.freeze({
    epoch: 1,
    partitionCount,
    nodeCount: weights.length,
    weights: Object.freeze([...weights]),
    owners: placePartitions(weights, partitionCount, replicationFactor),
    hashSeed,
  });
}

/** The partition of a key whose hash has this high half: its top log2(Q) bits. */
export function partitionOfHash(ring: Ring, hashHigh: number): PartitionId {
  return (hashHigh >>> (Math.clz32(ring.partitionCount) + 1)) as PartitionId;
}

/** The partition of a key, given as a binary string. Called once per request. */
export function partitionOf(ring: Ring, key: string): PartitionId {
  return partitionOfHash(ring, hashKeyHigh(key, ring.hashSeed));
}

/** How evenly a ring is spread over its nodes. */
export interface RingBalance {
  /** Partitions of each node. */
  readonly partitionCounts: readonly number[];
  /** The largest ratio of what a node owns to what its weight entitles it to: 1 is perfect. */
  readonly maxToMean: number;
}

/**
 * Measures a ring. With equal weights `maxToMean` is the largest number of partitions over the mean
 * one.
 */
export function ringBalance(ring: Ring): RingBalance {
  const partitionCounts = new Array<number>(ring.nodeCount).fill(0);
  for (const owner of ring.owners) partitionCounts[owner]!++;
  const weightSum = ring.weights.reduce((sum, weight) => sum + weight, 0);
  let maxToMean = 0;
  for (const [node, weight] of ring.weights.entries()) {
    if (weight === 0) continue;
    const share = (ring.partitionCount * weight) / weightSum;
    maxToMean = Math.max(maxToMean, partitionCounts[node]! / share);
  }
  return { partitionCounts, maxToMean };
}
