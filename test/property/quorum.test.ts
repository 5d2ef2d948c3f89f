/**
 * Quorum arithmetic against an oracle that counts distinct replicas by their first replies: exhaustive where
 * there are few, by chance above.
 */
import { fc, testProp } from '@fast-check/ava';
import test, { type ExecutionContext } from 'ava';
import {
  addGetFailure,
  addRecord,
  createGetCore,
  getStatus,
  mergedRecord,
  mergeRecords,
  staleReplicas,
} from '../../actors/get-core.ts';
import { addAcknowledgement, createPutCore, putStatus } from '../../actors/put-core.ts';
import { countReply, createTally, quorumOutcome } from '../../actors/quorum.ts';
import { AssertionError } from '../../lib/assert.ts';
import { equalBytes } from '../../lib/bytes.ts';
import {
  contextOf,
  decodeVersionSet,
  emptyVersionSet,
  encodeVersionSet,
  syncVersionSets,
  updateVersionSet,
  type VersionSet,
} from '../../lib/clock/version-set.ts';
import { createActorId } from '../../lib/clock/version-vector.ts';

/** A reply as the network may bring it: from any replica, again and again, and not always saying the same. */
interface Reply {
  readonly replica: number;
  readonly hasSucceeded: boolean;
}

/** The oracle: goes through all replies anew, keeps each replica's first, counts. */
function naiveOutcome(n: number, needed: number, replies: readonly Reply[]) {
  const first = new Map<number, boolean>();
  for (const { replica, hasSucceeded } of replies) {
    if (!first.has(replica)) first.set(replica, hasSucceeded);
  }
  const said = [...first.values()];
  const succeeded = said.filter((each) => each).length;
  const possible = succeeded + (n - first.size);
  if (succeeded >= needed) return { outcome: 'met', succeeded, failed: said.length - succeeded };
  const outcome = possible >= needed ? 'pending' : 'unmet';
  return { outcome, succeeded, failed: said.length - succeeded };
}

/** Checks a sequence of replies step by step. */
function checkTally(t: ExecutionContext, n: number, needed: number, replies: readonly Reply[]) {
  const tally = createTally(n, needed);
  let decided: string | null = null;
  for (const [index, { replica, hasSucceeded }] of replies.entries()) {
    const isFirst = !replies.slice(0, index).some((earlier) => earlier.replica === replica);
    if (countReply(tally, replica, hasSucceeded) !== isFirst) t.fail('counted twice or not at all');
    const naive = naiveOutcome(n, needed, replies.slice(0, index + 1));
    const outcome = quorumOutcome(tally);
    const agrees =
      outcome === naive.outcome &&
      tally.succeeded === naive.succeeded &&
      tally.failed === naive.failed;
    if (!agrees) t.fail(`${JSON.stringify({ n, needed, replies })}: ${outcome}`);
    if (decided !== null && outcome !== decided) t.fail('a decided outcome changed');
    if (outcome !== 'pending') decided = outcome;
  }
}

/** All sequences of `length` items. */
function* sequences<T>(items: readonly T[], length: number): Generator<T[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const rest of sequences(items, length - 1)) for (const item of items) yield [...rest, item];
}

test('every order of replies, repeats and contradictions included, up to three replicas', (t) => {
  let count = 0;
  for (let n = 1; n <= 3; n++) {
    const replies = Array.from({ length: 2 * n }, (_, index) => ({
      replica: index >> 1,
      hasSucceeded: index % 2 === 0,
    }));
    for (let needed = 1; needed <= n; needed++) {
      for (const sequence of sequences(replies, n + 2)) {
        checkTally(t, n, needed, sequence);
        count++;
      }
    }
  }
  t.is(count, 2 ** 3 + 2 * 4 ** 4 + 3 * 6 ** 5);
});

const anyReplies = fc.integer({ min: 1, max: 16 }).chain((n) =>
  fc.record({
    n: fc.constant(n),
    needed: fc.integer({ min: 1, max: n }),
    replies: fc.array(fc.record({ replica: fc.nat(n - 1), hasSucceeded: fc.boolean() }), {
      maxLength: 40,
    }),
  }),
);

testProp(
  'any order of replies up to sixteen replicas',
  [anyReplies],
  (t, { n, needed, replies }) => {
    checkTally(t, n, needed, replies);
    t.pass();
  },
);

testProp('a write is stored by W distinct replicas, never fewer', [anyReplies], (t, input) => {
  const { n, needed, replies } = input;
  const core = createPutCore(n, needed);
  t.is(putStatus(core), 'pending');
  for (const [index, { replica, hasSucceeded }] of replies.entries()) {
    addAcknowledgement(core, replica, hasSucceeded);
    const naive = naiveOutcome(n, needed, replies.slice(0, index + 1)).outcome;
    const expected = { met: 'stored', unmet: 'quorum-unmet', pending: 'pending' }[naive];
    t.is(putStatus(core), expected as ReturnType<typeof putStatus>);
  }
});

test('a quorum outside of its replicas is a bug', (t) => {
  for (const [n, needed] of [
    [3, 0],
    [3, 4],
    [0, 0],
    [17, 1],
  ] as const) {
    t.throws(() => createTally(n, needed), { instanceOf: AssertionError });
  }
  const tally = createTally(3, 2);
  for (const replica of [-1, 3]) {
    t.throws(() => countReply(tally, replica, true), { instanceOf: AssertionError });
  }
});

// ------------------------------------------------------------------------------------------- reads

/** What a replica says to a read. */
type Answer = 'missing' | 'down' | 'corrupt' | 'overloaded' | number;

/**
 * Records as replicas may hold them: states of one key after random writes and merges. All come from one history, so
 * that equal dots stand for equal values.
 */
const records: fc.Arbitrary<Uint8Array[]> = fc
  .array(
    fc.record({
      actor: fc.nat(2),
      reads: fc.array(fc.nat(3), { maxLength: 2 }),
      merges: fc.option(fc.nat(3)),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .map((steps) => {
    const replicas: VersionSet[] = Array.from({ length: 4 }, () => emptyVersionSet(false));
    for (const [index, { actor, reads, merges }] of steps.entries()) {
      const context = reads.reduce(
        (set, replica) => syncVersionSets(set, replicas[replica]!),
        emptyVersionSet(false),
      );
      const sibling = { value: new Uint8Array([index]), timestamp: 0 };
      const known = syncVersionSets(replicas[actor]!, emptyVersionSet(false));
      replicas[actor] = updateVersionSet(
        known,
        contextOf(context),
        createActorId(actor, 1),
        sibling,
      );
      if (merges !== null) replicas[3] = syncVersionSets(replicas[3]!, replicas[merges]!);
    }
    return replicas.map(encodeVersionSet);
  });

/** The merge of many, in the plainest way. */
function naiveMerge(all: readonly Uint8Array[]): Uint8Array {
  return encodeVersionSet(
    all.reduce(
      (merged, record) => syncVersionSets(merged, decodeVersionSet(record)),
      emptyVersionSet(false),
    ),
  );
}

testProp('two records merge to what their sets merge to', [records], (t, [a, b, c]) => {
  const merged = mergeRecords(a!, b!);
  t.deepEqual(merged, naiveMerge([a!, b!]));
  t.deepEqual(merged, mergeRecords(b!, a!), 'commutative');
  t.deepEqual(mergeRecords(merged, c!), mergeRecords(a!, mergeRecords(b!, c!)), 'associative');
  t.is(mergeRecords(merged, merged), merged, 'idempotent, and without a copy');
  if (equalBytes(merged, a!)) t.is(merged, a!, 'what adds nothing costs no encoding');
});

const reads = fc.tuple(
  records,
  fc.integer({ min: 1, max: 4 }),
  fc.array(
    fc.tuple(
      fc.nat(3),
      fc.oneof(
        fc.nat(3),
        fc.constantFrom<Answer>('missing', 'down', 'corrupt', 'overloaded'),
      ) as fc.Arbitrary<Answer>,
    ),
    { maxLength: 10 },
  ),
);

testProp('a read merges all that came and names who is behind', [reads], (t, input) => {
  const [held, needed, answers] = input;
  const core = createGetCore(4, needed);
  const first = new Map<number, Answer>();
  for (const [replica, answer] of answers) {
    const isFirst = !first.has(replica);
    if (isFirst) first.set(replica, answer);
    const isCounted =
      typeof answer === 'number' || answer === 'missing'
        ? addRecord(core, replica, answer === 'missing' ? null : held[answer]!)
        : addGetFailure(core, replica, answer);
    t.is(isCounted, isFirst);
  }
  const came = [...first.values()].filter((answer) => typeof answer === 'number');
  const merged = came.length === 0 ? null : naiveMerge(came.map((answer) => held[answer]!));
  t.deepEqual(mergedRecord(core), merged);
  t.is(getStatus(core), naiveStatus(needed, [...first.values()]));
  if (merged === null) return;
  const behind = [...first]
    .filter(([, answer]) => answer === 'missing' || typeof answer === 'number')
    .filter(([, answer]) => answer === 'missing' || !equalBytes(held[answer as number]!, merged))
    .map(([replica]) => replica);
  t.deepEqual(staleReplicas(core, merged), behind.sort());
});

function naiveStatus(needed: number, answers: readonly Answer[]): ReturnType<typeof getStatus> {
  const failures = answers.filter((answer) => typeof answer === 'string' && answer !== 'missing');
  const succeeded = answers.length - failures.length;
  const isFound = answers.some((answer) => typeof answer === 'number');
  if (succeeded >= needed) return isFound ? 'found' : 'missing';
  if (succeeded + 4 - answers.length >= needed) return 'pending';
  if (failures.includes('corrupt')) return 'corrupt';
  return failures.every((answer) => answer === 'overloaded') ? 'overloaded' : 'quorum-unmet';
}
