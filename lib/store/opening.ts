/**
 * What a store makes of what it finds when it is opened: whether commits of an earlier session are missing, or may be.
 * Pure, so that the store on files and the simulator's disk judge by the same words.
 *
 * Invariant: a store that may have forgotten a commit begins a new incarnation, so that no dot that it gave out before
 * is given out twice (Dynamo §4.4).
 */
import type { Durability } from '../config.ts';
import { RingletError } from '../errors.ts';

/** The number of a store's last commit, kept apart from the store. It never runs ahead of the store. */
export interface Mark {
  /** The last row of the journal that was committed. */
  readonly seq: number;
  readonly incarnation: number;
}

/** What a store keeps about its last session, beside its records. */
export interface SessionMeta {
  readonly incarnation: number;
  /** What the session promised. */
  readonly durability: Durability;
  /** True from a clean close to the next open. */
  readonly isClean: boolean;
  /** The boot of the machine that the session ran in. */
  readonly bootId: string;
}

/** A store that was found and can be read. */
export interface FoundStore {
  /** `null` if it is not there or is damaged. */
  readonly mark: Mark | null;
  readonly meta: SessionMeta;
  /** The last row of the journal that is there. */
  readonly lastSeq: number;
  /** Rows of the journal that cannot be vouched for. */
  readonly damagedCount: number;
  /** The boot of the machine that it is opened in. */
  readonly bootId: string;
}

/**
 * How a store was found. `created`: there was none. `opened`: closed in good order. `recovered`: its process died, all
 * commits are there. `rolled-back`: commits are missing or may be. `quarantined`: it was damaged and set aside, this one is
 * empty. The last two and the first come with a new incarnation.
 */
export interface OpenReport {
  readonly status: 'created' | 'opened' | 'recovered' | 'rolled-back' | 'quarantined';
  /** What was found, for a person; empty if all is well. */
  readonly detail: string;
}

/** Whether commits of an earlier session are missing from a store, or may be. */
export function judgeFound(found: FoundStore): OpenReport {
  const problem = problemOf(found);
  if (problem !== null) return { status: 'rolled-back', detail: problem };
  return { status: found.meta.isClean ? 'opened' : 'recovered', detail: '' };
}

function problemOf({ mark, meta, lastSeq, damagedCount, bootId }: FoundStore): string | null {
  if (damagedCount > 0) return `${damagedCount} of the journal's rows are damaged`;
  if (mark === null) return 'its high-water mark is missing';
  if (lastSeq < mark.seq) {
    return `the file ends with row ${lastSeq}, row ${mark.seq} was committed`;
  }
  if (mark.incarnation !== meta.incarnation) {
    return 'the file and its high-water mark are of different incarnations';
  }
  if (!meta.isClean && meta.durability !== 'full' && meta.bootId !== bootId) {
    return 'the machine stopped before the last commits were synced';
  }
  return null;
}

/** Where there is no store: whether there was one. @param hasRemains Something of it is left, such as its log. */
export function judgeMissing(mark: Mark | null, hasRemains: boolean): OpenReport {
  if (mark === null && !hasRemains) return { status: 'created', detail: '' };
  return { status: 'rolled-back', detail: 'the file is gone' };
}

/** True if the store may have forgotten something that it had promised, so that its incarnation is spent. */
export function isIncarnationSpent({ status }: OpenReport): boolean {
  return status !== 'opened' && status !== 'recovered';
}

/**
 * Refuses a store that lost something if no other node has it. Called before anything is written, so that what is missing
 * can still be put back. No mark means that the loss is accepted.
 *
 * @param name The store, as the message calls it.
 * @throws {RingletError} RINGLET_STORE_ROLLED_BACK
 */
export function refuseLoss(
  report: OpenReport,
  mark: Mark | null,
  hasPeers: boolean,
  name: string,
): void {
  if (report.status !== 'rolled-back' || hasPeers || mark === null) return;
  throw new RingletError('RINGLET_STORE_ROLLED_BACK', `${name}: ${report.detail}`);
}
