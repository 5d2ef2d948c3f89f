/**
 * A node's disk in the simulator, and the store on it: what {@link PartitionStore} promises, and every way in which the
 * files of the real store can break. What is found on opening is judged by the real store's own code.
 *
 * Invariants:
 * 1. A crash keeps all commits; the loss of power, a prefix of them with at least the durable ones; only damage, less.
 * 2. A fault changes what is stored, never what the store promises: that it was wrong shows at the next open, as the
 *    report says, or as a record that is {@link CORRUPT}.
 * 3. The mark lags as the real one does: with durability `full` it is written when a sync has ended, else with each commit,
 *    and it is synced on opening and on closing alone.
 */
import type { PartitionId, RecordKey } from '../../address.ts';
import { assert } from '../../assert.ts';
import type { Durability } from '../../config.ts';
import { RingletError } from '../../errors.ts';
import type { Prng } from '../../prng.ts';
import {
  CORRUPT,
  type PartitionStore,
  type StoredRecord,
  type StoreEntry,
  type StoreStats,
} from '../../store/contract.ts';
import {
  isIncarnationSpent,
  judgeFound,
  judgeMissing,
  type Mark,
  type OpenReport,
  refuseLoss,
  type SessionMeta,
} from '../../store/opening.ts';
import { DiskFile, DiskMark, type LoggedPut } from './disk-file.ts';

export interface DiskOptions {
  readonly nodeId: string;
  /** With `memory` nothing reaches the disk: each store that is opened is new, and what breaks a disk does not hurt it. */
  readonly durability: Durability;
}

/** Runs a sync, and calls `done` with `null` or an error when it has ended: once, later, never from within. */
export type StartSync = (done: (error: unknown) => void) => void;

export interface OpenDiskOptions {
  /** A random whole number below 2^37, for a store that begins a new life. */
  readonly createIncarnation: () => number;
  /** Other nodes have copies. Without them a store that lost something is refused. */
  readonly hasPeers: boolean;
  /** Names the boot of the machine. Another one each time that it lost power. */
  readonly bootId: string;
  /** `null`: a commit is durable at once. Asked only with durability `full`. */
  readonly startSync: StartSync | null;
}

/** A record and where it is. */
export type SimulatedEntry = StoreEntry & { readonly partition: PartitionId };

/** A record that was put. */
export interface CommittedPut {
  readonly partition: PartitionId;
  readonly key: RecordKey;
  readonly record: Uint8Array;
}

export interface SimulatedStore extends PartitionStore {
  readonly openReport: OpenReport;
  /** Every record, in the order of partitions and keys, damaged ones too. */
  all(): Iterable<SimulatedEntry>;
  /** Called in `commit`, once it is kept, with what was put, in order. */
  onCommitted: ((puts: readonly CommittedPut[]) => void) | null;
}

/** What a commit may be made to do: see {@link SimulatedDisk.failCommit}. */
export type CommitFailure = 'io-error' | 'lost-send' | 'sync-error';

/** The process dies between a commit and what would have been sent after it. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';

  constructor() {
    super('the process died before it could send');
  }
}

/** The files of a disk at one moment. They do not change. */
export interface DiskImage {
  readonly file: DiskFile | null;
  readonly mark: Mark | null;
}

/** The files themselves. */
interface Files {
  file: DiskFile | null;
  mark: DiskMark;
  /** Nothing can be written. */
  isFull: boolean;
}

function createFiles(): Files {
  return { file: null, mark: new DiskMark(null), isFull: false };
}

/** A disk and what happens to it. It outlives the stores that are opened on it, one at a time. */
export class SimulatedDisk {
  private readonly options: DiskOptions;
  private readonly files = createFiles();
  private readonly failures = new PlannedFailure();
  private store: JournaledStore | null = null;

  constructor(options: DiskOptions) {
    this.options = options;
  }

  /** Commits that the disk holds, or would hold if it were not damaged. */
  get commitCount(): number {
    return this.files.file?.seq ?? 0;
  }

  /** The part of {@link commitCount} that a loss of power leaves. */
  get durableCount(): number {
    return this.files.file?.durableSeq ?? 0;
  }

  /**
   * Opens the store, or creates it.
   *
   * @throws {RingletError} RINGLET_DATADIR_FOREIGN, RINGLET_STORE_ROLLED_BACK, RINGLET_DISK_FULL (only if it had to be
   * created)
   */
  open(options: OpenDiskOptions): SimulatedStore {
    assert(this.store === null || this.store.isClosed, 'one store at a time');
    const { durability } = this.options;
    const files = durability === 'memory' ? createFiles() : this.files;
    const { file, report, incarnation } = this.openOrCreate(files, options);
    this.store = new JournaledStore({
      files,
      file,
      failures: this.failures,
      report,
      meta: { incarnation, durability, isClean: false, bootId: options.bootId },
      startSync: durability === 'full' ? options.startSync : null,
    });
    return this.store;
  }

  private openOrCreate(
    files: Files,
    options: OpenDiskOptions,
  ): { file: DiskFile; report: OpenReport; incarnation: number } {
    const mark = files.mark.stored;
    const name = `the store of node ${this.options.nodeId}`;
    if (files.file === null) {
      const report = judgeMissing(mark, false);
      refuseLoss(report, mark, options.hasPeers, name);
      const file = this.create(files, options);
      return { file, report, incarnation: file.meta.incarnation };
    }
    if (files.file.isDamaged) {
      files.file = null;
      const file = this.create(files, options);
      const report: OpenReport = { status: 'quarantined', detail: `${name} was damaged` };
      return { file, report, incarnation: file.meta.incarnation };
    }
    const { file } = files;
    this.checkOwner(file);
    const { meta, seq, damagedCount } = file;
    const report = judgeFound({ mark, meta, lastSeq: seq, damagedCount, bootId: options.bootId });
    refuseLoss(report, mark, options.hasPeers, name);
    const isSpent = isIncarnationSpent(report);
    return { file, report, incarnation: isSpent ? options.createIncarnation() : meta.incarnation };
  }

  private create(files: Files, { createIncarnation, bootId }: OpenDiskOptions): DiskFile {
    if (files.isFull) throw new RingletError('RINGLET_DISK_FULL', 'cannot create the store');
    const { nodeId, durability } = this.options;
    const meta = { incarnation: createIncarnation(), durability, isClean: true, bootId };
    files.file = new DiskFile(nodeId, meta);
    return files.file;
  }

  private checkOwner({ nodeId }: DiskFile): void {
    if (nodeId === this.options.nodeId) return;
    throw new RingletError('RINGLET_DATADIR_FOREIGN', `the store belongs to node ${nodeId}`);
  }

  // ------------------------------------------------------------------------------- live faults

  /** A commit throws, and background work or an open makes the store read-only until there is space again. */
  get isFull(): boolean {
    return this.files.isFull;
  }

  set isFull(isFull: boolean) {
    this.files.isFull = isFull;
  }

  /**
   * Makes the commit after `count` more commits fail, of whichever store is open then. Replaces what was planned before.
   *
   * `io-error`: it throws, and nothing is kept. `lost-send`: it is kept and then throws {@link SimulatedCrash}, so that
   * nothing of the turn is sent. `sync-error`: it is kept, and the sync that would make it durable fails; where no sync
   * follows a commit it throws.
   */
  failCommit(count: number, how: CommitFailure): void {
    if (this.options.durability === 'memory' && how !== 'lost-send') return;
    this.failures.plan(count, how);
  }

  /** Damages one stored record: reads give {@link CORRUPT} until it is put again. @returns what it hit, `null` if there is none */
  rotRecord(random: Prng): { partition: PartitionId; key: RecordKey } | null {
    this.assertBetweenTurns();
    return this.files.file?.rotRecord(random) ?? null;
  }

  // ------------------------------------------------------------------------------- faults between two stores

  /** Keeps a random prefix of the commits with at least the durable ones, and a mark that may be older. @returns commits lost */
  losePower(random: Prng): number {
    this.assertClosed();
    this.files.mark.losePower(random);
    return this.files.file?.losePower(random) ?? 0;
  }

  /**
   * Damages the journal. `cut`: a random commit and all after it are gone, as when the log is cut off. `hole`: a random
   * commit is gone and those after it are not, as when a row is damaged. A store that was closed has no journal.
   *
   * @param how @default mostly `cut`
   * @returns commits lost
   */
  rotJournal(random: Prng, how: 'cut' | 'hole' = random.chance(0.2) ? 'hole' : 'cut'): number {
    this.assertClosed();
    const { file } = this.files;
    if (file === null) return 0;
    return how === 'hole' ? file.damageCommit(random) : file.cutLog(random);
  }

  /** Damages the file's header or meta data: the file is set aside on open. */
  rotMeta(): void {
    this.assertClosed();
    if (this.files.file !== null) this.files.file.isDamaged = true;
  }

  /** Removes the file and its mark, or one of them. */
  wipe(what: 'directory' | 'file' | 'mark' = 'directory'): void {
    this.assertClosed();
    if (what !== 'mark') this.files.file = null;
    if (what !== 'file') this.files.mark = new DiskMark(null);
  }

  /** What is on the disk now. Costs little: only what differs later takes space. */
  takeImage(): DiskImage {
    this.assertBetweenTurns();
    return { file: this.files.file?.fork() ?? null, mark: this.files.mark.stored };
  }

  /** Puts an image in place of what is there: an older one of this disk, or one of another node's. `file`: without its mark. */
  putBack(image: DiskImage, what: 'directory' | 'file' = 'directory'): void {
    this.assertClosed();
    this.files.file = image.file?.fork() ?? null;
    if (what === 'directory') this.files.mark = new DiskMark(image.mark);
  }

  private assertClosed(): void {
    assert(this.store === null || this.store.isClosed, 'the store is closed');
  }

  private assertBetweenTurns(): void {
    assert(this.store === null || !this.store.hasUncommitted, 'nothing waits for a commit');
  }
}

/** A failure that waits for its commit. */
class PlannedFailure {
  private how: CommitFailure | null = null;
  private countLeft = 0;

  plan(count: number, how: CommitFailure): void {
    this.how = how;
    this.countLeft = count;
  }

  /** Counts a commit. @returns what it is to do, `null` if it is to succeed */
  take(): CommitFailure | null {
    if (this.how === null || this.countLeft-- > 0) return null;
    const { how } = this;
    this.how = null;
    return how;
  }
}

interface JournaledStoreOptions {
  readonly files: Files;
  readonly file: DiskFile;
  readonly failures: PlannedFailure;
  readonly report: OpenReport;
  /** Of the session that begins. */
  readonly meta: SessionMeta;
  readonly startSync: StartSync | null;
}

class JournaledStore implements SimulatedStore {
  readonly openReport: OpenReport;
  onDurable: PartitionStore['onDurable'] = null;
  onCommitted: SimulatedStore['onCommitted'] = null;
  private readonly files: Files;
  private readonly file: DiskFile;
  private readonly failures: PlannedFailure;
  private readonly startSync: StartSync | null;
  private meta: SessionMeta;
  private state: 'open' | 'failed' | 'closed' = 'open';
  private isReadOnly = false;
  /** Puts since the last commit. The file's table has them already. */
  private pending: LoggedPut[] = [];
  private isSyncing = false;
  private syncedNumber: number;
  /** The sync that covers this commit fails. */
  private failingNumber = Number.POSITIVE_INFINITY;
  private commitCount = 0;
  private putCount = 0;
  private getCount = 0;
  private corruptCount: number;

  constructor(options: JournaledStoreOptions) {
    this.openReport = options.report;
    this.files = options.files;
    this.file = options.file;
    this.failures = options.failures;
    this.startSync = options.startSync;
    this.meta = options.meta;
    this.corruptCount = options.file.damagedCount;
    this.startWriting();
    this.syncedNumber = this.file.seq;
  }

  /** Marks the file as in use. Until this succeeds the store is read-only; what it serves is synced as well. */
  private startWriting(): void {
    this.isReadOnly = this.isFull;
    if (this.isReadOnly) {
      if (this.meta.durability === 'full') this.file.sync();
      if (!isIncarnationSpent(this.openReport)) this.writeMark();
      return;
    }
    this.file.writeMeta(this.meta);
    this.writeMark();
    this.files.mark.sync();
  }

  private writeMark(seq = this.file.seq): void {
    this.files.mark.write(seq, this.incarnation);
  }

  private get isFull(): boolean {
    return this.files.isFull;
  }

  get isClosed(): boolean {
    return this.state === 'closed';
  }

  get hasUncommitted(): boolean {
    return this.pending.length > 0;
  }

  get incarnation(): number {
    return this.meta.incarnation;
  }

  get commitNumber(): number {
    return this.file.seq;
  }

  get durableNumber(): number {
    return this.startSync === null ? this.file.seq : this.syncedNumber;
  }

  // ------------------------------------------------------------------------------- reading

  get(partition: PartitionId, key: RecordKey): StoredRecord {
    this.assertOpen();
    this.getCount++;
    const record = this.file.table.get(partition, key);
    if (record === CORRUPT) this.corruptCount++;
    return record;
  }

  entries(partition: PartitionId, after: RecordKey | null, countMax: number): StoreEntry[] {
    this.assertOpen();
    const entries = this.file.table.entries(partition, after, countMax);
    for (const { record } of entries) if (record === CORRUPT) this.corruptCount++;
    return entries;
  }

  all(): Iterable<SimulatedEntry> {
    this.assertOpen();
    return this.file.table.all();
  }

  // ------------------------------------------------------------------------------- writing

  put(partition: PartitionId, key: RecordKey, record: Uint8Array): boolean {
    this.assertOpen();
    if (this.isReadOnly) return false;
    this.putCount++;
    const previous = this.file.table.set(partition, key, record);
    this.pending.push({ partition, key, record, previous });
    return true;
  }

  commit(): void {
    if (this.pending.length === 0) return;
    this.assertOpen();
    const failure = this.failures.take();
    if (this.isFull) throw this.fail(diskFull());
    if (failure === 'io-error') throw this.fail(storeFailed('commit'));
    const puts = this.pending;
    this.pending = [];
    this.file.commit(puts);
    this.commitCount++;
    this.onCommitted?.(puts);
    if (failure === 'lost-send') throw this.fail(noted(new SimulatedCrash()));
    if (this.startSync !== null) {
      if (failure === 'sync-error') this.failingNumber = this.file.seq;
      if (!this.isSyncing) this.sync(this.startSync);
      return;
    }
    if (failure === 'sync-error') throw this.fail(storeFailed('sync'));
    if (this.meta.durability === 'full') this.file.sync();
    this.writeMark();
  }

  /** Syncs what is committed by now; what is committed meanwhile is left to the next one. */
  private sync(start: StartSync): void {
    const { seq } = this.file;
    const endSync = this.file.beginSync();
    this.isSyncing = true;
    start((problem) => {
      const error = problem === null && seq >= this.failingNumber ? 'injected' : problem;
      // It may have become durable although the process died in between.
      if (error === null) endSync();
      if (this.state === 'open') this.onSyncEnded(seq, error, start);
    });
  }

  private onSyncEnded(seq: number, error: unknown, start: StartSync): void {
    this.isSyncing = false;
    if (error !== null) {
      this.onDurable?.(this.fail(storeFailed('sync', error)));
      return;
    }
    if (this.file.seq > seq) this.sync(start);
    this.syncedNumber = seq;
    this.writeMark(seq);
    this.onDurable?.(null);
  }

  renewIncarnation(incarnation: number): void {
    this.assertOpen();
    if (this.isReadOnly) throw diskFull();
    if (this.isFull) throw this.fail(diskFull());
    this.meta = { ...this.meta, incarnation };
    this.file.writeMeta(this.meta);
    this.writeMark();
  }

  /** There is background work at all times, as far as a full disk is concerned. */
  maintain(): boolean {
    this.assertOpen();
    if (this.isReadOnly) this.startWriting();
    else this.isReadOnly = this.isFull;
    return false;
  }

  // ------------------------------------------------------------------------------- closing

  close(): void {
    this.assertOpen();
    try {
      this.commit();
      if (!this.isReadOnly && !this.isFull) {
        this.file.writeMeta({ ...this.meta, isClean: true });
        this.file.checkpoint(0);
        this.files.mark.sync();
      }
    } finally {
      this.discard();
    }
  }

  discard(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.file.undo(this.pending);
    this.pending = [];
  }

  stats(): StoreStats {
    const { count, bytes } = this.file.table;
    return {
      commitCount: this.commitCount,
      putCount: this.putCount,
      getCount: this.getCount,
      bufferedCount: count,
      bufferedBytes: bytes,
      journalBytes: 0,
      corruptCount: this.corruptCount,
      isReadOnly: this.isReadOnly,
    };
  }

  private assertOpen(): void {
    assert(this.state === 'open', 'a failed or closed store is not used');
  }

  private fail(error: Error): Error {
    this.state = 'failed';
    return error;
  }
}

/** Errors that simulated disks threw. */
const diskErrors = new WeakSet<Error>();

/** Tells an error of a simulated disk, which somebody asked for, from one that tells of a bug. */
export function isDiskError(error: unknown): boolean {
  return error instanceof Error && diskErrors.has(error);
}

function noted<T extends Error>(error: T): T {
  diskErrors.add(error);
  return error;
}

function diskFull(): RingletError {
  return noted(new RingletError('RINGLET_DISK_FULL', 'cannot write to the store'));
}

function storeFailed(action: string, cause: unknown = 'injected'): RingletError {
  return noted(new RingletError('RINGLET_STORE_FAILED', `cannot ${action} the store`, { cause }));
}
