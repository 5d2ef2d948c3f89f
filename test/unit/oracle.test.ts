/** The oracle: for each invariant histories that keep it and histories that break it. */
import test from 'ava';
import { AssertionError } from '../../lib/assert.ts';
import type { VersionSet } from '../../lib/clock/version-set.ts';
import { type ActorId, createActorId } from '../../lib/clock/version-vector.ts';
import {
  Oracle,
  type OracleChecker,
  type OracleViolation,
  type Read,
  type Write,
  type WriteOutcome,
} from '../../lib/sim/judge/oracle.ts';

const A = createActorId(0, 0x3f);
const B = createActorId(1, 0x10);

interface WriteOptions {
  readonly key?: string;
  readonly value?: Uint8Array | null;
  readonly seen?: readonly Write[];
  readonly actor?: ActorId;
  /** `null`: no replica commits it. */
  readonly counter?: number | null;
  readonly outcome?: WriteOutcome;
  readonly session?: number | null;
}

/** An oracle, with a clock that ticks, and what the writes wrote. */
class Trial {
  readonly violations: OracleViolation[] = [];
  readonly oracle: Oracle;
  private readonly lastWriterWins: boolean;
  private readonly values = new Map<Write, Uint8Array | null>();
  private counter = 0;
  private timeMs = 0;

  constructor({ lastWriterWins = false } = {}) {
    this.lastWriterWins = lastWriterWins;
    this.oracle = new Oracle({
      lastWriterWins,
      report: (violation) => this.violations.push(violation),
    });
  }

  get checkers(): OracleChecker[] {
    return this.violations.map(({ checker }) => checker);
  }

  tick(): number {
    return ++this.timeMs;
  }

  write(options: WriteOptions = {}): Write {
    const { key = 'k', seen = [], actor = A, outcome = 'ok', session = null } = options;
    const counter = options.counter === undefined ? ++this.counter : options.counter;
    const value = options.value === undefined ? Uint8Array.of(this.counter) : options.value;
    const write = this.oracle.beginWrite(key, value, seen, this.tick(), session);
    this.values.set(write, value);
    if (counter !== null) this.oracle.bindDot(write, actor, counter, this.tick());
    if (outcome !== 'pending') this.end(write, outcome);
    return write;
  }

  end(write: Write, outcome: Exclude<WriteOutcome, 'pending'>): void {
    this.oracle.endWrite(write, outcome, this.tick());
  }

  /** A set that holds `writes`, as they were written. */
  set(...writes: readonly Write[]): VersionSet {
    const { lastWriterWins } = this;
    const siblings = writes.map((write) => ({ ...write.dot!, value: this.values.get(write)! }));
    return { lastWriterWins, vector: [], siblings };
  }

  begin(isRegular = true, session: number | null = null): Read {
    return this.oracle.beginRead('k', isRegular, this.tick(), session);
  }

  endRead(read: Read, ...writes: readonly Write[]): readonly Write[] {
    return this.oracle.endRead(read, this.set(...writes), this.tick());
  }

  /** A read that sees `writes`. */
  read(isRegular: boolean, session: number | null, ...writes: readonly Write[]): void {
    this.endRead(this.begin(isRegular, session), ...writes);
  }

  /** Comes to rest with `writes`. */
  rest(...writes: readonly Write[]): void {
    this.oracle.checkFinal('k', this.set(...writes), this.tick());
  }
}

/** A history, and what is found in it. */
interface Case {
  readonly title: string;
  readonly play: (trial: Trial) => void;
  readonly found: readonly OracleChecker[];
}

function cases(kind: string, options: { lastWriterWins: boolean }, list: readonly Case[]): void {
  for (const { title, play, found } of list) {
    test(`${kind}: ${title}`, (t) => {
      const trial = new Trial(options);
      play(trial);
      t.deepEqual(trial.checkers, found);
    });
  }
}

cases('all siblings', { lastWriterWins: false }, [
  // ---------------------------------------------------------------------------- I1 lost write
  {
    title: 'an acknowledged write that is there is not lost',
    play: (trial) => trial.rest(trial.write(), trial.write()),
    found: [],
  },
  {
    title: 'an acknowledged write that is gone is lost',
    play: (trial) => {
      const kept = trial.write();
      trial.write();
      trial.rest(kept);
    },
    found: ['I1 lost write'],
  },
  {
    title: 'every acknowledged write is lost with the last copy',
    play: (trial) => {
      trial.write();
      trial.write();
      trial.oracle.checkFinal('k', null, trial.tick());
    },
    found: ['I1 lost write', 'I1 lost write'],
  },
  {
    title: 'an acknowledged write gives way to one that had seen it, or had seen one that had',
    play: (trial) => {
      const first = trial.write();
      const second = trial.write({ seen: [first] });
      trial.rest(trial.write({ seen: [second] }));
    },
    found: [],
  },
  {
    title: 'an acknowledged write gives way to a write of open outcome that is there',
    play: (trial) => trial.rest(trial.write({ seen: [trial.write()], outcome: 'info' })),
    found: [],
  },
  {
    title: 'an acknowledged write does not give way to one that is gone too',
    play: (trial) => {
      trial.write({ seen: [trial.write()], outcome: 'info' });
      trial.rest();
    },
    found: ['I1 lost write'],
  },
  {
    title: 'a write that replaced more than its writer had seen has lost it',
    play: (trial) => {
      const seen = trial.write();
      trial.write();
      trial.rest(trial.write({ seen: [seen] }));
    },
    found: ['I1 lost write'],
  },
  {
    title: 'a write that was acknowledged and committed nowhere is lost',
    play: (trial) => {
      trial.write({ counter: null });
      trial.rest();
    },
    found: ['I1 lost write'],
  },
  {
    title: 'a tombstone is not lost either',
    play: (trial) => {
      trial.write({ value: null });
      trial.rest();
    },
    found: ['I1 lost write'],
  },
  {
    title: 'writes of open outcome, failed ones and those under way may be gone',
    play: (trial) => {
      trial.write({ outcome: 'info' });
      trial.write({ outcome: 'pending' });
      trial.write({ outcome: 'fail', counter: null });
      trial.rest();
    },
    found: [],
  },
  {
    title: 'a write is lost once',
    play: (trial) => {
      trial.write();
      trial.rest();
      trial.rest();
      trial.read(true, null);
    },
    found: ['I1 lost write'],
  },
  // -------------------------------------------------------------------------- I2 resurrection
  {
    title: 'what an acknowledged delete had seen is back',
    play: (trial) => {
      const value = trial.write();
      trial.write({ seen: [value], value: null });
      trial.rest(value);
    },
    found: ['I2 resurrection', 'I1 lost write'],
  },
  {
    title: 'what an acknowledged write had seen through others is back beside it',
    play: (trial) => {
      const first = trial.write({ outcome: 'info' });
      const second = trial.write({ seen: [first], outcome: 'info' });
      const third = trial.write({ seen: [second] });
      trial.rest(third, first);
    },
    found: ['I5 ordered siblings', 'I2 resurrection'],
  },
  {
    title: 'what a write of open outcome had seen may be back',
    play: (trial) => {
      const value = trial.write();
      trial.write({ seen: [value], value: null, outcome: 'info' });
      trial.read(true, null, value);
      trial.rest(value);
    },
    found: [],
  },
  {
    title: 'a regular read sees what an acknowledged write had superseded before',
    play: (trial) => {
      const value = trial.write();
      const tombstone = trial.write({ seen: [value], value: null });
      trial.read(true, null, value);
      trial.rest(tombstone);
    },
    found: ['I8 stale read', 'I2 resurrection'],
  },
  {
    title: 'a regular read may see what is superseded while it runs',
    play: (trial) => {
      const value = trial.write();
      const read = trial.begin();
      trial.write({ seen: [value], value: null });
      trial.endRead(read, value);
    },
    found: [],
  },
  {
    title: 'any other read may see what was superseded',
    play: (trial) => {
      const value = trial.write();
      trial.write({ seen: [value] });
      trial.read(false, null, value);
    },
    found: [],
  },
  // ---------------------------------------------------------------------------- I3 invention
  {
    title: 'writes under way and of open outcome may be there',
    play: (trial) => {
      trial.read(true, null, trial.write({ outcome: 'pending' }), trial.write({ outcome: 'info' }));
    },
    found: [],
  },
  {
    title: 'a dot that was given to no write',
    play: (trial) => {
      const siblings = [{ actor: A, counter: 7, value: null }];
      trial.oracle.checkSet('k', { lastWriterWins: false, vector: [], siblings }, 'a copy');
    },
    found: ['I3 invention'],
  },
  {
    title: 'a dot of another key',
    play: (trial) => {
      const set = trial.set(trial.write({ key: 'other' }));
      trial.oracle.checkSet('k', set, 'a copy');
    },
    found: ['I3 invention'],
  },
  {
    title: 'a dot whose commit was undone',
    play: (trial) => {
      const write = trial.write({ outcome: 'info' });
      const set = trial.set(write);
      trial.oracle.unbindDot(write);
      trial.oracle.checkSet('k', set, 'a copy');
    },
    found: ['I3 invention'],
  },
  {
    title: 'other bytes, other lengths, and a tombstone, each time that they are met',
    play: (trial) => {
      const write = trial.write({ value: Uint8Array.of(1, 2, 3) });
      const tombstone = trial.write({ value: null });
      trial.read(true, null, write, tombstone);
      for (const value of [Uint8Array.of(1, 2, 4), Uint8Array.of(1, 2), null]) {
        const siblings = [{ ...write.dot!, value }];
        trial.oracle.checkSet('k', { lastWriterWins: false, vector: [], siblings }, 'a copy');
      }
      const siblings = [{ ...tombstone.dot!, value: new Uint8Array(0) }];
      trial.oracle.checkSet('k', { lastWriterWins: false, vector: [], siblings }, 'a copy');
    },
    found: ['I3 invention', 'I3 invention', 'I3 invention', 'I3 invention'],
  },
  {
    title: 'a write that failed for certain, before or after it was first met',
    play: (trial) => {
      const write = trial.write({ outcome: 'pending' });
      trial.oracle.checkSet('k', trial.set(write), 'a copy');
      trial.end(write, 'fail');
      trial.oracle.checkSet('k', trial.set(write), 'a copy');
    },
    found: ['I3 invention'],
  },
  // ------------------------------------------------------------------ I5 concurrent siblings
  {
    title: 'siblings that have not seen one another, though both have seen a third',
    play: (trial) => {
      const root = trial.write();
      const writes = [0, 1, 2].map(() => trial.write({ seen: [root] }));
      trial.oracle.checkSet('k', trial.set(...writes), 'a copy');
    },
    found: [],
  },
  {
    title: 'a sibling beside one that had seen it',
    play: (trial) => {
      const first = trial.write();
      trial.oracle.checkSet('k', trial.set(first, trial.write({ seen: [first] })), 'a copy');
    },
    found: ['I5 ordered siblings'],
  },
  {
    title: 'a sibling beside one that had seen it through acknowledged and other writes',
    play: (trial) => {
      const first = trial.write({ outcome: 'info' });
      const second = trial.write({ seen: [first], outcome: 'info' });
      const third = trial.write({ seen: [second] });
      const last = trial.write({ seen: [third], outcome: 'pending' });
      const other = trial.write();
      trial.oracle.checkSet('k', trial.set(other, first, last), 'a copy');
    },
    found: ['I5 ordered siblings'],
  },
  {
    title: 'a stale copy may hold superseded siblings as long as they are concurrent',
    play: (trial) => {
      const [a, b] = [trial.write(), trial.write()];
      trial.write({ seen: [a] });
      trial.write({ seen: [a, b] });
      trial.oracle.checkSet('k', trial.set(a, b), 'a copy');
    },
    found: [],
  },
  {
    title: 'a sibling twice',
    play: (trial) => {
      const write = trial.write();
      trial.oracle.checkSet('k', trial.set(write, write), 'a copy');
    },
    found: ['I5 ordered siblings'],
  },
  // --------------------------------------------------------------------------------- I6 dots
  {
    title: 'a dot that two writes get',
    play: (trial) => {
      trial.write({ counter: 1 });
      trial.write({ counter: 1, outcome: 'pending' });
    },
    found: ['I6 dot reuse'],
  },
  {
    title: 'the same counter of another actor or key is another dot',
    play: (trial) => {
      trial.write({ counter: 1 });
      trial.write({ counter: 1, actor: B });
      trial.write({ counter: 1, key: 'other' });
    },
    found: [],
  },
  {
    title: 'a write that gets two dots',
    play: (trial) => {
      const write = trial.write({ outcome: 'pending' });
      trial.oracle.bindDot(write, B, 1);
    },
    found: ['I6 dot reuse'],
  },
  {
    title: 'the same dot again says nothing new',
    play: (trial) => {
      const write = trial.write({ counter: 4 });
      trial.oracle.bindDot(write, A, 4);
    },
    found: [],
  },
  {
    title: 'a commit that was undone frees its dot and its write',
    play: (trial) => {
      const write = trial.write({ counter: 1, outcome: 'pending' });
      trial.oracle.unbindDot(write);
      const other = trial.write({ counter: 1 });
      trial.oracle.bindDot(write, B, 1);
      trial.rest(other, write);
    },
    found: [],
  },
  {
    title: 'undoing a commit leaves a dot to the write that has taken it',
    play: (trial) => {
      const first = trial.write({ counter: 1, outcome: 'info' });
      const second = trial.write({ counter: 1 });
      trial.oracle.unbindDot(first);
      trial.rest(second);
    },
    found: ['I6 dot reuse'],
  },
  // ------------------------------------------------------------------------------ I7 session
  {
    title: 'a regular read that misses an acknowledged write of its session',
    play: (trial) => {
      trial.write({ session: 1 });
      trial.read(true, 1);
    },
    found: ['I7 session'],
  },
  {
    title: 'without promise it is not reported, nor is going back behind a write under way',
    play: (trial) => {
      const first = trial.write({ session: 1 });
      trial.read(false, 1);
      const open = trial.write({ outcome: 'pending' });
      trial.read(true, 2, first, open);
      trial.read(true, 2, first);
    },
    found: [],
  },
  // --------------------------------------------------------------------------- I8 regularity
  {
    title: 'a regular read that misses an acknowledged write',
    play: (trial) => {
      const kept = trial.write();
      trial.write({ session: 2 });
      trial.read(true, 1, kept);
    },
    found: ['I8 stale read'],
  },
  {
    title: 'a regular read sees a write under way instead that had seen the acknowledged one',
    play: (trial) => {
      const first = trial.write();
      const read = trial.begin();
      const second = trial.write({ seen: [first], outcome: 'pending' });
      trial.endRead(read, trial.write({ seen: [second], outcome: 'info' }));
    },
    found: [],
  },
  {
    title: 'a regular read may miss what is acknowledged while it runs',
    play: (trial) => {
      const write = trial.write({ outcome: 'pending' });
      const read = trial.begin();
      trial.end(write, 'ok');
      trial.endRead(read);
    },
    found: [],
  },
  {
    title: 'a regular read that began before a write was superseded and saw neither',
    play: (trial) => {
      const first = trial.write();
      const read = trial.begin();
      trial.write({ seen: [first] });
      trial.endRead(read);
    },
    found: ['I8 stale read'],
  },
  {
    title: 'other reads and reads that fail may miss anything',
    play: (trial) => {
      trial.write();
      trial.read(false, null);
      trial.oracle.failRead(trial.begin(), trial.tick());
    },
    found: [],
  },
  // --------------------------------------------------------------------- I18 dishonest error
  {
    title: 'a write that failed for certain and was committed before',
    play: (trial) => {
      trial.write({ outcome: 'fail' });
      trial.rest();
      trial.rest();
    },
    found: ['I18 dishonest error'],
  },
  {
    title: 'a write that failed for certain and was committed afterwards',
    play: (trial) => {
      const write = trial.write({ outcome: 'fail', counter: null });
      trial.oracle.bindDot(write, A, 1);
      trial.rest();
    },
    found: ['I18 dishonest error'],
  },
  {
    title: 'a write that failed for certain and was never committed, or undone',
    play: (trial) => {
      trial.write({ outcome: 'fail', counter: null });
      trial.oracle.unbindDot(trial.write({ outcome: 'fail' }));
      trial.rest();
    },
    found: [],
  },
]);

cases('last writer wins', { lastWriterWins: true }, [
  {
    title: 'acknowledged writes may lose to a later one',
    play: (trial) => {
      trial.write({ counter: 10 });
      trial.write({ counter: 10, actor: B });
      const last = trial.write({ counter: 11, outcome: 'info' });
      trial.read(true, null, last);
      trial.rest(last);
    },
    found: [],
  },
  {
    title: 'an acknowledged write may not lose to an earlier one',
    play: (trial) => {
      const first = trial.write({ counter: 10 });
      trial.write({ counter: 10, actor: B });
      trial.read(true, null, first);
      trial.rest(first);
    },
    found: ['I8 stale read', 'I1 lost write'],
  },
  {
    title: 'the last acknowledged write may not be gone',
    play: (trial) => {
      trial.write();
      trial.rest();
    },
    found: ['I1 lost write'],
  },
  {
    title: 'what an acknowledged write had seen does not come back, whatever the clocks say',
    play: (trial) => {
      const first = trial.write({ counter: 10 });
      trial.write({ counter: 9, seen: [first] });
      trial.read(true, null, first);
      trial.rest(first);
    },
    found: ['I2 resurrection', 'I2 resurrection'],
  },
  {
    title: 'two last writers',
    play: (trial) => trial.oracle.checkSet('k', trial.set(trial.write(), trial.write()), 'a copy'),
    found: ['I5 ordered siblings'],
  },
  {
    title: 'invented bytes, a dot of two writes, a dishonest error',
    play: (trial) => {
      const write = trial.write({ counter: 10, outcome: 'fail' });
      const siblings = [{ ...write.dot!, value: null }];
      trial.oracle.checkSet('k', { lastWriterWins: true, vector: [], siblings }, 'a copy');
      trial.write({ counter: 10 });
      trial.oracle.checkFinal('k', trial.set(trial.write({ counter: 11 })), trial.tick());
    },
    found: ['I3 invention', 'I3 invention', 'I6 dot reuse', 'I18 dishonest error'],
  },
]);

test('last writer wins: what is lost is counted, once, unless something had seen it', (t) => {
  const trial = new Trial({ lastWriterWins: true });
  const seen = trial.write({ counter: 1 });
  trial.write({ counter: 2 });
  trial.write({ counter: 3, outcome: 'info' });
  const last = trial.write({ counter: 4, seen: [seen] });
  trial.rest(last);
  t.is(trial.oracle.lostWrites, 1);
  trial.rest(last);
  t.is(trial.oracle.lostWrites, 1);
  const newer = trial.write({ counter: 5 });
  trial.rest(newer);
  t.is(trial.oracle.lostWrites, 2);
  t.deepEqual(trial.violations, []);
});

test('beyond the model losses and stale reads are counted, and the rest is still reported', (t) => {
  const trial = new Trial();
  const value = trial.write({ session: 1 });
  trial.write({ seen: [value], session: 1 });
  trial.oracle.waive('all copies were wiped', 'k');
  t.false(trial.oracle.isWithinModel('k'));
  t.true(trial.oracle.isWithinModel('other'));
  trial.read(true, 1, value);
  trial.rest(value);
  t.deepEqual(trial.violations, []);
  t.is(trial.oracle.lostWrites, 1);
  t.is(trial.oracle.staleReads, 1);

  const failed = trial.write({ outcome: 'fail', counter: 1 });
  trial.rest(trial.write({ seen: [failed] }), failed);
  t.deepEqual(trial.checkers, [
    'I6 dot reuse',
    'I3 invention',
    'I5 ordered siblings',
    'I18 dishonest error',
  ]);
});

test('a whole run can be beyond the model', (t) => {
  const trial = new Trial();
  trial.write();
  trial.write({ key: 'other' });
  trial.oracle.waive('every disk was wiped');
  trial.rest();
  trial.oracle.checkFinal('other', null, trial.tick());
  t.deepEqual(trial.violations, []);
  t.is(trial.oracle.lostWrites, 2);
  t.false(trial.oracle.isWithinModel('third'));
});

test('reads that miss what their session knew are counted', (t) => {
  const trial = new Trial();
  const { oracle } = trial;
  const own = trial.write({ session: 1 });
  trial.read(false, 2);
  t.is(oracle.staleReads, 0, 'another session knows nothing');
  trial.read(false, 1);
  t.is(oracle.staleReads, 1, 'an own write was missed');
  trial.read(false, 1);
  t.is(oracle.staleReads, 2, 'and again');
  const open = trial.write({ seen: [own], outcome: 'info', session: 2 });
  trial.read(false, 1, open);
  t.is(oracle.staleReads, 2, 'seeing its successor is enough');
  trial.read(false, 1, own);
  t.is(oracle.staleReads, 3, 'what was read once was missed');
  trial.read(false, null);
  t.is(oracle.staleReads, 3, 'reads without a session are not judged');
  t.deepEqual(trial.violations, []);
});

test('a session of last-writer-wins writes and reads knows the newest', (t) => {
  const trial = new Trial({ lastWriterWins: true });
  const own = trial.write({ counter: 5, session: 1 });
  const newer = trial.write({ counter: 6 });
  trial.write({ counter: 4, session: 1 });
  trial.read(false, 1, newer);
  t.is(trial.oracle.staleReads, 0);
  trial.read(false, 1, own);
  t.is(trial.oracle.staleReads, 1);
});

test('a read returns the writes to base the next one on, tombstones included', (t) => {
  const trial = new Trial();
  const writes = [trial.write(), trial.write({ value: null })];
  t.deepEqual(trial.endRead(trial.begin(), ...writes), writes);
  t.deepEqual(trial.oracle.endRead(trial.begin(false), null, trial.tick()), []);
  const unknown = { actor: B, counter: 9, value: null };
  const siblings = [...trial.set(...writes).siblings, unknown];
  const set = { lastWriterWins: false, vector: [], siblings };
  t.deepEqual(trial.oracle.endRead(trial.begin(), set, trial.tick()), writes);
});

test('outcomes are counted', (t) => {
  const trial = new Trial();
  for (const outcome of ['ok', 'ok', 'ok', 'info', 'info', 'pending'] as const) {
    trial.write({ outcome });
  }
  trial.write({ outcome: 'fail', counter: null });
  trial.read(false, null);
  trial.oracle.failRead(trial.begin());
  const { acknowledgedWrites, indefiniteWrites, failedWrites, reads } = trial.oracle;
  t.deepEqual([acknowledgedWrites, indefiniteWrites, failedWrites, reads], [3, 2, 1, 1]);
});

test('the story of a lost write', (t) => {
  const trial = new Trial();
  const lost = trial.write({ session: 7 });
  const undone = trial.write({ outcome: 'info' });
  trial.oracle.unbindDot(undone);
  trial.read(true, 8, lost);
  trial.oracle.failRead(trial.begin(false), trial.tick());
  const tombstone = trial.write({ value: null, outcome: 'pending', actor: B });
  trial.rest(tombstone);
  t.is(trial.violations.length, 1);
  const { checker, key, message, story } = trial.violations[0]!;
  t.is(checker, 'I1 lost write');
  t.is(key, 'k');
  t.is(message, 'w0 was acknowledged and is gone at rest: there is w11');
  t.deepEqual(story, [
    '1.000 ms  w0 begins in session 7: a put of 1 bytes after nothing',
    '2.000 ms  w0 is committed as a.3f:1',
    '3.000 ms  w0 is acknowledged',
    '4.000 ms  w3 begins: a put of 1 bytes after nothing',
    '6.000 ms  w3 ends, and may have happened',
    '6.000 ms  w3 is no longer a.3f:2: the commit was undone',
    '8.000 ms  a read in session 8 that began at 7.000 ms sees w0',
    '10.000 ms  a read without promise that began at 9.000 ms fails',
    '11.000 ms  w11 begins: a delete after nothing',
    '12.000 ms  w11 is committed as b.10:3',
  ]);
});

test('a story keeps the newest events and the lives of the writes in question', (t) => {
  const trial = new Trial();
  const lost = trial.write();
  let last = trial.write();
  for (let count = 0; count < 100; count++) last = trial.write({ seen: [last] });
  trial.rest(last);
  const { story } = trial.violations[0]!;
  t.deepEqual(
    story.slice(0, 3).map((line) => line.replace(/.* ms {2}/, '')),
    [
      'w0 begins: a put of 1 bytes after nothing',
      'w0 is committed as a.3f:1',
      'w0 is acknowledged',
    ],
  );
  t.is(story.length, 3 + 32);
  t.true(story.at(-1)!.endsWith(`w${last.id} is acknowledged`));
  t.is(lost.id, 0);
});

test('where a set was met is asked for only if something is wrong with it', (t) => {
  const trial = new Trial();
  const write = trial.write();
  trial.oracle.checkSet('k', trial.set(write), () => t.fail());
  trial.oracle.checkSet('k', trial.set(write, write), () => 'the copy of node b');
  t.regex(trial.violations[0]!.message, /\(in the copy of node b\)$/);
});

test('mistakes of whoever tells the oracle stop it', (t) => {
  const trial = new Trial();
  const write = trial.write();
  const read = trial.begin();
  trial.endRead(read);
  for (const mistake of [
    () => trial.end(write, 'info'),
    () => trial.endRead(read),
    () => trial.oracle.failRead(read),
    () => trial.oracle.unbindDot(trial.write({ counter: null })),
    () => trial.write({ key: 'other', seen: [write] }),
  ]) {
    t.throws(mistake, { instanceOf: AssertionError });
  }
});
