/**
 * The partition store of a node on disk: one SQLite file (Dynamo §6.1).
 *
 * A put costs one append to the journal and one entry in memory. The expensive part, finding a record's place in the
 * ordered table, is done later, in key order and in slices:
 *
 *   put → batch + current buffer        commit → the batch is a row of the journal
 *   buffer full → it becomes the old buffer, a new one opens
 *   maintain → slices of the old buffer go to the ordered table, then its rows leave the journal
 *
 * Invariants:
 * 1. Every committed record is in the ordered table or in a row of the journal above `writtenSeq`.
 * 2. What such rows hold is in the current or the old buffer, so reads look there first and then in the table.
 * 3. No transaction outlives a call.
 * 4. There are at most two buffers: the old one is written out as fast as the current one fills.
 * 5. With durability `full`, a commit counts as durable by a sync of the log that began after it: see {@link LogSync}.
 */
import fs from 'node:fs';
import type Database from 'better-sqlite3';
import type { PartitionId, RecordKey } from '../lib/address.ts';
import { assert } from '../lib/assert.ts';
import type { Durability, Limits } from '../lib/config.ts';
import { RingletError } from '../lib/errors.ts';
import {
  CORRUPT,
  type PartitionStore,
  type StoredRecord,
  type StoreEntry,
  type StoreStats,
} from '../lib/store/contract.ts';
import { openMemoryStore } from '../lib/store/memory-store.ts';
import { mergeEntries, ObjectBuffer } from '../lib/store/object-buffer.ts';
import {
  isIncarnationSpent,
  judgeFound,
  judgeMissing,
  type Mark,
  type OpenReport,
  refuseLoss,
} from '../lib/store/opening.ts';
import { BufferDrain } from './buffer-drain.ts';
import { HighWaterMark } from './high-water-mark.ts';
import { BatchWriter, readBatch, sealRecord, unsealRecord } from './journal-batch.ts';
import { LogSync } from './log-sync.ts';
import {
  checkSqliteVersion,
  createStoreFile,
  DamagedFileError,
  hasCompanion,
  MetaWriter,
  type OpenStoreFile,
  openStoreFile,
  PAGE_SIZE,
  quote,
  type StoreMeta,
  setAside,
  sqliteCodeOf,
  sqliteVersion,
  storeError,
  syncFile,
} from './store-file.ts';

export interface SqliteStoreOptions {
  /** The file. Files beside it have its name and a suffix. */
  readonly path: string;
  /** The file of its high-water mark. Kept apart, so that an older copy of the store does not bring its own. @default beside the file */
  readonly markPath?: string;
  readonly clusterId: string;
  readonly nodeId: string;
  readonly durability: Durability;
  readonly limits: Pick<Limits, 'bufferCountMax' | 'bufferBytesMax'>;
  /** Other nodes have copies: a store that lost something may go on, they have it. Without them it is refused. @default true */
  readonly hasPeers?: boolean;
  /** A random whole number below 2^37, for a store that begins a new life. */
  readonly createIncarnation: () => number;
  /** Names the boot of the machine: another one means that the power may have gone in between. */
  readonly bootId: string;
  /**
   * Pages that the file may have, asked on open and before each probe of a full disk. Plays a full disk, and one with
   * space again, in tests. @default as many as the disk takes
   */
  readonly diskPagesMax?: () => number;
}

export interface SqliteStore extends PartitionStore {
  readonly openReport: OpenReport;
}

/** A row of the journal is about this long at most, however much a turn puts. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Written and deleted again to learn whether the disk takes writes. */
const PROBE_BYTES = 64 * 1024;

/** The write-ahead log is copied into the file when it is this part of a full buffer's journal... */
const WAL_PART_MAX = 1 / 16;

/** ...or this many times that if nobody calls `maintain`. */
const WAL_HARD_FACTOR = 4;

const WAL_PAGES_MIN = 8;

/** Commits between two looks at the length of the write-ahead log. */
const WAL_LOOK_COMMITS = 32;

/** Records of a slice when there is no next turn to wait for: on close, and at limits that shrank between two opens. */
const BIG_SLICE_COUNT = 4096;

/** Rows of the journal that are deleted for each record of a slice; deleting reads each page of a row. */
const TRIM_ROWS_PER_RECORD = 1 / 16;

/**
 * Opens a node's store, or creates it.
 *
 * @throws {RingletError} RINGLET_SQLITE_VERSION, RINGLET_DATADIR_FOREIGN, RINGLET_DATADIR_LOCKED, RINGLET_FORMAT_NEWER,
 * RINGLET_DISK_FULL (only if it had to be created), RINGLET_STORE_FAILED
 */
export function openSqliteStore(options: SqliteStoreOptions): SqliteStore {
  if (options.durability === 'memory') {
    const store = openMemoryStore({ incarnation: options.createIncarnation() });
    return Object.assign(store, { openReport: { status: 'created', detail: '' } as const });
  }
  checkSqliteVersion(sqliteVersion());
  let mark: HighWaterMark | null = null;
  try {
    mark = new HighWaterMark(options.markPath ?? `${options.path}.mark`);
    const { file, report } = openOrCreate(options, mark.stored);
    try {
      return new JournaledStore(options, file, mark, report);
    } catch (error) {
      file.database.close();
      throw error;
    }
  } catch (error) {
    mark?.close();
    throw storeError(error, 'open', options.path);
  }
}

/** Opens the file, or puts an empty one in place of one that is missing or damaged. */
function openOrCreate(
  options: SqliteStoreOptions,
  mark: Mark | null,
): { file: OpenStoreFile; report: OpenReport | null } {
  if (fs.existsSync(options.path)) {
    try {
      return { file: openOwnFile(options), report: null };
    } catch (error) {
      if (!(error instanceof DamagedFileError)) throw error;
      const detail = `${error.message}; kept as ${quote(setAside(options.path))}`;
      return { file: createOwnFile(options), report: { status: 'quarantined', detail } };
    }
  }
  const hasRemains = hasCompanion(options.path);
  const report = judgeMissing(mark, hasRemains);
  refuseLoss(report, mark, options.hasPeers ?? true, quote(options.path));
  if (hasRemains) setAside(options.path);
  return { file: createOwnFile(options), report };
}

function createOwnFile(options: SqliteStoreOptions): OpenStoreFile {
  createStoreFile(options.path, {
    clusterId: options.clusterId,
    nodeId: options.nodeId,
    incarnation: options.createIncarnation(),
    durability: options.durability,
    isClean: true,
    bootId: options.bootId,
    writtenSeq: 0,
  });
  return openOwnFile(options);
}

function openOwnFile(options: SqliteStoreOptions): OpenStoreFile {
  const file = openStoreFile(options.path);
  const { clusterId, nodeId } = file.meta;
  if (clusterId === options.clusterId && nodeId === options.nodeId) return file;
  file.database.close();
  throw new RingletError(
    'RINGLET_DATADIR_FOREIGN',
    `${quote(options.path)} belongs to node ${quote(nodeId)} of cluster ${quote(clusterId)}`,
  );
}

type TableRow = [key: Buffer, siblings: Buffer];

class JournaledStore implements SqliteStore {
  readonly openReport: OpenReport;
  private readonly options: SqliteStoreOptions;
  private readonly database: Database.Database;
  private readonly mark: HighWaterMark;
  private readonly metaWriter: MetaWriter;
  private readonly statements: ReturnType<typeof prepareStatements>;
  private meta: StoreMeta;
  private state: 'open' | 'failed' | 'closed' = 'open';
  private isReadOnly = false;

  /** Puts since the last commit, and the ones before them if they were too many for one row. */
  private batch = new BatchWriter();
  private fullBatches: BatchWriter[] = [];

  /** Holds the rows of the journal after the old buffer's, and `batch`. */
  private current = new ObjectBuffer();
  private currentJournalBytes = 0;
  /** Holds the rows of the journal from `writtenSeq` to its own last one. */
  private old: BufferDrain | null = null;
  /** The journal's last row. */
  private seq: number;
  /** Bytes of rows that are written out but not yet deleted. */
  private writtenJournalBytes = 0;
  private walPages = 0;
  private readonly walPagesMax: number;

  /** Syncs the log after each commit; `null` where the durability asks for none. */
  private readonly sync: LogSync | null;
  private syncedNumber = 0;
  onDurable: PartitionStore['onDurable'] = null;

  private commitCount = 0;
  private putCount = 0;
  private getCount = 0;
  private corruptCount = 0;

  constructor(
    options: SqliteStoreOptions,
    file: OpenStoreFile,
    mark: HighWaterMark,
    report: OpenReport | null,
  ) {
    this.options = options;
    this.database = file.database;
    this.mark = mark;
    this.meta = file.meta;
    this.metaWriter = new MetaWriter(file.database);
    this.statements = prepareStatements(file.database);
    this.seq = file.meta.writtenSeq;
    this.walPagesMax = Math.max(
      WAL_PAGES_MIN,
      Math.floor((options.limits.bufferBytesMax * WAL_PART_MAX) / PAGE_SIZE),
    );
    this.replayJournal();
    this.openReport = report ?? this.judge();
    // A file that was just created has an incarnation of its own.
    const isSpent = report === null && isIncarnationSpent(this.openReport);
    this.meta = {
      ...this.meta,
      incarnation: isSpent ? options.createIncarnation() : this.meta.incarnation,
      durability: options.durability,
      isClean: false,
      bootId: options.bootId,
    };
    this.startWriting();
    this.makeRoom();
    this.sync = options.durability === 'full' ? this.openLogSync() : null;
    this.syncedNumber = this.seq;
  }

  private openLogSync(): LogSync {
    return new LogSync(`${this.options.path}-wal`, {
      onSynced: (commitNumber) => {
        this.syncedNumber = commitNumber;
        // Not before: were the mark ahead of the log after a power loss, it would accuse a sound store.
        this.writeMark(commitNumber);
        this.onDurable?.(null);
      },
      onFailed: (cause) => {
        this.state = 'failed';
        this.onDurable?.(storeError(cause, 'sync', this.options.path));
      },
    });
  }

  /** The journal's last row. */
  get commitNumber(): number {
    return this.seq;
  }

  get durableNumber(): number {
    return this.sync === null ? this.seq : this.syncedNumber;
  }

  get incarnation(): number {
    return this.meta.incarnation;
  }

  // --- Opening ---------------------------------------------------------------------------------

  /** Reads the rows that were not written out. A row that cannot be vouched for is left out and counted. */
  private replayJournal(): void {
    for (;;) {
      const row = this.statements.nextBatch.get(this.seq) as [number, Buffer] | undefined;
      if (row === undefined) break;
      const [seq, batch] = row;
      const records = readBatch(seq, batch);
      if (records === null || seq !== this.seq + 1) this.corruptCount++;
      for (const { partition, key, record } of records ?? []) {
        this.current.put(partition, key, record);
      }
      this.seq = seq;
      this.currentJournalBytes += batch.length;
    }
  }

  /** Called before anything is written. */
  private judge(): OpenReport {
    const mark = this.mark.stored;
    const { path, bootId, hasPeers } = this.options;
    const report = judgeFound({
      mark,
      meta: this.meta,
      lastSeq: this.seq,
      damagedCount: this.corruptCount,
      bootId,
    });
    refuseLoss(report, mark, hasPeers ?? true, quote(path));
    return report;
  }

  /**
   * Marks the file as in use, and proves that the disk takes writes. Until this succeeds the store is read-only. Synced
   * whatever the durability: were it lost, a lost suffix would look like a clean close. What is served is durable either way.
   */
  private startWriting(): void {
    this.applyDiskPagesMax();
    this.isReadOnly = !this.untilDiskFull(() => {
      this.synced(() => {
        this.transaction(() => {
          this.metaWriter.write(this.meta);
          this.statements.insertProbe.run(PROBE_BYTES);
        });
        this.statements.deleteProbe.run();
      });
    });
    if (this.isReadOnly) {
      // Nothing was written, so nothing was synced: commits of the last session may still be on their way to the disk.
      if (this.meta.durability === 'full') syncFile(`${this.options.path}-wal`);
      // A new incarnation is not in the file yet: the mark must go on telling that the old one is spent.
      if (!isIncarnationSpent(this.openReport)) this.writeMark();
      return;
    }
    this.writeMark();
    this.mark.sync();
  }

  private writeMark(seq = this.seq): void {
    this.mark.write({ seq, incarnation: this.incarnation });
  }

  private applyDiskPagesMax(): void {
    const pageCount = this.options.diskPagesMax?.() ?? null;
    if (pageCount === null) return;
    assert(Number.isSafeInteger(pageCount) && pageCount > 0, 'number of pages');
    this.database.pragma(`max_page_count = ${pageCount}`);
  }

  // --- Reading ---------------------------------------------------------------------------------

  get(partition: PartitionId, key: RecordKey): StoredRecord {
    this.getCount++;
    return (
      this.current.get(partition, key) ??
      this.old?.buffer.get(partition, key) ??
      this.getFromTable(partition, key)
    );
  }

  private getFromTable(partition: PartitionId, key: RecordKey): StoredRecord {
    return this.attempt('read', () => {
      const keyBytes = Buffer.from(key, 'latin1');
      const siblings = this.statements.select.get(partition, keyBytes) as Buffer | undefined;
      return siblings === undefined ? null : this.unseal(partition, keyBytes, siblings);
    });
  }

  private unseal(
    partition: PartitionId,
    key: Buffer,
    siblings: Buffer,
  ): Exclude<StoredRecord, null> {
    const record = unsealRecord(partition, key, siblings);
    if (record !== null) return record;
    this.corruptCount++;
    return CORRUPT;
  }

  entries(partition: PartitionId, after: RecordKey | null, countMax: number): StoreEntry[] {
    const layers = [
      this.current.entries(partition, after, countMax),
      this.old?.buffer.entries(partition, after, countMax) ?? [],
      this.tableEntries(partition, after, countMax),
    ];
    return mergeEntries(layers, countMax);
  }

  private tableEntries(
    partition: PartitionId,
    after: RecordKey | null,
    countMax: number,
  ): StoreEntry[] {
    return this.attempt('read', () => {
      const rows = (
        after === null
          ? this.statements.selectFirst.all(partition, countMax)
          : this.statements.selectAfter.all(partition, Buffer.from(after, 'latin1'), countMax)
      ) as TableRow[];
      return rows.map(([key, siblings]) => ({
        key: key.toString('latin1') as RecordKey,
        record: this.unseal(partition, key, siblings),
      }));
    });
  }

  // --- Writing ---------------------------------------------------------------------------------

  put(partition: PartitionId, key: RecordKey, record: Uint8Array): boolean {
    assert(this.state === 'open', 'a failed or closed store takes no puts');
    if (this.isReadOnly) return false;
    this.putCount++;
    this.current.put(partition, key, record);
    this.batch.append(partition, key, record);
    if (this.batch.size >= BATCH_BYTES_MAX) {
      this.fullBatches.push(this.batch);
      this.batch = new BatchWriter();
    }
    return true;
  }

  commit(): void {
    if (!this.hasUncommitted()) return;
    this.attempt('commit', () => {
      if (this.fullBatches.length === 0) {
        this.insertBatch(this.batch); // One statement is a transaction of its own.
      } else {
        this.transaction(() => {
          for (const batch of this.fullBatches) this.insertBatch(batch);
          if (this.batch.size > 0) this.insertBatch(this.batch);
        });
        this.fullBatches = [];
      }
      this.batch.reset();
      this.commitCount++;
      if (this.sync === null) this.writeMark();
    });
    this.sync?.request(this.seq);
    if (this.commitCount % WAL_LOOK_COMMITS === 0)
      this.boundWal(WAL_HARD_FACTOR * this.walPagesMax);
    this.makeRoom();
  }

  private hasUncommitted(): boolean {
    return this.batch.size > 0 || this.fullBatches.length > 0;
  }

  private insertBatch(batch: BatchWriter): void {
    this.seq++;
    this.statements.insertBatch.run(this.seq, batch.seal(this.seq));
    this.currentJournalBytes += batch.size;
  }

  renewIncarnation(incarnation: number): void {
    if (this.isReadOnly) {
      throw new RingletError('RINGLET_DISK_FULL', `cannot write to ${quote(this.options.path)}`);
    }
    this.attempt('renew the incarnation of', () => {
      this.synced(() => this.writeMeta({ incarnation }));
      this.mark.write({ seq: this.seq, incarnation });
    });
  }

  private writeMeta(change: Partial<StoreMeta>): void {
    const meta = { ...this.meta, ...change };
    this.metaWriter.write(meta);
    this.meta = meta;
  }

  // --- Background work -------------------------------------------------------------------------

  maintain(recordCountMax: number): boolean {
    if (this.isReadOnly) this.attempt('write to', () => this.startWriting());
    if (this.isReadOnly) return false;
    if (this.walPages >= this.walPagesMax) this.boundWal(this.walPagesMax);
    if (this.old !== null) this.writeOut(recordCountMax);
    else if (this.writtenJournalBytes > 0) {
      this.trimJournal(Math.ceil(recordCountMax * TRIM_ROWS_PER_RECORD));
    }
    return !this.isReadOnly && (this.old !== null || this.writtenJournalBytes > 0);
  }

  /**
   * Keeps memory bounded after a commit. The part of the old buffer that must be written out is twice the part of the
   * current one that is in use, so the old one is gone long before the current one is full.
   */
  private makeRoom(): void {
    const { bufferCountMax, bufferBytesMax } = this.options.limits;
    const used = Math.max(
      this.current.count / bufferCountMax,
      this.currentJournalBytes / bufferBytesMax,
    );
    if (this.old !== null) {
      const due = Math.ceil(Math.min(1, 2 * used) * this.old.buffer.count);
      this.writeOutUpTo(due - this.old.writtenCount);
    }
    if (used >= 1 && this.old === null) {
      this.trimAll();
      this.startNewBuffer();
    }
  }

  private startNewBuffer(): void {
    this.old = new BufferDrain(this.current, this.seq, this.currentJournalBytes);
    this.current = new ObjectBuffer();
    this.currentJournalBytes = 0;
  }

  private writeOutUpTo(recordCount: number): void {
    for (let left = recordCount; left > 0 && this.old !== null; left -= BIG_SLICE_COUNT) {
      if (!this.writeOut(Math.min(left, BIG_SLICE_COUNT))) return;
    }
  }

  /**
   * Writes a slice of the old buffer to the ordered table, as one transaction.
   *
   * @returns `false` if the disk is full.
   */
  private writeOut(recordCountMax: number): boolean {
    const old = this.old!;
    const slice = old.slice(recordCountMax);
    assert(slice.length > 0, 'an old buffer has records left');
    const isLast = old.writtenCount + slice.length === old.buffer.count;
    const isDone = this.background(() => {
      for (const { partition, key, record } of slice) {
        const keyBytes = Buffer.from(key, 'latin1');
        this.statements.upsert.run(partition, keyBytes, sealRecord(partition, keyBytes, record));
      }
      if (isLast) this.writeMeta({ writtenSeq: old.lastSeq });
    });
    if (!isDone) return false;
    old.advance(slice);
    if (isLast) {
      this.writtenJournalBytes += old.journalBytes;
      this.old = null;
    }
    return true;
  }

  private trimAll(): void {
    while (this.writtenJournalBytes > 0 && !this.isReadOnly) this.trimJournal(BIG_SLICE_COUNT);
  }

  /** Deletes rows of the journal that were written out. */
  private trimJournal(rowCountMax: number): void {
    let deletedCount = 0;
    this.background(() => {
      deletedCount = this.statements.trim.run(this.meta.writtenSeq, rowCountMax).changes;
    });
    if (!this.isReadOnly && deletedCount < rowCountMax) this.writtenJournalBytes = 0;
  }

  /** Copies the write-ahead log into the file if it is long. One call copies all of it, so it is kept short. */
  private boundWal(pageCountMax: number): void {
    this.attempt('checkpoint', () => {
      this.walPages = (this.statements.measureWal.get() as [number, number, number])[1];
      if (this.walPages < pageCountMax) return;
      if (this.untilDiskFull(() => this.database.pragma('wal_checkpoint(PASSIVE)'))) {
        this.walPages = 0;
      } else {
        this.isReadOnly = true;
      }
    });
  }

  // --- Closing ---------------------------------------------------------------------------------

  close(): void {
    assert(this.state === 'open', 'a failed store is discarded, not closed');
    try {
      this.commit();
      if (!this.isReadOnly) this.writeOutAll();
      if (!this.isReadOnly) this.endWriting();
    } finally {
      this.discard();
    }
  }

  private writeOutAll(): void {
    if (this.old !== null) this.writeOutUpTo(Number.POSITIVE_INFINITY);
    if (this.old === null && this.current.count > 0) {
      this.startNewBuffer();
      this.writeOutUpTo(Number.POSITIVE_INFINITY);
    }
    this.trimAll();
  }

  /** The other end of {@link startWriting}. */
  private endWriting(): void {
    this.attempt('close', () => {
      this.isReadOnly = !this.untilDiskFull(() => {
        this.synced(() => this.writeMeta({ isClean: true }));
        this.mark.sync();
        this.database.pragma('wal_checkpoint(TRUNCATE)');
      });
    });
  }

  discard(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.sync?.close();
    this.mark.close();
    this.database.close();
  }

  stats(): StoreStats {
    return {
      commitCount: this.commitCount,
      putCount: this.putCount,
      getCount: this.getCount,
      bufferedCount: this.current.count + (this.old?.buffer.count ?? 0),
      bufferedBytes: this.current.bytes + (this.old?.buffer.bytes ?? 0),
      journalBytes:
        this.currentJournalBytes + (this.old?.journalBytes ?? 0) + this.writtenJournalBytes,
      corruptCount: this.corruptCount,
      isReadOnly: this.isReadOnly,
    };
  }

  // --- Transactions and failures ---------------------------------------------------------------

  /**
   * Does `work` with a sync of its own at each commit. All other commits leave that to {@link LogSync}, or to nobody.
   * SQLite carries the pragma out when it compiles it, so it cannot be prepared once.
   */
  private synced(work: () => void): void {
    this.database.exec('PRAGMA synchronous=FULL');
    try {
      work();
    } finally {
      this.database.exec('PRAGMA synchronous=NORMAL');
    }
  }

  private transaction(work: () => void): void {
    this.statements.begin.run();
    try {
      work();
      this.statements.commit.run();
    } catch (error) {
      // SQLite has already rolled back after some failures.
      if (this.database.inTransaction) this.statements.rollback.run();
      throw error;
    }
  }

  /**
   * One transaction that nobody waits for. It is not synced on its own: the log keeps the order of transactions, so the
   * next commit's sync covers it, and until then the journal has what it moved.
   *
   * @returns `false` if the disk is full: nothing was done and the store is read-only.
   */
  private background(work: () => void): boolean {
    return this.attempt('maintain', () => {
      const isDone = this.untilDiskFull(() => this.transaction(work));
      if (isDone) this.boundWal(WAL_HARD_FACTOR * this.walPagesMax);
      else this.isReadOnly = true;
      return isDone;
    });
  }

  /** @returns `false` if SQLite reports that the disk is full. */
  private untilDiskFull(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      if (sqliteCodeOf(error) !== 'SQLITE_FULL') throw error;
      return false;
    }
  }

  /** After an error the store's state in memory and on disk may differ, and a failed sync must not be tried again. */
  private attempt<T>(action: string, work: () => T): T {
    assert(this.state === 'open', 'a failed or closed store is not used');
    try {
      return work();
    } catch (error) {
      this.state = 'failed';
      throw storeError(error, action, this.options.path);
    }
  }
}

function prepareStatements(database: Database.Database) {
  return {
    begin: database.prepare('BEGIN IMMEDIATE'),
    commit: database.prepare('COMMIT'),
    rollback: database.prepare('ROLLBACK'),
    insertBatch: database.prepare('INSERT INTO journal (seq, batch) VALUES (?, ?)'),
    nextBatch: database
      .prepare('SELECT seq, batch FROM journal WHERE seq > ? ORDER BY seq LIMIT 1')
      .raw(),
    trim: database.prepare(
      'DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE seq <= ? ORDER BY seq LIMIT ?)',
    ),
    insertProbe: database.prepare('REPLACE INTO journal (seq, batch) VALUES (-1, zeroblob(?))'),
    deleteProbe: database.prepare('DELETE FROM journal WHERE seq = -1'),
    upsert: database.prepare('REPLACE INTO record (partition, key, siblings) VALUES (?, ?, ?)'),
    select: database.prepare('SELECT siblings FROM record WHERE partition = ? AND key = ?').pluck(),
    selectFirst: database
      .prepare('SELECT key, siblings FROM record WHERE partition = ? ORDER BY key LIMIT ?')
      .raw(),
    selectAfter: database
      .prepare(
        'SELECT key, siblings FROM record WHERE partition = ? AND key > ? ORDER BY key LIMIT ?',
      )
      .raw(),
    measureWal: database.prepare('PRAGMA wal_checkpoint(NOOP)').raw(),
  };
}
