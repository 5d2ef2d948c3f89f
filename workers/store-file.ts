/**
 * A node's SQLite file: what it looks like, how it is created, checked, opened and set aside.
 *
 * Invariants:
 * 1. A file under its final name is complete: it is built under another name and renamed.
 * 2. A file that is damaged or not ours is renamed, never opened for writing and never deleted.
 * 3. All SQL is constant text.
 */
import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import type { Durability } from '../lib/config.ts';
import { messageOf, RingletError } from '../lib/errors.ts';

/** `Rngl`, in SQLite's header: tells our files from other applications'. */
const APPLICATION_ID = 0x526e676c;

/** Version of tables and encodings, in SQLite's `user_version`. A file of a newer version is refused. */
export const STORE_FORMAT_VERSION = 1;

/** Larger pages mean fewer of them per slice of the ordered table and per journal row: `bench/micro/store.bench.ts`. */
export const PAGE_SIZE = 8192;

const CACHE_KIB = 16 * 1024;

/** Another connection can only be one that is just closing, on a thread that ended. */
const BUSY_TIMEOUT_MS = 2000;

/** In the order of their names, as {@link checkSchema} compares them. */
const schema = [
  'CREATE TABLE journal (seq INTEGER PRIMARY KEY, batch BLOB NOT NULL) STRICT',
  'CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), cluster TEXT NOT NULL, node TEXT NOT NULL, ' +
    'incarnation INTEGER NOT NULL, durability TEXT NOT NULL, is_clean INTEGER NOT NULL, boot TEXT NOT NULL, ' +
    'written_seq INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT',
  'CREATE TABLE record (partition INTEGER NOT NULL, key BLOB NOT NULL, siblings BLOB NOT NULL, ' +
    'PRIMARY KEY (partition, key)) STRICT, WITHOUT ROWID',
];

/** What the file says about itself, in one checksummed row. */
export interface StoreMeta {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly incarnation: number;
  /** What the last session promised. */
  readonly durability: Durability;
  /** True from a clean close to the next open. */
  readonly isClean: boolean;
  /** The boot of the machine that the last session ran in. */
  readonly bootId: string;
  /** Rows of the journal up to this one are in the ordered table. */
  readonly writtenSeq: number;
}

/** The file's content cannot be relied on. The caller sets the file aside. */
export class DamagedFileError extends Error {
  override readonly name = 'DamagedFileError';
}

/** The version of the SQLite that is built into better-sqlite3. */
export function sqliteVersion(): string {
  const database = new Database(':memory:');
  try {
    return database.prepare<[], string>('SELECT sqlite_version()').pluck().get()!;
  } finally {
    database.close();
  }
}

/**
 * Refuses a SQLite with known bugs that lose data: before 3.51.3, and the withdrawn 3.52.0.
 *
 * @throws {RingletError} RINGLET_SQLITE_VERSION
 */
export function checkSqliteVersion(version: string): void {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const number = (major * 1000 + minor) * 1000 + patch;
  if (number >= 3_051_003 && number !== 3_052_000) return;
  throw new RingletError(
    'RINGLET_SQLITE_VERSION',
    `SQLite ${version}: 3.51.3 or newer is needed, and not 3.52.0`,
  );
}

/**
 * Creates a complete, closed store file with mode 0600, durable when this returns.
 *
 * @throws {RingletError} RINGLET_DISK_FULL, RINGLET_STORE_FAILED
 */
export function createStoreFile(file: string, meta: StoreMeta): void {
  const unfinished = `${file}.new`;
  fs.rmSync(unfinished, { force: true });
  fs.rmSync(`${unfinished}-journal`, { force: true });
  try {
    // The mode is set before SQLite opens the file: its -wal file inherits it.
    fs.closeSync(fs.openSync(unfinished, 'wx', 0o600));
    const database = new Database(unfinished, { fileMustExist: true });
    try {
      database.pragma(`page_size = ${PAGE_SIZE}`);
      database.pragma(`application_id = ${APPLICATION_ID}`);
      database.pragma(`user_version = ${STORE_FORMAT_VERSION}`);
      for (const statement of schema) database.exec(statement);
      database.exec("INSERT INTO meta VALUES (1, '', '', 0, '', 0, '', 0, 0)");
      new MetaWriter(database).write(meta);
      database.pragma('locking_mode = EXCLUSIVE');
      database.pragma('journal_mode = WAL');
    } finally {
      database.close();
    }
    fs.renameSync(unfinished, file);
    syncDirectory(path.dirname(file));
  } catch (error) {
    throw storeError(error, 'create', file);
  }
}

/** Makes the names in a directory durable. */
export function syncDirectory(directory: string): void {
  // Windows cannot open a directory; there the file system orders renames itself.
  if (process.platform === 'win32') return;
  const descriptor = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Makes what was written to a file durable, if it is there. */
export function syncFile(file: string): void {
  if (!fs.existsSync(file)) return;
  const descriptor = fs.openSync(file, 'r+');
  try {
    fs.fdatasyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** An open store file and what its row of meta data says. */
export interface OpenStoreFile {
  readonly database: Database.Database;
  readonly meta: StoreMeta;
}

/**
 * Opens and checks an existing file. Connections are exclusive; durability is `synchronous = FULL` until changed.
 *
 * @throws {DamagedFileError} if it is no SQLite file, not ours, or fails a check
 * @throws {RingletError} RINGLET_FORMAT_NEWER, RINGLET_DATADIR_LOCKED, RINGLET_STORE_FAILED
 */
export function openStoreFile(file: string): OpenStoreFile {
  // Before SQLite sees it: to open another application's file would already change it.
  checkHeader(file);
  let database: Database.Database | null = null;
  try {
    database = new Database(file, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    // Exclusive before the first access, so that the index of the write-ahead log is in memory, not in a -shm file.
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    database.pragma('wal_autocheckpoint = 0');
    database.pragma('synchronous = FULL');
    database.pragma('mmap_size = 0');
    database.pragma('trusted_schema = OFF');
    database.pragma('cell_size_check = ON');
    database.pragma(`cache_size = -${CACHE_KIB}`);
    checkSchema(database);
    checkPages(database);
    return { database, meta: readMeta(database) };
  } catch (error) {
    database?.close();
    const code = sqliteCodeOf(error);
    if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
      throw new DamagedFileError(messageOf(error));
    }
    if (code === 'SQLITE_BUSY') {
      throw new RingletError('RINGLET_DATADIR_LOCKED', `${quote(file)} is open elsewhere`);
    }
    throw error instanceof DamagedFileError ? error : storeError(error, 'open', file);
  }
}

/** The first 100 bytes of every SQLite file. Offsets are those of its file format. */
function checkHeader(file: string): void {
  const header = Buffer.alloc(100);
  const descriptor = fs.openSync(file, 'r');
  try {
    if (fs.readSync(descriptor, header) < header.length)
      throw new DamagedFileError('it is cut off');
  } finally {
    fs.closeSync(descriptor);
  }
  if (header.toString('latin1', 0, 16) !== 'SQLite format 3\0') {
    throw new DamagedFileError('it is no SQLite file');
  }
  if (header.readUInt32BE(68) !== APPLICATION_ID) {
    throw new DamagedFileError('it belongs to another application');
  }
  const version = header.readUInt32BE(60);
  if (version > STORE_FORMAT_VERSION) {
    throw new RingletError(
      'RINGLET_FORMAT_NEWER',
      `${quote(file)} has format ${version}, this Ringlet knows up to ${STORE_FORMAT_VERSION}`,
    );
  }
}

function checkSchema(database: Database.Database): void {
  const found = database
    .prepare<[], string>('SELECT sql FROM sqlite_schema ORDER BY name')
    .pluck()
    .all();
  if (found.join(';') !== schema.join(';')) throw new DamagedFileError('its tables are not ours');
}

function checkPages(database: Database.Database): void {
  const result = database.pragma('quick_check(1)', { simple: true });
  if (result !== 'ok') throw new DamagedFileError(String(result));
}

interface MetaRow {
  readonly cluster: string;
  readonly node: string;
  readonly incarnation: number;
  readonly durability: string;
  readonly is_clean: number;
  readonly boot: string;
  readonly written_seq: number;
  readonly checksum: number;
}

function readMeta(database: Database.Database): StoreMeta {
  const row = database.prepare<[], MetaRow>('SELECT * FROM meta').get();
  if (row === undefined) throw new DamagedFileError('its row of meta data is missing');
  const meta: StoreMeta = {
    clusterId: row.cluster,
    nodeId: row.node,
    incarnation: row.incarnation,
    durability: row.durability as Durability,
    isClean: row.is_clean === 1,
    bootId: row.boot,
    writtenSeq: row.written_seq,
  };
  if (row.checksum !== metaChecksum(meta)) {
    throw new DamagedFileError('its row of meta data fails its checksum');
  }
  return meta;
}

/** Writes the row of meta data. */
export class MetaWriter {
  private readonly update: Database.Statement<unknown[]>;

  constructor(database: Database.Database) {
    this.update = database.prepare(
      'UPDATE meta SET cluster = ?, node = ?, incarnation = ?, durability = ?, is_clean = ?, boot = ?, ' +
        'written_seq = ?, checksum = ?',
    );
  }

  write(meta: StoreMeta): void {
    this.update.run(
      meta.clusterId,
      meta.nodeId,
      meta.incarnation,
      meta.durability,
      meta.isClean ? 1 : 0,
      meta.bootId,
      meta.writtenSeq,
      metaChecksum(meta),
    );
  }
}

function metaChecksum(meta: StoreMeta): number {
  return crc32(
    JSON.stringify([
      meta.clusterId,
      meta.nodeId,
      meta.incarnation,
      meta.durability,
      meta.isClean,
      meta.bootId,
      meta.writtenSeq,
    ]),
  );
}

/** Files that SQLite keeps beside a database. */
const companions = ['-wal', '-shm', '-journal'];

/** True if there is a file that belongs to a database although the database itself may be gone. */
export function hasCompanion(file: string): boolean {
  return companions.some((suffix) => fs.existsSync(file + suffix));
}

/**
 * Renames a database and the files beside it to the first free `<file>.corrupt-<n>`.
 *
 * @returns The new name.
 */
export function setAside(file: string): string {
  let number = 1;
  while (
    ['', ...companions].some((suffix) => fs.existsSync(`${file}.corrupt-${number}${suffix}`))
  ) {
    number++;
  }
  const target = `${file}.corrupt-${number}`;
  for (const suffix of ['', ...companions]) {
    if (fs.existsSync(file + suffix)) fs.renameSync(file + suffix, target + suffix);
  }
  syncDirectory(path.dirname(file));
  return target;
}

/** SQLite's own code of an error, such as `SQLITE_FULL`; empty for other errors. */
export function sqliteCodeOf(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : '';
}

/** Turns what SQLite or the file system threw into what a store throws. */
export function storeError(error: unknown, action: string, file: string): RingletError {
  if (error instanceof RingletError) return error;
  const isFull = sqliteCodeOf(error) === 'SQLITE_FULL';
  return new RingletError(
    isFull ? 'RINGLET_DISK_FULL' : 'RINGLET_STORE_FAILED',
    `cannot ${action} ${quote(file)}: ${messageOf(error)}`,
    { cause: error },
  );
}

/** A path for a message: unprintable characters and spaces at its ends show. */
export function quote(file: string): string {
  return JSON.stringify(file);
}
