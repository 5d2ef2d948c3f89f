/** What the nodes hold of one key, as a test looks at it. */
import { decodeVersionSet, siblingsOf } from '../clock/version-set.ts';
import type { VersionVector } from '../clock/version-vector.ts';
import type { Codec } from '../codec.ts';
import { CORRUPT, type StoredRecord } from '../store/contract.ts';

/** A value, or a tombstone, and the dot that names the write that made it. */
export interface SiblingView<T> {
  /** `undefined` in a tombstone. */
  readonly value: T | undefined;
  readonly isTombstone: boolean;
  /** The life of the node that coordinated the write: its store's incarnation. */
  readonly actor: number;
  /** Which of that life's writes of the key it is; its timestamp where the last writer wins. */
  readonly counter: number;
}

/** What one node holds of a key. */
export interface ReplicaView<T> {
  readonly node: string;
  /** `damaged`: the record is there and cannot be read. */
  readonly state: 'down' | 'missing' | 'damaged' | 'stored';
  /** In the same order at every node. Empty unless the state is `stored`. */
  readonly siblings: readonly SiblingView<T>[];
  /** All writes that the record has seen. */
  readonly vector: VersionVector;
}

/** Reads a record. @param record `undefined` if the node is down. */
export function viewRecord<T>(
  node: string,
  record: StoredRecord | undefined,
  codec: Codec<T>,
): ReplicaView<T> {
  if (!(record instanceof Uint8Array)) {
    const state = record === undefined ? 'down' : record === CORRUPT ? 'damaged' : 'missing';
    return { node, state, siblings: [], vector: [] };
  }
  const set = decodeVersionSet(record);
  const siblings = siblingsOf(set).map(({ actor, counter, value }) => ({
    value: value === null ? undefined : codec.decode(value),
    isTombstone: value === null,
    actor,
    counter,
  }));
  return { node, state: 'stored', siblings, vector: set.vector };
}
