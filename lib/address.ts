/**
 * Names of things in messages: numbers and binary strings, branded so that one cannot stand for another.
 *
 * An address is a small whole number. Nodes count from 0 in the order of the cluster's node list;
 * clients count from {@link CLIENT_ADDRESS_MIN}. Both fit 16 bits, which is what frames carry.
 */
import { assert } from './assert.ts';

/** A node or a client, as messages name it. */
export type ActorAddress = number & { readonly brand: 'ActorAddress' };

/** One of the ring's Q equal partitions, 0 to Q - 1. */
export type PartitionId = number & { readonly brand: 'PartitionId' };

/** Matches a reply with its request. Unique within the asker's lifetime; starts at random, so that a late reply to an earlier life matches nothing. */
export type RequestId = number & { readonly brand: 'RequestId' };

/** A bucket's name and a key in it, as one binary string: see {@link recordKey}. */
export type RecordKey = string & { readonly brand: 'RecordKey' };

/** The first address of a client. */
export const CLIENT_ADDRESS_MIN = 0x8000;

/** The last address. */
export const ADDRESS_MAX = 0xffff;

/** Nodes that a cluster can have. */
export const NODE_COUNT_MAX = 1024;

/** Tells a client's address from a node's. */
export function isClientAddress(address: ActorAddress): boolean {
  return address >= CLIENT_ADDRESS_MIN;
}

/** The address of a node. @param index Its place in the cluster's node list. */
export function nodeAddress(index: number): ActorAddress {
  assert(index >= 0 && index < NODE_COUNT_MAX, 'node index');
  return index as ActorAddress;
}

/** The address of a client. @param index Counts a cluster's clients from 0. */
export function clientAddress(index: number): ActorAddress {
  assert(index >= 0 && index <= ADDRESS_MAX - CLIENT_ADDRESS_MIN, 'client index');
  return (CLIENT_ADDRESS_MIN + index) as ActorAddress;
}

/** What all record keys of a bucket begin with: the length of its name, then the name. @param bucket A binary string of 1 to 64 bytes. */
export function bucketPrefix(bucket: string): string {
  assert(bucket.length >= 1 && bucket.length <= 64, 'length of a bucket name');
  return String.fromCharCode(bucket.length) + bucket;
}

/** Joins a bucket's prefix and a key; both are binary strings. Record keys sort by bucket, then key. */
export function recordKey(prefix: string, key: string): RecordKey {
  return (prefix + key) as RecordKey;
}

/** The inverse of {@link recordKey}. */
export function splitRecordKey(key: RecordKey): { bucket: string; key: string } {
  const end = 1 + key.charCodeAt(0);
  return { bucket: key.slice(1, end), key: key.slice(end) };
}
