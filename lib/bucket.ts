/**
 * Buckets: what an application reads and writes through. A bucket is a name, a codec for its values, the
 * quorums of its requests and a way to reconcile siblings (Dynamo §4.1, §6).
 */

import type { ActorAddress } from './address.ts';
import { bucketPrefix, type PartitionId, type RecordKey, recordKey } from './address.ts';
import { binaryStringOf } from './bytes.ts';
import type { Client, RequestSettings } from './client.ts';
import { decodeContextToken, encodeContextToken } from './clock/context-token.ts';
import { contextOf, decodeVersionSet, siblingsOf } from './clock/version-set.ts';
import type { VersionVector } from './clock/version-vector.ts';
import { bytes as bytesCodec, type Codec } from './codec.ts';
import {
  checkTimeout,
  type Limits,
  type Replication,
  type ReplicationOptions,
  readOptions,
  resolveReplication,
  show,
} from './config.ts';
import { RingletError, typeName } from './errors.ts';
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
  /** Milliseconds until the request fails; what reads and then writes has them twice. @default the cluster's `requestTimeoutMs` */
  readonly timeoutMs?: number;
  /** Ends the request early, as indefinite if it was sent. */
  readonly signal?: AbortSignal;
}

/** What a single read may say. */
export interface GetOptions extends RequestOptions {
  /** `all` asks all N replicas, so that read repair sees every one. @default 'quorum' */
  readonly fanout?: 'quorum' | 'all';
}

/** What a single write may say. */
export interface PutOptions extends RequestOptions {
  /** The context of the read that this write is based on. Without one, what is there stays as a sibling. */
  readonly context?: string;
}

/** What an acknowledged write gives back. */
export interface PutResult {
  /** For a next write without a read; `undefined` if there are siblings that the writer has not seen. */
  readonly context: string | undefined;
}

/** What is known to all buckets of a cluster. */
export interface BucketEnvironment {
  readonly client: Pick<Client, 'get' | 'put'>;
  readonly ring: Ring;
  readonly limits: Limits;
  readonly replication: Replication;
  readonly requestTimeoutMs: number;
}

/** Encodes the context only if it is asked for: most writes are followed by none. */
class StoredPut implements PutResult {
  private readonly vector: VersionVector | null;
  private readonly coordinator: ActorAddress;
  private readonly hash: KeyHash;

  constructor(vector: VersionVector | null, coordinator: ActorAddress, hash: KeyHash) {
    this.vector = vector;
    this.coordinator = coordinator;
    this.hash = hash;
  }

  get context(): string | undefined {
    return this.vector === null ? undefined : tokenOf(this.vector, this.coordinator, this.hash);
  }
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
const noOptions = Object.freeze({});

/** A key with everything that is derived from it. */
interface Located {
  readonly key: Key;
  readonly recordKey: RecordKey;
  readonly hash: KeyHash;
  readonly partition: PartitionId;
}

const encoder = new TextEncoder();
const NAME_BYTES_MAX = 64;

/** A name space of keys with one kind of values: see `cluster.bucket`. */
export class Bucket<T> {
  /** The bucket's name. */
  readonly name: string;
  /** How its values become bytes. */
  readonly codec: Codec<T>;
  private readonly environment: BucketEnvironment;
  private readonly prefix: string;
  private readonly resolve: BucketOptions<T>['resolve'];
  private readonly lastWriterWins: boolean;
  private readonly defaults: RequestSettings;

  /** Use `cluster.bucket(name, options)`. */
  constructor(name: string, options: BucketOptions<T>, environment: BucketEnvironment) {
    const given = readOptions('bucket option', options, bucketOptionNames);
    const { codec = bytesCodec as unknown as Codec<T>, replication = {} } = given;
    const { resolve, lastWriterWins = false } = given;
    if (typeof codec?.encode !== 'function' || typeof codec.decode !== 'function') {
      throw invalid('codec', codec, 'a codec, such as json()');
    }
    if (resolve !== undefined && typeof resolve !== 'function') {
      throw invalid('resolve', resolve, 'a function');
    }
    if (typeof lastWriterWins !== 'boolean') {
      throw invalid('lastWriterWins', lastWriterWins, 'true or false');
    }
    this.name = name;
    this.environment = environment;
    this.prefix = bucketPrefix(binaryBucketName(name));
    this.codec = codec;
    this.resolve = resolve;
    this.lastWriterWins = lastWriterWins;
    this.defaults = Object.freeze({
      replication: resolveReplication(replication, environment.replication),
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
  async get(key: Key, options: GetOptions = noOptions): Promise<Entry<T>> {
    const { fanout = 'quorum', ...request } = readOptions('get option', options, getOptionNames);
    if (fanout !== 'quorum' && fanout !== 'all') {
      throw invalid('fanout', fanout, 'quorum or all');
    }
    return this.read(this.locate(key), fanout, this.settings(request));
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
  async put(key: Key, value: T, options: PutOptions = noOptions): Promise<PutResult> {
    const { context, ...request } = readOptions('put option', options, putOptionNames);
    return this.write(this.locate(key), this.encode(value), context, this.settings(request));
  }

  /**
   * Deletes a key: a write of no value. With a context it deletes what that read saw, and what was written
   * concurrently stays; without one it reads first.
   *
   * @throws {RingletError} as {@link get} and {@link put}
   */
  async delete(key: Key, options: PutOptions = noOptions): Promise<void> {
    const { context, ...request } = readOptions('delete option', options, putOptionNames);
    const located = this.locate(key);
    const settings = this.settings(request);
    const seen =
      context === undefined ? (await this.read(located, 'quorum', settings)).context : context;
    await this.write(located, null, seen, settings);
  }

  /**
   * Reads, reconciles siblings, changes and writes back. Concurrent updates become siblings, which the next
   * update reconciles; none is lost.
   *
   * @param change Gets the value, `undefined` if there is none; returns the new one. Must not change its argument's siblings.
   * @returns what was written.
   * @throws {RingletError} as {@link get} and {@link put}; RINGLET_CONFLICT if there are siblings and no resolver. What `change`
   * throws passes through, and nothing is written.
   * @example await carts.update('cart:42', (cart) => addItem(cart, item));
   */
  async update(
    key: Key,
    change: (value: T | undefined) => T,
    options: RequestOptions = noOptions,
  ): Promise<T> {
    const settings = this.settings(readOptions('update option', options, requestOptionNames));
    const located = this.locate(key);
    if (typeof change !== 'function') throw invalid('change', change, 'a function');
    const entry = await this.read(located, 'quorum', settings);
    const changed = change(entry.value);
    await this.write(located, this.encode(changed), entry.context, settings);
    return changed;
  }

  private async read(
    located: Located,
    fanout: 'quorum' | 'all',
    settings: RequestSettings,
  ): Promise<Entry<T>> {
    const { client } = this.environment;
    const { partition, recordKey } = located;
    const { record, fastest } = await client.get(partition, recordKey, fanout, settings);
    return this.entryOf(located, record, fastest);
  }

  private async write(
    located: Located,
    value: Uint8Array | null,
    contextToken: string | undefined,
    settings: RequestSettings,
  ): Promise<PutResult> {
    const { client, limits } = this.environment;
    const given =
      contextToken === undefined
        ? null
        : decodeContextToken(contextToken, located.hash, limits.contextBytesMax);
    const { context, coordinator } = await client.put(
      located.partition,
      located.recordKey,
      {
        value,
        context: given?.vector ?? [],
        preferred: given?.coordinator ?? null,
        lastWriterWins: this.lastWriterWins,
      },
      settings,
    );
    return new StoredPut(context, coordinator, located.hash);
  }

  private locate(key: Key): Located {
    const { limits, ring } = this.environment;
    const full = recordKey(this.prefix, binaryKey(key, limits.keyBytesMax));
    const hash = hashKey(full, ring.hashSeed);
    return { key, recordKey: full, hash, partition: partitionOfHash(ring, hash.high) };
  }

  private encode(value: T): Uint8Array {
    const encoded = this.encodeByCodec(value);
    const { valueBytesMax } = this.environment.limits;
    if (encoded.length > valueBytesMax) {
      throw new RingletError(
        'RINGLET_VALUE_TOO_LARGE',
        `value: got ${encoded.length} bytes, max ${valueBytesMax}`,
      );
    }
    return encoded;
  }

  /** The codec may be the application's own, and values may have getters: anything can be thrown here. */
  private encodeByCodec(value: T): Uint8Array {
    let encoded: unknown;
    try {
      encoded = this.codec.encode(value);
    } catch (cause) {
      if (cause instanceof RingletError) throw cause;
      const problem = `codec ${show(this.codec.name)} cannot encode it`;
      throw new RingletError('RINGLET_VALUE_TYPE', `value: ${problem}`, { cause });
    }
    if (ArrayBuffer.isView(encoded) && encoded instanceof Uint8Array) return encoded;
    throw new RingletError(
      'RINGLET_VALUE_TYPE',
      `value: codec ${show(this.codec.name)} made ${typeName(encoded)} of it, expected a Uint8Array`,
    );
  }

  private entryOf(
    { key, hash }: Located,
    record: Uint8Array | null,
    fastest: ActorAddress,
  ): Entry<T> {
    if (record === null) {
      return new Entry<T>(key, [], this.resolve, () => tokenOf([], fastest, hash));
    }
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
        `bucket ${show(this.name)}: codec ${show(this.codec.name)} cannot read a stored value`,
        { cause },
      );
    }
  }

  /** What one request says, and the bucket's own settings where it says nothing. */
  private settings(request: RequestOptions): RequestSettings {
    const { n, r, w, timeoutMs = this.defaults.timeoutMs, signal } = request;
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw invalid('signal', signal, 'an AbortSignal');
    }
    const isOverridden = n !== undefined || r !== undefined || w !== undefined;
    return {
      replication: isOverridden ? this.override({ n, r, w }) : this.defaults.replication,
      timeoutMs: checkTimeout('timeoutMs', timeoutMs),
      signal: signal ?? null,
    };
  }

  private override(given: ReplicationOptions): Replication {
    const { replication } = this.defaults;
    const overridden = resolveReplication(given, replication);
    if (overridden.n <= replication.n) return overridden;
    throw new RingletError(
      'RINGLET_OPTION_N',
      `n: got ${overridden.n}, the bucket keeps ${replication.n} copies`,
    );
  }
}

function invalid(name: string, value: unknown, expected: string): RingletError {
  return new RingletError(
    'RINGLET_OPTION_INVALID',
    `${name}: got ${show(value)}, expected ${expected}`,
  );
}

function tokenOf(vector: VersionVector, coordinator: ActorAddress, keyHash: KeyHash): string {
  return encodeContextToken({ vector, coordinator, keyHash });
}

function binaryBucketName(name: unknown): string {
  const isText = typeof name === 'string' && name.length <= NAME_BYTES_MAX && name.isWellFormed();
  const encoded = encoder.encode(isText ? name : '');
  if (encoded.length >= 1 && encoded.length <= NAME_BYTES_MAX) return binaryStringOf(encoded);
  throw invalid('bucket name', name, `text of 1 to ${NAME_BYTES_MAX} bytes`);
}
