/**
 * Records by partition and key, as a simulated disk holds them. A fork shares everything with its origin; a partition
 * is copied when one of the two writes to it. So an image of a disk costs next to nothing until they part.
 *
 * Invariant: what is written to a table shows in none that it was forked from or into.
 */
import type { PartitionId, RecordKey } from '../../address.ts';
import { assert } from '../../assert.ts';
import { CORRUPT, type StoredRecord, type StoreEntry } from '../../store/contract.ts';
import { upperBound } from '../../store/object-buffer.ts';

interface Partition {
  /** The table that may write to it. */
  readonly owner: symbol;
  readonly records: Map<RecordKey, StoreEntry['record']>;
  /** The keys in order, from when they were asked for until one comes or goes. */
  sortedKeys: readonly RecordKey[] | null;
}

export class RecordTable {
  /** Records held. */
  count = 0;
  /** Bytes of the keys and records held. */
  bytes = 0;
  private readonly partitions: (Partition | undefined)[] = [];
  private owner = Symbol('table');

  get(partition: PartitionId, key: RecordKey): StoredRecord {
    return this.partitions[partition]?.records.get(key) ?? null;
  }

  /** Replaces the record of a key; `null` removes it. @returns what was there */
  set(partition: PartitionId, key: RecordKey, record: StoredRecord): StoredRecord {
    const writable = this.writable(partition);
    const { records } = writable;
    const previous = records.get(key) ?? null;
    if (record === null) records.delete(key);
    else records.set(key, record);
    if ((previous === null) !== (record === null)) writable.sortedKeys = null;
    this.count += countOf(record) - countOf(previous);
    this.bytes += bytesOf(key, record) - bytesOf(key, previous);
    return previous;
  }

  private writable(partition: PartitionId): Partition {
    const found = this.partitions[partition];
    if (found?.owner === this.owner) return found;
    const own = { owner: this.owner, records: new Map(found?.records), sortedKeys: null };
    // A list without holes is faster to read.
    while (this.partitions.length < partition) this.partitions.push(undefined);
    this.partitions[partition] = own;
    return own;
  }

  /** Records of one partition in key order, after `after` (`null`: from the first), at most `countMax`. */
  entries(partition: PartitionId, after: RecordKey | null, countMax: number): StoreEntry[] {
    const keys = this.sortedKeys(partition);
    const start = after === null ? 0 : upperBound(keys, after);
    return keys
      .slice(start, start + countMax)
      .map((key) => ({ key, record: this.partitions[partition]!.records.get(key)! }));
  }

  private sortedKeys(partition: PartitionId): readonly RecordKey[] {
    const found = this.partitions[partition];
    if (found === undefined) return [];
    // The default order compares UTF-16 code units, which are bytes in a binary string.
    found.sortedKeys ??= [...found.records.keys()].sort();
    return found.sortedKeys;
  }

  /** Every record, in the order of partitions and keys. */
  *all(): Generator<StoreEntry & { readonly partition: PartitionId }> {
    for (const [index, found] of this.partitions.entries()) {
      const partition = index as PartitionId;
      for (const key of this.sortedKeys(partition)) {
        yield { partition, key, record: found!.records.get(key)! };
      }
    }
  }

  /** Where the record with this number is, counted in the order of {@link all}. */
  locate(index: number): { partition: PartitionId; key: RecordKey } {
    let left = index;
    for (const [partition, found] of this.partitions.entries()) {
      const size = found?.records.size ?? 0;
      if (left < size) {
        const key = this.sortedKeys(partition as PartitionId)[left]!;
        return { partition: partition as PartitionId, key };
      }
      left -= size;
    }
    assert(false, 'number of a record');
  }

  fork(): RecordTable {
    const copy = new RecordTable();
    copy.partitions.push(...this.partitions);
    copy.count = this.count;
    copy.bytes = this.bytes;
    this.owner = Symbol('table');
    return copy;
  }
}

function countOf(record: StoredRecord): number {
  return record === null ? 0 : 1;
}

function bytesOf(key: RecordKey, record: StoredRecord): number {
  if (record === null) return 0;
  return key.length + (record === CORRUPT ? 0 : record.length);
}
