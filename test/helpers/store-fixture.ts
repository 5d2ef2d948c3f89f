/** Stores, keys and files for the tests of partition stores. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { PartitionId, RecordKey } from '../../lib/address.ts';
import { testMinLimits } from '../../lib/config.ts';
import type { StoredRecord } from '../../lib/store/contract.ts';
import type { SqliteStoreOptions } from '../../workers/sqlite-store.ts';

export const clusterId = 'c'.repeat(32);
export const bootId = 'boot-1';

/** A fresh folder that goes when the test is over. */
export function temporaryFolder(t: { teardown(work: () => void): void }): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringlet-test-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Options of a SQLite store with tiny limits, each incarnation one higher than the last. */
export function storeOptions(
  file: string,
  change: Partial<SqliteStoreOptions> = {},
): SqliteStoreOptions {
  let incarnation = 100 * ++openCount;
  return {
    path: file,
    clusterId,
    nodeId: 'a',
    durability: 'full',
    limits: testMinLimits,
    createIncarnation: () => ++incarnation,
    bootId,
    ...change,
  };
}

let openCount = 0;

/** Copies the files of an open store between two of its calls: what a killed process would leave. */
export function copyStoreFiles(from: string, to: string): void {
  for (const suffix of ['', '-wal', '.mark']) {
    fs.rmSync(to + suffix, { force: true });
    if (fs.existsSync(from + suffix)) fs.copyFileSync(from + suffix, to + suffix);
  }
}

/** Inverts the bits of one byte of a file. */
export function flipByte(file: string, offset: number): void {
  const bytes = fs.readFileSync(file);
  bytes[offset] = ~bytes[offset]! & 0xff;
  fs.writeFileSync(file, bytes);
}

export function partitionId(index: number): PartitionId {
  return index as PartitionId;
}

export function keyOf(text: string): RecordKey {
  return text as RecordKey;
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What a store gave back, as something that a test can compare and print. */
export function textOf(record: StoredRecord): string | null {
  if (record === null) return null;
  return typeof record === 'symbol' ? 'CORRUPT' : new TextDecoder().decode(record);
}
