/**
 * What lies on a simulated disk: a store's file with the log of its last transactions, and the high-water mark beside it.
 *
 * Invariants:
 * 1. The file holds the log's transactions from the first to the last, none left out: a prefix of what was committed.
 *    Only {@link DiskFile.damageCommit} breaks this, and the file says so when it is opened.
 * 2. What is durable is a prefix of that prefix. Losing power takes nothing of it.
 * 3. The log is short: {@link LOG_COUNT_MAX}.
 */
import type { PartitionId, RecordKey } from '../../address.ts';
import type { Prng } from '../../prng.ts';
import { CORRUPT, type StoredRecord } from '../../store/contract.ts';
import type { Mark, SessionMeta } from '../../store/opening.ts';
import { RecordTable } from './record-table.ts';

/** One put, and what takes it back. */
export interface LoggedPut {
  readonly partition: PartitionId;
  readonly key: RecordKey;
  readonly record: Uint8Array;
  /** What the put replaced. */
  readonly previous: StoredRecord;
}

/** What was written at once: the puts of a commit, or none and other meta data. */
interface Transaction {
  readonly puts: readonly LoggedPut[];
  /** Of a commit whose row of the journal fails its checksum: its puts are lost, those after it are not. */
  readonly isDamaged: boolean;
  /** The last commit's number when this was written. */
  readonly seq: number;
  readonly meta: SessionMeta;
}

/** Transactions in the log before all of it is checkpointed, which makes it durable. */
const LOG_COUNT_MAX = 256;

/** Transactions that stay in the log after a checkpoint, for damage to hit. */
const LOG_COUNT_KEPT = 64;

/** A store's file. Its table may be ahead of it by the puts of a turn that is not yet committed. */
export class DiskFile {
  readonly nodeId: string;
  readonly table: RecordTable;
  /** Its header or meta data cannot be read. */
  isDamaged = false;
  private log: Transaction[] = [];
  /** What was before the log's first transaction. */
  private origin: Transaction;
  /** Positions count transactions since the file was created. The log begins at this one. */
  private start = 0;
  private durableEnd = 0;
  /** Changes when the log is cut, after which positions stand for other transactions. */
  private generation = 0;

  /** A new file, durable. */
  constructor(nodeId: string, meta: SessionMeta, table = new RecordTable()) {
    this.nodeId = nodeId;
    this.table = table;
    this.origin = { puts: [], isDamaged: false, seq: 0, meta };
  }

  private get last(): Transaction {
    return this.log.at(-1) ?? this.origin;
  }

  private get end(): number {
    return this.start + this.log.length;
  }

  /** The number of the last commit. */
  get seq(): number {
    return this.last.seq;
  }

  /** The number of the last commit that is durable. */
  get durableSeq(): number {
    return (this.log[this.durableEnd - this.start - 1] ?? this.origin).seq;
  }

  get meta(): SessionMeta {
    return this.last.meta;
  }

  /** Commits in the log that cannot be vouched for. */
  get damagedCount(): number {
    return this.log.filter(({ isDamaged }) => isDamaged).length;
  }

  // ------------------------------------------------------------------------------- writing

  /** Logs a commit whose puts are in the table. They must not change afterwards. */
  commit(puts: readonly LoggedPut[]): void {
    this.append({ puts, isDamaged: false, seq: this.seq + 1, meta: this.meta });
  }

  /** Writes the meta data with a sync of its own, which covers all before it. */
  writeMeta(meta: SessionMeta): void {
    this.append({ puts: [], isDamaged: false, seq: this.seq, meta });
    this.sync();
  }

  private append(transaction: Transaction): void {
    this.log.push(transaction);
    if (this.log.length >= LOG_COUNT_MAX) this.checkpoint(LOG_COUNT_KEPT);
  }

  /** Makes all durable that was written. */
  sync(): void {
    this.durableEnd = this.end;
  }

  /** Begins a sync of what is written by now. @returns what is called at its end; it does nothing if the log was cut meanwhile */
  beginSync(): () => void {
    const { end, generation } = this;
    return () => {
      if (generation === this.generation) this.durableEnd = Math.max(this.durableEnd, end);
    };
  }

  /** Puts everything in its place, durably, and shortens the log. */
  checkpoint(keptCount: number): void {
    this.sync();
    const droppedCount = Math.max(0, this.log.length - keptCount);
    if (droppedCount === 0) return;
    this.origin = this.log[droppedCount - 1]!;
    this.log = this.log.slice(droppedCount);
    this.start += droppedCount;
  }

  /** Takes back puts that are in the table, newest first. */
  undo(puts: readonly LoggedPut[]): void {
    for (let index = puts.length - 1; index >= 0; index--) {
      const { partition, key, previous } = puts[index]!;
      this.table.set(partition, key, previous);
    }
  }

  // ------------------------------------------------------------------------------- damage

  /** Keeps a random prefix of at least what is durable. @returns commits lost */
  losePower(random: Prng): number {
    return this.cut(this.durableEnd + random.int(this.end - this.durableEnd + 1));
  }

  /** Loses a random commit of the log and all that came after it, and perhaps meta data that came before. @returns commits lost */
  cutLog(random: Prng): number {
    const last = this.log.findLastIndex(isCommit);
    return last === -1 ? 0 : this.cut(this.start + random.int(last + 1));
  }

  private cut(end: number): number {
    const { seq } = this;
    this.generation++;
    while (this.end > end) this.undo(this.log.pop()!.puts);
    this.sync();
    return seq - this.seq;
  }

  /** Damages the row of a random commit of the log: its puts are lost, the others stay. @returns commits lost */
  damageCommit(random: Prng): number {
    const places = [...this.log.keys()].filter((index) => isCommit(this.log[index]!));
    if (places.length === 0) return 0;
    const place = random.pick(places);
    const later = this.log.slice(place);
    this.cut(this.start + place);
    for (const [index, transaction] of later.entries()) {
      const isDamaged = transaction.isDamaged || index === 0;
      this.log.push({ ...transaction, puts: isDamaged ? [] : this.redo(transaction), isDamaged });
    }
    this.sync();
    return 1;
  }

  private redo({ puts }: Transaction): LoggedPut[] {
    return puts.map((put) => ({
      ...put,
      previous: this.table.set(put.partition, put.key, put.record),
    }));
  }

  /** Damages a random record. @returns where it is, `null` if there is none */
  rotRecord(random: Prng): { partition: PartitionId; key: RecordKey } | null {
    if (this.table.count === 0) return null;
    const place = this.table.locate(random.int(this.table.count));
    this.table.set(place.partition, place.key, CORRUPT);
    return place;
  }

  /** A copy, durable, that costs little: see {@link RecordTable}. */
  fork(): DiskFile {
    const copy = new DiskFile(this.nodeId, this.meta, this.table.fork());
    copy.isDamaged = this.isDamaged;
    copy.log = [...this.log];
    copy.origin = this.origin;
    copy.sync();
    return copy;
  }
}

/** True for a commit whose puts are not lost yet. */
function isCommit({ puts }: Transaction): boolean {
  return puts.length > 0;
}

/** Marks of one incarnation that were written in turn, from the first to the last. */
interface MarkRun {
  readonly incarnation: number;
  readonly firstSeq: number;
  lastSeq: number;
}

/** The high-water mark. Writing it survives the process; the power takes it back to any mark since the last sync. */
export class DiskMark {
  /** What may be on the disk; the first mark of the first run is synced. */
  private runs: MarkRun[] = [];

  /** @param mark A mark that is synced, or none. */
  constructor(mark: Mark | null) {
    if (mark !== null) this.write(mark.seq, mark.incarnation);
  }

  get stored(): Mark | null {
    const last = this.runs.at(-1);
    return last === undefined ? null : { seq: last.lastSeq, incarnation: last.incarnation };
  }

  write(seq: number, incarnation: number): void {
    const last = this.runs.at(-1);
    if (last?.incarnation === incarnation && last.lastSeq <= seq) {
      last.lastSeq = seq;
    } else {
      this.runs.push({ incarnation, firstSeq: seq, lastSeq: seq });
    }
  }

  sync(): void {
    const { stored } = this;
    this.runs = [];
    if (stored !== null) this.write(stored.seq, stored.incarnation);
  }

  losePower(random: Prng): void {
    if (this.runs.length === 0) return;
    const { incarnation, firstSeq, lastSeq } = random.pick(this.runs);
    this.runs = [];
    this.write(firstSeq + random.int(lastSeq - firstSeq + 1), incarnation);
  }
}
