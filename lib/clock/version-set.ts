/**
 * Version sets: what a replica holds for one key, and how two replicas' holdings become one (Dynamo §4.4).
 *
 * A set is a version vector and the values that no known write has replaced, its siblings. Each sibling has a
 * dot, (actor, counter), the name of the write that made it. A vector alone cannot say which siblings a
 * writer had seen; with dots it can, so interleaved clients leave as many siblings as there are
 * concurrent writes and no more (dotted version vectors).
 *
 * Invariants:
 * 1. The vector covers the dot of each sibling. A dot that it covers and that no sibling has was replaced.
 * 2. Siblings are sorted by actor and, for one actor, newest first. No dot occurs twice.
 * 3. A dot names one write for ever: a store that may have forgotten dots takes a new actor first. Equal dots
 *    therefore stand for equal values, which are not compared.
 * 4. Dots are explicit, so nothing here needs an actor's dots to be without gaps.
 *
 * Sets that keep the last writer only:
 * 5. There is at most one sibling, and a dot's counter is its timestamp. A write takes a timestamp greater than every
 *    counter in its context and at its coordinator. So the order by timestamp, then actor, never contradicts
 *    causality, and to merge is to take the maximum: replicas agree whatever the order of merges. Were timestamps free
 *    to contradict causality, "causality first, then time" would depend on it.
 * 6. Causal information stays: the vector is joined as in any other set.
 *
 * Sets are values and are never changed.
 */
import { assert } from '../assert.ts';
import { ByteReader, ByteWriter, equalBytes, MalformedError } from '../bytes.ts';
import {
  type ActorId,
  counterOf,
  isEqualVector,
  joinVectors,
  raiseCounter,
  readVector,
  type VersionVector,
  writeVector,
} from './version-vector.ts';

/** What a write brings. */
export interface Sibling {
  /** `null` is a tombstone. */
  readonly value: Uint8Array | null;
  /** When it was written, by the coordinator's hybrid clock. Only sets that keep the last writer use it. */
  readonly timestamp: number;
}

/** A value that no known write has replaced, and the dot that names its write. */
export interface DottedSibling {
  readonly actor: ActorId;
  readonly counter: number;
  /** `null` is a tombstone. */
  readonly value: Uint8Array | null;
}

export interface VersionSet {
  /** Keep one sibling, the newest by time, instead of all concurrent ones. */
  readonly lastWriterWins: boolean;
  readonly vector: VersionVector;
  readonly siblings: readonly DottedSibling[];
}

const emptySet: VersionSet = { lastWriterWins: false, vector: [], siblings: [] };
const emptyLastWriterWinsSet: VersionSet = { lastWriterWins: true, vector: [], siblings: [] };

/** The set of a key that was never written. */
export function emptyVersionSet(lastWriterWins: boolean): VersionSet {
  return lastWriterWins ? emptyLastWriterWinsSet : emptySet;
}

/** What a reader of the set has seen. Goes back with its next write, which then replaces all siblings of the set. */
export function contextOf(set: VersionSet): VersionVector {
  return set.vector;
}

/** The siblings in canonical order: equal sets give equal lists. */
export function siblingsOf(set: VersionSet): readonly DottedSibling[] {
  return set.siblings;
}

/** Values and tombstones that no known write has replaced. */
export function siblingCount(set: VersionSet): number {
  return set.siblings.length;
}

/** When the value of a set that keeps the last writer was written; 0 for other sets and empty ones. */
export function timestampOf(set: VersionSet): number {
  return set.lastWriterWins && set.siblings.length > 0 ? set.siblings[0]!.counter : 0;
}

/**
 * The coordinating replica's step: replaces what `context` covers by `sibling` under a new dot of `actor`.
 *
 * In a set that keeps the last writer the new sibling replaces all others; the timestamp it is given is the
 * least it may get (invariant 5).
 *
 * @param context What the writer had read; its knowledge is joined into the set.
 */
export function updateVersionSet(
  set: VersionSet,
  context: VersionVector,
  actor: ActorId,
  sibling: Sibling,
): VersionSet {
  const { lastWriterWins } = set;
  const known = joinVectors(set.vector, context);
  const counter = lastWriterWins
    ? Math.max(sibling.timestamp, greatestCounter(known) + 1)
    : counterOf(known, actor) + 1;
  assert(Number.isSafeInteger(counter), 'counter out of range');
  const vector = raiseCounter(known, actor, counter);
  const added = { actor, counter, value: sibling.value };
  if (lastWriterWins) return { lastWriterWins, vector, siblings: [added] };

  const kept = set.siblings.filter((other) => !covers(context, other));
  if (kept.length === 0) return { lastWriterWins, vector, siblings: [added] };
  const found = kept.findIndex((other) => compareDots(added, other) < 0);
  const position = found === -1 ? kept.length : found;
  return { lastWriterWins, vector, siblings: kept.toSpliced(position, 0, added) };
}

function greatestCounter(vector: VersionVector): number {
  let greatest = 0;
  for (const { counter } of vector) if (counter > greatest) greatest = counter;
  return greatest;
}

function covers(vector: VersionVector, dot: DottedSibling): boolean {
  return counterOf(vector, dot.actor) >= dot.counter;
}

/** Canonical order: by actor, then newest first. */
function compareDots(a: DottedSibling, b: DottedSibling): number {
  return a.actor - b.actor || b.counter - a.counter;
}

/**
 * Merges two replicas' sets. Commutative, associative and idempotent, so replicas that merge the same sets in
 * any order, any number of times, agree.
 *
 * Sets of both kinds meet only if a bucket's option was changed; the result then keeps the last writer.
 *
 * @returns `a` itself if `b` adds nothing, else `b` itself if `a` adds nothing.
 */
export function syncVersionSets(a: VersionSet, b: VersionSet): VersionSet {
  if (a === b) return a;
  const lastWriterWins = a.lastWriterWins || b.lastWriterWins;
  const vector = joinVectors(a.vector, b.vector);
  const siblings = lastWriterWins ? lastWriter(a, b) : survivors(a, b);
  const merged = { lastWriterWins, vector, siblings };
  if (isSameHistory(merged, a)) return a;
  if (isSameHistory(merged, b)) return b;
  return merged;
}

/** The sibling with the greatest timestamp; of equal ones, that of the greatest actor. */
function lastWriter(a: VersionSet, b: VersionSet): readonly DottedSibling[] {
  const [first, ...others] = [...a.siblings, ...b.siblings];
  if (first === undefined) return [];
  let last = first;
  for (const other of others) {
    if ((other.counter - last.counter || other.actor - last.actor) > 0) last = other;
  }
  return [last];
}

/** The siblings that both have, and those of each that the other does not know. Walks two sorted lists. */
function survivors(a: VersionSet, b: VersionSet): readonly DottedSibling[] {
  const kept: DottedSibling[] = [];
  let indexA = 0;
  let indexB = 0;
  while (indexA < a.siblings.length || indexB < b.siblings.length) {
    const siblingA = a.siblings[indexA];
    const siblingB = b.siblings[indexB];
    const order = orderOf(siblingA, siblingB);
    if (order === 0) kept.push(siblingA!);
    if (order < 0 && !covers(b.vector, siblingA!)) kept.push(siblingA!);
    if (order > 0 && !covers(a.vector, siblingB!)) kept.push(siblingB!);
    if (order <= 0) indexA++;
    if (order >= 0) indexB++;
  }
  return kept;
}

/** As {@link compareDots}; the end of a list comes last. */
function orderOf(a: DottedSibling | undefined, b: DottedSibling | undefined): number {
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return compareDots(a, b);
}

/** True if both hold the same vector and dots, hence (invariant 3) the same values. */
function isSameHistory(a: VersionSet, b: VersionSet): boolean {
  return (
    a.lastWriterWins === b.lastWriterWins &&
    a.siblings.length === b.siblings.length &&
    a.siblings.every((sibling, index) => compareDots(sibling, b.siblings[index]!) === 0) &&
    isEqualVector(a.vector, b.vector)
  );
}

/** True if both are the same in everything, values included. */
export function isEqualVersionSet(a: VersionSet, b: VersionSet): boolean {
  return (
    isSameHistory(a, b) &&
    a.siblings.every((sibling, index) => isEqualValue(sibling.value, b.siblings[index]!.value))
  );
}

function isEqualValue(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}

/*
 * The encoding: a byte for the format and the kind of set, the vector, the number of siblings, and for each
 * sibling in order: the place of its actor in the vector, how far its counter lies below the vector's, the
 * length of its value plus one (0 is a tombstone), the value.
 */

const FORMAT = 0x10;
const FORMAT_LAST_WRITER_WINS = 0x11;

const writer = new ByteWriter();

/** The set as bytes. Equal sets give equal bytes, different sets different ones. */
export function encodeVersionSet(set: VersionSet): Uint8Array {
  writer.reset();
  writer.uint8(set.lastWriterWins ? FORMAT_LAST_WRITER_WINS : FORMAT);
  writeVector(writer, set.vector);
  writer.varint(set.siblings.length);
  let place = 0;
  for (const { actor, counter, value } of set.siblings) {
    while (set.vector[place]!.actor !== actor) place++;
    writer.varint(place);
    writer.varint(set.vector[place]!.counter - counter);
    if (value === null) {
      writer.varint(0);
    } else {
      writer.varint(value.length + 1);
      writer.raw(value);
    }
  }
  return writer.takeSmall();
}

/**
 * Reads what {@link encodeVersionSet} wrote. Values are views of `bytes`.
 *
 * @throws {MalformedError} if it is cut off, too long, of an unknown format or breaks an invariant.
 */
export function decodeVersionSet(bytes: Uint8Array): VersionSet {
  const reader = new ByteReader(bytes);
  const format = reader.uint8();
  if (format !== FORMAT && format !== FORMAT_LAST_WRITER_WINS) {
    throw new MalformedError('unknown format of a version set');
  }
  const lastWriterWins = format === FORMAT_LAST_WRITER_WINS;
  const vector = readVector(reader);
  const count = reader.varint();
  if (lastWriterWins && count > 1) throw new MalformedError('more than one last writer');
  const siblings: DottedSibling[] = [];
  for (let index = 0; index < count; index++) {
    const sibling = readSibling(reader, vector);
    if (index > 0 && compareDots(siblings[index - 1]!, sibling) >= 0) {
      throw new MalformedError('siblings out of order');
    }
    siblings.push(sibling);
  }
  if (!reader.isAtEnd) throw new MalformedError('bytes after the end');
  return { lastWriterWins, vector, siblings };
}

function readSibling(reader: ByteReader, vector: VersionVector): DottedSibling {
  const entry = vector[reader.varint()];
  if (entry === undefined) throw new MalformedError('sibling of an unknown actor');
  const counter = entry.counter - reader.varint();
  if (counter < 1) throw new MalformedError('dot out of range');
  const size = reader.varint();
  const value = size === 0 ? null : reader.raw(size - 1);
  return { actor: entry.actor, counter, value };
}
