/**
 * A partition store that stores nothing: it takes every put and finds no record. With it a benchmark measures what the
 * protocol costs alone. It keeps none of the store contract's promises about data.
 */
import type { PartitionStore, StoredRecord, StoreEntry, StoreStats } from './contract.ts';

export interface NullStoreOptions {
  readonly incarnation: number;
}

/** Opens a store that forgets everything at once. */
export function openNullStore(options: NullStoreOptions): PartitionStore {
  return new NullStore(options.incarnation);
}

class NullStore implements PartitionStore {
  incarnation: number;
  onDurable: PartitionStore['onDurable'] = null;
  private commitCount = 0;
  private putCount = 0;
  private getCount = 0;
  private hasUncommitted = false;

  constructor(incarnation: number) {
    this.incarnation = incarnation;
  }

  get commitNumber(): number {
    return this.commitCount;
  }

  get durableNumber(): number {
    return this.commitCount;
  }

  get(): StoredRecord {
    this.getCount++;
    return null;
  }

  put(): boolean {
    this.putCount++;
    this.hasUncommitted = true;
    return true;
  }

  commit(): void {
    if (!this.hasUncommitted) return;
    this.hasUncommitted = false;
    this.commitCount++;
  }

  maintain(): boolean {
    return false;
  }

  entries(): StoreEntry[] {
    return [];
  }

  renewIncarnation(incarnation: number): void {
    this.incarnation = incarnation;
  }

  stats(): StoreStats {
    return {
      commitCount: this.commitCount,
      putCount: this.putCount,
      getCount: this.getCount,
      bufferedCount: 0,
      bufferedBytes: 0,
      journalBytes: 0,
      corruptCount: 0,
      isReadOnly: false,
    };
  }

  close(): void {}

  discard(): void {}
}
