/**
 * The journal's rows and the checksums of the SQLite store.
 *
 * A row is a batch: all records that one turn put (or a part of them, if they are many), behind a checksum that also covers
 * the row's number. Layout: checksum (4 bytes), then for each record partition, key and record, each number in
 * seven-bit groups and each string with its length before it.
 *
 * Invariant: a batch is read whole or not at all.
 */
import { crc32 } from 'node:zlib';
import type { PartitionId, RecordKey } from '../lib/address.ts';
import { ByteReader, ByteWriter, MalformedError } from '../lib/bytes.ts';

const CHECKSUM_SIZE = 4;

/** Collects the records of a batch. */
export class BatchWriter {
  private readonly writer = new ByteWriter(64 * 1024);

  constructor() {
    this.reset();
  }

  /** Empties the batch. */
  reset(): void {
    this.writer.reset();
    this.writer.uint32(0);
  }

  /** Bytes of the batch, 0 if it is empty. */
  get size(): number {
    return this.writer.length === CHECKSUM_SIZE ? 0 : this.writer.length;
  }

  append(partition: PartitionId, key: RecordKey, record: Uint8Array): void {
    this.writer.varint(partition);
    this.writer.binaryString(key);
    this.writer.blob(record);
  }

  /** The batch as the row `seq`; valid until the next change. */
  seal(seq: number): Uint8Array {
    this.writer.patchUint32(0, batchChecksum(seq, this.writer.peek()));
    return this.writer.peek();
  }
}

export interface BatchRecord {
  readonly partition: PartitionId;
  readonly key: RecordKey;
  readonly record: Uint8Array;
}

/** The records of row `seq`, or `null` if it cannot be vouched for. The records are views of `batch`. */
export function readBatch(seq: number, batch: Uint8Array): BatchRecord[] | null {
  try {
    const reader = new ByteReader(batch);
    if (reader.uint32() !== batchChecksum(seq, batch)) return null;
    const records: BatchRecord[] = [];
    while (!reader.isAtEnd) {
      const partition = reader.varint() as PartitionId;
      const key = reader.binaryString() as RecordKey;
      records.push({ partition, key, record: reader.blob() });
    }
    return records;
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
}

/** Starting from the row's number makes a batch that is found in another row fail. */
function batchChecksum(seq: number, batch: Uint8Array): number {
  return crc32(batch.subarray(CHECKSUM_SIZE), seq >>> 0);
}

const scratch = new ByteWriter(4096);

/**
 * A record as the ordered table holds it: a checksum (4 bytes) over partition, key and record, then the record.
 * One column and not two, because each column of a row that is read costs as much as the checksum itself:
 * `bench/micro/store.bench.ts`.
 *
 * @returns Bytes that are valid until the next call.
 */
export function sealRecord(
  partition: PartitionId,
  keyBytes: Uint8Array,
  record: Uint8Array,
): Uint8Array {
  scratch.reset();
  scratch.uint32(recordChecksum(partition, keyBytes, record));
  scratch.raw(record);
  return scratch.peek();
}

/** The record inside `sealed`, or `null` if it is damaged or belongs to another key. A view, not a copy. */
export function unsealRecord(
  partition: PartitionId,
  keyBytes: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | null {
  if (sealed.length < CHECKSUM_SIZE) return null;
  const record = sealed.subarray(CHECKSUM_SIZE);
  const checksum = new DataView(sealed.buffer, sealed.byteOffset).getUint32(0, true);
  return checksum === recordChecksum(partition, keyBytes, record) ? record : null;
}

function recordChecksum(partition: PartitionId, keyBytes: Uint8Array, record: Uint8Array): number {
  return crc32(record, crc32(keyBytes, partition));
}
