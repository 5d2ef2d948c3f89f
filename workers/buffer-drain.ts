/**
 * An object buffer on its way into the ordered table: no more puts, and a position up to which it is written.
 *
 * Invariant: slices come in (partition, key) order, so each page of the table is touched once.
 */
import type { PartitionId } from '../lib/address.ts';
import { assert } from '../lib/assert.ts';
import type { ObjectBuffer } from '../lib/store/object-buffer.ts';
import type { BatchRecord } from './journal-batch.ts';

export class BufferDrain {
  readonly buffer: ObjectBuffer;
  /** The last row of the journal whose records are in the buffer. */
  readonly lastSeq: number;
  /** Bytes of the journal that are not needed once the buffer is written. */
  readonly journalBytes: number;
  /** Records written. */
  writtenCount = 0;
  private readonly partitions: readonly PartitionId[];
  private partitionIndex = 0;
  private keyIndex = 0;

  constructor(buffer: ObjectBuffer, lastSeq: number, journalBytes: number) {
    this.buffer = buffer;
    this.lastSeq = lastSeq;
    this.journalBytes = journalBytes;
    this.partitions = buffer.partitionIds();
  }

  /** The next records, at most `countMax`. Does not move the position: a transaction may yet fail. */
  slice(countMax: number): BatchRecord[] {
    const slice: BatchRecord[] = [];
    let keyIndex = this.keyIndex;
    for (let index = this.partitionIndex; index < this.partitions.length; index++) {
      const partition = this.partitions[index]!;
      const keys = this.buffer.sortedKeys(partition);
      for (; keyIndex < keys.length; keyIndex++) {
        if (slice.length >= countMax) return slice;
        const key = keys[keyIndex]!;
        slice.push({ partition, key, record: this.buffer.get(partition, key)! });
      }
      keyIndex = 0;
    }
    return slice;
  }

  /** Moves the position past a slice that was written. */
  advance(slice: readonly BatchRecord[]): void {
    assert(this.writtenCount + slice.length <= this.buffer.count, 'more written than held');
    this.writtenCount += slice.length;
    this.keyIndex += slice.length;
    while (this.partitionIndex < this.partitions.length) {
      const keyCount = this.buffer.sortedKeys(this.partitions[this.partitionIndex]!).length;
      if (this.keyIndex < keyCount) break;
      this.keyIndex -= keyCount;
      this.partitionIndex++;
    }
  }
}
