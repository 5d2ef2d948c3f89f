/**
 * The high-water mark of a store: the number of its last commit, kept in a small file apart from it. SQLite opens a file
 * whose write-ahead log was deleted, cut off or damaged without a word, as it was some commits ago; so does an older
 * copy that was put back. The mark is what tells.
 *
 * Invariant: the mark never runs ahead of what the store has committed, so it accuses no sound store. It may lag after
 * a power loss, because it is not synced with every commit.
 *
 * Two slots are written in turn, each with a checksum and in its own sector: a torn write leaves the other.
 */
import fs from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Mark } from '../lib/store/opening.ts';

const SLOT_SIZE = 32;
const SLOT_DISTANCE = 512;
const CONTENT_SIZE = 28;

/** An open mark. Writing costs one `pwrite` and no sync: `bench/micro/store.bench.ts`. */
export class HighWaterMark {
  private readonly file: number;
  private readonly slot = Buffer.alloc(SLOT_SIZE);
  private writeCount = 0;
  /** What the file said when it was opened; `null` if it was not there or is damaged. */
  readonly stored: Mark | null = null;

  /** Opens the file, or creates it with mode 0600. */
  constructor(path: string) {
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = fs.constants;
    this.file = fs.openSync(path, O_RDWR | O_CREAT | (O_NOFOLLOW ?? 0), 0o600);
    for (const offset of [0, SLOT_DISTANCE]) {
      const read = this.readSlot(offset);
      if (read === null || read.writeCount <= this.writeCount) continue;
      this.writeCount = read.writeCount;
      this.stored = read.mark;
    }
  }

  private readSlot(offset: number): { writeCount: number; mark: Mark } | null {
    if (fs.readSync(this.file, this.slot, 0, SLOT_SIZE, offset) < SLOT_SIZE) return null;
    if (this.slot.readUInt32LE(CONTENT_SIZE) !== this.checksum()) return null;
    return {
      writeCount: this.slot.readDoubleLE(0),
      mark: { seq: this.slot.readDoubleLE(8), incarnation: this.slot.readDoubleLE(16) },
    };
  }

  /** Survives the process when it returns; the power, only after {@link sync}. */
  write(mark: Mark): void {
    this.writeCount++;
    this.slot.writeDoubleLE(this.writeCount, 0);
    this.slot.writeDoubleLE(mark.seq, 8);
    this.slot.writeDoubleLE(mark.incarnation, 16);
    this.slot.writeUInt32LE(this.checksum(), CONTENT_SIZE);
    fs.writeSync(this.file, this.slot, 0, SLOT_SIZE, (this.writeCount % 2) * SLOT_DISTANCE);
  }

  private checksum(): number {
    return crc32(this.slot.subarray(0, CONTENT_SIZE));
  }

  sync(): void {
    fs.fsyncSync(this.file);
  }

  close(): void {
    fs.closeSync(this.file);
  }
}
