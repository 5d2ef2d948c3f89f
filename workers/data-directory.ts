/**
 * The directory of a cluster's files: its name, its lock, and what is fixed for the cluster that lives in it.
 *
 * Invariants:
 * 1. One owner at a time. The lock is the operating system's, taken through SQLite, so it goes with the process that held
 *    it: nothing stale is left behind, whatever pid or container comes next.
 * 2. No name of a file comes from a user's key; no file is reached through a link.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { checkNodeId, type NodeConfig } from '../lib/config.ts';
import { type ErrorCode, messageOf, RingletError } from '../lib/errors.ts';
import { quote, sqliteCodeOf, syncDirectory } from './store-file.ts';

/** Version of `cluster.json`. */
export const CLUSTER_FORMAT_VERSION = 1;

const CLUSTER_FILE = 'cluster.json';
const LOCK_FILE = 'ringlet.lock';

/** Apart from the stores: who puts back an older copy of a node's files must not put back what tells that it is older. */
const MARKS_FOLDER = 'marks';

/** What is fixed for a cluster when its directory is made: records lie where these put them. */
export interface ClusterShape {
  readonly seed: number;
  readonly partitions: number;
  /** In the order of their addresses. */
  readonly nodes: readonly NodeConfig[];
  /** Successive partitions that were placed on distinct nodes. */
  readonly replicationFactor: number;
}

export interface DataDirectoryOptions {
  /** The shape of a new directory. */
  readonly shape: ClusterShape;
  /** What of it the user asked for: a directory that has another is refused. The rest is taken as it is found. */
  readonly asked: readonly (keyof ClusterShape)[];
}

/** A directory that is open and locked. */
export interface DataDirectory {
  /** Absolute and free of links. */
  readonly path: string;
  readonly clusterId: string;
  readonly shape: ClusterShape;
  /** Names the boot of the machine; random where the system does not tell. */
  readonly bootId: string;
  /** The store file of a node. */
  storePath(nodeId: string): string;
  /** The file of a node's high-water mark. */
  markPath(nodeId: string): string;
  /** Gives up the lock, after all stores are closed. Removes a temporary directory. */
  close(): void;
}

/** What `cluster.json` holds. */
interface ClusterFile extends ClusterShape {
  readonly format: number;
  readonly clusterId: string;
}

/**
 * Opens a directory, and creates it if it is not there (its parents too). `null` is a temporary one.
 *
 * @throws {RingletError} RINGLET_DATADIR, RINGLET_DATADIR_NAME, RINGLET_DATADIR_LINK, RINGLET_DATADIR_LOCKED,
 * RINGLET_DATADIR_FOREIGN, RINGLET_RING_SIZE, RINGLET_FORMAT_NEWER, RINGLET_STORE_CORRUPT
 */
export function openDataDirectory(
  name: string | null,
  options: DataDirectoryOptions,
): DataDirectory {
  checkEnvironment();
  const directory = name === null ? createTemporaryDirectory() : prepareDirectory(name);
  const isTemporary = name === null;
  checkLinks(directory, [CLUSTER_FILE, LOCK_FILE, `${LOCK_FILE}-journal`]);
  const lock = lockDirectory(directory);
  try {
    const { format: _, clusterId, ...shape } = readOrCreateCluster(directory, options);
    checkLinks(
      directory,
      shape.nodes.flatMap(({ id }) => storeFiles(id)),
    );
    createMarksFolder(directory);
    return {
      path: directory,
      clusterId,
      shape,
      bootId: readBootId(),
      storePath(nodeId) {
        checkNodeId(nodeId);
        return path.join(directory, `${nodeId}.db`);
      },
      markPath(nodeId) {
        checkNodeId(nodeId);
        return path.join(directory, markFile(nodeId));
      },
      close() {
        lock.close();
        if (isTemporary) fs.rmSync(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** With this variable SQLite reads any name that begins with `file:` as a list of options. */
function checkEnvironment(): void {
  if (process.env.SQLITE_USE_URI === '1') {
    throw new RingletError(
      'RINGLET_DATADIR_NAME',
      'SQLITE_USE_URI=1 is set in the environment; unset it',
    );
  }
}

function createTemporaryDirectory(): string {
  return attempt(os.tmpdir(), () =>
    fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ringlet-'))),
  );
}

/** Checks a name, makes the directory if it is not there, and returns its real path. */
function prepareDirectory(name: string): string {
  checkName(name);
  return attempt(name, () => {
    createDirectories(path.resolve(name));
    // Without the separator at the end, which would make the link's target answer.
    const status = fs.lstatSync(path.resolve(name));
    if (status.isSymbolicLink()) {
      throw new RingletError('RINGLET_DATADIR_LINK', `${quote(name)} is a symbolic link`);
    }
    if (!status.isDirectory()) throw directoryError('RINGLET_DATADIR', name, 'not a directory');
    fs.accessSync(name, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
    return fs.realpathSync(name);
  });
}

/** Not `mkdirSync` with `recursive`: that never returns where the system denies a folder's parent, as in /proc. */
function createDirectories(directory: string): void {
  if (fs.lstatSync(directory, { throwIfNoEntry: false }) !== undefined) return;
  const parent = path.dirname(directory);
  if (parent !== directory) createDirectories(parent);
  fs.mkdirSync(directory, { mode: 0o700 });
}

function checkName(name: string): void {
  const problem =
    name === ''
      ? 'empty'
      : name.includes('\0')
        ? 'has a NUL byte'
        : name.trim() !== name
          ? 'has white space at an end'
          : name.startsWith('file:')
            ? 'a URI'
            : name === ':memory:'
              ? 'not a directory'
              : null;
  if (problem !== null) throw directoryError('RINGLET_DATADIR_NAME', name, problem);
}

/** A link would let two clusters, or two nodes, write to one file. */
function checkLinks(directory: string, names: readonly string[]): void {
  for (const name of names) {
    const file = path.join(directory, name);
    const status = fs.lstatSync(file, { throwIfNoEntry: false });
    if (status === undefined) continue;
    if (!status.isFile()) {
      throw directoryError('RINGLET_DATADIR_LINK', file, 'a link or not a regular file');
    }
    if (status.nlink > 1) {
      throw directoryError('RINGLET_DATADIR_LINK', file, `${status.nlink} names lead to this file`);
    }
  }
}

/** The names that a node's store and its mark may have on disk. */
function storeFiles(nodeId: string): string[] {
  const ends = ['', '-wal', '-shm', '-journal', '.new'];
  return [...ends.map((end) => `${nodeId}.db${end}`), markFile(nodeId)];
}

function markFile(nodeId: string): string {
  return path.join(MARKS_FOLDER, `${nodeId}.mark`);
}

function createMarksFolder(directory: string): void {
  const folder = path.join(directory, MARKS_FOLDER);
  const status = fs.lstatSync(folder, { throwIfNoEntry: false });
  if (status === undefined) fs.mkdirSync(folder, { mode: 0o700 });
  else if (!status.isDirectory()) {
    throw directoryError('RINGLET_DATADIR_LINK', folder, 'a link or not a directory');
  }
}

/**
 * Takes the lock: a write transaction on a small SQLite file that stays open. Others may still read the owner's pid from
 * it. The file must never be opened other than through SQLite: closing any descriptor of it drops this process's locks.
 */
function lockDirectory(directory: string): { close(): void } {
  const file = path.join(directory, LOCK_FILE);
  return attempt(file, () => {
    createPrivately(file);
    const database = new Database(file, { fileMustExist: true, timeout: 0 });
    try {
      // Nothing in here has to outlive the process.
      database.pragma('synchronous = OFF');
      database.exec('BEGIN IMMEDIATE');
      database.exec('CREATE TABLE IF NOT EXISTS owner (pid INTEGER NOT NULL) STRICT');
      database.exec('DELETE FROM owner');
      database.prepare('INSERT INTO owner VALUES (?)').run(process.pid);
      database.exec('COMMIT');
      database.exec('BEGIN IMMEDIATE');
      return { close: () => void database.close() };
    } catch (error) {
      const owner = sqliteCodeOf(error) === 'SQLITE_BUSY' ? readOwner(database) : null;
      database.close();
      if (owner === null) throw error;
      throw directoryError('RINGLET_DATADIR_LOCKED', directory, `process ${owner} has it open`);
    }
  });
}

/** Creates an empty file with mode 0600 unless there is one. `wx` does not open one that exists. */
function createPrivately(file: string): void {
  try {
    fs.closeSync(fs.openSync(file, 'wx', 0o600));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** The pid of the lock's owner, or `unknown` while it is being taken. */
function readOwner(database: Database.Database): string {
  try {
    const pid = database.prepare<[], number>('SELECT pid FROM owner').pluck().get();
    return pid === undefined ? 'unknown' : String(pid);
  } catch {
    return 'unknown';
  }
}

function readOrCreateCluster(directory: string, options: DataDirectoryOptions): ClusterFile {
  const file = path.join(directory, CLUSTER_FILE);
  if (fs.existsSync(file)) {
    const cluster = attempt(file, () => readCluster(file));
    checkCluster(cluster, file, options);
    return cluster;
  }
  const cluster: ClusterFile = {
    format: CLUSTER_FORMAT_VERSION,
    clusterId: randomBytes(16).toString('hex'),
    ...options.shape,
  };
  attempt(file, () => writeFileAtomically(file, `${JSON.stringify(cluster, null, 2)}\n`));
  return cluster;
}

function writeFileAtomically(file: string, text: string): void {
  const unfinished = `${file}.new`;
  fs.rmSync(unfinished, { force: true });
  fs.writeFileSync(unfinished, text, { mode: 0o600, flag: 'wx', flush: true });
  fs.renameSync(unfinished, file);
  syncDirectory(path.dirname(file));
}

function readCluster(file: string): ClusterFile {
  const cluster = parseCluster(fs.readFileSync(file, 'utf8'));
  if (cluster === null) throw directoryError('RINGLET_STORE_CORRUPT', file, 'not readable');
  if (cluster.format > CLUSTER_FORMAT_VERSION) {
    const problem = `format ${cluster.format}, this Ringlet knows up to ${CLUSTER_FORMAT_VERSION}`;
    throw directoryError('RINGLET_FORMAT_NEWER', file, problem);
  }
  return cluster;
}

/** A newer format may have other fields; of it only the number is looked at. */
function parseCluster(text: string): ClusterFile | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  const cluster = parsed as Partial<ClusterFile>;
  if (!isWhole(cluster.format) || cluster.format < 1) return null;
  const isReadable =
    typeof cluster.clusterId === 'string' &&
    isWhole(cluster.seed) &&
    isWhole(cluster.partitions) &&
    isWhole(cluster.replicationFactor) &&
    Array.isArray(cluster.nodes) &&
    cluster.nodes.every((node) => typeof node?.id === 'string' && Number.isFinite(node.weight));
  return isReadable || cluster.format > CLUSTER_FORMAT_VERSION ? (cluster as ClusterFile) : null;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** What was asked for must be what the directory was made with. */
function checkCluster(cluster: ClusterFile, file: string, options: DataDirectoryOptions): void {
  for (const name of options.asked) {
    const [found, asked] = [describe(cluster[name]), describe(options.shape[name])];
    if (found === asked) continue;
    const code = name === 'partitions' ? 'RINGLET_RING_SIZE' : 'RINGLET_DATADIR_FOREIGN';
    throw directoryError(code, file, `made with ${name} ${found}, not ${asked}`);
  }
}

function describe(setting: ClusterShape[keyof ClusterShape]): string {
  if (typeof setting === 'number') return String(setting);
  return setting
    .map(({ id, weight }) => (weight === 1 ? id : `${id} (weight ${weight})`))
    .join(', ');
}

function readBootId(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return randomUUID();
  }
}

function attempt<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RingletError) throw error;
    throw new RingletError('RINGLET_DATADIR', `${quote(file)}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function directoryError(code: ErrorCode, file: string, problem: string): RingletError {
  return new RingletError(code, `${quote(file)}: ${problem}`);
}
