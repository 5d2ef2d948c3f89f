/** Version sets: worked examples, and stories of how other stores lost or multiplied values. */
import test from 'ava';
import { AssertionError } from '../../lib/assert.ts';
import { binaryStringOf, bytesOfBinaryString, MalformedError } from '../../lib/bytes.ts';
import {
  contextOf,
  decodeVersionSet,
  emptyVersionSet,
  encodeVersionSet,
  isEqualVersionSet,
  type Sibling,
  siblingCount,
  siblingsOf,
  syncVersionSets,
  timestampOf,
  updateVersionSet,
  type VersionSet,
} from '../../lib/clock/version-set.ts';
import { createActorId, type VersionVector } from '../../lib/clock/version-vector.ts';

const x = createActorId(0, 7);
const y = createActorId(1, 7);
const z = createActorId(2, 7);
const noContext: VersionVector = [];

function written(text: string, timestamp = 0): Sibling {
  return { value: bytesOfBinaryString(text), timestamp };
}

/** Values as text, sorted; a tombstone is `null`. */
function valuesOf(set: VersionSet): (string | null)[] {
  return siblingsOf(set)
    .map(({ value }) => (value === null ? null : binaryStringOf(value)))
    .sort();
}

test('version evolution of an object over time (Dynamo §4.4, Figure 3)', (t) => {
  // 1. A client writes a new object; Sx handles the write, then an update of it.
  const d1 = updateVersionSet(emptyVersionSet(false), noContext, x, written('D1'));
  t.deepEqual(contextOf(d1), [{ actor: x, counter: 1 }]);
  const d2 = updateVersionSet(d1, contextOf(d1), x, written('D2'));
  t.deepEqual(contextOf(d2), [{ actor: x, counter: 2 }]);
  t.is(syncVersionSets(d1, d2), d2);

  // 2. Two clients read D2 and update it, one through Sy, one through Sz.
  const d3 = updateVersionSet(d2, contextOf(d2), y, written('D3'));
  const d4 = updateVersionSet(d2, contextOf(d2), z, written('D4'));
  t.deepEqual(contextOf(d3), [
    { actor: x, counter: 2 },
    { actor: y, counter: 1 },
  ]);
  t.deepEqual(contextOf(d4), [
    { actor: x, counter: 2 },
    { actor: z, counter: 1 },
  ]);

  // 3. A node that knows D1 or D2 finds that either replaces them; one that has D3 and D4 keeps both.
  t.is(syncVersionSets(d1, d4), d4);
  t.is(syncVersionSets(d3, d2), d3);
  const both = syncVersionSets(d3, d4);
  t.deepEqual(valuesOf(both), ['D3', 'D4']);

  // 4. A client reads both, reconciles them, and Sx handles the write.
  const d5 = updateVersionSet(both, contextOf(both), x, written('D5'));
  t.deepEqual(contextOf(d5), [
    { actor: x, counter: 3 },
    { actor: y, counter: 1 },
    { actor: z, counter: 1 },
  ]);
  t.deepEqual(valuesOf(d5), ['D5']);
});

test('two clients that interleave on one node leave two siblings, not one for each write', (t) => {
  let stored = emptyVersionSet(false);
  const contexts = [noContext, noContext];
  for (let round = 0; round < 100; round++) {
    for (const client of [0, 1]) {
      stored = updateVersionSet(stored, contexts[client]!, x, written(`${client}:${round}`));
      t.true(siblingCount(stored) <= 2);
      // The other client writes before this one reads again.
      contexts[1 - client] = contextOf(stored);
    }
  }
  const final = updateVersionSet(stored, contextOf(stored), x, written('resolved'));
  t.deepEqual(valuesOf(final), ['resolved']);
});

test('clients that each know their own last write only leave one sibling each', (t) => {
  let stored = emptyVersionSet(false);
  let reads: [VersionVector, VersionVector] = [noContext, noContext];
  for (let round = 0; round < 100; round++) {
    const [first, second] = reads;
    const afterFirst = updateVersionSet(stored, first, x, written(`first ${round}`));
    stored = updateVersionSet(afterFirst, second, x, written(`second ${round}`));
    reads = [contextOf(afterFirst), contextOf(stored)];
    t.true(siblingCount(stored) <= 2);
  }
  t.deepEqual(valuesOf(stored), ['first 99', 'second 99']);
});

test('a blind write replaces nothing', (t) => {
  const one = updateVersionSet(emptyVersionSet(false), noContext, y, written('one'));
  const two = updateVersionSet(one, noContext, y, written('two'));
  const three = updateVersionSet(two, noContext, x, written('three'));
  const four = updateVersionSet(three, noContext, z, written('four'));
  t.deepEqual(
    siblingsOf(four).map(({ actor, counter }) => [actor, counter]),
    [
      [x, 1],
      [y, 2],
      [y, 1],
      [z, 1],
    ],
  );
  t.deepEqual(valuesOf(four), ['four', 'one', 'three', 'two']);
});

test('a write replaces what its context covers and keeps what came after', (t) => {
  const one = updateVersionSet(emptyVersionSet(false), noContext, x, written('one'));
  const two = updateVersionSet(one, noContext, x, written('two'));
  const three = updateVersionSet(two, noContext, x, written('three'));
  const next = updateVersionSet(three, contextOf(two), x, written('next'));
  t.deepEqual(valuesOf(next), ['next', 'three']);
});

test('a context may know more than the coordinator', (t) => {
  const old = updateVersionSet(emptyVersionSet(false), noContext, x, written('old'));
  const newer = updateVersionSet(old, contextOf(old), x, written('newer'));
  // Sy has only the old value; the writer has read the newer one.
  const next = updateVersionSet(old, contextOf(newer), y, written('next'));
  t.deepEqual(valuesOf(next), ['next']);
  t.deepEqual(contextOf(next), [
    { actor: x, counter: 2 },
    { actor: y, counter: 1 },
  ]);
  t.is(syncVersionSets(newer, next), next);
});

test('a tombstone is a sibling, and a later write replaces it', (t) => {
  const value = updateVersionSet(emptyVersionSet(false), noContext, x, written('value'));
  const tombstone = { value: null, timestamp: 0 };
  const deleted = updateVersionSet(value, contextOf(value), y, tombstone);
  t.deepEqual(valuesOf(syncVersionSets(value, deleted)), [null]);
  const concurrent = updateVersionSet(value, contextOf(value), z, written('kept'));
  t.deepEqual(valuesOf(syncVersionSets(deleted, concurrent)), ['kept', null]);
  const again = updateVersionSet(deleted, contextOf(deleted), x, written('again'));
  t.deepEqual(valuesOf(syncVersionSets(again, deleted)), ['again']);
});

test('a merge is an argument itself where that is the result', (t) => {
  const empty = emptyVersionSet(false);
  const one = updateVersionSet(empty, noContext, x, written('one'));
  const same = updateVersionSet(empty, noContext, x, written('one'));
  const two = updateVersionSet(one, contextOf(one), y, written('two'));
  t.is(syncVersionSets(one, empty), one);
  t.is(syncVersionSets(empty, one), one);
  t.is(syncVersionSets(one, same), one);
  t.is(syncVersionSets(same, one), same);
  t.is(syncVersionSets(one, two), two);
  t.is(syncVersionSets(two, one), two);
});

test('the last writer wins, and a slow clock cannot undo what its writer had read', (t) => {
  const empty = emptyVersionSet(true);
  const early = updateVersionSet(empty, noContext, z, written('early', 100));
  const fast = updateVersionSet(empty, noContext, x, written('fast', 200));
  // A client reads `fast` and writes through Sy, whose clock is far behind and which knows nothing of the key.
  const slow = updateVersionSet(empty, contextOf(fast), y, written('slow', 50));
  t.is(timestampOf(slow), 201);

  // Had `slow` kept its 50, it would replace `fast` and lose to `early`, while `fast` beats `early`: a circle, so that
  // the winner depends on the order of the merges.
  const sets = [early, fast, slow];
  for (const [first, second, third] of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ] as const) {
    const merged = syncVersionSets(syncVersionSets(sets[first]!, sets[second]!), sets[third]!);
    t.deepEqual(valuesOf(merged), ['slow']);
    t.deepEqual(contextOf(merged), [
      { actor: x, counter: 200 },
      { actor: y, counter: 201 },
      { actor: z, counter: 100 },
    ]);
  }
});

test('of equal timestamps the greater actor wins', (t) => {
  const empty = emptyVersionSet(true);
  const lesser = updateVersionSet(empty, noContext, x, written('lesser', 100));
  const greater = updateVersionSet(empty, noContext, y, written('greater', 100));
  t.deepEqual(valuesOf(syncVersionSets(lesser, greater)), ['greater']);
  t.deepEqual(valuesOf(syncVersionSets(greater, lesser)), ['greater']);
});

test('a blind write where the last writer wins replaces what its coordinator holds', (t) => {
  const fast = updateVersionSet(emptyVersionSet(true), noContext, x, written('fast', 200));
  const next = updateVersionSet(fast, noContext, y, written('next', 50));
  t.deepEqual(valuesOf(next), ['next']);
  t.is(syncVersionSets(fast, next), next);
  t.is(timestampOf(emptyVersionSet(true)), 0);
});

test('when a set of each kind meet, the last writer wins', (t) => {
  const plain = updateVersionSet(emptyVersionSet(false), noContext, x, written('plain'));
  const siblings = updateVersionSet(plain, noContext, y, written('another'));
  const timed = updateVersionSet(emptyVersionSet(true), noContext, z, written('timed', 100));
  for (const merged of [syncVersionSets(siblings, timed), syncVersionSets(timed, siblings)]) {
    t.true(merged.lastWriterWins);
    t.deepEqual(valuesOf(merged), ['timed']);
    t.is(contextOf(merged).length, 3);
  }
});

test('a counter cannot leave the safe range', (t) => {
  const context = [{ actor: x, counter: Number.MAX_SAFE_INTEGER }];
  t.throws(() => updateVersionSet(emptyVersionSet(false), context, x, written('a')), {
    instanceOf: AssertionError,
  });
});

test('equality looks at dots and values', (t) => {
  const empty = emptyVersionSet(false);
  const one = updateVersionSet(empty, noContext, x, written('one'));
  const different = [
    empty,
    emptyVersionSet(true),
    updateVersionSet(empty, noContext, x, written('two')),
    updateVersionSet(empty, noContext, x, { value: null, timestamp: 0 }),
    updateVersionSet(empty, noContext, y, written('one')),
    updateVersionSet(one, contextOf(one), x, written('one')),
    updateVersionSet(empty, [{ actor: y, counter: 1 }], x, written('one')),
  ];
  for (const other of different) {
    t.false(isEqualVersionSet(one, other));
    t.notDeepEqual(encodeVersionSet(one), encodeVersionSet(other));
  }
  t.true(isEqualVersionSet(one, updateVersionSet(empty, noContext, x, written('one'))));
  t.false(isEqualVersionSet(empty, emptyVersionSet(true)));
});

test('a set of one sibling is encoded compactly, and decoded without a copy', (t) => {
  const one = updateVersionSet(emptyVersionSet(false), noContext, x, written('v'.repeat(100)));
  const bytes = encodeVersionSet(one);
  t.is(bytes.length, 108);
  const decoded = decodeVersionSet(bytes);
  t.true(isEqualVersionSet(decoded, one));
  t.is(siblingsOf(decoded)[0]!.value!.buffer, bytes.buffer);
});

test('a malformed set is refused', (t) => {
  for (const [bytes, message] of [
    [[], /cut off/],
    [[0x12, 0, 0], /unknown format/],
    [[0x10, 0], /cut off/],
    [[0x10, 0, 0, 0], /after the end/],
    [[0x10, 0, 1, 0, 0, 0], /unknown actor/],
    [[0x10, 1, 5, 2, 1, 0, 2, 0], /dot out of range/],
    [[0x10, 1, 5, 2, 2, 0, 1, 0, 0, 0, 0], /siblings out of order/],
    [[0x10, 1, 5, 2, 2, 0, 1, 0, 0, 1, 0], /siblings out of order/],
    [[0x10, 2, 5, 2, 6, 2, 2, 1, 0, 0, 0, 0, 0], /siblings out of order/],
    [[0x11, 1, 5, 2, 2, 0, 0, 0, 0, 1, 0], /more than one last writer/],
    [[0x10, 1, 5, 2, 1, 0, 0, 3, 9], /cut off/],
    [[0x10, 1, 5, 0, 0], /zero/],
  ] as const) {
    t.throws(() => decodeVersionSet(Uint8Array.from(bytes)), {
      instanceOf: MalformedError,
      message,
    });
  }
});
