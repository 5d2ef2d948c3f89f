/**
 * What a partition store promises to the turn that uses it. `test/contract/store-contract.ts` holds every
 * implementation to it.
 *
 * Guarantees:
 * 1. `get` returns what the last `put` of the key in this process stored, committed or not.
 * 2. After `commit` returns, everything put before it survives a crash of the process. Once `durableNumber` has
 *    reached that commit, it survives what the durability says. Nothing that rests on it may leave the node earlier.
 * 3. A crash keeps a prefix of the commits, each whole or not at all, and at least the durable ones.
 * 4. A record that cannot be vouched for is reported as {@link CORRUPT}, never returned.
 * 5. After any method threw, the store must be disposed of with {@link PartitionStore.discard}; the turn is void.
 *
 * A store belongs to one node and is used on one thread; all methods are synchronous (Dynamo §5).
 */
import type { PartitionId, RecordKey } from '../address.ts';

/** A record that is there but damaged. */
export const CORRUPT: unique symbol = Symbol('corrupt');

/** An encoded version set, or `null` where there is none, or {@link CORRUPT}. The bytes must not be changed. */
export type StoredRecord = Uint8Array | null | typeof CORRUPT;

export interface StoreEntry {
  readonly key: RecordKey;
  readonly record: Exclude<StoredRecord, null>;
}

/** Counters since the store was opened, and gauges. All are whole numbers; sizes are in bytes. */
export interface StoreStats {
  readonly commitCount: number;
  readonly putCount: number;
  readonly getCount: number;
  readonly bufferedCount: number;
  readonly bufferedBytes: number;
  readonly journalBytes: number;
  readonly corruptCount: number;
  readonly isReadOnly: boolean;
}

export interface PartitionStore {
  /** Distinguishes this store's life from an earlier one that may have lost a suffix. Below 2^37. */
  readonly incarnation: number;

  /** The record of a key. Never writes. */
  get(partition: PartitionId, key: RecordKey): StoredRecord;

  /**
   * Stores a record, to be durable at the next {@link commit}. Keeps `record`; it must not change afterwards.
   *
   * @returns `false` if the disk is full: nothing was stored and the store takes no writes for now.
   */
  put(partition: PartitionId, key: RecordKey, record: Uint8Array): boolean;

  /** Makes every put since the last commit part of the store, in one transaction. Does nothing if there was none. */
  commit(): void;

  /** The number of the last commit. It grows with each. */
  readonly commitNumber: number;

  /** The number of the last commit that is durable: {@link commitNumber}, or less while a sync is under way. */
  readonly durableNumber: number;

  /**
   * Called when {@link durableNumber} has risen on its own, or with the error of a sync that failed: the store must
   * then be discarded. Set by the store's owner; never called from within another method.
   */
  onDurable: ((error: unknown) => void) | null;

  /**
   * Does a slice of the background work (writing buffered records to their place, trimming the journal,
   * checkpointing): at most about `recordCountMax` records.
   *
   * @returns `true` if more of it waits.
   */
  maintain(recordCountMax: number): boolean;

  /** Records of one partition in key order, after `after` (`null`: from the first), at most `countMax`. */
  entries(partition: PartitionId, after: RecordKey | null, countMax: number): StoreEntry[];

  /** Starts a new incarnation, durable when this returns. For a store that finds that it forgot something. */
  renewIncarnation(incarnation: number): void;

  stats(): StoreStats;

  /** Commits, writes everything to its place and releases the file. */
  close(): void;

  /** Releases the file without committing: after a failure, or to play a crash. */
  discard(): void;
}
