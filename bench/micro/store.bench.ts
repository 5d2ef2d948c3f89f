/**
 * What do the store's parts cost: journal and commit by the size of a turn, a get from the buffer and from the table, and the
 * high-water mark?
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { PartitionId, RecordKey } from '../../lib/address.ts';
import { type Durability, defaultLimits } from '../../lib/config.ts';
import { Prng } from '../../lib/prng.ts';
import { openSqliteStore, type SqliteStore } from '../../workers/sqlite-store.ts';
import { measure } from './harness.ts';

const KEY_COUNT = 20_000;
const RECORD = new Uint8Array(150).map((_, index) => index * 7);

const random = new Prng(1);
const keys = Array.from({ length: KEY_COUNT }, () => {
  const bytes = Array.from({ length: 20 }, () => random.int(256));
  return String.fromCharCode(...bytes) as RecordKey;
});
const partitionOf = (index: number) => (index % 256) as PartitionId;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringlet-store-bench-'));
let cursor = 0;

function open(name: string, durability: Durability): SqliteStore {
  return openSqliteStore({
    path: path.join(folder, `${name}.db`),
    clusterId: 'bench',
    nodeId: 'a',
    durability,
    limits: defaultLimits,
    createIncarnation: () => 1,
    bootId: 'bench',
  });
}

/** Puts `count` records as one turn would, and commits. */
function turn(store: SqliteStore, count: number): void {
  for (let done = 0; done < count; done++) {
    const index = cursor++ % KEY_COUNT;
    store.put(partitionOf(index), keys[index]!, RECORD);
  }
  store.commit();
  store.maintain(defaultLimits.maintainCountMax);
}

function getMany(store: SqliteStore, count: number): number {
  let found = 0;
  for (let done = 0; done < count; done++) {
    const index = (cursor++ * 7919) % KEY_COUNT;
    if (store.get(partitionOf(index), keys[index]!) !== null) found++;
  }
  return found;
}

try {
  const [full, normal] = [open('full', 'full'), open('normal', 'normal')];
  for (const count of [1, 16, 64, 256]) {
    await measure(
      `a turn of ${count} puts of 150 bytes, per put`,
      {
        'durability full': () => turn(full, count),
        'durability normal': () => turn(normal, count),
      },
      count,
    );
  }
  for (let done = 0; done < KEY_COUNT; done += 256) turn(normal, 256);
  await measure('a get', { 'from the buffer': () => getMany(normal, 100) }, 100);
  full.close();
  normal.close();
  const reopened = open('normal', 'normal');
  await measure('a get', { 'from the table': () => getMany(reopened, 100) }, 100);
  reopened.close();
} finally {
  fs.rmSync(folder, { recursive: true });
}
