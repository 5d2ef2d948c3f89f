/**
 * The yardstick: better-sqlite3 alone, one thread, one copy, write-ahead log, an fsync per transaction of 256
 * upserts; then point gets, one at a time.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { createDataset, type Dataset, keyAt, standardDataset, valueAt } from '../dataset.ts';
import { type Trial, trialMain } from '../trial.ts';

const BATCH = 256;

await trialMain(async ({ seconds, scale }) => {
  const dataset = createDataset({
    ...standardDataset,
    keyCount: Math.round(standardDataset.keyCount * scale),
  });
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ringlet-yardstick-'));
  const db = new Database(path.join(directory, 'kv.db'));
  try {
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.exec('CREATE TABLE kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
    return measure(db, dataset, seconds);
  } finally {
    db.close();
    fs.rmSync(directory, { recursive: true });
  }
});

function measure(db: Database.Database, dataset: Dataset, seconds: number): Trial[] {
  const upsert = db.prepare(
    'INSERT INTO kv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );
  const select = db.prepare('SELECT value FROM kv WHERE key = ?').pluck();
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const load = (from: number) => {
    begin.run();
    const end = Math.min(from + BATCH, dataset.keys.length);
    for (let index = from; index < end; index++) {
      upsert.run(dataset.keys[index]!, dataset.values[index % dataset.values.length]!);
    }
    commit.run();
  };
  for (let from = 0; from < dataset.keys.length; from += BATCH) load(from);
  const put = repeat(seconds, (operation) => {
    begin.run();
    for (let index = operation; index < operation + BATCH; index++) {
      upsert.run(keyAt(dataset, index), valueAt(dataset, index));
    }
    commit.run();
    return BATCH;
  });
  const get = repeat(seconds, (operation) => {
    for (let index = operation; index < operation + BATCH; index++) {
      if (select.get(keyAt(dataset, index)) === undefined) throw new Error('a key is missing');
    }
    return BATCH;
  });
  return [
    { name: 'yardstick.put', ...put },
    { name: 'yardstick.get', ...get },
  ];
}

/** Calls `step` with the number of the next operation until time is up; `step` returns how many it did. */
function repeat(
  seconds: number,
  step: (operation: number) => number,
): { operations: number; seconds: number } {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let operations = 0;
  while (performance.now() < endMs) operations += step(operations);
  return { operations, seconds: (performance.now() - startMs) / 1000 };
}
