/**
 * Lets the oracle judge a workload that somebody else wrote: notes every request at the client boundary, what it saw and what
 * it claims to have seen.
 *
 * A context is known by its vector: what a writer had really read is what the answer held that brought the vector.
 *
 * Invariant: what rests on surviving copies is judged only where the fault model covers it: same N as the cluster's, and no
 * write with fewer copies than the cluster's W.
 */
import { mergeRecords } from '../../actors/get-core.ts';
import type { ActorAddress, PartitionId, RecordKey } from '../address.ts';
import type { ClientWrite, GetResult, PutResult, RequestSettings } from '../client.ts';
import { contextOf, decodeVersionSet } from '../clock/version-set.ts';
import type { VersionVector } from '../clock/version-vector.ts';
import type { RingletError } from '../errors.ts';
import { describeKey } from '../protocol/describe.ts';
import { MessageKind } from '../protocol/messages.ts';
import { DotBinder } from './judge/dots.ts';
import { Oracle, type Write } from './judge/oracle.ts';
import type { FaultModel } from './swarm/fault-model.ts';
import type { World, WorldObserver } from './world/world.ts';

/** A promise that the oracle found broken. */
export interface WatchedViolation {
  readonly checker: string;
  readonly message: string;
  readonly step: number;
  readonly timeMs: number;
  readonly story: readonly string[];
}

/** What a request tells when it has ended. */
export interface WatchedRequest<Result> {
  onDone(result: Result): void;
  onFailed(error: RingletError): void;
}

/** What is known of a key beside its history. */
interface WatchedKey {
  readonly key: RecordKey;
  readonly partition: PartitionId;
  /** Copies that its requests speak of. */
  readonly n: number;
  /** The smallest write quorum so far. */
  w: number;
  /** By vector, the writes behind it; the oldest go first. */
  readonly contexts: Map<string, readonly Write[]>;
}

/** Contexts of a key that are remembered. */
const CONTEXT_COUNT_MAX = 10_000;

export class RequestWatch {
  /** What the oracle found, in order. */
  readonly violations: WatchedViolation[] = [];
  /** For the world that is watched. */
  readonly observer: WorldObserver;
  private readonly oracle: Oracle;
  private readonly dots: DotBinder;
  private readonly keys = new Map<RecordKey, WatchedKey>();
  private readonly lastWriterKeys = new Set<string>();
  private world: World | null = null;
  private model: FaultModel | null = null;
  /** The write whose message is about to be sent. */
  private sending: Write | null = null;

  constructor() {
    this.oracle = new Oracle({
      lastWriterWins: (key) => this.lastWriterKeys.has(key),
      report: ({ checker, key, message, story }) => {
        const { stepCount: step = 0, nowMs: timeMs = 0 } = this.world ?? {};
        const named = `${describeKey(key as RecordKey)}: ${message}`;
        this.violations.push({ checker, message: named, step, timeMs, story });
      },
    });
    this.dots = new DotBinder(this.oracle);
    this.observer = {
      onMessage: ({ source, message }) => {
        if (message.kind !== MessageKind.ClientPut || this.sending === null) return;
        this.dots.noteRequest(source, message.requestId, this.sending);
        this.sending = null;
      },
      onCommitted: (node, puts) => {
        if (this.world !== null) this.dots.onCommitted(this.world, node, puts);
      },
      onNode: (event) => this.dots.onNode(this.world, event),
    };
  }

  /** Begins. @param model What faults take from copies. */
  attach(world: World, model: FaultModel): void {
    this.world = world;
    this.model = model;
    if (world.config.durability === 'memory') this.oracle.waive('nodes keep nothing');
  }

  /** Faults took more from a partition than promises withstand. */
  onBeyond(partition: PartitionId): void {
    for (const watched of this.keys.values()) {
      if (watched.partition === partition) this.waive(watched.key, 'faults beyond the model');
    }
  }

  // ------------------------------------------------------------------------------- requests

  /** A read begins. */
  beginGet(
    session: number,
    partition: PartitionId,
    key: RecordKey,
    { replication: { n, r } }: RequestSettings,
    lastWriterWins: boolean,
  ): WatchedRequest<GetResult> {
    const watched = this.watch(key, partition, n, lastWriterWins);
    const isRegular = r + watched.w > n && this.isRegular(partition);
    const read = this.oracle.beginRead(key, isRegular, this.nowMs, session);
    return {
      onDone: ({ record }) => {
        // A copy that fell behind while the read was under way takes its promise from it.
        const isStill = isRegular && r + watched.w > n && this.isRegular(partition);
        const judged = isStill ? read : this.oracle.beginRead(key, false, read.beganMs, session);
        const set = record === null ? null : decodeVersionSet(record);
        const seen = this.oracle.endRead(judged, set, this.nowMs);
        if (set !== null) remember(watched, contextOf(set), seen);
      },
      onFailed: () => this.oracle.failRead(read, this.nowMs),
    };
  }

  /** A write begins: its message is the next to be sent. */
  beginPut(
    session: number,
    partition: PartitionId,
    key: RecordKey,
    { value, context, lastWriterWins }: ClientWrite,
    { replication: { n, w } }: RequestSettings,
  ): WatchedRequest<PutResult> {
    const watched = this.watch(key, partition, n, lastWriterWins);
    watched.w = Math.min(watched.w, w);
    if (w < this.quorum) this.waive(key, 'fewer copies than the cluster promises');
    const seen = context.length === 0 ? [] : watched.contexts.get(nameOf(context));
    if (seen === undefined) this.waive(key, 'a context that no answer of this run has brought');
    const write = this.oracle.beginWrite(key, value, seen ?? [], this.nowMs, session);
    this.sending = write;
    return {
      onDone: (result) => {
        this.oracle.endWrite(write, 'ok', this.nowMs);
        if (result.context !== null) remember(watched, result.context, [write]);
      },
      onFailed: ({ definite }) => {
        this.sending = null;
        this.oracle.endWrite(write, definite ? 'fail' : 'info', this.nowMs);
      },
    };
  }

  private watch(
    key: RecordKey,
    partition: PartitionId,
    n: number,
    lastWriterWins: boolean,
  ): WatchedKey {
    const found = this.keys.get(key);
    if (found !== undefined) {
      if (found.n !== n) this.waive(key, 'requests with different N');
      return found;
    }
    if (lastWriterWins) this.lastWriterKeys.add(key);
    const watched = { key, partition, n, w: Number.POSITIVE_INFINITY, contexts: new Map() };
    this.keys.set(key, watched);
    if (n !== this.world?.config.replication.n) this.waive(key, 'an N of its own');
    return watched;
  }

  private waive(key: RecordKey, reason: string): void {
    this.oracle.waive(reason, key);
  }

  private isRegular(partition: PartitionId): boolean {
    return this.model?.isRegular(partition) === true;
  }

  private get nowMs(): number {
    return this.world?.nowMs ?? 0;
  }

  private get quorum(): number {
    return this.world?.config.replication.w ?? 1;
  }

  // ------------------------------------------------------------------------------- at rest

  /** Judges what all copies together hold, when all is healed and nothing is under way. */
  checkAtRest(): void {
    const { world } = this;
    if (world === null) return;
    for (const { key, partition, n } of this.keys.values()) {
      const replicas: readonly ActorAddress[] = world.preferenceLists.of(partition, n);
      const records = world
        .recordsOf(partition, key)
        .flatMap(({ node, record }) =>
          replicas.includes(node) && record instanceof Uint8Array ? [record] : [],
        );
      const merged = records.length === 0 ? null : decodeVersionSet(records.reduce(mergeRecords));
      this.oracle.checkFinal(key, merged, world.nowMs);
    }
  }
}

function nameOf(vector: VersionVector): string {
  return vector.map(({ actor, counter }) => `${actor}:${counter}`).join(' ');
}

function remember({ contexts }: WatchedKey, context: VersionVector, seen: readonly Write[]): void {
  const name = nameOf(context);
  contexts.delete(name);
  contexts.set(name, seen);
  if (contexts.size > CONTEXT_COUNT_MAX) contexts.delete(contexts.keys().next().value!);
}
