/** Version vectors: tables of cases for order, join and encoding. */
import test from 'ava';
import { AssertionError } from '../../lib/assert.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../lib/bytes.ts';
import {
  type ActorId,
  counterOf,
  createActorId,
  descends,
  isEqualVector,
  joinVectors,
  nodeOfActor,
  raiseCounter,
  readVector,
  VECTOR_COUNT_MAX,
  type VersionVector,
  writeVector,
} from '../../lib/clock/version-vector.ts';

/** `vector(1, 5, 3, 2)` knows five writes of actor 1 and two of actor 3. */
function vector(...numbers: number[]): VersionVector {
  const entries = [];
  for (let index = 0; index < numbers.length; index += 2) {
    entries.push({ actor: numbers[index]! as ActorId, counter: numbers[index + 1]! });
  }
  return entries;
}

test('an actor id holds a node and an incarnation', (t) => {
  t.is(createActorId(0, 0), 0 as ActorId);
  t.is(createActorId(2 ** 16 - 1, 2 ** 37 - 1), (2 ** 53 - 1) as ActorId);
  for (const [node, incarnation] of [
    [0, 2 ** 37 - 1],
    [1, 0],
    [700, 123_456_789_012],
    [2 ** 16 - 1, 2 ** 37 - 1],
  ] as const) {
    t.is(nodeOfActor(createActorId(node, incarnation)), node);
  }
  for (const [node, incarnation] of [
    [2 ** 16, 0],
    [-1, 0],
    [0.5, 0],
    [0, 2 ** 37],
    [0, -1],
    [0, Number.NaN],
  ] as const) {
    t.throws(() => createActorId(node, incarnation), { instanceOf: AssertionError });
  }
});

const orders: readonly [a: VersionVector, b: VersionVector, order: '=' | '>' | '<' | '||'][] = [
  [vector(), vector(), '='],
  [vector(1, 1), vector(), '>'],
  [vector(1, 2), vector(1, 2), '='],
  [vector(1, 2), vector(1, 3), '<'],
  [vector(1, 2), vector(2, 2), '||'],
  [vector(1, 2, 2, 1), vector(2, 1), '>'],
  [vector(1, 2, 2, 1), vector(1, 2), '>'],
  [vector(1, 2, 2, 1), vector(1, 3), '||'],
  [vector(1, 2, 2, 1), vector(1, 2, 3, 1), '||'],
  [vector(1, 2, 3, 1), vector(1, 1, 2, 1, 3, 1), '||'],
  [vector(1, 2, 3, 4), vector(1, 2, 2, 9, 3, 4), '<'],
];

test('vectors are ordered by what they know', (t) => {
  for (const [a, b, order] of orders) {
    const name = `${JSON.stringify(a)} ${order} ${JSON.stringify(b)}`;
    t.is(descends(a, b), order === '=' || order === '>', name);
    t.is(descends(b, a), order === '=' || order === '<', name);
    t.is(isEqualVector(a, b), order === '=', name);
  }
});

test('a join knows what either knows, and is an argument where it can be', (t) => {
  for (const [a, b, order] of orders) {
    const joined = joinVectors(a, b);
    t.true(descends(joined, a) && descends(joined, b));
    if (order === '=' || order === '>') t.is(joined, a);
    if (order === '<') t.is(joined, b);
  }
  t.deepEqual(
    joinVectors(vector(1, 2, 3, 1, 7, 7), vector(0, 1, 3, 4)),
    vector(0, 1, 1, 2, 3, 4, 7, 7),
  );
});

test('a counter is read, raised and never lowered', (t) => {
  const before = vector(1, 2, 5, 9);
  t.is(counterOf(before, 5 as ActorId), 9);
  t.is(counterOf(before, 3 as ActorId), 0);
  t.deepEqual(raiseCounter(before, 3 as ActorId, 4), vector(1, 2, 3, 4, 5, 9));
  t.deepEqual(raiseCounter(before, 5 as ActorId, 10), vector(1, 2, 5, 10));
  t.deepEqual(before, vector(1, 2, 5, 9));
  t.throws(() => raiseCounter(before, 5 as ActorId, 9), { instanceOf: AssertionError });
});

function encode(entries: VersionVector): Uint8Array {
  const writer = new ByteWriter();
  writeVector(writer, entries);
  return writer.take();
}

test('a vector survives encoding', (t) => {
  for (const entries of [vector(), vector(0, 1), vector(1, 2, 2 ** 53 - 1, 2 ** 53 - 1)]) {
    const reader = new ByteReader(encode(entries));
    t.deepEqual(readVector(reader), entries);
    t.true(reader.isAtEnd);
  }
});

/** Encodes whatever it is given, as a faulty peer might. */
function encodeUnchecked(count: number, ...numbers: number[]): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(count);
  for (const number of numbers) writer.varint(number);
  return writer.take();
}

test('a malformed vector is refused', (t) => {
  const tooMany = Array.from({ length: VECTOR_COUNT_MAX + 1 }, (_, index) => [index, 1]).flat();
  for (const [bytes, message] of [
    [encodeUnchecked(2, 2, 1, 1, 1), /out of order/],
    [encodeUnchecked(2, 1, 1, 1, 2), /out of order/],
    [encodeUnchecked(1, 1, 0), /zero/],
    [encodeUnchecked(VECTOR_COUNT_MAX + 1, ...tooMany), /too many/],
    [encodeUnchecked(2, 1, 1), /cut off/],
  ] as const) {
    t.throws(() => readVector(new ByteReader(bytes)), { instanceOf: MalformedError, message });
  }
  t.throws(() => writeVector(new ByteWriter(), vector(...tooMany)), { instanceOf: AssertionError });
});
