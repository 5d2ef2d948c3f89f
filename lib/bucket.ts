/**
 * Buckets: what an application reads and writes through. A bucket is a name, a codec for its values, the
 * quorums of its requests and a way to reconcile siblings (Dynamo §4.1, §6).
 */

import type { ActorAddress } from './address.ts';
import { bucketPrefix, type RecordKey, recordKey } from './address.ts';
import { binaryStringOf } from './bytes.ts';
import type { Client, RequestSettings } from './client.ts';
import { decodeContextToken, encodeContextToken } from './clock/context-token.ts';
import { contextOf, decodeVersionSet, siblingsOf } from './clock/version-set.ts';
import type { VersionVector } from './clock/version-vector.ts';
import { bytes as bytesCodec, type Codec } from './codec.ts';
import {
  checkOptionNames,
  checkTimeout,
  type Limits,
  type Replication,
  resolveReplication,
  show,
} from './config.ts';
import { RingletError } from './errors.ts';
import { hashKey, type KeyHash } from './hash.ts';
import { binaryKey, type Key } from './key.ts';
import { partitionOfHash, type Ring } from './ring/ring.ts';

/** What a bucket is opened with. */
export interface BucketOptions<T> {
  /** How values become bytes. @default bytes */
  readonly codec?: Codec<T>;
  /** N, R and W of this bucket; N must be the same whenever the bucket is opened. @default the cluster's */
  readonly replication?: Partial<Replication>;
  /**
   * Keep the newest value by the nodes' clocks instead of siblings. Concurrent writes are then lost but one, and
   * a clock that runs ahead wins. @default false
   */
  readonly lastWriterWins?: boolean;
  /** Reconciles two or more siblings to one value. Must not depend on their order. @default none: see {@link Entry.value} */
  readonly resolve?: (siblings: readonly T[], key: Key) => T;
}

/** What a single request may say. */
export interface RequestOptions {
  /** Overrides the bucket's quorum for this request. `n` must be the bucket's own or less. */
  readonly n?: number;
  readonly r?: number;
  readonly w?: number;
  /** Milliseconds until the request fails. @default the cluster's `requestTimeoutMs` */
  readonly timeoutMs?: number;
  /** Ends the request early, as indefinite if it was sent. */
  readonly signal?: AbortSignal;
}

export interface GetOptions extends RequestOptions {
  /** `all` asks all N replicas, so that read repair sees every one. @default 'quorum' */
  readonly fanout?: 'quorum' | 'all';
}

export interface PutOptions extends RequestOptions {
  /** The context of the read that this write is based on. Without one, what is there stays as a sibling. */
  readonly context?: string;
}

export interface PutResult {
  /** For a next write without a read; `undefined` if there are siblings that the writer has not seen. */
  readonly context: string | undefined;
}

/** What is known to all buckets of a cluster. */
export interface BucketEnvironment {
  readonly client: Client;
  readonly ring: Ring;
  readonly limits: Limits;
  readonly replication: Replication;
  readonly requestTimeoutMs: number;
}

/** What a read found. */
export class Entry<T> {
  private readonly key: Key;
  private readonly resolve: BucketOptions<T>['resolve'];
  private readonly encodeContext: () => string;
  /** The concurrent versions: none if the key is not there, one usually. In the same order at every reader. */
  readonly siblings: readonly T[];

  constructor(
    key: Key,
    siblings: readonly T[],
    resolve: BucketOptions<T>['resolve'],
    encodeContext: () => string,
  ) {
    this.key = key;
    this.siblings = siblings;
    this.resolve = resolve;
    this.encodeContext = encodeContext;
  }

  /**
   * The value: `undefined` if the key is not there, the resolver's result if there are siblings.
   *
   * @throws {RingletError} RINGLET_CONFLICT if there are siblings and the bucket has no resolver
   */
  get value(): T | undefined {
    if (this.siblings.length <= 1) return this.siblings[0];
    if (this.resolve === undefined) {
      throw new RingletError('RINGLET_CONFLICT', `the key has ${this.siblings.length} siblings`);
    }
    return this.resolve(this.siblings, this.key);
  }

  /** What this read saw, as an opaque token for the write that follows it (Dynamo §4.4). */
  get context(): string {
    return this.encodeContext();
  }
}

const bucketOptionNames = {
  codec: true,
  replication: true,
  lastWriterWins: true,
  resolve: true,
} as const;
const requestOptionNames = { n: true, r: true, w: true, timeoutMs: true, signal: true } as const;
const getOptionNames = { ...requestOptionNames, fanout: true } as const;
const putOptionNames = { ...requestOptionNames, context: true } as const;

/** A key with everything that is derived from it. */
interface Located {
  readonly recordKey: RecordKey;
  readonly hash: KeyHash;
}

const encoder = new TextEncoder();

export class Bucket<T> {
  /** The bucket's name. */
  readonly name: string;
  private readonly environment: BucketEnvironment;
  private readonly prefix: string;
  private readonly codec: Codec<T>;
  private readonly resolve: BucketOptions<T>['resolve'];
  private readonly lastWriterWins: boolean;
  private readonly defaults: RequestSettings;

  /** Use `cluster.bucket(name, options)`. */
  constructor(name: string, options: BucketOptions<T>, environment: BucketEnvironment) {
    checkOptionNames('bucket option', options, bucketOptionNames);
    this.name = name;
    this.environment = environment;
    this.prefix = bucketPrefix(binaryBucketName(name));
    this.codec = options.codec ?? (bytesCodec as unknown as Codec<T>);
    this.resolve = options.resolve;
    this.lastWriterWins = options.lastWriterWins ?? false;
    this.defaults = Object.freeze({
      replication: resolveReplication(options.replication ?? {}, environment.replication),
      timeoutMs: environment.requestTimeoutMs,
      signal: null,
    });
  }

  /**
   * Reads a key from R replicas and merges what they hold (Dynamo §4.5).
   *
   * @throws {RingletError} RINGLET_TIMEOUT, RINGLET_QUORUM_UNMET, RINGLET_UNAVAILABLE, RINGLET_OVERLOADED, RINGLET_NODE_STOPPED,
   * RINGLET_RECORD_CORRUPT, RINGLET_VALUE_UNREADABLE, RINGLET_ABORTED, RINGLET_CLOSED; all definite
   * @example const { value, context } = await carts.get('cart:42');
   */
  async get(key: Key, options?: GetOptions): Promise<Entry<T>> {
    const settings = this.settings('get option', options, getOptionNames);
    const located = this.locate(key);
    const partition = partitionOfHash(this.environment.ring, located.hash.high);
    const fanout = options?.fanout ?? 'quorum';
    if (fanout !== 'quorum' && fanout !== 'all') {
      throw new RingletError(
        'RINGLET_OPTION_INVALID',
        `fanout: got ${show(fanout)}, expected quorum or all`,
      );
    }
    const { record, fastest } = await this.environment.client.get(
      partition,
      located.recordKey,
      fanout,
      settings,
    );
    return this.entryOf(key, located.hash, record, fastest);
  }

  /**
   * Writes a value to W replicas (Dynamo §4.5). Without a context the write is blind: it becomes a sibling of
   * whatever is there.
   *
   * @throws {RingletError} RINGLET_TIMEOUT, RINGLET_QUORUM_UNMET, RINGLET_NODE_STOPPED, RINGLET_ABORTED: indefinite, the value may
   * appear later. RINGLET_UNAVAILABLE, RINGLET_OVERLOADED, RINGLET_TOO_MANY_SIBLINGS, RINGLET_DISK_FULL, RINGLET_CLOSED and what is
   * wrong with an argument: definite.
   * @example await carts.put('cart:42', cart, { context });
   */
  async put(key: Key, value: T, options?: PutOptions): Promise<PutResult> {
    return this.write(key, this.encode(value), options);
  }

  /**
   * Deletes a key: a write of no value. With a context it deletes what that read saw, and what was written
   * concurrently stays; without one it reads first.
   *
   * @throws {RingletError} as {@link get} and {@link put}
   */
  async delete(key: Key, options?: PutOptions): Promise<void> {
    if (options?.context !== undefined) {
      await this.write(key, null, options);
      return;
    }
    const { context } = await this.get(key, options);
    await this.write(key, null, { ...options, context });
  }

  /**
   * Reads, reconciles siblings, changes and writes back. Concurrent updates become siblings, which the next
   * update reconciles; none is lost.
   *
   * @param change Gets the value, `undefined` if there is none; returns the new one. Must not change its argument's siblings.
   * @returns what was written.
   * @throws {RingletError} as {@link get} and {@link put}; RINGLET_CONFLICT if there are siblings and no resolver
   * @example await carts.update('cart:42', (cart) => addItem(cart, item));
   */
  async update(
    key: Key,
    change: (value: T | undefined) => T,
    options?: RequestOptions,
  ): Promise<T> {
    const entry = await this.get(key, options);
    const changed = change(entry.value);
    await this.put(key, changed, { ...options, context: entry.context });
    return changed;
  }

  private async write(
    key: Key,
    value: Uint8Array | null,
    options: PutOptions | undefined,
  ): Promise<PutResult> {
    const settings = this.settings('put option', options, putOptionNames);
    const { client, ring, limits } = this.environment;
    const located = this.locate(key);
    const given =
      options?.context === undefined
        ? null
        : decodeContextToken(options.context, located.hash, limits.contextBytesMax);
    const { context, coordinator } = await client.put(
      partitionOfHash(ring, located.hash.high),
      located.recordKey,
      value,
      given?.vector ?? [],
      given?.coordinator ?? null,
      this.lastWriterWins,
      settings,
    );
    if (context === null) return { context: undefined };
    return { context: tokenOf(context, coordinator, located.hash) };
  }

  private locate(key: Key): Located {
    const binary = binaryKey(key, this.environment.limits.keyBytesMax);
    const full = recordKey(this.prefix, binary);
    return { recordKey: full, hash: hashKey(full, this.environment.ring.hashSeed) };
  }

  private encode(value: T): Uint8Array {
    const encoded = this.codec.encode(value);
    const { valueBytesMax } = this.environment.limits;
    if (encoded.length > valueBytesMax) {
      throw new RingletError(
        'RINGLET_VALUE_TOO_LARGE',
        `value: got ${encoded.length} bytes, max ${valueBytesMax}`,
      );
    }
    return encoded;
  }

  private entryOf(
    key: Key,
    hash: KeyHash,
    record: Uint8Array | null,
    fastest: ActorAddress,
  ): Entry<T> {
    if (record === null)
      return new Entry<T>(key, [], this.resolve, () => tokenOf([], fastest, hash));
    const set = decodeVersionSet(record);
    const siblings: T[] = [];
    for (const { value } of siblingsOf(set)) if (value !== null) siblings.push(this.decode(value));
    return new Entry<T>(key, siblings, this.resolve, () => tokenOf(contextOf(set), fastest, hash));
  }

  private decode(value: Uint8Array): T {
    try {
      return this.codec.decode(value);
    } catch (cause) {
      throw new RingletError(
        'RINGLET_VALUE_UNREADABLE',
        `bucket ${show(this.name)}: codec ${this.codec.name} cannot read a stored value`,
        { cause },
      );
    }
  }

  /** The settings of one request: the bucket's own object if the request says nothing. */
  private settings(
    what: string,
    options: RequestOptions | undefined,
    names: Readonly<Record<string, true>>,
  ): RequestSettings {
    if (options === undefined) return this.defaults;
    checkOptionNames(what, options, names);
    const { n, r, w, timeoutMs, signal } = options;
    const { replication } = this.defaults;
    const overrides = {
      ...(n === undefined ? {} : { n }),
      ...(r === undefined ? {} : { r }),
      ...(w === undefined ? {} : { w }),
    };
    if (n !== undefined && n > replication.n) {
      throw new RingletError(
        'RINGLET_OPTION_N',
        `n: got ${show(n)}, the bucket keeps ${replication.n} copies`,
      );
    }
    return {
      replication: resolveReplication(overrides, replication),
      timeoutMs:
        timeoutMs === undefined ? this.defaults.timeoutMs : checkTimeout('timeoutMs', timeoutMs),
      signal: signal ?? null,
    };
  }
}

function tokenOf(vector: VersionVector, coordinator: ActorAddress, keyHash: KeyHash): string {
  return encodeContextToken({ vector, coordinator, keyHash });
}

function binaryBucketName(name: unknown): string {
  if (typeof name !== 'string' || name === '' || !name.isWellFormed()) {
    throw new RingletError(
      'RINGLET_OPTION_INVALID',
      `bucket name: got ${show(name)}, expected text`,
    );
  }
  const encoded = encoder.encode(name);
  if (encoded.length > 64) {
    throw new RingletError(
      'RINGLET_OPTION_INVALID',
      `bucket name: got ${encoded.length} bytes, max 64`,
    );
  }
  return binaryStringOf(encoded);
}
