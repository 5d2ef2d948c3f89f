/** What only a store with files has: identity over restarts, damage, a full disk, bounded memory. */
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import Database from 'better-sqlite3';
import { defaultLimits, testMinLimits } from '../../lib/config.ts';
import { isRingletError } from '../../lib/errors.ts';
import { Prng } from '../../lib/prng.ts';
import type { StoredRecord } from '../../lib/store/contract.ts';
import {
  openSqliteStore,
  type SqliteStore,
  type SqliteStoreOptions,
} from '../../workers/sqlite-store.ts';
import { checkSqliteVersion } from '../../workers/store-file.ts';
import {
  bytesOf,
  copyStoreFiles,
  flipByte,
  keyOf,
  partitionId,
  storeOptions,
  temporaryFolder,
  textOf,
} from '../helpers/store-fixture.ts';

const p0 = partitionId(0);

/** A file, the store on it, and a place for the crash image of it. */
function createFile(t: ExecutionContext, change: Partial<SqliteStoreOptions> = {}) {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'a.db');
  const image = path.join(folder, 'image.db');
  return {
    file,
    image,
    open: (more: Partial<SqliteStoreOptions> = {}) =>
      openSqliteStore(storeOptions(file, { ...change, ...more })),
    openImage: (more: Partial<SqliteStoreOptions> = {}) =>
      openSqliteStore(storeOptions(image, { ...change, ...more })),
  };
}

function putAndCommit(store: SqliteStore, key: string, value: string): void {
  store.put(p0, keyOf(key), bytesOf(value));
  store.commit();
}

function textAt(store: SqliteStore, key: string): string | null {
  return textOf(store.get(p0, keyOf(key)));
}

/** Ten commits `k0` to `k9` to a store with room for them in its journal. */
function fill(store: SqliteStore): void {
  for (let index = 0; index < 10; index++) putAndCommit(store, `k${index}`, valueAt(index));
}

/** Waits until all commits of a store are synced. */
async function untilDurable(store: SqliteStore): Promise<void> {
  while (store.durableNumber < store.commitNumber) {
    await new Promise<void>((resolve, reject) => {
      store.onDurable = (error) => (error === null ? resolve() : reject(error));
    });
  }
}

/** A value that is easy to find in a file. */
function valueAt(index: number): string {
  return `value-${index}-${'abcdefghij'[index]!.repeat(200)}`;
}

/** The number of leading keys that a store has; fails the test if any of the ten is wrong, or there after a gap. */
function prefixLength(t: ExecutionContext, store: SqliteStore): number {
  const found = Array.from({ length: 10 }, (_, index) => textAt(store, `k${index}`));
  const count = found.indexOf(null);
  const length = count === -1 ? 10 : count;
  t.deepEqual(
    found,
    found.map((_, index) => (index < length ? valueAt(index) : null)),
  );
  return length;
}

// --- Identity --------------------------------------------------------------------------------------

test('a new store is created, closed and opened with the same incarnation', (t) => {
  const { open } = createFile(t);
  const store = open();
  t.deepEqual(store.openReport, { status: 'created', detail: '' });
  store.close();
  const again = open({ bootId: 'boot-2' });
  t.deepEqual(again.openReport, { status: 'opened', detail: '' });
  t.is(again.incarnation, store.incarnation);
  again.close();
});

test('files are for their owner alone', (t) => {
  if (process.platform === 'win32') return t.pass();
  const { file, open } = createFile(t);
  const store = open();
  putAndCommit(store, 'k', 'v');
  for (const suffix of ['', '-wal', '.mark']) {
    t.is(fs.statSync(file + suffix).mode & 0o777, 0o600, suffix);
  }
  t.deepEqual(fs.readdirSync(path.dirname(file)).sort(), ['a.db', 'a.db-wal', 'a.db.mark']);
  store.discard();
});

const deaths = [
  { durability: 'full', bootId: 'boot-1', status: 'recovered' },
  { durability: 'full', bootId: 'boot-2', status: 'recovered' },
  { durability: 'normal', bootId: 'boot-1', status: 'recovered' },
  { durability: 'normal', bootId: 'boot-2', status: 'rolled-back' },
] as const;

for (const { durability, bootId, status } of deaths) {
  test(`a process that died with durability ${durability}, opened in ${bootId}: ${status}`, (t) => {
    const { file, image, open, openImage } = createFile(t, { durability, limits: defaultLimits });
    const store = open();
    fill(store);
    copyStoreFiles(file, image);
    // What counts is what the last session promised, not what this one does.
    const again = openImage({ bootId, durability: 'full' });
    t.is(again.openReport.status, status);
    t.is(again.incarnation === store.incarnation, status === 'recovered');
    t.is(prefixLength(t, again), 10);
    again.close();
    const third = openImage({ bootId: 'boot-3' });
    t.is(third.openReport.status, 'opened');
    t.is(third.incarnation, again.incarnation);
    third.discard();
    store.discard();
  });
}

test('a renewed incarnation survives the process, and a file from before it is noticed', (t) => {
  const { file, image, open, openImage } = createFile(t, { durability: 'normal' });
  const store = open();
  fill(store);
  const databaseBefore = fs.readFileSync(file);
  store.renewIncarnation(77);
  copyStoreFiles(file, image);
  const again = openImage();
  t.is(again.incarnation, 77);
  t.is(again.openReport.status, 'recovered');
  again.close();
  fs.writeFileSync(image, databaseBefore);
  const old = openImage();
  t.is(old.openReport.status, 'rolled-back');
  t.not(old.incarnation, 77);
  old.discard();
  store.discard();
});

test('files of another cluster, another node or a newer format are refused and kept', (t) => {
  const { file, open } = createFile(t);
  open().close();
  const before = fs.readFileSync(file);
  t.throws(() => open({ clusterId: 'other' }), { code: 'RINGLET_DATADIR_FOREIGN' });
  t.throws(() => open({ nodeId: 'b' }), { code: 'RINGLET_DATADIR_FOREIGN' });
  t.deepEqual(fs.readFileSync(file), before);

  const database = new Database(file);
  database.pragma('user_version = 2');
  database.close();
  t.throws(() => open(), { code: 'RINGLET_FORMAT_NEWER' });
});

test('SQLite versions that lose data are refused', (t) => {
  for (const version of ['3.51.3', '3.52.1', '3.53.0', '3.54.1', '4.0.0']) {
    t.notThrows(() => checkSqliteVersion(version), version);
  }
  for (const version of ['3.7.0', '3.50.9', '3.51.2', '3.52.0']) {
    t.throws(() => checkSqliteVersion(version), { code: 'RINGLET_SQLITE_VERSION' }, version);
  }
});

// --- Lost suffixes ---------------------------------------------------------------------------------

const losses: Record<string, (image: string, databaseBefore: Buffer) => void> = {
  'its log is gone': (image) => fs.rmSync(`${image}-wal`),
  'its log is empty': (image) => fs.truncateSync(`${image}-wal`),
  'its log is cut in half': (image) =>
    fs.truncateSync(`${image}-wal`, fs.statSync(`${image}-wal`).size >> 1),
  'its log has a wrong byte': (image) =>
    flipByte(`${image}-wal`, fs.statSync(`${image}-wal`).size >> 1),
  'its log is random bytes': (image) => fs.writeFileSync(`${image}-wal`, randomBytes(20_000)),
  'an older copy was put back': (image, databaseBefore) => {
    fs.writeFileSync(image, databaseBefore);
    fs.rmSync(`${image}-wal`);
  },
  'the last commit is missing': (image) => {
    const size = fs.statSync(`${image}-wal`).size;
    fs.truncateSync(`${image}-wal`, size - 1);
  },
};

for (const [title, lose] of Object.entries(losses)) {
  test(`a store starts a new incarnation if ${title}`, async (t) => {
    const { file, image, open, openImage } = createFile(t, { limits: defaultLimits });
    const first = open();
    first.close();
    const databaseBefore = fs.readFileSync(file);
    const store = open();
    fill(store);
    await untilDurable(store);
    copyStoreFiles(file, image);
    lose(image, databaseBefore);
    const again = openImage();
    t.is(again.openReport.status, 'rolled-back');
    t.not(again.incarnation, store.incarnation);
    t.true(prefixLength(t, again) < 10);
    putAndCommit(again, 'k0', valueAt(0));
    again.close();

    const third = openImage();
    t.is(third.openReport.status, 'opened', 'it is reported once');
    t.is(third.incarnation, again.incarnation);
    third.discard();
    store.discard();
  });
}

test('a store starts a new incarnation if its file is gone, and keeps an orphaned log', (t) => {
  const { file, image, open, openImage } = createFile(t);
  const store = open();
  fill(store);
  copyStoreFiles(file, image);
  fs.rmSync(image);
  const again = openImage();
  t.is(again.openReport.status, 'rolled-back');
  t.not(again.incarnation, store.incarnation);
  t.is(prefixLength(t, again), 0);
  t.true(fs.existsSync(`${image}.corrupt-1-wal`));
  again.close();
  fs.rmSync(image);
  const third = openImage();
  t.is(third.openReport.status, 'rolled-back');
  third.discard();
  store.discard();
});

test('a log that lost what was never synced is not accused', async (t) => {
  const { file, image, open, openImage } = createFile(t, { limits: defaultLimits });
  const store = open();
  fill(store);
  await untilDurable(store);
  copyStoreFiles(file, image);
  putAndCommit(store, 'k10', 'not synced yet');
  fs.copyFileSync(`${file}.mark`, `${image}.mark`);
  const again = openImage();
  t.is(again.openReport.status, 'recovered');
  t.is(again.incarnation, store.incarnation);
  again.discard();
  store.discard();
});

test('a store without peers is refused if something is missing, until the loss is accepted', async (t) => {
  const { file, image, open } = createFile(t, { limits: defaultLimits });
  const store = open();
  fill(store);
  await untilDurable(store);
  copyStoreFiles(file, image);
  store.discard();
  const log = fs.readFileSync(`${image}-wal`);
  const alone = () => openSqliteStore(storeOptions(image, { hasPeers: false }));

  fs.rmSync(`${image}-wal`);
  const error = t.throws(alone, { code: 'RINGLET_STORE_ROLLED_BACK' });
  t.true(error?.message.includes('.mark'), 'it says how to go on');
  t.throws(alone, { code: 'RINGLET_STORE_ROLLED_BACK' }, 'and says so again');

  fs.writeFileSync(`${image}-wal`, log);
  const restored = alone();
  t.is(prefixLength(t, restored), 10, 'what was put back is all there');
  restored.discard();

  fs.rmSync(image);
  t.throws(alone, { code: 'RINGLET_STORE_ROLLED_BACK' });
  for (const suffix of ['-wal', '.mark']) fs.rmSync(image + suffix, { force: true });
  const accepted = alone();
  t.is(accepted.openReport.status, 'created');
  accepted.discard();
});

test('a store without its mark, or with a damaged one, is not trusted to be complete', (t) => {
  const { file, open } = createFile(t);
  const store = open();
  fill(store);
  store.close();
  fs.rmSync(`${file}.mark`);
  const again = open();
  t.is(again.openReport.status, 'rolled-back');
  t.is(prefixLength(t, again), 10);
  again.close();
  fs.writeFileSync(`${file}.mark`, randomBytes(600));
  const third = open();
  t.is(third.openReport.status, 'rolled-back');
  t.not(third.incarnation, again.incarnation);
  third.discard();
});

// --- Damage ----------------------------------------------------------------------------------------

test('a damaged record is reported, counted and not served; the others are', (t) => {
  const { file, open } = createFile(t);
  const store = open();
  fill(store);
  store.close();
  damageText(file, valueAt(3));
  const again = open();
  t.is(again.openReport.status, 'opened');
  t.is(textAt(again, 'k3'), 'CORRUPT');
  t.is(textAt(again, 'k4'), valueAt(4));
  const entries = again.entries(p0, null, 100);
  t.deepEqual(
    entries.map(({ record }) => textOf(record)),
    Array.from({ length: 10 }, (_, index) => (index === 3 ? 'CORRUPT' : valueAt(index))),
  );
  t.is(again.stats().corruptCount, 2);
  putAndCommit(again, 'k3', 'new');
  t.is(textAt(again, 'k3'), 'new');
  again.discard();
});

test('a damaged batch of the journal is left out whole', (t) => {
  const { file, open } = createFile(t, { limits: defaultLimits });
  const store = open();
  fill(store);
  store.put(p0, keyOf('k3'), bytesOf('overwritten'));
  store.put(p0, keyOf('other'), bytesOf('of the same turn'));
  store.commit();
  store.discard(); // Closing the file moves the log into it.
  damageText(file, 'overwritten');
  const again = open();
  t.is(again.openReport.status, 'rolled-back');
  t.not(again.incarnation, store.incarnation);
  t.is(again.stats().corruptCount, 1);
  t.is(prefixLength(t, again), 10, 'k3 is what it was before');
  t.is(textAt(again, 'other'), null);
  again.discard();
});

const damages: Record<string, (file: string) => void> = {
  'random bytes': (file) => fs.writeFileSync(file, randomBytes(30_000)),
  'a few bytes': (file) => fs.writeFileSync(file, 'SQLite'),
  nothing: (file) => fs.writeFileSync(file, ''),
  'half of it': (file) => fs.truncateSync(file, fs.statSync(file).size >> 1),
  "another application's database": (file) => {
    fs.rmSync(file);
    new Database(file).exec('CREATE TABLE note (text)').close();
  },
  'a wrong byte in the row of meta data': (file) => damageText(file, 'boot-1'),
  'another schema': (file) => {
    const database = new Database(file);
    database.exec('CREATE INDEX record_key ON record (key)');
    database.close();
  },
  'no row of meta data': (file) => {
    const database = new Database(file);
    database.exec('DELETE FROM meta');
    database.close();
  },
};

for (const [title, damage] of Object.entries(damages)) {
  test(`a file with ${title} is set aside and not deleted`, (t) => {
    const { file, open } = createFile(t);
    const store = open();
    fill(store);
    store.close();
    for (const number of [1, 2]) {
      damage(file);
      const damaged = fs.readFileSync(file);
      const again = open();
      t.is(again.openReport.status, 'quarantined');
      t.true(again.openReport.detail.includes(`corrupt-${number}`));
      t.not(again.incarnation, store.incarnation);
      t.is(prefixLength(t, again), 0);
      t.deepEqual(fs.readFileSync(`${file}.corrupt-${number}`), damaged);
      fill(again);
      again.close();
    }
    const last = open();
    t.is(last.openReport.status, 'opened');
    t.is(prefixLength(t, last), 10);
    last.discard();
  });
}

test('no single wrong byte makes a store serve a wrong value', (t) => {
  const { file, image, open, openImage } = createFile(t, { limits: defaultLimits });
  const store = open();
  fill(store);
  store.close();
  const half = open();
  for (let index = 0; index < 10; index += 2) putAndCommit(half, `k${index}`, `newer ${index}`);
  half.discard(); // Half of the newest values are in the journal, the others in the table.
  const size = fs.statSync(file).size;
  const seed = Number(process.env.RINGLET_SEED ?? Date.now() % 1e9);
  const random = new Prng(seed);
  t.log(`seed ${seed}`);
  for (let round = 0; round < 150; round++) {
    const offset = random.int(size);
    copyStoreFiles(file, image);
    fs.rmSync(`${image}-wal`, { force: true });
    flipByte(image, offset);
    let again: SqliteStore | null = null;
    try {
      again = openImage();
      const isWhole = ['opened', 'recovered'].includes(again.openReport.status);
      for (let index = 0; index < 10; index++) {
        const text = textAt(again, `k${index}`);
        const newest = index % 2 === 0 ? `newer ${index}` : valueAt(index);
        const allowed = isWhole
          ? [newest, 'CORRUPT', null]
          : [newest, valueAt(index), 'CORRUPT', null];
        t.true(allowed.includes(text), `byte ${offset}: k${index} is ${text}`);
      }
    } catch (error) {
      t.true(isRingletError(error), `byte ${offset}: ${error}`);
    } finally {
      again?.discard();
    }
  }
});

// --- A full disk -----------------------------------------------------------------------------------

test('what a store serves that was opened on a full disk has been synced', (t) => {
  const { file, open } = createFile(t, { diskPagesMax: () => 40 });
  const store = open();
  putAndCommit(store, 'k', 'v');
  for (let index = 0; !store.stats().isReadOnly; index++) {
    putAndCommit(store, `k${index}`, 'v'.repeat(500));
    store.maintain(2);
  }
  store.discard();
  const synced: string[] = [];
  const { fdatasyncSync } = fs;
  fs.fdatasyncSync = (descriptor) => {
    synced.push(fs.readlinkSync(`/proc/self/fd/${descriptor}`));
    fdatasyncSync(descriptor);
  };
  try {
    const readOnly = open();
    t.true(readOnly.stats().isReadOnly);
    t.is(textAt(readOnly, 'k'), 'v');
    readOnly.discard();
  } finally {
    fs.fdatasyncSync = fdatasyncSync;
  }
  t.deepEqual(synced, [`${file}-wal`]);
});

for (const limits of [defaultLimits, testMinLimits]) {
  test(`a full disk refuses puts and loses nothing, buffer of ${limits.bufferCountMax}`, (t) => {
    let pageCountMax = 40;
    const { open } = createFile(t, { limits, diskPagesMax: () => pageCountMax });
    const committed = new Map<string, string>();
    let store = open();
    for (let index = 0; !store.stats().isReadOnly; index++) {
      t.true(index < 5000, 'the disk never fills');
      const [key, value] = [`key ${index}`, String(index).repeat(100)];
      t.true(store.put(p0, keyOf(key), bytesOf(value)));
      try {
        store.commit();
      } catch (error) {
        t.true(isRingletError(error, 'RINGLET_DISK_FULL') && error.definite);
        store.discard();
        store = open();
        t.is(textAt(store, key), null, 'a failed commit never happened');
        continue;
      }
      committed.set(key, value);
      store.maintain(2);
    }
    for (const [key, value] of committed) t.is(textAt(store, key), value);
    t.false(store.put(p0, keyOf('refused'), bytesOf('x')));
    t.is(textAt(store, 'refused'), null);
    store.commit();
    t.false(store.maintain(2), 'waiting for space is no work');
    t.throws(() => store.renewIncarnation(5), { code: 'RINGLET_DISK_FULL' });

    pageCountMax = 1000;
    store.maintain(2);
    t.false(store.stats().isReadOnly);
    putAndCommit(store, 'after', 'space');
    store.close();
    const again = open();
    t.is(again.openReport.status, 'opened');
    for (const [key, value] of committed) t.is(textAt(again, key), value);
    t.is(textAt(again, 'after'), 'space');
    again.discard();
  });
}

// --- Bounds ----------------------------------------------------------------------------------------

test('memory stays bounded although nobody calls for background work', (t) => {
  const limits = { bufferCountMax: 100, bufferBytesMax: 100_000 };
  const { open } = createFile(t, { durability: 'normal', limits });
  const store = open();
  const turn = 10;
  for (let index = 0; index < 3000; index++) {
    store.put(partitionId(index % 7), keyOf(`key ${(index * 7919) % 1500}`), bytesOf('value'));
    if (index % turn === 0) store.commit();
    t.true(store.stats().bufferedCount <= 2 * (limits.bufferCountMax + turn));
  }
  store.discard();
});

test('overwriting one key keeps the journal bounded', (t) => {
  const limits = { bufferCountMax: 100, bufferBytesMax: 10_000 };
  const { open } = createFile(t, { durability: 'normal', limits });
  const store = open();
  for (let index = 0; index < 1000; index++) {
    putAndCommit(store, 'k', 'x'.repeat(100) + index);
    t.true(store.stats().journalBytes <= 3 * limits.bufferBytesMax);
  }
  t.is(textAt(store, 'k'), `${'x'.repeat(100)}999`);
  store.discard();
});

test('background work comes to an end, and then there is none', (t) => {
  const { open } = createFile(t);
  const store = open();
  for (let index = 0; index < 20; index++) {
    store.put(p0, keyOf(`key ${index}`), bytesOf(`value ${index}`));
  }
  store.commit();
  let calls = 0;
  while (store.maintain(2)) calls++;
  t.true(calls >= 10 && calls <= 20, `${calls} calls`);
  t.false(store.maintain(2));
  t.like(store.stats(), { bufferedCount: 0, journalBytes: 0 });
  t.is(textAt(store, 'key 13'), 'value 13');
  store.discard();
});

test('a turn of many bytes is still one commit', (t) => {
  const { file, image, open, openImage } = createFile(t);
  const store = open();
  const big = (byte: number) => new Uint8Array(3 << 20).fill(byte);
  for (let index = 0; index < 4; index++) store.put(p0, keyOf(`k${index}`), big(index));
  copyStoreFiles(file, image);
  const before = openImage();
  t.is(before.get(p0, keyOf('k0')), null);
  before.discard();
  store.commit();
  copyStoreFiles(file, image);
  const after = openImage();
  for (let index = 0; index < 4; index++) {
    t.true(isSame(after.get(p0, keyOf(`k${index}`)), big(index)));
  }
  after.discard();
  store.discard();
});

/** Damages a text wherever a file has it; pages that are free again may hold it too. */
function damageText(file: string, text: string): void {
  const bytes = fs.readFileSync(file);
  for (let offset = bytes.indexOf(text); offset !== -1; offset = bytes.indexOf(text, offset + 1)) {
    flipByte(file, offset + text.length - 1);
  }
}

function isSame(record: StoredRecord, bytes: Uint8Array): boolean {
  return record instanceof Uint8Array && Buffer.compare(record, bytes) === 0;
}

function randomBytes(size: number): Uint8Array {
  const random = new Prng(size);
  return Uint8Array.from({ length: size }, () => random.int(256));
}
