/**
 * A read as a value: the records that came, whether they decide it, what they merge to and which replicas
 * are behind (Dynamo §4.5). No messages and no time, so that every order of replies can be tested.
 *
 * Invariant: the merged record contains every version of every record that came; nothing is trimmed.
 */
import { assert } from '../lib/assert.ts';
import { equalBytes } from '../lib/bytes.ts';
import { decodeVersionSet, encodeVersionSet, syncVersionSets } from '../lib/clock/version-set.ts';
import type { GetStatus } from '../lib/protocol/messages.ts';
import { countReply, createTally, quorumOutcome, type Tally } from './quorum.ts';

export interface GetCore {
  readonly tally: Tally;
  /** By replica: its record, `null` for none, `undefined` while it has not answered with either. */
  readonly records: (Uint8Array | null | undefined)[];
  corruptCount: number;
  overloadedCount: number;
}

export function createGetCore(n: number, r: number): GetCore {
  return {
    tally: createTally(n, r),
    records: new Array<Uint8Array | null | undefined>(n).fill(undefined),
    corruptCount: 0,
    overloadedCount: 0,
  };
}

/** A replica answered with its record or with none. @returns `false` if it had replied before. */
export function addRecord(core: GetCore, replica: number, record: Uint8Array | null): boolean {
  if (!countReply(core.tally, replica, true)) return false;
  core.records[replica] = record;
  return true;
}

/** A replica cannot answer. @returns `false` if it had replied before. */
export function addGetFailure(
  core: GetCore,
  replica: number,
  reason: 'down' | 'corrupt' | 'overloaded',
): boolean {
  if (!countReply(core.tally, replica, false)) return false;
  if (reason === 'corrupt') core.corruptCount++;
  if (reason === 'overloaded') core.overloadedCount++;
  return true;
}

/** How the read stands. `found` and `missing` are the same outcome, told apart by what was merged. */
export function getStatus(core: GetCore): GetStatus | 'pending' {
  switch (quorumOutcome(core.tally)) {
    case 'pending':
      return 'pending';
    case 'met':
      return core.records.some((record) => record instanceof Uint8Array) ? 'found' : 'missing';
    case 'unmet':
      if (core.corruptCount > 0) return 'corrupt';
      return core.overloadedCount === core.tally.failed ? 'overloaded' : 'quorum-unmet';
  }
}

/** What all records that came merge to, `null` if none holds anything. Equal records are not even decoded. */
export function mergedRecord(core: GetCore): Uint8Array | null {
  let merged: Uint8Array | null = null;
  for (const record of core.records) {
    if (record === undefined || record === null) continue;
    merged = merged === null ? record : mergeRecords(merged, record);
  }
  return merged;
}

/** Merges two encoded records. @returns one of the two, unchanged, if the other adds nothing to it. */
export function mergeRecords(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (equalBytes(a, b)) return a;
  const left = decodeVersionSet(a);
  const right = decodeVersionSet(b);
  const merged = syncVersionSets(left, right);
  if (merged === left) return a;
  return merged === right ? b : encodeVersionSet(merged);
}

/** The replicas whose answer lacks something of `merged`, by index. */
export function staleReplicas(core: GetCore, merged: Uint8Array): number[] {
  assert(core.tally.succeeded > 0, 'nothing to compare with');
  const stale: number[] = [];
  for (const [replica, record] of core.records.entries()) {
    if (record === undefined) continue;
    if (record === null || !equalBytes(record, merged)) stale.push(replica);
  }
  return stale;
}
