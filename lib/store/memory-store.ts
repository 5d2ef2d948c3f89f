/**
 * The partition store in memory: the reference that other stores are compared with, and the
 * store of a cluster that asks for durability `memory`.
 *
 * What a disk would keep is in a {@link MemoryImage}, apart from the store that is open on it, so that a crash and
 * the restart after it can be played: discard the store, open another on the same image.
 */
import type { PartitionId, RecordKey } from '../address.ts';
import { assert } from '../assert.ts';
import type { PartitionStore, StoredRecord, StoreEntry, StoreStats } from './contract.ts';
import { mergeEntries, ObjectBuffer } from './object-buffer.ts';

/** What survives a crash: every commit and the incarnation. */
export interface MemoryImage {
  /** `null` until a store was opened on the image. */
  incarnation: number | null;
  readonly committed: ObjectBuffer;
}

/** An empty image. */
export function createMemoryImage(): MemoryImage {
  return { incarnation: null, committed: new ObjectBuffer() };
}

export interface MemoryStoreOptions {
  /** The incarnation of a new image; an image that had a store before keeps its own. */
  readonly incarnation: number;
  /** @default an empty one */
  readonly image?: MemoryImage;
}

/** Opens a store on an image. One store at a time may be open on it. */
export function openMemoryStore(options: MemoryStoreOptions): PartitionStore {
  const image = options.image ?? createMemoryImage();
  image.incarnation ??= options.incarnation;
  return new MemoryStore(image);
}

class MemoryStore implements PartitionStore {
  private readonly image: MemoryImage;
  /** Puts since the last commit. */
  private pending = new ObjectBuffer();
  onDurable: PartitionStore['onDurable'] = null;
  private isOpen = true;
  private commitCount = 0;
  private putCount = 0;
  private getCount = 0;

  constructor(image: MemoryImage) {
    this.image = image;
  }

  get incarnation(): number {
    return this.image.incarnation!;
  }

  get commitNumber(): number {
    return this.commitCount;
  }

  get durableNumber(): number {
    return this.commitCount;
  }

  get(partition: PartitionId, key: RecordKey): StoredRecord {
    assert(this.isOpen, 'the store is closed');
    this.getCount++;
    return this.pending.get(partition, key) ?? this.image.committed.get(partition, key);
  }

  put(partition: PartitionId, key: RecordKey, record: Uint8Array): boolean {
    assert(this.isOpen, 'the store is closed');
    this.putCount++;
    this.pending.put(partition, key, record);
    return true;
  }

  commit(): void {
    assert(this.isOpen, 'the store is closed');
    if (this.pending.count === 0) return;
    this.image.committed.putAll(this.pending);
    this.pending = new ObjectBuffer();
    this.commitCount++;
  }

  maintain(): boolean {
    return false;
  }

  entries(partition: PartitionId, after: RecordKey | null, countMax: number): StoreEntry[] {
    assert(this.isOpen, 'the store is closed');
    const layers = [this.pending, this.image.committed];
    return mergeEntries(
      layers.map((layer) => layer.entries(partition, after, countMax)),
      countMax,
    );
  }

  renewIncarnation(incarnation: number): void {
    assert(this.isOpen, 'the store is closed');
    this.image.incarnation = incarnation;
  }

  stats(): StoreStats {
    return {
      commitCount: this.commitCount,
      putCount: this.putCount,
      getCount: this.getCount,
      bufferedCount: this.image.committed.count + this.pending.count,
      bufferedBytes: this.image.committed.bytes + this.pending.bytes,
      journalBytes: 0,
      corruptCount: 0,
      isReadOnly: false,
    };
  }

  close(): void {
    this.commit();
    this.discard();
  }

  discard(): void {
    this.isOpen = false;
  }
}
