/**
 * Records in memory, by partition and key: the object buffer of the paper's storage component (Dynamo §6.1).
 * The in-memory store is made of two of these; the SQLite store keeps here what it has journaled but not yet written to
 * its place.
 *
 * Invariant: a key that is in stays in, so a sorted list of keys is current exactly while it is as long as its map.
 */
import type { PartitionId, RecordKey } from '../address.ts';
import type { StoreEntry } from './contract.ts';

interface BufferedPartition {
  readonly records: Map<RecordKey, Uint8Array>;
  /** The keys in order, as far as they were asked for: see the invariant above. */
  sortedKeys: readonly RecordKey[];
}

/** The newest record of each key that was put. Not bounded by itself: its owner watches `count` and `bytes`. */
export class ObjectBuffer {
  /** Keys held. */
  count = 0;
  /** Bytes of the keys and records held. */
  bytes = 0;
  private readonly partitions = new Map<PartitionId, BufferedPartition>();

  get(partition: PartitionId, key: RecordKey): Uint8Array | null {
    return this.partitions.get(partition)?.records.get(key) ?? null;
  }

  /** Keeps `record`, which must not change afterwards. */
  put(partition: PartitionId, key: RecordKey, record: Uint8Array): void {
    let buffered = this.partitions.get(partition);
    if (buffered === undefined) {
      buffered = { records: new Map(), sortedKeys: [] };
      this.partitions.set(partition, buffered);
    }
    const previous = buffered.records.get(key);
    buffered.records.set(key, record);
    if (previous === undefined) {
      this.count++;
      this.bytes += key.length + record.length;
    } else {
      this.bytes += record.length - previous.length;
    }
  }

  /** Partitions with records, in order. */
  partitionIds(): PartitionId[] {
    return [...this.partitions.keys()].sort((a, b) => a - b);
  }

  /** The keys of one partition, in order. */
  sortedKeys(partition: PartitionId): readonly RecordKey[] {
    const buffered = this.partitions.get(partition);
    if (buffered === undefined) return [];
    if (buffered.sortedKeys.length !== buffered.records.size) {
      // The default order compares UTF-16 code units, which are bytes in a binary string.
      buffered.sortedKeys = [...buffered.records.keys()].sort();
    }
    return buffered.sortedKeys;
  }

  /** Records of one partition in key order, after `after` (`null`: from the first), at most `countMax`. */
  entries(partition: PartitionId, after: RecordKey | null, countMax: number): StoreEntry[] {
    const keys = this.sortedKeys(partition);
    const start = after === null ? 0 : upperBound(keys, after);
    return keys
      .slice(start, start + countMax)
      .map((key) => ({ key, record: this.get(partition, key)! }));
  }

  /** Puts everything that `newer` holds. */
  putAll(newer: ObjectBuffer): void {
    for (const [partition, { records }] of newer.partitions) {
      for (const [key, record] of records) this.put(partition, key, record);
    }
  }
}

/** The index of the first key greater than `key`. @param keys In order. */
export function upperBound(keys: readonly RecordKey[], key: RecordKey): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Merges sorted layers into the first `countMax` entries. Where layers hold the same key the first layer wins, so the
 * newest comes first.
 */
export function mergeEntries(
  layers: readonly (readonly StoreEntry[])[],
  countMax: number,
): StoreEntry[] {
  const positions = layers.map(() => 0);
  const merged: StoreEntry[] = [];
  while (merged.length < countMax) {
    let next: StoreEntry | null = null;
    for (let layer = 0; layer < layers.length; layer++) {
      const entry = layers[layer]![positions[layer]!];
      if (entry !== undefined && (next === null || entry.key < next.key)) next = entry;
    }
    if (next === null) break;
    merged.push(next);
    for (let layer = 0; layer < layers.length; layer++) {
      if (layers[layer]![positions[layer]!]?.key === next.key) positions[layer]!++;
    }
  }
  return merged;
}
