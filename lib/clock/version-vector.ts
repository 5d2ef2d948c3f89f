/**
 * Version vectors: for each actor the number of its writes that are known (the Dynamo paper says "vector
 * clock", §4.4). A context is one.
 *
 * Invariants: entries are sorted by actor, each actor occurs once, counters are at least 1. Vectors are
 * values: functions return one of their arguments where that is the result, and never change it.
 */
import { assert } from '../assert.ts';
import { type ByteReader, type ByteWriter, MalformedError } from '../bytes.ts';

/** A node's store in one incarnation, as a whole number below 2^53: see {@link createActorId}. */
export type ActorId = number & { readonly brand: 'ActorId' };

export interface VersionVectorEntry {
  readonly actor: ActorId;
  readonly counter: number;
}

export type VersionVector = readonly VersionVectorEntry[];

/** Entries that a vector on the wire or on the disk can have. */
export const VECTOR_COUNT_MAX = 512;

const NODE_INDEX_LIMIT = 2 ** 16;
const INCARNATION_LIMIT = 2 ** 37;

/** Names a node's store in one incarnation. @param nodeIndex Below 2^16. @param incarnation Below 2^37. */
export function createActorId(nodeIndex: number, incarnation: number): ActorId {
  assert(isWholeBelow(nodeIndex, NODE_INDEX_LIMIT), 'node index of an actor');
  assert(isWholeBelow(incarnation, INCARNATION_LIMIT), 'incarnation of an actor');
  return (nodeIndex * INCARNATION_LIMIT + incarnation) as ActorId;
}

function isWholeBelow(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < limit;
}

/** The node index that {@link createActorId} was given. */
export function nodeOfActor(actor: ActorId): number {
  return Math.floor(actor / INCARNATION_LIMIT);
}

/** How many of an actor's writes `vector` knows; 0 if none. */
export function counterOf(vector: VersionVector, actor: ActorId): number {
  for (const entry of vector) if (entry.actor === actor) return entry.counter;
  return 0;
}

/** True if `a` knows everything that `b` knows. Vectors of which neither descends from the other are concurrent. */
export function descends(a: VersionVector, b: VersionVector): boolean {
  if (a === b) return true;
  if (a.length < b.length) return false;
  let index = 0;
  for (const { actor, counter } of b) {
    while (index < a.length && a[index]!.actor < actor) index++;
    if (index === a.length || a[index]!.actor !== actor) return false;
    if (a[index]!.counter < counter) return false;
  }
  return true;
}

/** Everything that `a` or `b` knows. Is `a` itself if `b` adds nothing, else `b` itself if `a` adds nothing. */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  if (descends(a, b)) return a;
  if (descends(b, a)) return b;
  const joined: VersionVectorEntry[] = [];
  let indexA = 0;
  let indexB = 0;
  while (indexA < a.length && indexB < b.length) {
    const entryA = a[indexA]!;
    const entryB = b[indexB]!;
    const useA =
      entryA.actor === entryB.actor
        ? entryA.counter >= entryB.counter
        : entryA.actor < entryB.actor;
    joined.push(useA ? entryA : entryB);
    if (entryA.actor <= entryB.actor) indexA++;
    if (entryB.actor <= entryA.actor) indexB++;
  }
  while (indexA < a.length) joined.push(a[indexA++]!);
  while (indexB < b.length) joined.push(b[indexB++]!);
  return joined;
}

/** `vector` with one actor's counter raised to `counter`. */
export function raiseCounter(
  vector: VersionVector,
  actor: ActorId,
  counter: number,
): VersionVector {
  assert(counter > counterOf(vector, actor), 'a counter never goes back');
  return joinVectors(vector, [{ actor, counter }]);
}

/** True if both know the same. */
export function isEqualVector(a: VersionVector, b: VersionVector): boolean {
  return a.length === b.length && descends(a, b) && descends(b, a);
}

/** Appends `vector`; equal vectors give equal bytes. */
export function writeVector(writer: ByteWriter, vector: VersionVector): void {
  assert(vector.length <= VECTOR_COUNT_MAX, 'too many entries in a version vector');
  writer.varint(vector.length);
  for (const { actor, counter } of vector) {
    writer.varint(actor);
    writer.varint(counter);
  }
}

/**
 * Reads what {@link writeVector} wrote.
 *
 * @throws {MalformedError} if it is cut off, has more than {@link VECTOR_COUNT_MAX} entries or breaks an invariant.
 */
export function readVector(reader: ByteReader): VersionVector {
  const count = reader.varint();
  if (count > VECTOR_COUNT_MAX) throw new MalformedError('too many entries in a version vector');
  const vector: VersionVectorEntry[] = [];
  let previous = -1;
  for (let index = 0; index < count; index++) {
    const actor = reader.varint() as ActorId;
    const counter = reader.varint();
    if (actor <= previous) throw new MalformedError('actors of a version vector out of order');
    if (counter === 0) throw new MalformedError('counter of a version vector is zero');
    vector.push({ actor, counter });
    previous = actor;
  }
  return vector;
}
