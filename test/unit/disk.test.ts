/** The simulated disk: what each death and each fault leaves, and what the store says of it when it is opened. */
import test from 'ava';
import { isRingletError } from '../../lib/errors.ts';
import { Prng } from '../../lib/prng.ts';
import { type CommittedPut, SimulatedCrash } from '../../lib/sim/world/disk.ts';
import {
  createDisk,
  fill,
  keysFound,
  openDisk,
  putAndCommit,
  Syncs,
  textAt,
} from '../helpers/disk-fixture.ts';
import { bytesOf, keyOf, partitionId, textOf } from '../helpers/store-fixture.ts';

const p0 = partitionId(0);
const p1 = partitionId(1);

/** 0 to `count - 1`. */
function numbersTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

// --- Deaths ----------------------------------------------------------------------------------------

const deaths = [
  { durability: 'full', bootId: 'boot-1', status: 'recovered' },
  { durability: 'full', bootId: 'boot-2', status: 'recovered' },
  { durability: 'normal', bootId: 'boot-1', status: 'recovered' },
  { durability: 'normal', bootId: 'boot-2', status: 'rolled-back' },
  { durability: 'memory', bootId: 'boot-1', status: 'created' },
] as const;

for (const { durability, bootId, status } of deaths) {
  test(`a process that died with durability ${durability}, opened in ${bootId}: ${status}`, (t) => {
    const disk = createDisk(durability);
    const store = openDisk(disk);
    t.is(store.openReport.status, 'created');
    fill(store, 10);
    store.put(p0, keyOf('k10'), bytesOf('not committed'));
    store.put(p0, keyOf('k3'), bytesOf('not committed'));
    store.discard();
    const again = openDisk(disk, { bootId });
    t.is(again.openReport.status, status);
    t.is(again.incarnation === store.incarnation, status === 'recovered');
    t.deepEqual(keysFound(again), status === 'created' ? [] : numbersTo(10));
    t.is(textAt(again, 'k3'), status === 'created' ? null : 'value 3');
    again.close();
    const third = openDisk(disk, { bootId: 'boot-3' });
    t.is(third.openReport.status, durability === 'memory' ? 'created' : 'opened');
    t.is(third.incarnation === again.incarnation, durability !== 'memory');
  });
}

test('one store at a time is open on a disk', (t) => {
  const disk = createDisk();
  const store = openDisk(disk);
  t.throws(() => openDisk(disk));
  t.throws(() => disk.losePower(new Prng(1)));
  store.discard();
  t.notThrows(() => openDisk(disk));
});

test('power that goes takes any suffix of what was not synced, and nothing of what was', (t) => {
  const lostCounts = new Set<number>();
  for (let seed = 0; seed < 200; seed++) {
    const disk = createDisk('full');
    const syncs = new Syncs();
    const store = openDisk(disk, { startSync: syncs.start });
    fill(store, 3);
    syncs.end(); // The next one begins.
    fill(store, 7, 3);
    syncs.end();
    store.discard();
    t.is(disk.commitCount, 7);
    t.is(disk.durableCount, 3);
    const lostCount = disk.losePower(new Prng(seed));
    lostCounts.add(lostCount);
    t.is(disk.durableCount, 7 - lostCount);
    const again = openDisk(disk, { bootId: 'boot-2' });
    t.is(again.openReport.status, 'recovered', 'nothing that was durable is missing');
    t.is(again.incarnation, store.incarnation);
    t.deepEqual(keysFound(again), numbersTo(7 - lostCount));
    t.is(again.commitNumber, 7 - lostCount);
  }
  t.deepEqual([...lostCounts].sort(), [0, 1, 2, 3, 4]);
});

test('with durability normal power takes the last commits of many, and the store says so', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const disk = createDisk('normal');
    const store = openDisk(disk);
    fill(store, 1000);
    t.is(store.durableNumber, 1000, 'what the durability asks for is done');
    const { durableCount } = disk;
    t.true(durableCount > 500 && durableCount < 1000, 'there is a checkpoint now and then');
    store.discard();
    const lostCount = disk.losePower(new Prng(seed));
    t.true(lostCount <= 1000 - durableCount);
    const again = openDisk(disk, { bootId: 'boot-2' });
    t.is(again.openReport.status, 'rolled-back');
    t.not(again.incarnation, store.incarnation);
    t.deepEqual(keysFound(again), numbersTo(1000 - lostCount));
  }
});

test('the mark is synced when a store is opened and when it is closed', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    for (const isClosed of [true, false]) {
      const disk = createDisk();
      const store = openDisk(disk);
      fill(store, 3);
      const image = disk.takeImage();
      fill(store, 6, 3);
      if (isClosed) {
        store.close();
      } else {
        store.discard();
        openDisk(disk).discard();
      }
      disk.losePower(new Prng(seed));
      disk.putBack(image, 'file');
      t.is(openDisk(disk, { bootId: 'boot-2' }).openReport.status, 'rolled-back');
    }
  }
});

test('a loss of power during a session is undone to the records that were there before it', (t) => {
  const disk = createDisk('normal');
  const store = openDisk(disk);
  fill(store, 5);
  store.close();
  const second = openDisk(disk);
  for (const round of ['a', 'b', 'c']) putAndCommit(second, 'k1', round);
  putAndCommit(second, 'k9', 'new');
  second.discard();
  let seed = 0;
  while (new Prng(seed).int(5) !== 0) seed++;
  t.is(disk.losePower(new Prng(seed)), 4);
  const third = openDisk(disk, { bootId: 'boot-2' });
  t.deepEqual(keysFound(third), numbersTo(5));
  t.is(textAt(third, 'k1'), 'value 1');
});

test('a renewed incarnation survives the power, and is doubted if its mark did not', (t) => {
  const statuses = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const disk = createDisk('full');
    const store = openDisk(disk);
    fill(store, 3);
    store.put(p0, keyOf('k3'), bytesOf('not committed'));
    store.renewIncarnation(7_000_000);
    store.discard();
    disk.losePower(new Prng(seed));
    const again = openDisk(disk, { bootId: 'boot-2' });
    statuses.add(again.openReport.status);
    t.is(again.incarnation === 7_000_000, again.openReport.status === 'recovered');
    t.deepEqual(keysFound(again), numbersTo(3));
  }
  t.deepEqual([...statuses].sort(), ['recovered', 'rolled-back']);
});

// --- Syncs -----------------------------------------------------------------------------------------

test('one sync at a time; the next covers all commits since; the owner hears of each', (t) => {
  const disk = createDisk();
  const syncs = new Syncs();
  const store = openDisk(disk, { startSync: syncs.start });
  const heard: unknown[] = [];
  store.onDurable = (error) => heard.push([error, store.durableNumber]);
  putAndCommit(store, 'k0', 'v');
  fill(store, 4, 1);
  t.is(syncs.count, 1);
  t.deepEqual([store.durableNumber, store.commitNumber, disk.durableCount], [0, 4, 0]);
  t.deepEqual(heard, [], 'not from within commit');
  syncs.end();
  t.deepEqual(heard, [[null, 1]]);
  t.is(disk.durableCount, 1);
  t.is(syncs.count, 1, 'the next has begun');
  syncs.end();
  t.deepEqual(heard.at(-1), [null, 4]);
  t.is(disk.durableCount, 4);
  t.is(syncs.count, 0, 'nothing is left to sync');
  t.deepEqual(heard.length, 2);
});

test('nothing but durability full asks for syncs', (t) => {
  for (const durability of ['normal', 'memory'] as const) {
    const syncs = new Syncs();
    const store = openDisk(createDisk(durability), { startSync: syncs.start });
    fill(store, 3);
    t.is(syncs.count, 0);
    t.is(store.durableNumber, 3);
  }
});

test('a sync that fails ends the store; what it would have covered is at the mercy of the power', (t) => {
  const disk = createDisk();
  const syncs = new Syncs();
  const store = openDisk(disk, { startSync: syncs.start });
  const heard: unknown[] = [];
  store.onDurable = (error) => heard.push(error);
  fill(store, 3);
  syncs.end(new Error('input/output error'));
  t.is(heard.length, 1);
  t.true(isRingletError(heard[0], 'RINGLET_STORE_FAILED'));
  t.is(syncs.count, 0, 'it is never tried again');
  t.is(store.durableNumber, 0);
  t.throws(() => store.put(p0, keyOf('k'), bytesOf('v')));
  store.discard();
  t.is(disk.durableCount, 0);
  const again = openDisk(disk);
  t.deepEqual(keysFound(again), numbersTo(3));
  t.is(disk.durableCount, 3, 'an open syncs');
});

test('a sync that outlives its process makes durable what the power then leaves', (t) => {
  const disk = createDisk();
  const syncs = new Syncs();
  const store = openDisk(disk, { startSync: syncs.start });
  fill(store, 1);
  store.onDurable = () => t.fail('nobody is there to hear of it');
  store.discard();
  t.is(disk.durableCount, 0);
  syncs.end();
  t.is(disk.durableCount, 1);
  t.is(disk.losePower(new Prng(1)), 0);
});

test('a sync that ends after the power went says nothing of what was committed since', (t) => {
  const disk = createDisk();
  const syncs = new Syncs();
  const store = openDisk(disk, { startSync: syncs.start });
  fill(store, 9);
  syncs.end(); // The next sync has begun and covers all nine.
  store.discard();
  let seed = 0;
  while (new Prng(seed).int(9) !== 0) seed++;
  t.is(disk.losePower(new Prng(seed)), 8);
  const again = openDisk(disk, { bootId: 'boot-2', startSync: () => {} });
  fill(again, 12, 9);
  syncs.end();
  t.is(again.durableNumber, 1);
  t.is(disk.durableCount, 1);
});

// --- A full disk and failing commits -----------------------------------------------------------------

test('a full disk: a commit fails and never happened; the next store is read-only until there is space', (t) => {
  const disk = createDisk();
  const store = openDisk(disk);
  fill(store, 3);
  disk.isFull = true;
  t.true(store.put(p0, keyOf('k3'), bytesOf('v')));
  const error = t.throws(() => store.commit(), { code: 'RINGLET_DISK_FULL' });
  t.true(isRingletError(error) && error.definite);
  store.discard();

  const again = openDisk(disk);
  t.is(again.openReport.status, 'recovered');
  t.deepEqual(keysFound(again), numbersTo(3));
  t.true(again.stats().isReadOnly);
  t.false(again.put(p0, keyOf('k3'), bytesOf('v')));
  t.notThrows(() => again.commit(), 'there is nothing to commit');
  t.false(again.maintain(2));
  t.throws(() => again.renewIncarnation(5), { code: 'RINGLET_DISK_FULL' });

  disk.isFull = false;
  t.false(again.put(p0, keyOf('k3'), bytesOf('v')), 'nobody has looked yet');
  again.maintain(2);
  t.false(again.stats().isReadOnly);
  putAndCommit(again, 'k3', 'after');
  again.close();
  t.is(openDisk(disk).openReport.status, 'opened');
});

test('a full disk: what a store opened on it serves is not lost any more', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const disk = createDisk('full');
    const syncs = new Syncs();
    const store = openDisk(disk, { startSync: syncs.start });
    fill(store, 5);
    store.discard();
    disk.isFull = true;
    const readOnly = openDisk(disk, { startSync: syncs.start });
    t.true(readOnly.stats().isReadOnly);
    const served = keysFound(readOnly);
    readOnly.discard();
    disk.losePower(new Prng(seed));
    disk.isFull = false;
    t.deepEqual(keysFound(openDisk(disk, { bootId: 'boot-2' })), served, `seed ${seed}`);
  }
});

test('a full disk: background work makes a store read-only before a commit fails', (t) => {
  const disk = createDisk();
  const store = openDisk(disk);
  fill(store, 2);
  disk.isFull = true;
  store.maintain(2);
  t.false(store.put(p0, keyOf('k2'), bytesOf('v')));
  t.is(textAt(store, 'k2'), null);
  store.close();
  disk.isFull = false;
  t.is(openDisk(disk).openReport.status, 'recovered', 'it could not say that it was closed');
});

test('a full disk takes no new store, and no new incarnation for good', (t) => {
  const disk = createDisk();
  disk.isFull = true;
  t.throws(() => openDisk(disk), { code: 'RINGLET_DISK_FULL' });
  disk.isFull = false;
  const store = openDisk(disk);
  t.is(store.openReport.status, 'created');
  fill(store, 3);
  store.discard();
  disk.rotJournal(new Prng(1), 'cut');
  disk.isFull = true;
  const readOnly = openDisk(disk);
  t.is(readOnly.openReport.status, 'rolled-back');
  readOnly.discard();
  disk.isFull = false;
  t.is(openDisk(disk).openReport.status, 'rolled-back', 'as long as it could not be written down');
});

test('a commit that fails with an I/O error keeps nothing', (t) => {
  const disk = createDisk();
  const store = openDisk(disk);
  const committed: (readonly CommittedPut[])[] = [];
  store.onCommitted = (puts) => committed.push(puts);
  disk.failCommit(2, 'io-error');
  store.commit();
  fill(store, 2);
  t.throws(() => putAndCommit(store, 'k2', 'v'), { code: 'RINGLET_STORE_FAILED' });
  t.is(committed.length, 2);
  t.throws(() => store.commit(), undefined, 'a failed store is not used');
  store.discard();
  const again = openDisk(disk);
  t.is(again.openReport.status, 'recovered');
  t.deepEqual(keysFound(again), [0, 1]);
  t.notThrows(() => putAndCommit(again, 'k2', 'v'), 'it fails once');
});

for (const durability of ['full', 'memory'] as const) {
  test(`a process that dies between commit and send, durability ${durability}`, (t) => {
    const disk = createDisk(durability);
    const syncs = new Syncs();
    const store = openDisk(disk, { startSync: syncs.start });
    const committed: (readonly CommittedPut[])[] = [];
    store.onCommitted = (puts) => committed.push(puts);
    disk.failCommit(0, 'lost-send');
    t.throws(() => putAndCommit(store, 'k0', 'v'), { instanceOf: SimulatedCrash });
    t.is(committed.length, 1, 'it was kept');
    t.is(syncs.count, 0);
    store.discard();
    t.deepEqual(keysFound(openDisk(disk)), durability === 'full' ? [0] : []);
  });
}

test('an injected failure of a sync hits the one that covers its commit', (t) => {
  const disk = createDisk();
  const syncs = new Syncs();
  const store = openDisk(disk, { startSync: syncs.start });
  const heard: boolean[] = [];
  store.onDurable = (error) => heard.push(error === null);
  disk.failCommit(1, 'sync-error');
  fill(store, 3);
  syncs.endAll();
  t.deepEqual(heard, [true, false]);
  t.is(store.durableNumber, 1);
  t.is(disk.durableCount, 1);
  store.discard();
  t.deepEqual(keysFound(openDisk(disk)), [0, 1, 2], 'the process died, not the machine');
});

test('an injected failure of a sync where none follows a commit', (t) => {
  for (const durability of ['full', 'normal'] as const) {
    const disk = createDisk(durability);
    const store = openDisk(disk);
    disk.failCommit(1, 'sync-error');
    fill(store, 1);
    t.throws(() => putAndCommit(store, 'k1', 'v'), { code: 'RINGLET_STORE_FAILED' });
    store.discard();
    t.is(disk.commitCount, 2);
    t.is(disk.durableCount, durability === 'full' ? 1 : 0);
  }
});

test('what breaks a disk does not hurt a store in memory', (t) => {
  const disk = createDisk('memory');
  const store = openDisk(disk);
  disk.isFull = true;
  disk.failCommit(0, 'io-error');
  fill(store, 3);
  store.maintain(1);
  t.is(disk.rotRecord(new Prng(1)), null);
  t.deepEqual(keysFound(store), numbersTo(3));
  const image = disk.takeImage();
  store.discard();
  t.is(disk.losePower(new Prng(1)), 0);
  t.is(disk.rotJournal(new Prng(1)), 0);
  disk.putBack(image);
  t.is(openDisk(disk).openReport.status, 'created');
});

// --- Damage ----------------------------------------------------------------------------------------

test('a damaged record is reported until it is put again, over crashes and restarts', (t) => {
  const disk = createDisk();
  t.is(disk.rotRecord(new Prng(1)), null);
  let store = openDisk(disk);
  fill(store, 4);
  const hit = disk.rotRecord(new Prng(3))!;
  const number = Number(hit.key.slice(1));
  t.is(hit.partition, p0);
  store.discard();
  store = openDisk(disk);
  t.is(store.openReport.status, 'recovered', 'nobody has looked at it');
  t.is(textAt(store, hit.key), 'CORRUPT');
  t.is(textAt(store, `k${(number + 1) % 4}`), `value ${(number + 1) % 4}`);
  t.deepEqual(
    store.entries(p0, null, 9).map(({ record }) => textOf(record)),
    numbersTo(4).map((index) => (index === number ? 'CORRUPT' : `value ${index}`)),
  );
  t.deepEqual(
    [...store.all()].map(({ record }) => textOf(record)),
    numbersTo(4).map((index) => (index === number ? 'CORRUPT' : `value ${index}`)),
  );
  t.is(store.stats().corruptCount, 2);
  store.close();
  store = openDisk(disk);
  store.put(p0, hit.key, bytesOf('not committed'));
  t.is(textAt(store, hit.key), 'not committed');
  t.throws(() => disk.rotRecord(new Prng(1)), undefined, 'not in the middle of a turn');
  store.discard();
  store = openDisk(disk);
  t.is(textAt(store, hit.key), 'CORRUPT');
  putAndCommit(store, hit.key, 'new');
  store.discard();
  t.is(textAt(openDisk(disk), hit.key), 'new');
});

test('any record may be damaged', (t) => {
  const hits = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const disk = createDisk();
    const store = openDisk(disk);
    for (const partition of [p1, partitionId(7)]) {
      for (const key of ['a', 'b']) store.put(partition, keyOf(key), bytesOf('v'));
    }
    store.commit();
    const { partition, key } = disk.rotRecord(new Prng(seed))!;
    hits.add(`${partition}${key}`);
  }
  t.deepEqual([...hits].sort(), ['1a', '1b', '7a', '7b']);
});

test('a journal that was cut off is noticed by the mark', (t) => {
  const lostCounts = new Set<number>();
  for (let seed = 0; seed < 100; seed++) {
    const disk = createDisk();
    const store = openDisk(disk);
    fill(store, 5);
    store.discard();
    const lostCount = disk.rotJournal(new Prng(seed), 'cut');
    lostCounts.add(lostCount);
    const again = openDisk(disk);
    t.is(again.openReport.status, 'rolled-back');
    t.not(again.incarnation, store.incarnation);
    t.deepEqual(keysFound(again), numbersTo(5 - lostCount));
    fill(again, 6, 5);
    again.discard();
    t.is(openDisk(disk).openReport.status, 'recovered', 'it is reported once');
  }
  t.deepEqual([...lostCounts].sort(), [1, 2, 3, 4, 5]);
});

test('a journal with a hole keeps what came after it, and says so as long as the hole is there', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const disk = createDisk();
    const store = openDisk(disk);
    fill(store, 5);
    putAndCommit(store, 'k2', 'newer');
    store.discard();
    t.is(disk.rotJournal(new Prng(seed), 'hole'), 1);
    const again = openDisk(disk);
    t.is(again.openReport.status, 'rolled-back');
    t.is(again.stats().corruptCount, 1);
    t.is(again.commitNumber, 6);
    const texts = numbersTo(5).map((index) => textAt(again, `k${index}`));
    const wrong = texts.filter(
      (text, index) => text !== (index === 2 ? 'newer' : `value ${index}`),
    );
    t.true(wrong.length <= 1, `${texts}`);
    again.discard();
    const third = openDisk(disk);
    t.is(third.openReport.status, 'rolled-back');
    t.deepEqual(
      numbersTo(5).map((index) => textAt(third, `k${index}`)),
      texts,
    );
    third.close();
    t.is(openDisk(disk).openReport.status, 'opened');
  }
});

test('of many commits the journal has the last ones', (t) => {
  for (let count = 250; count < 260; count++) {
    const disk = createDisk();
    const store = openDisk(disk);
    fill(store, count);
    store.discard();
    const image = disk.takeImage();
    for (let seed = 0; seed < 10; seed++) {
      disk.putBack(image);
      const lostCount = disk.rotJournal(new Prng(seed), 'cut');
      t.true(lostCount > 0 && lostCount < 256);
      const again = openDisk(disk);
      t.deepEqual(keysFound(again), numbersTo(count - lostCount));
      again.discard();
    }
  }
});

test('a store that was closed has no journal to damage', (t) => {
  const disk = createDisk();
  const store = openDisk(disk);
  fill(store, 5);
  store.close();
  t.is(disk.rotJournal(new Prng(1), 'cut'), 0);
  t.is(disk.rotJournal(new Prng(1), 'hole'), 0);
  const again = openDisk(disk);
  t.is(again.openReport.status, 'opened');
  t.deepEqual(keysFound(again), numbersTo(5));
});

test('a file whose meta data is damaged is set aside', (t) => {
  const disk = createDisk();
  const store = openDisk(disk);
  fill(store, 5);
  store.close();
  disk.rotMeta();
  disk.putBack(disk.takeImage()); // A copy of a damaged file is damaged.
  const again = openDisk(disk);
  t.is(again.openReport.status, 'quarantined');
  t.not(again.incarnation, store.incarnation);
  t.deepEqual(keysFound(again), []);
  fill(again, 2);
  again.close();
  const third = openDisk(disk);
  t.is(third.openReport.status, 'opened');
  t.is(third.incarnation, again.incarnation);
});

// --- Files that come and go --------------------------------------------------------------------------

test('files that are gone: both, the file, the mark', (t) => {
  const statuses = (['directory', 'file', 'mark'] as const).map((what) => {
    const disk = createDisk();
    const store = openDisk(disk);
    fill(store, 5);
    store.discard();
    disk.wipe(what);
    const again = openDisk(disk);
    t.not(again.incarnation, store.incarnation);
    t.deepEqual(keysFound(again), what === 'mark' ? numbersTo(5) : []);
    return again.openReport.status;
  });
  t.deepEqual(statuses, ['created', 'rolled-back', 'rolled-back']);
});

test('a damaged file is set aside although there is no space for another', (t) => {
  const disk = createDisk();
  openDisk(disk).close();
  disk.rotMeta();
  disk.isFull = true;
  t.throws(() => openDisk(disk), { code: 'RINGLET_DISK_FULL' });
  disk.isFull = false;
  t.is(openDisk(disk).openReport.status, 'rolled-back');
});

test('an image is durable, whatever of it was not when it was taken', (t) => {
  const disk = createDisk('normal');
  const store = openDisk(disk);
  fill(store, 3);
  store.discard();
  t.is(disk.durableCount, 0);
  disk.putBack(disk.takeImage());
  t.is(disk.durableCount, 3);
});

test('an older image with its mark is taken for what it was, without its mark it is noticed', (t) => {
  for (const what of ['directory', 'file'] as const) {
    const disk = createDisk();
    const store = openDisk(disk);
    fill(store, 3);
    const image = disk.takeImage();
    fill(store, 6, 3);
    putAndCommit(store, 'k1', 'newer');
    store.discard();
    for (let round = 0; round < 2; round++) {
      disk.putBack(image, what);
      const again = openDisk(disk);
      t.is(again.openReport.status, what === 'directory' ? 'recovered' : 'rolled-back');
      t.is(again.incarnation === store.incarnation, what === 'directory');
      t.deepEqual(keysFound(again), numbersTo(3));
      t.is(textAt(again, 'k1'), 'value 1');
      fill(again, 20, 10);
      again.discard();
    }
  }
});

test('an image of another node is refused and left as it is', (t) => {
  const other = createDisk('full', 'b');
  fill(openDisk(other), 3);
  const disk = createDisk('full', 'a');
  openDisk(disk).discard();
  disk.putBack(other.takeImage());
  for (let round = 0; round < 2; round++) {
    t.throws(() => openDisk(disk), { code: 'RINGLET_DATADIR_FOREIGN' });
  }
  t.is(disk.commitCount, 3);
  disk.wipe();
  t.is(openDisk(disk).openReport.status, 'created');
});

test('an image of an empty disk, and one of a disk in the middle of a turn', (t) => {
  const disk = createDisk();
  const empty = disk.takeImage();
  const store = openDisk(disk);
  fill(store, 3);
  store.put(p0, keyOf('k'), bytesOf('v'));
  t.throws(() => disk.takeImage());
  store.discard();
  disk.putBack(empty);
  t.is(openDisk(disk).openReport.status, 'created');
});

test('without peers a store that lost something is refused, until it is put back', (t) => {
  const disk = createDisk();
  const store = openDisk(disk, { hasPeers: false });
  fill(store, 5);
  store.discard();
  const image = disk.takeImage();
  const losses = [() => disk.rotJournal(new Prng(1)), () => disk.wipe('file')];
  for (const lose of losses) {
    lose();
    for (let round = 0; round < 2; round++) {
      t.throws(() => openDisk(disk, { hasPeers: false }), { code: 'RINGLET_STORE_ROLLED_BACK' });
    }
    disk.putBack(image);
    const again = openDisk(disk, { hasPeers: false });
    t.is(again.openReport.status, 'recovered');
    t.deepEqual(keysFound(again), numbersTo(5));
    again.discard();
  }
  disk.wipe('file');
  disk.wipe('mark');
  t.is(openDisk(disk, { hasPeers: false }).openReport.status, 'created');
});

// --- Looking in --------------------------------------------------------------------------------------

test('commits are told with their puts, and everything is listed in order', (t) => {
  const store = openDisk(createDisk());
  const committed: string[][] = [];
  store.onCommitted = (puts) => {
    committed.push(
      puts.map(({ partition, key, record }) => `${partition} ${key} ${textOf(record)}`),
    );
  };
  store.put(partitionId(300), keyOf('a'), bytesOf('1'));
  store.put(p1, keyOf('b'), bytesOf('2'));
  store.put(p1, keyOf('b'), bytesOf('3'));
  store.commit();
  store.commit();
  store.put(p1, keyOf('a'), bytesOf('4'));
  store.commit();
  t.deepEqual(committed, [['300 a 1', '1 b 2', '1 b 3'], ['1 a 4']]);
  t.deepEqual(
    [...store.all()].map(({ partition, key, record }) => `${partition} ${key} ${textOf(record)}`),
    ['1 a 4', '1 b 3', '300 a 1'],
  );
});
