/**
 * The replica: one node's copy of the records, and the only place where a dot is made (Dynamo §4.3, §4.4).
 *
 * Invariants:
 * 1. A dot is made once, here, by the coordinating replica; every other replica merges the record that carries it.
 * 2. A record only grows: what is stored descends from what was stored before.
 * 3. A store that meets a dot of its own that it does not know has forgotten something. It takes a new
 *    incarnation before it makes another dot, whether it coordinates or replicates.
 */
import type { ActorAddress, PartitionId, RecordKey } from '../lib/address.ts';
import { copyBytes, equalBytes } from '../lib/bytes.ts';
import { HybridClock } from '../lib/clock/hybrid-clock.ts';
import {
  contextOf,
  decodeVersionSet,
  emptyVersionSet,
  encodeVersionSet,
  siblingCount,
  syncVersionSets,
  timestampOf,
  updateVersionSet,
  type VersionSet,
} from '../lib/clock/version-set.ts';
import {
  type ActorId,
  counterOf,
  createActorId,
  VECTOR_COUNT_MAX,
  type VersionVector,
} from '../lib/clock/version-vector.ts';
import type { Prng } from '../lib/prng.ts';
import type { ClientPut, ReplicaPutReply } from '../lib/protocol/messages.ts';
import type { Context } from '../lib/runtime/actor.ts';
import { CORRUPT, type PartitionStore, type StoredRecord } from '../lib/store/contract.ts';

export interface ReplicaOptions {
  readonly address: ActorAddress;
  readonly store: PartitionStore;
  readonly siblingCountMax: number;
  /** How far ahead of this node's clock another's last-writer-wins timestamp may pull it. */
  readonly clockSkewMsMax: number;
}

/** What became of a write at its coordinating replica. Only `stored` changed anything. */
export type CoordinateResult =
  | { readonly status: 'stored'; readonly record: Uint8Array; readonly context: VersionVector }
  | { readonly status: 'unknown-dot' | 'too-many-siblings' | 'disk-full' | 'corrupt' };

/**
 * Actors that a write may have in its record's vector. Half of what a record can hold, so that merging leaves room. Nodes
 * come nowhere near it; a context that does names actors that never were.
 */
const COORDINATED_ACTOR_COUNT_MAX = VECTOR_COUNT_MAX / 2;

export interface ReplicaCounters {
  /** Merges that changed the record. */
  mergeCount: number;
  /** Times the store found that it had forgotten something. */
  amnesiaCount: number;
  /** Times a timestamp from too far in the future was met. */
  skewCount: number;
  /** The most versions that any record had. */
  siblingCountMax: number;
}

export class Replica {
  private readonly options: ReplicaOptions;
  private readonly store: PartitionStore;
  private readonly clock: HybridClock;
  private actorId: ActorId;
  readonly counters: ReplicaCounters = {
    mergeCount: 0,
    amnesiaCount: 0,
    skewCount: 0,
    siblingCountMax: 0,
  };

  constructor(options: ReplicaOptions) {
    this.options = options;
    this.store = options.store;
    this.clock = new HybridClock(options.clockSkewMsMax);
    this.actorId = createActorId(options.address, options.store.incarnation);
  }

  read(partition: PartitionId, key: RecordKey): StoredRecord {
    return this.store.get(partition, key);
  }

  /** Applies a client's write to the local record and makes its dot. */
  coordinate(context: Context, put: ClientPut): CoordinateResult {
    const stored = this.store.get(put.partition, put.key);
    if (stored === CORRUPT) return { status: 'corrupt' };
    const current =
      stored === null ? emptyVersionSet(put.lastWriterWins) : decodeVersionSet(stored);
    // Rare even where it is forced: each incarnation takes an entry in the vectors of what it writes.
    if (context.probe.buggify('replica: renew the incarnation') && context.random.chance(1 / 128)) {
      this.renewIncarnation(context.random);
    }
    const known = counterOf(contextOf(current), this.actorId);
    if (counterOf(put.context, this.actorId) > known) {
      context.probe.sometimes('replica: finds when coordinating that it forgot a write', true);
      this.renewIncarnation(context.random);
      return { status: 'unknown-dot' };
    }
    if (put.lastWriterWins && !this.isPlausible(context, put.context, contextOf(current))) {
      context.probe.sometimes('replica: a context is from too far in the future', true);
      return { status: 'unknown-dot' };
    }
    const timestamp = put.lastWriterWins ? this.clock.now(context.wallMs) : 0;
    const sibling = { value: put.value, timestamp };
    const updated = updateVersionSet(current, put.context, this.actorId, sibling);
    if (contextOf(updated).length > COORDINATED_ACTOR_COUNT_MAX) return { status: 'unknown-dot' };
    const count = siblingCount(updated);
    const isFull = count > this.options.siblingCountMax;
    context.probe.sometimes('replica: a key has too many siblings', isFull);
    if (isFull) return { status: 'too-many-siblings' };
    const record = encodeVersionSet(updated);
    if (!this.store.put(put.partition, put.key, record)) return { status: 'disk-full' };
    this.noteSiblings(count);
    // With siblings left, a context of the whole record would cover versions that the writer has not seen.
    return { status: 'stored', record, context: count === 1 ? contextOf(updated) : [] };
  }

  /** Merges another replica's record into the local one. Merging what is known already writes nothing. */
  merge(
    context: Context,
    partition: PartitionId,
    key: RecordKey,
    record: Uint8Array,
  ): ReplicaPutReply['status'] {
    const stored = this.store.get(partition, key);
    if (stored === CORRUPT) return 'corrupt';
    if (stored !== null && equalBytes(stored, record)) return 'stored';
    const incoming = decodeVersionSet(record);
    const current =
      stored === null ? emptyVersionSet(incoming.lastWriterWins) : decodeVersionSet(stored);
    this.checkAmnesia(context, current, incoming);
    if (incoming.lastWriterWins) this.observeTimestamp(context, incoming);
    const merged = syncVersionSets(current, incoming);
    if (merged === current) return 'stored';
    if (contextOf(merged).length > VECTOR_COUNT_MAX) return 'overloaded';
    context.probe.sometimes('replica: both sides of a merge had news', merged !== incoming);
    const bytes = merged === incoming ? copyBytes(record) : encodeVersionSet(merged);
    if (!this.store.put(partition, key, bytes)) return 'disk-full';
    this.counters.mergeCount++;
    this.noteSiblings(siblingCount(merged));
    return 'stored';
  }

  private checkAmnesia(context: Context, current: VersionSet, incoming: VersionSet): void {
    const claimed = counterOf(contextOf(incoming), this.actorId);
    if (claimed > 0 && claimed > counterOf(contextOf(current), this.actorId)) {
      context.probe.sometimes('replica: finds when replicating that it forgot a write', true);
      this.renewIncarnation(context.random);
    }
  }

  private renewIncarnation(random: Prng): void {
    this.counters.amnesiaCount++;
    const incarnation = drawIncarnation(random);
    this.store.renewIncarnation(incarnation);
    this.actorId = createActorId(this.options.address, incarnation);
  }

  /**
   * A last-writer-wins dot counts by time; a context from too far in the future would win for ever. Unless the record is
   * itself from there, because a node's clock was ahead: then it takes a still later write to replace it.
   */
  private isPlausible(context: Context, claimed: VersionVector, known: VersionVector): boolean {
    const knownMax = known.reduce((max, { counter }) => Math.max(max, counter), 0);
    return claimed.every(
      ({ counter }) =>
        counter <= knownMax || this.clock.observe(counter, context.wallMs) === 'accepted',
    );
  }

  /** The clock of last-writer-wins follows what others stamped, so that a later write here is newer. */
  private observeTimestamp(context: Context, incoming: VersionSet): void {
    const verdict = this.clock.observe(timestampOf(incoming), context.wallMs);
    context.probe.sometimes("replica: another's clock is too far ahead", verdict !== 'accepted');
    if (verdict === 'too-far-ahead') this.counters.skewCount++;
  }

  private noteSiblings(count: number): void {
    if (count > this.counters.siblingCountMax) this.counters.siblingCountMax = count;
  }
}

/** A random incarnation: a whole number below 2^37. */
export function drawIncarnation(random: Prng): number {
  return random.uint32() * 32 + random.int(32);
}
