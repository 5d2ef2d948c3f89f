/**
 * The history of one key as a judge sees it: its writes, what each had really seen, and who has superseded whom
 * (Dynamo §4.4).
 *
 * The past of a write is what it had seen, what that had seen, and so on. It is fixed when the write begins, and all of it
 * began earlier. Questions about it are answered without ever building it:
 *
 * 1. Whatever lies in the past of an acknowledged write is marked when the acknowledgement comes. What is marked has a
 *    marked past, so every write is marked once and every edge followed once.
 * 2. Other questions walk back from the writes asked about. The walk leaves out what began before the writes that it looks
 *    for, and what was acknowledged before they were superseded, for that cannot have them in its past. What is left
 *    are the writes since then that nobody acknowledged: mostly none.
 */
import { assert } from '../../assert.ts';
import type { ActorId, VersionVectorEntry } from '../../clock/version-vector.ts';
import { hashBytes } from '../../hash.ts';

/**
 * How a write ended for its client. `pending`: not yet. `fail`: with an error that says that it never happened. `info`:
 * with one that leaves it open.
 */
export type WriteOutcome = 'pending' | 'ok' | 'fail' | 'info';

/** The name that a coordinator gave to a write. */
export type Dot = VersionVectorEntry;

/** Later than every event and acknowledgement. A small integer, as their numbers are. */
export const NEVER = 2 ** 30 - 1;

/** A put or a delete. Others may read it; only the oracle changes it. */
export class Write {
  // What most checks look at comes first and lies together: `bench/micro/oracle.bench.ts`.
  /** The name under which a replica has committed it. */
  dot: Dot | null = null;
  outcome: WriteOutcome = 'pending';
  readonly isDelete: boolean;
  /** Bytes of its value; 0 for a delete. */
  readonly size: number;
  /** Stands for the value: a change within four successive bytes always shows in it, any other all but surely. */
  private readonly hash: number;
  /** Its place among the acknowledgements of its key. */
  acknowledgedAt = NEVER;
  /** The place of the first acknowledgement of a write that has this one in its past. */
  supersededAt = NEVER;
  /** The last walk that came by, and the last that looked for it and did not find it. */
  visitedIn = 0;
  wantedIn = 0;
  /** Its place among all events, when it began. */
  readonly id: number;
  /** The writes behind the siblings that its writer had really read. */
  readonly seen: readonly Write[];
  readonly history: KeyHistory;
  readonly session: number | null;
  readonly beganMs: number;
  boundAt = NEVER;
  boundMs = 0;
  endedAt = NEVER;
  endedMs = 0;

  constructor(
    id: number,
    history: KeyHistory,
    value: Uint8Array | null,
    seen: readonly Write[],
    session: number | null,
    beganMs: number,
  ) {
    this.isDelete = value === null;
    this.size = value === null ? 0 : value.length;
    this.hash = value === null ? 0 : hashValue(value);
    this.id = id;
    this.seen = seen;
    this.history = history;
    this.session = session;
    this.beganMs = beganMs;
  }

  get key(): string {
    return this.history.key;
  }

  /** True if `value` is what it wrote. */
  hasWritten(value: Uint8Array | null): boolean {
    if (value === null) return this.isDelete;
    return !this.isDelete && value.length === this.size && hashValue(value) === this.hash;
  }
}

/** As a small integer. */
function hashValue(value: Uint8Array): number {
  return hashBytes(value, 0) | 0;
}

/** A get under way, or what came of it. */
export interface Read {
  /** Its place among all events, when it began. */
  readonly id: number;
  readonly history: KeyHistory;
  readonly session: number | null;
  /** True if its quorum promises that it sees every write that was acknowledged before it began. */
  readonly isRegular: boolean;
  readonly beganMs: number;
  /** The newest acknowledgement when it began. */
  readonly beganAt: number;
  /** What was acknowledged and not superseded by an acknowledged write when it began. */
  readonly frontier: readonly Write[];
  /** What its session knew of the key when it began. */
  readonly floor: readonly Write[];
  /** What it saw; empty until it has ended. */
  seen: readonly Write[];
  outcome: 'pending' | 'ok' | 'fail';
  endedAt: number;
  endedMs: number;
}

const none: readonly Write[] = [];

/** Writes that a walk has still to look at. Empty between walks. */
const open: Write[] = [];

/** How much of what a session knows is kept: the newest. */
const FLOOR_COUNT_MAX = 64;

/** What is known of one key: dots, acknowledgements, and what each session knows. It judges nothing. */
export class KeyHistory {
  readonly key: string;
  readonly lastWriterWins: boolean;
  /**
   * What every regular read from now on must see or see superseded. Sets that keep all siblings: the acknowledged writes
   * that no acknowledged write has superseded. Sets that keep the last writer: of all acknowledged writes the one with the
   * greatest dot. Replaced, never changed: reads keep the one that they began with.
   */
  frontier: readonly Write[] = none;
  /** The writes of the last set that was met and sound, in the order of its siblings. */
  lastMet: readonly Write[] = none;
  /** Definite failures that had a dot when they failed, or were given one later. */
  readonly doubtful = new Set<Write>();
  /** Why promises that rest on surviving copies do not hold for this key, if they do not. */
  waiver: string | null = null;
  private acknowledgementCount = 0;
  private walkCount = 0;
  private readonly dots = new Map<ActorId, Map<number, Write>>();
  /** By session: the newest that it is known to know. */
  private readonly floors: (readonly Write[] | undefined)[] = [];
  /** Last writer wins: acknowledged writes that were not superseded when they were acknowledged. */
  private unsuperseded: Write[] = [];

  constructor(key: string, lastWriterWins: boolean) {
    this.key = key;
    this.lastWriterWins = lastWriterWins;
  }

  beginRead(id: number, isRegular: boolean, session: number | null, timeMs: number): Read {
    return {
      id,
      history: this,
      session,
      isRegular,
      beganMs: timeMs,
      beganAt: this.acknowledgementCount,
      frontier: this.frontier,
      floor: this.floorOf(session),
      seen: none,
      outcome: 'pending',
      endedAt: NEVER,
      endedMs: 0,
    };
  }

  /** What `session` knows of the key: the newest that it wrote or read. */
  private floorOf(session: number | null): readonly Write[] {
    return session === null ? none : (this.floors[session] ?? none);
  }

  /** What `read` saw less than promised by a regular read: the part of its frontier that it neither saw nor saw superseded. */
  missedBy(read: Read): readonly Write[] {
    return this.uncovered(read.seen, read.frontier);
  }

  /**
   * What the session of `read` had known and `read` missed.
   *
   * @param missed What {@link missedBy} says. If it is nothing, what was acknowledged or superseded before the read
   * began needs no search: the frontier or its past contains it.
   */
  forgottenBy(read: Read, missed: readonly Write[]): readonly Write[] {
    const { floor, beganAt, seen } = read;
    if (missed.length > 0 || this.lastWriterWins) return this.uncovered(seen, floor);
    const isRecent = (write: Write) =>
      write.acknowledgedAt > beganAt && write.supersededAt > beganAt;
    return this.uncovered(seen, floor.filter(isRecent));
  }

  /** Notes that the session of `read` has seen what the read saw. @param forgotten What {@link forgottenBy} says. */
  learnRead({ session, floor, seen }: Read, forgotten: readonly Write[]): void {
    if (session === null) return;
    const known = this.floorOf(session);
    this.setFloor(session, seen, known === floor ? forgotten : this.uncovered(seen, known));
  }

  /** Notes that the session of `write` knows that it was acknowledged. */
  learnWrite(write: Write): void {
    if (write.session === null) return;
    const known = this.floorOf(write.session);
    const isBasedOnAll = known === write.seen && !this.lastWriterWins;
    const older = isBasedOnAll ? none : this.uncovered([write], known);
    this.setFloor(write.session, [write], older);
  }

  private setFloor(session: number, newest: readonly Write[], older: readonly Write[]): void {
    if (older.length === 0) this.floors[session] = newest;
    // The last writer is one, and it is among the older ones if the newest do not cover them.
    else if (this.lastWriterWins) this.floors[session] = older;
    else this.floors[session] = [...newest, ...older].slice(0, FLOOR_COUNT_MAX);
  }

  // --------------------------------------------------------------------------------------- dots

  /** The write that `dot` names, or `undefined`. */
  writeOf({ actor, counter }: Dot): Write | undefined {
    return this.dots.get(actor)?.get(counter);
  }

  /** All writes that have a dot. */
  committedWrites(): Write[] {
    return [...this.dots.values()].flatMap((ofActor) => [...ofActor.values()]);
  }

  /** {@link lastMet} if it is what `siblings` name, else `null`. */
  writesLastMet(siblings: readonly Dot[]): readonly Write[] | null {
    const { lastMet } = this;
    if (lastMet.length !== siblings.length) return null;
    for (let index = 0; index < siblings.length; index++) {
      const { actor, counter } = siblings[index]!;
      const dot = lastMet[index]!.dot;
      if (dot === null || dot.counter !== counter || dot.actor !== actor) return null;
    }
    return lastMet;
  }

  /** Gives `dot` to `write`. @param at The place among all events. */
  bind(write: Write, dot: Dot, at: number, timeMs: number): void {
    let ofActor = this.dots.get(dot.actor);
    if (ofActor === undefined) {
      ofActor = new Map();
      this.dots.set(dot.actor, ofActor);
    }
    this.lastMet = none;
    ofActor.set(dot.counter, write);
    write.dot = dot;
    write.boundAt = at;
    write.boundMs = timeMs;
  }

  /** Undoes {@link bind}: the dot may be given to another write. */
  unbind(write: Write): void {
    const { dot } = write;
    if (dot === null) return;
    if (this.writeOf(dot) === write) this.dots.get(dot.actor)?.delete(dot.counter);
    write.dot = null;
  }

  // -------------------------------------------------------------------------------- causality

  /** Notes that `write` was acknowledged, and marks what it supersedes. */
  acknowledge(write: Write): void {
    const order = ++this.acknowledgementCount;
    assert(order < NEVER, 'acknowledgements of a key');
    write.acknowledgedAt = order;
    this.supersede(write.seen, order);
    if (this.lastWriterWins) {
      this.advanceLastWriter(write);
    } else if (write.supersededAt === NEVER) {
      // A write that is superseded already supersedes nothing that was not.
      const kept = this.frontier.filter(isCurrent);
      this.frontier = kept.length === 0 ? [write] : [...kept, write];
    }
  }

  private advanceLastWriter(write: Write): void {
    if (write.supersededAt === NEVER) this.unsuperseded.push(write);
    const newest = this.frontier[0] ?? null;
    if (write.dot !== null && isNewer(write, newest)) this.frontier = [write];
  }

  private supersede(writes: readonly Write[], order: number): void {
    for (const write of writes) open.push(write);
    for (let write = open.pop(); write !== undefined; write = open.pop()) {
      if (write.supersededAt !== NEVER) continue;
      write.supersededAt = order;
      for (const seen of write.seen) open.push(seen);
    }
  }

  /**
   * Those of `targets` that a holder of `writes` cannot know. A set that keeps all siblings knows them and their past. One
   * that keeps the last writer knows everything with a smaller dot.
   */
  uncovered(writes: readonly Write[], targets: readonly Write[]): readonly Write[] {
    if (!this.lastWriterWins) return this.outsidePast(writes, targets);
    const newest = newestOf(writes);
    return targets.filter((target) => isNewer(target, newest));
  }

  /** Those of `targets` that are neither among `writes` nor in their past. */
  private outsidePast(writes: readonly Write[], targets: readonly Write[]): readonly Write[] {
    if (targets.length === 0) return none;
    if (targets.length === 1 && targets[0] === writes[0]) return none;
    const walk = ++this.walkCount;
    for (const write of writes) write.visitedIn = walk;
    const wanted = targets.filter((target) => target.visitedIn !== walk);
    if (wanted.length === 0) return none;
    this.search(walk, writes, wanted);
    return wanted.filter((target) => target.wantedIn === walk);
  }

  /** One of `writes` that lies in the past of another or is there twice, or `null`. */
  findRedundant(writes: readonly Write[]): Write | null {
    if (writes.length < 2) return null;
    const walk = ++this.walkCount;
    for (const write of writes) {
      if (write.visitedIn === walk) return write;
      write.visitedIn = walk;
    }
    this.search(walk, writes, writes);
    return writes.find((write) => write.wantedIn !== walk) ?? null;
  }

  /** Looks for `targets` in the past of `writes`, which are marked as visited. Those not found stay marked as wanted. */
  private search(walk: number, writes: readonly Write[], targets: readonly Write[]): void {
    let idMin = Number.POSITIVE_INFINITY;
    let supersededAtMin = NEVER;
    for (const target of targets) {
      target.wantedIn = walk;
      if (target.id < idMin) idMin = target.id;
      if (target.supersededAt < supersededAtMin) supersededAtMin = target.supersededAt;
    }
    let missing = targets.length;
    for (const write of writes) open.push(write);
    for (let write = open.pop(); write !== undefined; write = open.pop()) {
      if (write.id <= idMin || write.acknowledgedAt < supersededAtMin) continue;
      for (const seen of write.seen) {
        if (seen.wantedIn === walk) {
          seen.wantedIn = 0;
          missing--;
        }
        if (seen.visitedIn === walk) continue;
        seen.visitedIn = walk;
        open.push(seen);
      }
      if (missing === 0) open.length = 0;
    }
  }

  /**
   * The acknowledged writes that are gone if `writes` is all that is left: none of `writes` and no acknowledged write has
   * them in its past. Each is returned once, and no longer expected afterwards.
   */
  takeLost(writes: readonly Write[]): readonly Write[] {
    const expected = this.lastWriterWins ? this.unsuperseded.filter(isCurrent) : this.frontier;
    const lost = this.outsidePast(writes, expected);
    if (this.lastWriterWins) this.unsuperseded = without(expected, lost);
    if (lost.length > 0) this.frontier = without(this.frontier, lost);
    return lost;
  }
}

function isCurrent(write: Write): boolean {
  return write.supersededAt === NEVER;
}

function without(writes: readonly Write[], others: readonly Write[]): Write[] {
  const left = new Set(others);
  return writes.filter((write) => !left.has(write));
}

function newestOf(writes: readonly Write[]): Write | null {
  let newest: Write | null = null;
  for (const write of writes) if (isNewer(write, newest)) newest = write;
  return newest;
}

/** The order by which a last writer wins: by counter, which is a timestamp, then by actor. What has no dot comes first. */
function isNewer(a: Write, b: Write | null): boolean {
  const dot = b?.dot ?? null;
  if (a.dot === null || dot === null) return dot === null;
  return (a.dot.counter - dot.counter || a.dot.actor - dot.actor) > 0;
}
