/**
 * The oracle: judges what clients and replicas saw against what had really been written, while a run goes on and when
 * it has come to rest (Dynamo §4.4, §4.5).
 *
 * It believes no context. What a write may replace is what its writer had really read; a context that covers more makes
 * writes disappear that their replacer had not seen, and that is a lost write. It knows a write by its dot, which the
 * coordinator's commit tells, and by its bytes.
 *
 * What it holds a store to. "Supersedes" means: has in its past, through any number of writes.
 *
 * - I1, at rest: every acknowledged write is there, or one that supersedes it is. Sound because copies only grow, and know
 *   the whole past of what they hold. Tombstones count as writes, for nothing collects them.
 * - I2, at rest and in regular reads: nothing is there that an acknowledged write supersedes. Writes of open
 *   outcome do not count: such a write may be gone with its only copy, while what it replaced lives on elsewhere.
 * - I3, always: what is there was written, to this key, with these bytes, and did not fail for certain. A write that is
 *   under way or of open outcome may be there; one whose commit was undone before it left its node may not.
 * - I5, always: siblings are concurrent, none supersedes another, and none is there twice. A set that keeps the last
 *   writer has at most one.
 * - I6, always: a dot names one write for ever, and a write has one dot. A commit that was undone before anyone could
 *   learn of it frees its dot.
 * - I7: reads that miss what their session had written or read are counted. A regular read that misses an
 *   acknowledged write of its own session is reported. Having read a write that is not acknowledged yet promises nothing: a later
 *   quorum need not meet it.
 * - I8, in regular reads: every write that was acknowledged before the read began is seen, or one that supersedes it is.
 *   Writes acknowledged while it ran may be seen or not.
 * - I18, at rest: a write that failed for certain has no dot. Judged late, because a commit may still be undone.
 *
 * Sets that keep the last writer lose acknowledged writes by design: such losses are counted. But dots are totally ordered
 * there and merging takes the greatest, so I1 and I8 hold for the acknowledged write with the greatest dot, and a greater one
 * makes up for it.
 *
 * I1, I2, I7 and I8 rest on copies that survive. They are waived for keys that a fault beyond the model has hit.
 *
 * Speed: `bench/micro/oracle.bench.ts`.
 */
import { assert } from '../../assert.ts';
import type { DottedSibling, VersionSet } from '../../clock/version-set.ts';
import type { ActorId } from '../../clock/version-vector.ts';
import { describeDot, describeValue } from '../../protocol/describe.ts';
import { KeyHistory, NEVER, type Read, Write, type WriteOutcome } from './history.ts';
import { nameOf, namesOf, readNameOf, Story } from './story.ts';

export type { Read, Write, WriteOutcome } from './history.ts';

/** What is judged, as reports name it. */
export type OracleChecker =
  | 'I1 lost write'
  | 'I2 resurrection'
  | 'I3 invention'
  | 'I5 ordered siblings'
  | 'I6 dot reuse'
  | 'I7 session'
  | 'I8 stale read'
  | 'I18 dishonest error';

export interface OracleViolation {
  readonly checker: OracleChecker;
  readonly key: string;
  readonly message: string;
  /** What happened to the key: the writes in question and the newest events, oldest first. */
  readonly story: readonly string[];
}

export interface OracleOptions {
  /** True if the sets of all keys, or of this one, keep the last writer only. */
  readonly lastWriterWins: boolean | ((key: string) => boolean);
  /** Called within the call that found it. The oracle goes on and may find more. */
  readonly report: (violation: OracleViolation) => void;
}

/** Where a set was met: words, or what makes them if they are needed. */
export type Where = string | (() => string);

export class Oracle {
  private readonly options: OracleOptions;
  private readonly histories = new Map<string, KeyHistory>();
  private readonly story = new Story();
  private eventCount = 0;
  private nowMs = 0;
  private waiver: string | null = null;
  /** Reads that ended with a result. */
  reads = 0;
  acknowledgedWrites = 0;
  failedWrites = 0;
  indefiniteWrites = 0;
  /** Acknowledged writes that were gone at rest, superseded by none that was acknowledged or there. */
  lostWrites = 0;
  /** Those of {@link lostWrites} whose sets keep the last writer. */
  lostToLaterWriter = 0;
  /** Reads that missed what their session had written or read, and regular ones that missed anything that they should have seen. */
  staleReads = 0;

  constructor(options: OracleOptions) {
    this.options = options;
  }

  // ------------------------------------------------------------------------------------ writes

  /**
   * A client starts to write.
   *
   * @param value `null` for a delete. It is not kept.
   * @param seen The writes that its writer had really read when it got the context that it passes: what {@link endRead} returned,
   * or its own write if the context came with the answer to that.
   */
  beginWrite(
    key: string,
    value: Uint8Array | null,
    seen: readonly Write[],
    timeMs: number,
    session: number | null = null,
  ): Write {
    this.nowMs = timeMs;
    const history = this.historyOf(key);
    for (const write of seen) assert(write.history === history, 'a context of another key');
    const write = new Write(this.eventCount++, history, value, seen, session, timeMs);
    this.story.note(write);
    return write;
  }

  /** The coordinating replica has committed the write under this dot. The client may have given up by then. */
  bindDot(write: Write, actor: ActorId, counter: number, timeMs: number = this.nowMs): void {
    const { history } = write;
    const dot = { actor, counter };
    const owner = history.writeOf(dot);
    if (owner === write) return;
    const before = write.dot;
    history.bind(write, dot, this.eventCount++, timeMs);
    if (owner !== undefined) {
      const message = `${describeDot(dot)} names ${nameOf(owner)}, and then ${nameOf(write)}`;
      this.report('I6 dot reuse', history, message, [owner, write]);
    }
    if (before !== null) {
      const message = `${nameOf(write)} is ${describeDot(before)}, and then ${describeDot(dot)} too`;
      this.report('I6 dot reuse', history, message, [write]);
    }
    if (write.outcome === 'fail') history.doubtful.add(write);
  }

  /** The commit that bound the write was undone before anything of it left its node. */
  unbindDot(write: Write, timeMs: number = this.nowMs): void {
    const { dot, history } = write;
    assert(dot !== null, 'only what is bound can be unbound');
    history.unbind(write);
    const text = `${nameOf(write)} is no longer ${describeDot(dot)}: the commit was undone`;
    this.story.note({ id: this.eventCount++, history, timeMs, text });
  }

  /** The client has its answer. `fail` if the error was definite. */
  endWrite(write: Write, outcome: Exclude<WriteOutcome, 'pending'>, timeMs: number): void {
    assert(write.outcome === 'pending', 'a write ends once');
    this.nowMs = timeMs;
    write.outcome = outcome;
    write.endedAt = this.eventCount++;
    write.endedMs = timeMs;
    const { history } = write;
    if (outcome === 'ok') {
      this.acknowledgedWrites++;
      history.acknowledge(write);
      history.learnWrite(write);
    } else if (outcome === 'fail') {
      this.failedWrites++;
      if (write.dot !== null) history.doubtful.add(write);
    } else {
      this.indefiniteWrites++;
    }
  }

  // ------------------------------------------------------------------------------------- reads

  /**
   * A client starts to read.
   *
   * @param isRegular True if its replies meet a copy of every acknowledged write: R + W > N of the same owners, none of which
   * has lost anything.
   */
  beginRead(key: string, isRegular: boolean, timeMs: number, session: number | null = null): Read {
    this.nowMs = timeMs;
    return this.historyOf(key).beginRead(this.eventCount++, isRegular, session, timeMs);
  }

  /** The client has its result. @returns the writes that it saw, tombstones included: what it may base its next write on */
  endRead(read: Read, set: VersionSet | null, timeMs: number): readonly Write[] {
    this.closeRead(read, 'ok', timeMs);
    this.reads++;
    const { history, isRegular } = read;
    if (set !== null) read.seen = this.checkSiblings(history, set, read);
    const missed = history.missedBy(read);
    const isPromised = isRegular && this.isHistoryWithinModel(history);
    if (isPromised) this.checkRegularity(read, missed);
    const forgotten = history.forgottenBy(read, missed);
    if (forgotten.length > 0 || (isRegular && missed.length > 0)) this.staleReads++;
    history.learnRead(read, forgotten);
    return read.seen;
  }

  /** The client got an error. */
  failRead(read: Read, timeMs: number = this.nowMs): void {
    this.closeRead(read, 'fail', timeMs);
  }

  private closeRead(read: Read, outcome: 'ok' | 'fail', timeMs: number): void {
    assert(read.outcome === 'pending', 'a read ends once');
    this.nowMs = timeMs;
    read.outcome = outcome;
    read.endedAt = this.eventCount++;
    read.endedMs = timeMs;
    this.story.note(read);
  }

  private checkRegularity(read: Read, missed: readonly Write[]): void {
    const { history, session, seen, beganAt } = read;
    for (const write of missed) {
      const isOwn = session !== null && write.session === session;
      const message = `${readNameOf(read)} missed ${nameOf(write)}, acknowledged before: it saw ${namesOf(seen)}`;
      this.report(isOwn ? 'I7 session' : 'I8 stale read', history, message, [write, ...seen]);
    }
    for (const write of seen) {
      if (write.supersededAt > beganAt) continue;
      const message = `${readNameOf(read)} saw ${nameOf(write)}, superseded by an acknowledged write before`;
      this.report('I2 resurrection', history, message, [write]);
    }
  }

  // -------------------------------------------------------------------------------------- sets

  /** Checks what always holds, of a set met anywhere: a replica's copy, or one under way. */
  checkSet(key: string, set: VersionSet, where: Where): void {
    this.checkSiblings(this.historyOf(key), set, where);
  }

  /**
   * Checks what holds at rest: faults ended, no request under way, all that was to be repaired repaired. May be called again
   * later; a write that was lost is reported and counted once.
   *
   * @param set All readable copies, merged; `null` if there is none.
   */
  checkFinal(key: string, set: VersionSet | null, timeMs: number): void {
    this.nowMs = timeMs;
    const history = this.historyOf(key);
    const writes =
      set === null ? [] : this.checkSiblings(history, set, 'the merged copies at rest');
    const isPromised = this.isHistoryWithinModel(history);
    for (const write of isPromised ? writes : []) {
      if (write.supersededAt === NEVER) continue;
      const message = `${nameOf(write)} is there at rest, though an acknowledged write superseded it`;
      this.report('I2 resurrection', history, message, [write]);
    }
    for (const write of isPromised ? history.uncovered(writes, history.frontier) : []) {
      const message = `${nameOf(write)} was acknowledged and is gone at rest: there is ${namesOf(writes)}`;
      this.report('I1 lost write', history, message, [write, ...writes]);
    }
    const lostCount = history.takeLost(writes).length;
    this.lostWrites += lostCount;
    if (history.lastWriterWins) this.lostToLaterWriter += lostCount;
    for (const write of history.doubtful) {
      history.doubtful.delete(write);
      if (write.dot === null) continue;
      const message = `${nameOf(write)} failed for certain, yet it was committed as ${describeDot(write.dot)}`;
      this.report('I18 dishonest error', history, message, [write]);
    }
  }

  /** Checks I3 and I5. @returns the writes behind the siblings, as far as they are known */
  private checkSiblings(
    history: KeyHistory,
    { siblings }: VersionSet,
    where: Where | Read,
  ): readonly Write[] {
    const met = history.writesLastMet(siblings);
    if (met !== null) {
      // The writes are known to be concurrent. Their bytes are looked at every time.
      for (let index = 0; index < met.length; index++) {
        this.checkSibling(history, met[index]!, siblings[index]!, where);
      }
      return met;
    }
    const found = siblings.map((sibling) => history.writeOf(sibling));
    for (let index = 0; index < found.length; index++) {
      const write = found[index];
      const sibling = siblings[index]!;
      if (write !== undefined) {
        this.checkSibling(history, write, sibling, where);
      } else {
        const message = `${describeDot(sibling)} was given to no write of the key`;
        this.reportSet('I3 invention', history, message, where, []);
      }
    }
    // Lists of writes live long: this one has no room to spare.
    const writes = isComplete(found) ? found : found.filter((write) => write !== undefined);
    const isSound = this.checkConcurrency(history, writes, where);
    if (isSound && writes === found) history.lastMet = writes;
    return writes;
  }

  private checkSibling(
    history: KeyHistory,
    write: Write,
    { value }: DottedSibling,
    where: Where | Read,
  ): void {
    if (write.outcome === 'fail') {
      const message = `${nameOf(write)} had failed for certain`;
      this.reportSet('I3 invention', history, message, where, [write]);
    }
    if (!write.hasWritten(value)) {
      const message = `${nameOf(write)} did not write ${describeValue(value)}`;
      this.reportSet('I3 invention', history, message, where, [write]);
    }
  }

  private checkConcurrency(
    history: KeyHistory,
    writes: readonly Write[],
    where: Where | Read,
  ): boolean {
    const redundant = history.findRedundant(writes);
    if (redundant !== null) {
      const message = `${nameOf(redundant)} is superseded by another sibling, or there twice`;
      this.reportSet('I5 ordered siblings', history, message, where, writes);
    }
    const isCrowded = history.lastWriterWins && writes.length > 1;
    if (isCrowded) {
      const message = `${namesOf(writes)} are all the last writer`;
      this.reportSet('I5 ordered siblings', history, message, where, writes);
    }
    return redundant === null && !isCrowded;
  }

  // ------------------------------------------------------------------------------------- model

  /**
   * From now on I1, I2, I7 and I8 are measured and not reported, because a fault went beyond what they promise to survive:
   * no copy of a key may be left.
   *
   * @param key The key that was hit; `null` for all keys.
   */
  waive(reason: string, key: string | null = null): void {
    if (key === null) {
      this.waiver ??= reason;
      return;
    }
    const history = this.historyOf(key);
    if (history.waiver !== null) return;
    history.waiver = reason;
    const text = `copies are no longer promised to survive: ${reason}`;
    this.story.note({ id: this.eventCount++, history, timeMs: this.nowMs, text });
  }

  /** False if promises that rest on surviving copies were waived for this key. */
  isWithinModel(key: string): boolean {
    return this.isHistoryWithinModel(this.historyOf(key));
  }

  private isHistoryWithinModel(history: KeyHistory): boolean {
    return this.waiver === null && history.waiver === null;
  }

  // ----------------------------------------------------------------------------------- reports

  private historyOf(key: string): KeyHistory {
    let history = this.histories.get(key);
    if (history === undefined) {
      const { lastWriterWins } = this.options;
      const isLast = typeof lastWriterWins === 'function' ? lastWriterWins(key) : lastWriterWins;
      history = new KeyHistory(key, isLast);
      this.histories.set(key, history);
    }
    return history;
  }

  private reportSet(
    checker: OracleChecker,
    history: KeyHistory,
    message: string,
    where: Where | Read,
    writes: readonly Write[],
  ): void {
    this.report(checker, history, `${message} (in ${placeOf(where)})`, writes);
  }

  private report(
    checker: OracleChecker,
    history: KeyHistory,
    message: string,
    writes: readonly Write[],
  ): void {
    const story = this.story.tell(history, writes);
    this.options.report({ checker, key: history.key, message, story });
  }
}

function placeOf(where: Where | Read): string {
  if (typeof where === 'string') return where;
  return typeof where === 'function' ? where() : readNameOf(where);
}

function isComplete(found: (Write | undefined)[]): found is Write[] {
  return !found.includes(undefined);
}
