/**
 * Counting replies of replicas, each at most once: the arithmetic that reads and writes share (Dynamo §4.5).
 * Plain data, no messages, no time. `test/property/quorum.test.ts` compares it with naive counting.
 *
 * Invariants:
 * 1. A replica is counted once, by its first reply; what the network repeats changes nothing.
 * 2. Once met or unmet, further replies do not change the outcome.
 */
import { assert } from '../lib/assert.ts';
import { REPLICATION_FACTOR_MAX } from '../lib/config.ts';

export interface Tally {
  /** Replicas of the key. */
  readonly replicaCount: number;
  /** Successes needed. */
  readonly needed: number;
  /** Bit i is set once replica i has replied. */
  repliedMask: number;
  succeeded: number;
  failed: number;
}

export function createTally(replicaCount: number, needed: number): Tally {
  assert(1 <= needed && needed <= replicaCount, 'quorum within the replicas');
  assert(replicaCount <= REPLICATION_FACTOR_MAX, 'replicas fit the mask');
  return { replicaCount, needed, repliedMask: 0, succeeded: 0, failed: 0 };
}

/** Counts a reply. @returns `false` if this replica was counted before: the reply is to be ignored. */
export function countReply(tally: Tally, replica: number, hasSucceeded: boolean): boolean {
  assert(replica >= 0 && replica < tally.replicaCount, 'index of a replica');
  const bit = 1 << replica;
  if ((tally.repliedMask & bit) !== 0) return false;
  tally.repliedMask |= bit;
  if (hasSucceeded) tally.succeeded++;
  else tally.failed++;
  return true;
}

export type QuorumOutcome = 'pending' | 'met' | 'unmet';

/** `unmet` as soon as the replicas that have not replied cannot make up what is missing. */
export function quorumOutcome(tally: Tally): QuorumOutcome {
  if (tally.succeeded >= tally.needed) return 'met';
  return tally.failed > tally.replicaCount - tally.needed ? 'unmet' : 'pending';
}
