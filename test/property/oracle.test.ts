/**
 * The oracle against a naive one that is written from the definitions, on random histories of a toy store; and histories
 * of a toy store without defects, in which it must find nothing.
 */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import {
  contextOf,
  emptyVersionSet,
  syncVersionSets,
  updateVersionSet,
  type VersionSet,
} from '../../lib/clock/version-set.ts';
import {
  type ActorId,
  counterOf,
  createActorId,
  joinVectors,
  nodeOfActor,
  type VersionVector,
} from '../../lib/clock/version-vector.ts';
import { NEVER } from '../../lib/sim/judge/history.ts';
import { Oracle, type OracleChecker, type Read, type Write } from '../../lib/sim/judge/oracle.ts';

// ---------------------------------------------------------------------------------- the naive oracle

type Outcome = 'pending' | 'ok' | 'fail' | 'info';

interface NaiveWrite {
  readonly id: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly seen: readonly NaiveWrite[];
  readonly session: number;
  outcome: Outcome;
  dot: string | null;
  /** When it was acknowledged, and what its dot was then. */
  acknowledgedAt: number;
  acknowledgedOrder: number;
}

interface NaiveRead {
  readonly key: string;
  readonly session: number;
  readonly isRegular: boolean;
  readonly beganAt: number;
  readonly known: readonly NaiveWrite[];
}

/** Every question is answered by looking at everything. */
class NaiveOracle {
  private readonly lastWriterWins: boolean;
  private readonly writes: NaiveWrite[] = [];
  private readonly owners = new Map<string, NaiveWrite>();
  private readonly known = new Map<string, NaiveWrite[]>();
  private readonly lost = new Set<NaiveWrite>();
  private readonly judged = new Set<NaiveWrite>();
  private now = 0;
  /** Checker and subject of each violation. */
  readonly violations: string[] = [];
  lostWrites = 0;
  staleReads = 0;

  constructor(lastWriterWins: boolean) {
    this.lastWriterWins = lastWriterWins;
  }

  beginWrite(
    id: number,
    key: string,
    value: Uint8Array | null,
    seen: readonly NaiveWrite[],
    session: number,
  ): NaiveWrite {
    const write: NaiveWrite = {
      ...{ id, key, value, seen, session, outcome: 'pending', dot: null },
      ...{ acknowledgedAt: Number.POSITIVE_INFINITY, acknowledgedOrder: 0 },
    };
    this.writes.push(write);
    return write;
  }

  bindDot(write: NaiveWrite, actor: number, counter: number): void {
    const dot = `${write.key} ${actor} ${counter}`;
    const owner = this.owners.get(dot);
    if (owner === write) return;
    if (owner !== undefined) this.report('I6 dot reuse', owner);
    if (write.dot !== null) this.report('I6 dot reuse', write);
    this.owners.set(dot, write);
    write.dot = dot;
  }

  unbindDot(write: NaiveWrite): void {
    if (this.owners.get(write.dot!) === write) this.owners.delete(write.dot!);
    write.dot = null;
  }

  endWrite(write: NaiveWrite, outcome: Exclude<Outcome, 'pending'>): void {
    write.outcome = outcome;
    if (outcome !== 'ok') return;
    write.acknowledgedAt = ++this.now;
    write.acknowledgedOrder = orderOf(write);
    this.learn(write.session, write.key, [write]);
  }

  beginRead(key: string, isRegular: boolean, session: number): NaiveRead {
    const known = [...(this.known.get(`${session} ${key}`) ?? [])];
    return { key, isRegular, session, beganAt: this.now, known };
  }

  endRead(read: NaiveRead, set: VersionSet | null): NaiveWrite[] {
    const { key, session, isRegular, beganAt } = read;
    const seen = this.checkSet(key, set);
    const before = this.acknowledged(key).filter((write) => write.acknowledgedAt <= beganAt);
    const missed = this.expected(before).filter((write) => this.isMissed(write, seen));
    if (isRegular) {
      for (const write of missed) {
        this.report(write.session === session ? 'I7 session' : 'I8 stale read', write);
      }
      for (const write of seen) {
        if (before.some((other) => pastOf(other).has(write))) this.report('I2 resurrection', write);
      }
    }
    const isForgetful = read.known.some((write) => this.isMissed(write, seen));
    if (isForgetful || (isRegular && missed.length > 0)) this.staleReads++;
    this.learn(session, key, seen);
    return seen;
  }

  checkFinal(key: string, set: VersionSet | null): void {
    const seen = this.checkSet(key, set);
    const acknowledged = this.acknowledged(key);
    for (const write of seen) {
      const isSuperseded = acknowledged.some((other) => pastOf(other).has(write));
      if (isSuperseded) this.report('I2 resurrection', write);
    }
    for (const write of this.expected(acknowledged)) {
      if (!this.lost.has(write) && this.isMissed(write, seen)) this.report('I1 lost write', write);
    }
    for (const write of acknowledged) {
      const isThere = [...seen, ...acknowledged].some((other) => pastOf(other).has(write));
      if (isThere || seen.includes(write) || this.lost.has(write)) continue;
      this.lost.add(write);
      this.lostWrites++;
    }
    for (const write of this.writes) {
      if (write.key !== key || write.outcome !== 'fail' || this.judged.has(write)) continue;
      this.judged.add(write);
      if (write.dot !== null) this.report('I18 dishonest error', write);
    }
  }

  checkSet(key: string, set: VersionSet | null): NaiveWrite[] {
    const found: NaiveWrite[] = [];
    for (const { actor, counter, value } of set?.siblings ?? []) {
      const write = this.owners.get(`${key} ${actor} ${counter}`);
      if (write === undefined) {
        this.report('I3 invention', null);
        continue;
      }
      if (write.outcome === 'fail') this.report('I3 invention', write);
      if (String(value) !== String(write.value)) this.report('I3 invention', write);
      found.push(write);
    }
    const twice = found.find((write, index) => found.indexOf(write) !== index);
    const past = found.find((write) => found.some((other) => pastOf(other).has(write)));
    const redundant = twice ?? past;
    if (redundant !== undefined) this.report('I5 ordered siblings', redundant);
    if (this.lastWriterWins && found.length > 1) this.report('I5 ordered siblings', found[0]!);
    return found;
  }

  /** The acknowledged writes that must be covered: what no other of them covers. */
  private expected(acknowledged: readonly NaiveWrite[]): NaiveWrite[] {
    if (!this.lastWriterWins) {
      return acknowledged.filter(
        (write) => !acknowledged.some((other) => pastOf(other).has(write)),
      );
    }
    const orders = acknowledged.map((write) => write.acknowledgedOrder);
    const greatest = Math.max(...orders);
    const index = greatest > 0 ? orders.indexOf(greatest) : -1;
    return index === -1 ? [] : [acknowledged[index]!];
  }

  private isMissed(write: NaiveWrite, seen: readonly NaiveWrite[]): boolean {
    if (this.lastWriterWins) return orderOf(write) > Math.max(-1, ...seen.map(orderOf));
    return !seen.some((other) => other === write || pastOf(other).has(write));
  }

  private acknowledged(key: string): NaiveWrite[] {
    return this.writes.filter((write) => write.key === key && write.outcome === 'ok');
  }

  private learn(session: number, key: string, writes: readonly NaiveWrite[]): void {
    const place = `${session} ${key}`;
    this.known.set(place, [...(this.known.get(place) ?? []), ...writes]);
  }

  private report(checker: OracleChecker, subject: NaiveWrite | null): void {
    this.violations.push(violationName(checker, subject?.id ?? null));
  }
}

function violationName(checker: OracleChecker, subject: number | null): string {
  return `${checker}: ${subject === null ? 'unknown' : `w${subject}`}`;
}

/** What a write had seen, and what that had seen, and so on. */
function pastOf(write: NaiveWrite): Set<NaiveWrite> {
  const past = new Set<NaiveWrite>();
  const open = [...write.seen];
  for (let seen = open.pop(); seen !== undefined; seen = open.pop()) {
    if (!past.has(seen)) open.push(...seen.seen);
    past.add(seen);
  }
  return past;
}

/** The order of last-writer-wins, by counter and then by actor, as one number. 0 without a dot. */
function orderOf({ dot }: NaiveWrite): number {
  if (dot === null) return 0;
  const [, actor, counter] = dot.split(' ').map(Number);
  const node = nodeOfActor(actor as ActorId);
  return counter! * 1e6 + node * 1e4 + (actor! - createActorId(node, 0));
}

// ------------------------------------------------------------------------------------- the toy store

const REPLICA_COUNT = 3;
const QUORUM = 2;
const SESSION_COUNT = 3;
const KEYS = ['k', 'l'] as const;

/** One thing that happens. Numbers choose among what there is. */
interface Step {
  readonly do: StepName;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const soundSteps = [
  'put',
  'put',
  'get',
  'get',
  'begin-write',
  'coordinate',
  'undo',
  'deliver',
  'deliver-old',
  'end-write',
  'begin-read',
  'end-read',
  'fail-read',
  'wipe',
] as const;

/** What a store must not do, and what clients must not be told. */
const defects = [
  'end-anyhow',
  'overclaim',
  'drop-sibling',
  'revive',
  'roll-back',
  'corrupt',
  'invent',
  'promise',
  'promise',
  'bind-again',
] as const;

type StepName = (typeof soundSteps)[number] | (typeof defects)[number];

function stepsOf(names: readonly StepName[]): fc.Arbitrary<Step[]> {
  const step = fc.record({
    do: fc.constantFrom(...names),
    a: fc.nat(1000),
    b: fc.nat(1000),
    c: fc.nat(1000),
  });
  return fc.array(step, { maxLength: 80, size: 'max' });
}

const soundHistories = stepsOf(soundSteps);
const histories = stepsOf([...soundSteps, ...soundSteps, ...defects]);

interface ToyWrite {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly context: VersionVector;
  readonly write: Write;
  readonly naive: NaiveWrite;
  /** Where it was committed, and as what. */
  dot: { readonly actor: number; readonly counter: number } | null;
  isOver: boolean;
}

interface ToyRead {
  readonly key: string;
  readonly session: number;
  readonly isQuorum: boolean;
  readonly read: Read;
  readonly naive: NaiveRead;
  isOver: boolean;
}

interface Knowledge {
  readonly context: VersionVector;
  readonly seen: readonly Write[];
  readonly naiveSeen: readonly NaiveWrite[];
}

const nothing: Knowledge = { context: [], seen: [], naiveSeen: [] };

/** Three replicas, quorums of two. Tells both oracles the same. */
class ToyStore {
  private readonly lastWriterWins: boolean;
  private readonly oracle: Oracle;
  private readonly naive: NaiveOracle;
  private readonly replicas: Map<string, VersionSet>[] = [];
  private readonly incarnations = [1, 2, 3];
  private readonly old: { key: string; set: VersionSet }[] = [];
  private readonly writes: ToyWrite[] = [];
  private readonly reads: ToyRead[] = [];
  private readonly knowledge = new Map<string, Knowledge[]>();
  private hasWiped = false;
  private timeMs = 0;
  /** Checker and subject of each violation that the oracle has found. */
  readonly violations: string[] = [];

  constructor(lastWriterWins: boolean) {
    this.lastWriterWins = lastWriterWins;
    this.naive = new NaiveOracle(lastWriterWins);
    this.oracle = new Oracle({
      lastWriterWins,
      report: ({ checker, message }) => {
        const [, subject] = message.match(/\bw(\d+)\b/) ?? [];
        const id = message.includes('given to no write') ? null : Number(subject);
        this.violations.push(violationName(checker, id));
      },
    });
    for (let replica = 0; replica < REPLICA_COUNT; replica++) this.replicas.push(new Map());
  }

  /** Plays a history and comes to rest, twice. */
  play(steps: readonly Step[]): this {
    for (const step of steps) {
      this.timeMs++;
      this.take(step);
    }
    for (const key of [...KEYS, ...KEYS]) {
      const merged = this.merged(key, [0, 1, 2]);
      const set = merged.siblings.length === 0 ? null : merged;
      this.oracle.checkFinal(key, set, this.timeMs);
      this.naive.checkFinal(key, set);
    }
    return this;
  }

  /** What either has found, in an order that does not depend on who found it. */
  get verdicts(): { readonly fast: unknown; readonly naive: unknown } {
    const { oracle, naive } = this;
    return {
      fast: [this.violations.toSorted(), oracle.lostWrites, oracle.staleReads],
      naive: [naive.violations.toSorted(), naive.lostWrites, naive.staleReads],
    };
  }

  /** How much there was to judge. */
  get totals() {
    const { oracle, reads, writes } = this;
    return {
      acknowledged: oracle.acknowledgedWrites,
      regular: reads.filter(({ read }) => read.isRegular && read.outcome === 'ok').length,
      superseded: writes.filter(({ write }) => write.supersededAt !== NEVER).length,
      lost: oracle.lostWrites,
      stale: oracle.staleReads,
    };
  }

  private take({ do: name, a, b, c }: Step): void {
    const key = a % 4 === 0 ? 'l' : 'k';
    const replica = b % REPLICA_COUNT;
    const session = b % SESSION_COUNT;
    switch (name) {
      case 'put':
        return this.put(key, session, replica, c);
      case 'get':
        this.beginRead(key, session, c % 3 > 0, c % 3 > 0 && !this.hasWiped);
        return this.endRead(this.reads.at(-1), a, 1);
      case 'begin-write':
        return this.beginWrite(key, session, c);
      case 'coordinate':
        return this.coordinate(chosen(this.writes.filter(isUncommitted), a), replica);
      case 'undo':
        return this.undo(chosen(this.writes.filter(isUncommitted), a), replica);
      case 'deliver':
        return this.merge(replica, key, this.at(c % REPLICA_COUNT, key));
      case 'deliver-old':
        return this.deliverOld(replica, a);
      case 'end-write':
        return this.endWrite(chosen(this.writes.filter(isOpen), a), b);
      case 'begin-read':
        return this.beginRead(key, session, c % 2 === 0, c % 2 === 0 && !this.hasWiped);
      case 'end-read':
        return this.endRead(chosen(this.reads.filter(isOpen), a), b, c);
      case 'fail-read':
        return this.failRead(chosen(this.reads.filter(isOpen), a));
      case 'wipe':
        return c % 4 === 0 ? this.wipe(replica) : undefined;
      default:
        return this.misbehave(name, key, replica, a, c);
    }
  }

  /** Last-writer-wins orders by dots, so there a dot must neither come after the acknowledgement nor change. */
  private misbehave(
    name: (typeof defects)[number],
    key: string,
    replica: number,
    a: number,
    c: number,
  ): void {
    const set = this.at(replica, key);
    const { siblings } = set;
    const sibling = chosen(siblings, c);
    switch (name) {
      case 'end-anyhow':
        return this.endAnyhow(chosen(this.writes.filter(isOpen), a), c);
      case 'overclaim':
        return this.overclaim(key, c % SESSION_COUNT, contextOf(set));
      case 'drop-sibling':
        return this.replace(replica, key, { ...set, siblings: siblings.slice(1) });
      case 'revive': {
        const revived =
          chosen(
            this.old.filter((other) => other.key === key),
            c,
          )?.set.siblings ?? [];
        return this.replace(replica, key, { ...set, siblings: [...siblings, ...revived] });
      }
      case 'roll-back': {
        const older = chosen(
          this.old.filter((other) => other.key === key),
          c,
        );
        if (older !== undefined) this.replace(replica, key, older.set);
        return;
      }
      case 'corrupt': {
        if (sibling === undefined) return;
        const damaged = { ...sibling, value: c % 2 === 0 ? null : Uint8Array.of(255) };
        const others = siblings.filter((other) => other !== sibling);
        return this.replace(replica, key, { ...set, siblings: [...others, damaged] });
      }
      case 'invent': {
        const invented = { actor: createActorId(9, 9), counter: 1 + (c % 3), value: null };
        return this.replace(replica, key, { ...set, siblings: [...siblings, invented] });
      }
      case 'promise':
        return this.beginRead(key, c % SESSION_COUNT, false, true);
      case 'bind-again': {
        const write = chosen(this.writes, a);
        if (write === undefined || this.lastWriterWins) return;
        return this.bind(write, createActorId(8, 8), 1 + (c % 5));
      }
    }
  }

  // ------------------------------------------------------------------------------- replicas

  private at(replica: number, key: string): VersionSet {
    return this.replicas[replica]!.get(key) ?? emptyVersionSet(this.lastWriterWins);
  }

  private merged(key: string, replicas: readonly number[]): VersionSet {
    return replicas.map((replica) => this.at(replica, key)).reduce(syncVersionSets);
  }

  private replace(replica: number, key: string, set: VersionSet): void {
    this.replicas[replica]!.set(key, set);
    this.old.push({ key, set });
    this.oracle.checkSet(key, set, 'a copy');
    this.naive.checkSet(key, set);
  }

  private merge(replica: number, key: string, set: VersionSet): void {
    this.replace(replica, key, syncVersionSets(this.at(replica, key), set));
  }

  private deliverOld(replica: number, choice: number): void {
    const old = chosen(this.old, choice);
    if (old !== undefined) this.merge(replica, old.key, old.set);
  }

  /** Once: then every acknowledged write has a copy left. */
  private wipe(replica: number): void {
    if (this.hasWiped) return;
    this.hasWiped = true;
    // Reads under way are no longer promised anything.
    for (const read of this.reads.filter(isOpen)) this.failRead(read);
    this.replicas[replica]!.clear();
    this.incarnations[replica]! += REPLICA_COUNT;
  }

  // --------------------------------------------------------------------------------- writes

  private beginWrite(key: string, session: number, choice: number): void {
    const known = [nothing, ...(this.knowledge.get(`${session} ${key}`) ?? [])];
    const base = choice % 3 === 0 ? chosen(known, choice)! : known.at(-1)!;
    const id = this.writes.length;
    const value = choice % 4 === 0 ? null : Uint8Array.of(id, choice % 7);
    const write = this.oracle.beginWrite(key, value, base.seen, this.timeMs, session);
    const naive = this.naive.beginWrite(write.id, key, value, base.naiveSeen, session);
    const { context } = base;
    this.writes.push({ key, value, context, write, naive, dot: null, isOver: false });
  }

  /** A write from beginning to end. */
  private put(key: string, session: number, replica: number, choice: number): void {
    this.beginWrite(key, session, choice);
    const write = this.writes.at(-1);
    this.coordinate(write, replica);
    this.merge((replica + 1) % REPLICA_COUNT, key, this.at(replica, key));
    this.endWrite(write, 1);
  }

  private updated(write: ToyWrite, replica: number): VersionSet {
    const { key, context, value } = write;
    const actor = createActorId(replica, this.incarnations[replica]!);
    const sibling = { value, timestamp: 1 + (write.write.id % 5) };
    return updateVersionSet(this.at(replica, key), context, actor, sibling);
  }

  private coordinate(write: ToyWrite | undefined, replica: number): void {
    if (write === undefined) return;
    // A store that does not know all of its own dots has forgotten some and takes a new name.
    const actor = createActorId(replica, this.incarnations[replica]!);
    const known = counterOf(contextOf(this.at(replica, write.key)), actor);
    if (counterOf(write.context, actor) > known) this.incarnations[replica]! += REPLICA_COUNT;
    const set = this.updated(write, replica);
    this.bindOwn(write, set, replica);
    this.replace(replica, write.key, set);
  }

  private bindOwn(write: ToyWrite, set: VersionSet, replica: number): void {
    const actor = createActorId(replica, this.incarnations[replica]!);
    this.bind(write, actor, counterOf(contextOf(set), actor));
  }

  private bind(write: ToyWrite, actor: ActorId, counter: number): void {
    write.dot = { actor, counter };
    this.oracle.bindDot(write.write, actor, counter);
    this.naive.bindDot(write.naive, actor, counter);
  }

  /** Commits a write and loses the commit before anything of it has left the node. */
  private undo(write: ToyWrite | undefined, replica: number): void {
    if (write === undefined) return;
    this.bindOwn(write, this.updated(write, replica), replica);
    this.oracle.unbindDot(write.write);
    this.naive.unbindDot(write.naive);
    write.dot = null;
  }

  /** As an honest coordinator would. What was not committed may be committed later, unless its client knows better. */
  private endWrite(write: ToyWrite | undefined, choice: number): void {
    if (write === undefined) return;
    const { dot, key } = write;
    const copies = this.replicas.filter((_, replica) => {
      if (dot === null) return false;
      const entry = contextOf(this.at(replica, key)).find(({ actor }) => actor === dot.actor);
      return entry !== undefined && entry.counter >= dot.counter;
    });
    if (copies.length >= QUORUM) return this.settle(write, 'ok');
    this.settle(write, dot === null && choice % 2 === 0 ? 'fail' : 'info');
  }

  private endAnyhow(write: ToyWrite | undefined, choice: number): void {
    const outcome = outcomes[choice % outcomes.length]!;
    if (write?.dot === null && this.lastWriterWins) return;
    this.settle(write, outcome);
  }

  private settle(write: ToyWrite | undefined, outcome: Exclude<Outcome, 'pending'>): void {
    if (write === undefined) return;
    write.isOver = true;
    this.oracle.endWrite(write.write, outcome, this.timeMs);
    this.naive.endWrite(write.naive, outcome);
  }

  // ---------------------------------------------------------------------------------- reads

  private beginRead(key: string, session: number, isQuorum: boolean, isRegular: boolean): void {
    const read = this.oracle.beginRead(key, isRegular, this.timeMs, session);
    const naive = this.naive.beginRead(key, isRegular, session);
    this.reads.push({ key, session, isQuorum, read, naive, isOver: false });
  }

  private endRead(read: ToyRead | undefined, first: number, choice: number): void {
    if (read === undefined) return;
    read.isOver = true;
    const { key, session, isQuorum } = read;
    const start = first % REPLICA_COUNT;
    const replicas = isQuorum || choice % 2 === 0 ? [start, (start + 1) % REPLICA_COUNT] : [start];
    const set = this.merged(key, replicas);
    const seen = this.oracle.endRead(read.read, set, this.timeMs);
    const naiveSeen = this.naive.endRead(read.naive, set);
    this.learn(key, session, { context: contextOf(set), seen, naiveSeen });
  }

  private failRead(read: ToyRead | undefined): void {
    if (read === undefined) return;
    read.isOver = true;
    this.oracle.failRead(read.read);
  }

  /** Gives a session a context that covers more than it saw. */
  private overclaim(key: string, session: number, context: VersionVector): void {
    const last = this.knowledge.get(`${session} ${key}`)?.at(-1) ?? nothing;
    this.learn(key, session, { ...last, context: joinVectors(last.context, context) });
  }

  private learn(key: string, session: number, knowledge: Knowledge): void {
    const place = `${session} ${key}`;
    this.knowledge.set(place, [...(this.knowledge.get(place) ?? []), knowledge]);
  }
}

const outcomes = ['ok', 'ok', 'fail', 'info'] as const;

function isOpen({ isOver }: { readonly isOver: boolean }): boolean {
  return !isOver;
}

/** Not committed, and not known to have failed. */
function isUncommitted({ dot, write }: ToyWrite): boolean {
  return dot === null && write.outcome !== 'fail';
}

function chosen<T>(items: readonly T[], choice: number): T | undefined {
  return items[choice % items.length];
}

// ---------------------------------------------------------------------------------------- properties

testProp(
  'the oracle finds what the definitions find',
  [fc.boolean(), histories],
  (t, lastWriterWins, steps) => {
    const { fast, naive } = new ToyStore(lastWriterWins).play(steps).verdicts;
    t.deepEqual(fast, naive);
  },
  { numRuns: 1500 },
);

testProp(
  'the oracle accuses no store without defects',
  [fc.boolean(), soundHistories],
  (t, lastWriterWins, steps) => {
    t.deepEqual(new ToyStore(lastWriterWins).play(steps).violations, []);
  },
  { numRuns: 1500 },
);

test('the histories break every invariant, and not all of them break one', (t) => {
  const counts = new Map<string, number>();
  let soundCount = 0;
  for (const steps of fc.sample(histories, { seed: 3, numRuns: 500 })) {
    const { violations } = new ToyStore(false).play(steps);
    if (violations.length === 0) soundCount++;
    for (const violation of new Set(violations.map((name) => name.split(':')[0]!))) {
      counts.set(violation, (counts.get(violation) ?? 0) + 1);
    }
  }
  t.is(counts.size, 8, JSON.stringify([...counts]));
  for (const [checker, count] of counts) t.true(count >= 10, `${checker}: ${count}`);
  t.true(soundCount >= 10, `${soundCount} without a violation`);
});

test('the histories without defects have what there is to judge', (t) => {
  for (const lastWriterWins of [false, true]) {
    const totals = { acknowledged: 0, regular: 0, superseded: 0, lost: 0, stale: 0 };
    for (const steps of fc.sample(soundHistories, { seed: 4, numRuns: 200 })) {
      const { acknowledged, regular, superseded, lost, stale } = new ToyStore(lastWriterWins).play(
        steps,
      ).totals;
      totals.acknowledged += acknowledged;
      totals.regular += regular;
      totals.superseded += superseded;
      totals.lost += lost;
      totals.stale += stale;
    }
    const { acknowledged, regular, superseded, lost, stale } = totals;
    const isRich = acknowledged > 500 && regular > 300 && superseded > 100 && stale > 20;
    t.true(isRich && lastWriterWins === lost > 0, JSON.stringify(totals));
  }
});
