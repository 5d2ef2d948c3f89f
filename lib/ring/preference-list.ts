/**
 * Preference lists: the nodes that are responsible for a partition, in order (Dynamo §4.3, §4.6).
 *
 * The walk goes clockwise from the partition and takes each node once. Its first N nodes are the
 * primaries, all others are fallbacks, in the order in which they step in.
 *
 * Invariants:
 * 1. A list names a node at most once and begins with the partition's owner.
 * 2. A shorter list is the beginning of a longer one.
 * 3. Lists are frozen and shared.
 */
import { type ActorAddress, nodeAddress, type PartitionId } from '../address.ts';
import { assert } from '../assert.ts';
import type { Ring } from './ring.ts';

/**
 * The first `count` distinct nodes clockwise from the partition. Fewer if fewer own anything.
 *
 * Walks the ring; {@link PreferenceLists} remembers.
 */
export function preferenceList(
  ring: Ring,
  partition: PartitionId,
  count: number,
): readonly ActorAddress[] {
  assert(partition >= 0 && partition < ring.partitionCount, 'partition');
  assert(count >= 0, 'length of a preference list');
  const nodeCountMax = Math.min(count, ring.nodeCount);
  const nodes = new Set<ActorAddress>();
  for (let step = 0; step < ring.partitionCount && nodes.size < nodeCountMax; step++) {
    nodes.add(nodeAddress(ring.owners[(partition + step) % ring.partitionCount]!));
  }
  return Object.freeze([...nodes]);
}

/** Primaries that {@link PreferenceLists} can be asked for. */
export const PRIMARY_COUNT_MAX = 16;

function isPrimaryCount(n: number): boolean {
  return Number.isInteger(n) && n >= 1 && n <= PRIMARY_COUNT_MAX;
}

/**
 * Addresses in remembered fallback lists. When there are more, all are forgotten and computed again
 * as needed.
 */
const FALLBACK_ADDRESS_COUNT_MAX = 1 << 20;

/** The preference lists of one ring, each computed when it is first asked for. */
export class PreferenceLists {
  private readonly ring: Ring;
  /** By N, then by partition. */
  private readonly primaries: (readonly ActorAddress[] | null)[][] = [];
  /** By partition and N: see {@link fallbacks}. A map, because few are ever asked for. */
  private readonly fallbackLists = new Map<number, readonly ActorAddress[]>();
  private fallbackAddressCount = 0;

  constructor(ring: Ring) {
    this.ring = ring;
    for (let n = 0; n <= PRIMARY_COUNT_MAX; n++) this.primaries.push([]);
  }

  /**
   * The primaries of a partition: its first `n` nodes, or as many as there are. @param n From 1 to
   * {@link PRIMARY_COUNT_MAX}.
   */
  of(partition: PartitionId, n: number): readonly ActorAddress[] {
    return this.primaries[n]?.[partition] ?? this.walkPrimaries(partition, n);
  }

  private walkPrimaries(partition: PartitionId, n: number): readonly ActorAddress[] {
    assert(isPrimaryCount(n), 'number of primaries');
    const list = preferenceList(this.ring, partition, n);
    const lists = this.primaries[n]!;
    if (lists.length === 0) {
      for (let index = 0; index < this.ring.partitionCount; index++) lists.push(null);
    }
    lists[partition] = list;
    return list;
  }

  /**
   * The nodes that stand in for the primaries, in the order of the walk: all that are not among the
   * first `n`.
   */
  fallbacks(partition: PartitionId, n: number): readonly ActorAddress[] {
    assert(isPrimaryCount(n), 'number of primaries');
    const id = partition * (PRIMARY_COUNT_MAX + 1) + n;
    return this.fallbackLists.get(id) ?? this.walkFallbacks(partition, n, id);
  }

  private walkFallbacks(partition: PartitionId, n: number, id: number): readonly ActorAddress[] {
    const all = preferenceList(this.ring, partition, this.ring.nodeCount);
    const list = Object.freeze(all.slice(n));
    if (this.fallbackAddressCount + list.length > FALLBACK_ADDRESS_COUNT_MAX) {
      this.fallbackLists.clear();
      this.fallbackAddressCount = 0;
    }
    this.fallbackLists.set(id, list);
    this.fallbackAddressCount += list.length;
    return list;
  }
}
