/**
 * Placement: which node owns which of the ring's Q equal partitions (Dynamo §4.2, §4.3, §6.2
 * strategy 3).
 *
 * Invariants:
 * 1. Every partition has an owner, and a node owns partitions in proportion to its weight, rounded
 *    down or up.
 * 2. Any N successive partitions, wrap-around included, belong to N distinct nodes wherever Q and
 *    the nodes allow it; where they do not, as few partitions as possible come too soon after
 *    another one of their owner.
 * 3. The result is a function of the arguments.
 *
 * It works in three steps, each of which leaves what the one before it has established: quotas, a
 * layout in columns that keeps a node's partitions apart, and a shuffle that mixes the neighbours.
 */
import { NODE_COUNT_MAX } from '../address.ts';
import { assert } from '../assert.ts';
import { Prng } from '../prng.ts';

/** Partitions that a ring can have. */
export const PARTITION_COUNT_MAX = 65_536;

/** The largest weight of a node. */
export const WEIGHT_MAX = 1e9;

/** How many partitions a node is to own. */
interface Quota {
  readonly node: number;
  readonly count: number;
}

/**
 * Gives every partition an owner: the index of a node in `weights`.
 *
 * A node owns at most `floor(Q / N)` partitions, as invariant 2 demands; what its weight would give
 * it beyond that goes to the others by their weights. Where that leaves partitions over, all nodes
 * own the same number, give or take one. Nodes of weight 0 own nothing.
 *
 * @param weights One for each node, from 0 to {@link WEIGHT_MAX}, not all 0.
 * @param partitionCount Q, from 1 to {@link PARTITION_COUNT_MAX}.
 * @param replicationFactor N, at least 1. May exceed the number of nodes: then each node comes once
 * in a row of them all.
 */
export function placePartitions(
  weights: readonly number[],
  partitionCount: number,
  replicationFactor: number,
): Uint16Array {
  assert(Number.isInteger(partitionCount), 'number of partitions');
  assert(partitionCount >= 1 && partitionCount <= PARTITION_COUNT_MAX, 'number of partitions');
  assert(Number.isInteger(replicationFactor) && replicationFactor >= 1, 'replication factor');
  assert(weights.length <= NODE_COUNT_MAX, 'number of nodes');
  assert(
    weights.every((weight) => weight >= 0 && weight <= WEIGHT_MAX),
    'weight',
  );
  const nodeCount = weights.filter((weight) => weight > 0).length;
  assert(nodeCount >= 1, 'a ring has a node');

  const distance = Math.min(replicationFactor, nodeCount, partitionCount);
  const quotas = quotasOf(weights, nodeCount, partitionCount, distance);
  const owners = layOut(quotas, partitionCount, distance);
  mixNeighbours(owners, distance);

  const unavoidable = Math.max(
    0,
    partitionCount - nodeCount * Math.floor(partitionCount / distance),
  );
  assert(countCrowded(owners, distance) === unavoidable, 'distance between partitions of a node');
  return owners;
}

/**
 * Partitions that are followed by another one of their owner in fewer than `distance` steps,
 * wrap-around included. With 0, any `distance` successive partitions belong to distinct nodes.
 */
export function countCrowded(owners: Uint16Array, distance: number): number {
  assert(distance >= 1 && distance <= owners.length, 'distance');
  let crowded = 0;
  for (let partition = 0; partition < owners.length; partition++) {
    if (followsWithin(owners, partition, distance)) crowded++;
  }
  return crowded;
}

/**
 * The number of partitions for each node of positive weight, largest first. Their sum is
 * `partitionCount`.
 */
function quotasOf(
  weights: readonly number[],
  nodeCount: number,
  partitionCount: number,
  distance: number,
): Quota[] {
  // Without this many for each, the partitions could not all be owned.
  const even = partitionCount / nodeCount;
  const shareMax = Math.max(Math.floor(partitionCount / distance), even);
  const nodes = weights
    .map((weight, node) => ({ node, weight }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || a.node - b.node);

  /**
   * What the node of a rank and all after it weigh. Summed from the lightest, so that nothing is
   * rounded away.
   */
  const weightFrom = new Float64Array(nodes.length + 1);
  for (let rank = nodes.length - 1; rank >= 0; rank--) {
    weightFrom[rank] = weightFrom[rank + 1]! + nodes[rank]!.weight;
  }
  // Heaviest first: the first node that stays below the cap shows what all that are not above it
  // get for their weight.
  let cappedCount = 0;
  let perWeight = partitionCount / weightFrom[0]!;
  while (cappedCount < nodes.length && nodes[cappedCount]!.weight * perWeight > shareMax) {
    cappedCount++;
    perWeight = (partitionCount - cappedCount * shareMax) / weightFrom[cappedCount]!;
  }
  const shares = nodes.map(({ node, weight }, rank) => {
    const share = rank < cappedCount ? shareMax : weight * perWeight;
    return { node, count: Math.floor(share), remainder: share % 1 };
  });

  // Largest remainder first. The sort is stable, so the heavier node wins a tie.
  const missing = partitionCount - shares.reduce((sum, { count }) => sum + count, 0);
  shares.sort((a, b) => b.remainder - a.remainder);
  return shares
    .map(({ node, count }, rank) => ({ node, count: rank < missing ? count + 1 : count }))
    .sort((a, b) => b.count - a.count || a.node - b.node);
}

/**
 * Cuts the ring into rows, one above the other, as many as the largest quota, and fills them column
 * by column from top to bottom, the largest quota first:
 *
 * ```
 * quotas a 3, b 3, c 2, d 1, e 1      a b c e     ring: a b c e | a b c | a b d
 *                                     a b c
 *                                     a b d
 * ```
 *
 * Rows are at least `distance` wide, so a node that stays in its column keeps its distance. The
 * largest quotas fill whole columns. A node with less may end one column and go on at the top of
 * the next, and stops at least two rows above where it began, again far enough. Wider rows are at
 * the top, so a column that is not in all rows has no gaps.
 *
 * If that needs more partitions per node than `distance` allows, rows hold all nodes and the last
 * one is short: only its nodes come too soon, once each.
 */
function layOut(quotas: readonly Quota[], partitionCount: number, distance: number): Uint16Array {
  const rowCount = quotas[0]!.count;
  const isSpaced = rowCount * distance <= partitionCount;
  const width = isSpaced ? Math.floor(partitionCount / rowCount) : quotas.length;
  const widerCount = isSpaced ? partitionCount % rowCount : 0;

  const owners = new Uint16Array(partitionCount);
  let quotaIndex = 0;
  let countLeft = rowCount;
  for (let column = 0; column < width + Math.min(widerCount, 1); column++) {
    const height = column < width ? rowCount : widerCount;
    for (let row = 0; row < height; row++) {
      const partition = row * width + Math.min(row, widerCount) + column;
      if (partition >= partitionCount) continue;
      while (countLeft === 0) countLeft = quotas[++quotaIndex]!.count;
      owners[partition] = quotas[quotaIndex]!.node;
      countLeft--;
    }
  }
  return owners;
}

/** How often each partition may be exchanged with another one. More has little effect. */
const MIX_ROUNDS = 4;

/**
 * Exchanges the owners of random pairs of partitions where that brings neither too close to its
 * like.
 *
 * After the layout a node always has the same neighbours, which would have to take over all its
 * work when it fails. Afterwards its partitions are followed by all the others (Dynamo §4.2: "the
 * load handled by this node is evenly dispersed across the remaining available nodes").
 */
function mixNeighbours(owners: Uint16Array, distance: number): void {
  const random = new Prng(owners.length);
  for (let round = 0; round < MIX_ROUNDS; round++) {
    for (let partition = 0; partition < owners.length; partition++) {
      exchange(owners, partition, random.int(owners.length), distance);
      // With few nodes only near partitions have room for one another's owner.
      exchange(owners, partition, (partition + 1 + random.int(distance)) % owners.length, distance);
    }
  }
}

function exchange(owners: Uint16Array, a: number, b: number, distance: number): void {
  const owner = owners[a]!;
  owners[a] = owners[b]!;
  owners[b] = owner;
  if (isCrowded(owners, a, distance) || isCrowded(owners, b, distance)) {
    owners[b] = owners[a]!;
    owners[a] = owner;
  }
}

/** Tells whether the partition's owner comes again in fewer than `distance` steps, either way. */
function isCrowded(owners: Uint16Array, partition: number, distance: number): boolean {
  return followsWithin(owners, partition, distance) || precedesWithin(owners, partition, distance);
}

function followsWithin(owners: Uint16Array, partition: number, distance: number): boolean {
  const owner = owners[partition]!;
  for (let step = 1; step < distance; step++) {
    const next = partition + step;
    if (owners[next < owners.length ? next : next - owners.length] === owner) return true;
  }
  return false;
}

function precedesWithin(owners: Uint16Array, partition: number, distance: number): boolean {
  const owner = owners[partition]!;
  for (let step = 1; step < distance; step++) {
    const previous = partition - step;
    if (owners[previous < 0 ? previous + owners.length : previous] === owner) return true;
  }
  return false;
}
