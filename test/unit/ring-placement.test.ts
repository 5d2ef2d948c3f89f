/**
 * Placement of partitions on nodes: the cases that are hard to place, and the paper's claim on
 * failed nodes.
 */
import test from 'ava';
import { countCrowded, placePartitions } from '../../lib/ring/placement.ts';

function equalWeights(count: number): number[] {
  return new Array<number>(count).fill(1);
}

function partitionCounts(owners: Uint16Array, nodeCount: number): number[] {
  const counts = new Array<number>(nodeCount).fill(0);
  for (const owner of owners) counts[owner]!++;
  return counts;
}

/**
 * How many of the node's partitions each other node stands in for, first in line, when it fails.
 */
function standIns(owners: Uint16Array, failed: number, replicationFactor: number): number[] {
  const counts = new Map<number, number>();
  for (let partition = 0; partition < owners.length; partition++) {
    const walk = new Set<number>();
    for (let step = 0; walk.size <= replicationFactor; step++) {
      walk.add(owners[(partition + step) % owners.length]!);
    }
    const [...nodes] = walk;
    const standIn = nodes.pop()!;
    if (nodes.includes(failed)) counts.set(standIn, (counts.get(standIn) ?? 0) + 1);
  }
  return [...counts.values()];
}

interface Case {
  readonly name: string;
  readonly weights: readonly number[];
  readonly partitionCount: number;
  readonly replicationFactor: number;
  /** Partitions by number of nodes that own so many, largest first. */
  readonly counts: readonly number[];
  /** Partitions that cannot but come too soon. */
  readonly crowded?: number;
}

const cases: readonly Case[] = [
  {
    name: '5 nodes, 16 partitions',
    weights: equalWeights(5),
    partitionCount: 16,
    replicationFactor: 3,
    counts: [4, 3, 3, 3, 3],
  },
  {
    name: '4 nodes, 32 partitions',
    weights: equalWeights(4),
    partitionCount: 32,
    replicationFactor: 3,
    counts: [8, 8, 8, 8],
  },
  {
    name: '5 nodes, 32 partitions',
    weights: equalWeights(5),
    partitionCount: 32,
    replicationFactor: 3,
    counts: [7, 7, 6, 6, 6],
  },
  {
    name: 'weights 1:1:2, two copies',
    weights: [1, 1, 2],
    partitionCount: 32,
    replicationFactor: 2,
    counts: [16, 8, 8],
  },
  {
    name: 'weights 1:1:2, three copies: each node has one, whatever it weighs',
    weights: [1, 1, 2],
    partitionCount: 32,
    replicationFactor: 3,
    counts: [11, 11, 10],
    crowded: 2,
  },
  {
    name: 'a giant is capped at a third, the rest go to the others',
    weights: [1, 1, 100, 1, 1, 1],
    partitionCount: 256,
    replicationFactor: 3,
    counts: [85, 35, 34, 34, 34, 34],
  },
  {
    name: 'as many nodes as copies, and they divide the ring',
    weights: equalWeights(4),
    partitionCount: 256,
    replicationFactor: 4,
    counts: [64, 64, 64, 64],
  },
  {
    name: 'as many nodes as copies, and they do not',
    weights: equalWeights(3),
    partitionCount: 256,
    replicationFactor: 3,
    counts: [86, 85, 85],
    crowded: 1,
  },
  {
    name: 'fewer nodes than copies take turns',
    weights: equalWeights(2),
    partitionCount: 16,
    replicationFactor: 3,
    counts: [8, 8],
  },
  {
    name: 'one node',
    weights: [3],
    partitionCount: 8,
    replicationFactor: 3,
    counts: [8],
  },
  {
    name: 'one copy: no cap',
    weights: [1, 7],
    partitionCount: 8,
    replicationFactor: 1,
    counts: [7, 1],
  },
  {
    name: 'more nodes than partitions',
    weights: equalWeights(10),
    partitionCount: 8,
    replicationFactor: 3,
    counts: [1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
  },
  {
    name: 'more copies than partitions',
    weights: equalWeights(16),
    partitionCount: 8,
    replicationFactor: 16,
    counts: [...equalWeights(8), ...new Array<number>(8).fill(0)],
  },
  {
    name: 'a node of weight 0 owns nothing',
    weights: [1, 0, 1, 1],
    partitionCount: 9,
    replicationFactor: 3,
    counts: [3, 3, 3, 0],
  },
  {
    name: 'weights of very different size',
    weights: [1e9, 1e-9, 1e9, 1e-9],
    partitionCount: 64,
    replicationFactor: 2,
    counts: [32, 32, 0, 0],
  },
  {
    name: '300 nodes, 1024 partitions',
    weights: equalWeights(300),
    partitionCount: 1024,
    replicationFactor: 3,
    counts: [...new Array<number>(124).fill(4), ...new Array<number>(176).fill(3)],
  },
  {
    name: '1000 nodes, 1024 partitions',
    weights: equalWeights(1000),
    partitionCount: 1024,
    replicationFactor: 3,
    counts: [...new Array<number>(24).fill(2), ...equalWeights(976)],
  },
  {
    name: '7 nodes, the largest ring, the most copies that leave room',
    weights: equalWeights(7),
    partitionCount: 65_536,
    replicationFactor: 6,
    counts: [9363, 9363, ...new Array<number>(5).fill(9362)],
  },
];

for (const { name, weights, partitionCount, replicationFactor, counts, crowded } of cases) {
  test(name, (t) => {
    const owners = placePartitions(weights, partitionCount, replicationFactor);
    const countsFound = partitionCounts(owners, weights.length);
    t.deepEqual(
      countsFound.toSorted((a, b) => b - a),
      counts,
    );
    const distance = Math.min(
      replicationFactor,
      partitionCount,
      weights.filter((weight) => weight > 0).length,
    );
    t.is(countCrowded(owners, distance), crowded ?? 0);
  });
}

test('among equals the first nodes own more, else the heavier ones', (t) => {
  t.deepEqual(partitionCounts(placePartitions([1, 1, 1], 8, 1), 3), [3, 3, 2]);
  t.deepEqual(partitionCounts(placePartitions([1, 2, 3], 8, 3), 3), [2, 3, 3]);
});

test('partitions are crowded by the next one of their owner, wrap-around included', (t) => {
  t.is(countCrowded(Uint16Array.of(0, 1, 2, 3), 4), 0);
  t.is(countCrowded(Uint16Array.of(0, 1, 2, 0), 2), 1);
  t.is(countCrowded(Uint16Array.of(0, 1, 0, 2, 3), 2), 0);
  t.is(countCrowded(Uint16Array.of(0, 1, 0, 2, 3), 3), 1);
  t.is(countCrowded(Uint16Array.of(0, 0, 0), 2), 3);
  t.is(countCrowded(Uint16Array.of(0, 0, 0), 1), 0);
});

test('the load of a failed node is dispersed across the remaining ones (Dynamo §4.2)', (t) => {
  for (const nodeCount of [4, 5, 6, 12]) {
    const owners = placePartitions(equalWeights(nodeCount), 256, 3);
    for (let failed = 0; failed < nodeCount; failed++) {
      const counts = standIns(owners, failed, 3);
      t.is(counts.length, nodeCount - 1, `all of ${nodeCount} nodes stand in for node ${failed}`);
      const mean = counts.reduce((sum, count) => sum + count) / counts.length;
      t.true(Math.max(...counts) < 2.5 * mean, `nodes ${nodeCount}, failed ${failed}: ${counts}`);
    }
  }
});

test('impossible arguments are refused', (t) => {
  t.throws(() => placePartitions([], 8, 3), { message: 'a ring has a node' });
  t.throws(() => placePartitions([0, 0], 8, 3), { message: 'a ring has a node' });
  t.throws(() => placePartitions([1, -1], 8, 3), { message: 'weight' });
  t.throws(() => placePartitions([1, Number.NaN], 8, 3), { message: 'weight' });
  t.throws(() => placePartitions([Number.POSITIVE_INFINITY], 8, 3), { message: 'weight' });
  t.throws(() => placePartitions(equalWeights(1025), 2048, 3), { message: 'number of nodes' });
  t.throws(() => placePartitions([1], 0, 3), { message: 'number of partitions' });
  t.throws(() => placePartitions([1], 7.5, 3), { message: 'number of partitions' });
  t.throws(() => placePartitions([1], 65_537, 3), { message: 'number of partitions' });
  t.throws(() => placePartitions([1], 8, 0), { message: 'replication factor' });
});
