/**
 * A write as a value: the acknowledgements that came and whether they decide it (Dynamo §4.5). No messages
 * and no time, so that every order of replies can be tested.
 *
 * Invariant: `stored` means that at least W distinct replicas said, after their commit, that they hold the write.
 */
import type { PutStatus } from '../lib/protocol/messages.ts';
import { countReply, createTally, quorumOutcome, type Tally } from './quorum.ts';

export interface PutCore {
  readonly tally: Tally;
}

export function createPutCore(n: number, w: number): PutCore {
  return { tally: createTally(n, w) };
}

/** A replica's answer. @returns `false` if it had replied before. */
export function addAcknowledgement(core: PutCore, replica: number, isStored: boolean): boolean {
  return countReply(core.tally, replica, isStored);
}

/**
 * How the write stands. `quorum-unmet` is indefinite: the coordinator at least holds the write, and it
 * spreads with the next read.
 */
export function putStatus(core: PutCore): PutStatus | 'pending' {
  switch (quorumOutcome(core.tally)) {
    case 'pending':
      return 'pending';
    case 'met':
      return 'stored';
    case 'unmet':
      return 'quorum-unmet';
  }
}
