/**
 * The workload of a run: sessions that read and write a few hot keys as applications do, each one request at a time, and tell the
 * oracle what they did and what they saw.
 *
 * Most writes carry the context of a read just before them. Some carry none, some an older context, of the session's own or
 * of another session's, as an application does that keeps a form open or hands a token on.
 *
 * Invariants:
 * 1. Every request ends by its deadline and the client's next look at it (I13), and a read that fails is definite (I18).
 * 2. What a write claims to have seen is what the reply that brought its context really held.
 * 3. No two writes have the same value.
 */
import type { ActorAddress, PartitionId } from '../../address.ts';
import { assert } from '../../assert.ts';
import type { Client, GetResult, PutResult, RequestSettings } from '../../client.ts';
import { decodeContextToken, encodeContextToken } from '../../clock/context-token.ts';
import { contextOf, decodeVersionSet, type VersionSet } from '../../clock/version-set.ts';
import type { VersionVector } from '../../clock/version-vector.ts';
import { isRingletError, type RingletError } from '../../errors.ts';
import type { KeyHash } from '../../hash.ts';
import { drawExponential } from '../../network/latency.ts';
import type { Prng } from '../../prng.ts';
import { describeKey } from '../../protocol/describe.ts';
import { MessageKind } from '../../protocol/messages.ts';
import type { DotBinder } from '../judge/dots.ts';
import type { Oracle, Read, Write } from '../judge/oracle.ts';
import type { ObservedEnvelope, World } from '../world/world.ts';
import { isQuorumRead, type PlannedKey } from './buckets.ts';
import type { FaultModel } from './fault-model.ts';
import type { Plan } from './plan.ts';

/** A key of the run, and where it lives. */
export interface LocatedKey extends PlannedKey {
  readonly hash: KeyHash;
  readonly partition: PartitionId;
}

export interface WorkloadOptions {
  readonly world: World;
  readonly plan: Plan;
  readonly keys: readonly LocatedKey[];
  readonly oracle: Oracle;
  readonly dots: DotBinder;
  readonly model: FaultModel;
  readonly random: Prng;
  /** A request broke a promise. */
  readonly report: (checker: string, message: string) => void;
  /** Takes a line for each request that ends; `null` if nobody wants to know. */
  readonly note: ((line: string) => void) | null;
  /** Counts what was seen. */
  readonly sometimes: (id: string, condition: boolean) => void;
}

/** A context as a session holds it, and the writes that its reply held. */
interface Knowledge {
  readonly place: LocatedKey;
  readonly context: VersionVector;
  readonly preferred: ActorAddress;
  readonly seen: readonly Write[];
}

/** How late a client may find that a request is past its deadline. */
const LATE_MS_MAX = 11;
/** Contexts that a session keeps, and that all sessions share. */
const OWN_COUNT_MAX = 4;
const SHARED_COUNT_MAX = 32;
/** Share of contexts that go through a token, and of reads that ask all replicas. */
const TOKEN_SHARE = 0.25;
const ALL_SHARE = 0.1;

/** All sessions of a run. */
export class Workload {
  readonly options: WorkloadOptions;
  /** Contexts that any session may use, the oldest overwritten first. */
  readonly shared: Knowledge[] = [];
  isRunning = false;
  /** Sessions begin nothing later. */
  endMs = 0;
  /** Requests under way. */
  underWay = 0;
  private sharedCount = 0;
  private writeCount = 0;
  private readonly sessions: readonly Session[];
  /** The write whose request is being sent. */
  private sending: Write | null = null;

  constructor(options: WorkloadOptions) {
    this.options = options;
    const { sessions } = options.plan;
    this.sessions = Array.from({ length: sessions }, (_, index) => new Session(this, index));
  }

  /** Sessions begin, or go on, until a time. */
  start(endMs: number): void {
    this.isRunning = true;
    this.endMs = endMs;
    for (const session of this.sessions) session.rest();
  }

  /** Sessions end what is under way and then begin nothing. */
  stop(): void {
    this.isRunning = false;
  }

  /** Every message, at the moment at which it is sent or arrives. */
  onMessage({ source, message }: ObservedEnvelope): void {
    if (message.kind !== MessageKind.ClientPut) return;
    assert(this.sending !== null, 'sessions alone put');
    this.options.dots.noteRequest(source, message.requestId, this.sending);
  }

  /** Sends a write while {@link onMessage} knows which it is. */
  send(write: Write, start: () => void): void {
    this.sending = write;
    start();
    this.sending = null;
  }

  /** Reads a key and writes it, once, outside the sessions. @param onEnded Gets the error, `null` if both succeeded. */
  update(
    place: LocatedKey,
    settings: RequestSettings,
    onEnded: (error: RingletError | null) => void,
  ): void {
    const { world, oracle } = this.options;
    const { key, partition, bucket } = place;
    const client = world.clients[0]!;
    const read = oracle.beginRead(key, false, world.nowMs);
    const onRead = ({ record, fastest: preferred }: GetResult) => {
      const set = record === null ? null : decodeVersionSet(record);
      const seen = oracle.endRead(read, set, world.nowMs);
      const value = this.createValue();
      const write = oracle.beginWrite(key, value, seen, world.nowMs);
      const context = set === null ? [] : contextOf(set);
      const { lastWriterWins } = bucket;
      const onStored = () => {
        oracle.endWrite(write, 'ok', world.nowMs);
        onEnded(null);
      };
      const onRefused = (error: RingletError) => {
        oracle.endWrite(write, error.definite ? 'fail' : 'info', world.nowMs);
        onEnded(error);
      };
      const wanted = { value, context, preferred, lastWriterWins };
      this.send(write, () =>
        client.startPut(partition, key, wanted, settings, onStored, onRefused),
      );
    };
    client.startGet(partition, key, 'quorum', settings, onRead, onEnded);
  }

  /** A value that no other write has. */
  createValue(): Uint8Array {
    const number = this.writeCount++;
    const value = new Uint8Array(this.options.plan.valueBytes);
    for (let index = 0; index < value.length; index++) {
      value[index] = index < 4 ? number >>> (8 * index) : number + index;
    }
    return value;
  }

  share(knowledge: Knowledge): void {
    this.shared[this.sharedCount++ % SHARED_COUNT_MAX] = knowledge;
  }
}

/** One session: a closed loop. */
class Session {
  private readonly workload: Workload;
  private readonly index: number;
  private readonly client: Client;
  private readonly random: Prng;
  private readonly meanRestMs: number;
  private readonly known: Knowledge[] = [];
  private startedMs = 0;

  constructor(workload: Workload, index: number) {
    const { world, plan, random } = workload.options;
    this.workload = workload;
    this.index = index;
    this.client = world.clients[index % world.clients.length]!;
    this.random = random.split(`session ${index}`);
    this.meanRestMs = (plan.sessions * 1_000) / plan.operationsPerSecond;
  }

  /** Waits for its next operation. */
  rest(): void {
    const { workload } = this;
    const { world } = workload.options;
    const timeMs = world.nowMs + this.meanRestMs * drawExponential(this.random);
    if (workload.isRunning && timeMs < workload.endMs) world.at(timeMs, this.wake);
  }

  private readonly wake = (): void => this.act();

  private act(): void {
    const { random, workload } = this;
    const { plan, keys } = workload.options;
    const place = random.pick(keys);
    if (random.chance(plan.readShare)) return this.read(place, false);
    if (random.chance(plan.blindShare)) return this.write(place, null);
    if (!random.chance(plan.staleShare)) return this.read(place, true);
    const knowledge = this.pickKnowledge();
    if (knowledge === null) this.read(place, true);
    else this.write(knowledge.place, knowledge);
  }

  private pickKnowledge(): Knowledge | null {
    const pool = this.random.chance(0.5) ? this.known : this.workload.shared;
    return pool.length === 0 ? null : this.random.pick(pool);
  }

  // --------------------------------------------------------------------------------------- reads

  private read(place: LocatedKey, isWriteNext: boolean): void {
    const { oracle, world, model } = this.workload.options;
    const { key, partition, bucket } = place;
    const settings = this.drawSettings(place);
    const isQuorum = isQuorumRead(bucket, settings.replication.r);
    const isRegular = isQuorum && model.isRegular(partition);
    const read = oracle.beginRead(key, isRegular, world.nowMs, this.index);
    const fanout = this.random.chance(ALL_SHARE) ? 'all' : 'quorum';
    this.begin();
    this.client.startGet(
      partition,
      key,
      fanout,
      settings,
      (result) => this.onRead(place, read, result, isWriteNext),
      (error) => this.onReadFailed(read, error),
    );
  }

  private onRead(
    place: LocatedKey,
    read: Read,
    { record, fastest }: GetResult,
    isWriteNext: boolean,
  ): void {
    const { oracle, world, sometimes } = this.workload.options;
    this.end('get');
    const set = record === null ? null : decodeVersionSet(record);
    const seen = oracle.endRead(this.judged(place, read), set, world.nowMs);
    sometimes('sessions: a read returned siblings', seen.length > 1);
    this.note(() => `read ${describeKey(place.key)}: ${siblingText(set)}`);
    const context = set === null ? [] : contextOf(set);
    const knowledge = { place, context, preferred: fastest, seen };
    this.learn(knowledge);
    if (isWriteNext && this.workload.isRunning) this.write(place, knowledge);
    else this.rest();
  }

  /** A copy that fell behind while the read was under way takes its promise from it. */
  private judged(place: LocatedKey, read: Read): Read {
    const { oracle, model } = this.workload.options;
    if (!read.isRegular || model.isRegular(place.partition)) return read;
    return oracle.beginRead(place.key, false, read.beganMs, this.index);
  }

  private onReadFailed(read: Read, error: RingletError): void {
    const { oracle, world, report } = this.workload.options;
    this.end('get');
    oracle.failRead(read, world.nowMs);
    if (!error.definite) report('I18 dishonest error', `a read ended indefinite: ${error.message}`);
    this.note(() => `read failed: ${error.code}`);
    this.rest();
  }

  // -------------------------------------------------------------------------------------- writes

  /** @param knowledge What the write is based on; `null` for a blind write. */
  private write(place: LocatedKey, knowledge: Knowledge | null): void {
    const { oracle, world, plan } = this.workload.options;
    const { key, partition, bucket } = place;
    const settings = this.drawSettings(place);
    const isDelete = knowledge !== null && this.random.chance(plan.deleteShare);
    const value = isDelete ? null : this.workload.createValue();
    const given = knowledge === null ? null : this.throughToken(knowledge);
    const seen = knowledge?.seen ?? [];
    const write = oracle.beginWrite(key, value, seen, world.nowMs, this.index);
    this.begin();
    this.workload.send(write, () =>
      this.client.startPut(
        partition,
        key,
        {
          value,
          context: given?.context ?? [],
          preferred: given?.preferred ?? null,
          lastWriterWins: bucket.lastWriterWins,
        },
        settings,
        (result) => this.onWritten(place, write, result),
        (error) => this.onWriteFailed(write, error),
      ),
    );
  }

  /** Some contexts travel as an application's do. */
  private throughToken({ place, context, preferred }: Knowledge): {
    context: VersionVector;
    preferred: ActorAddress;
  } {
    if (!this.random.chance(TOKEN_SHARE)) return { context, preferred };
    const { hash: keyHash } = place;
    const token = encodeContextToken({ vector: context, coordinator: preferred, keyHash });
    const decoded = decodeContextToken(token, keyHash, Number.MAX_SAFE_INTEGER);
    return { context: decoded.vector, preferred: decoded.coordinator };
  }

  private onWritten(place: LocatedKey, write: Write, { context, coordinator }: PutResult): void {
    const { oracle, world } = this.workload.options;
    this.end('put');
    oracle.endWrite(write, 'ok', world.nowMs);
    this.note(() => `wrote w${write.id} to ${describeKey(place.key)}`);
    if (context !== null) this.learn({ place, context, preferred: coordinator, seen: [write] });
    this.rest();
  }

  private onWriteFailed(write: Write, error: RingletError): void {
    const { oracle, world, sometimes } = this.workload.options;
    this.end('put');
    assert(isRingletError(error), 'a client fails with an error of its own');
    oracle.endWrite(write, error.definite ? 'fail' : 'info', world.nowMs);
    const isStored = write.dot !== null;
    sometimes('sessions: an indefinite write was stored', !error.definite && isStored);
    sometimes('sessions: an indefinite write was not stored', !error.definite && !isStored);
    sometimes('sessions: a write met a full disk', error.code === 'RINGLET_DISK_FULL');
    sometimes('sessions: a write met a damaged record', error.code === 'RINGLET_RECORD_CORRUPT');
    sometimes('sessions: a write met too much load', error.code === 'RINGLET_OVERLOADED');
    sometimes('sessions: a write met too few nodes', error.code === 'RINGLET_UNAVAILABLE');
    sometimes('sessions: a write lost its coordinator', error.code === 'RINGLET_NODE_STOPPED');
    this.note(() => `write w${write.id} failed: ${error.code}`);
    this.rest();
  }

  // --------------------------------------------------------------------------------------- both

  /** What a request says: what its bucket does, or numbers of its own. */
  private drawSettings({ bucket }: LocatedKey): RequestSettings {
    const { ownQuorumShare, timeoutMs } = this.workload.options.plan;
    const isOwn = this.random.chance(ownQuorumShare);
    const replication = isOwn ? bucket.ownReplication : bucket.replication;
    return { replication, timeoutMs, signal: null };
  }

  private begin(): void {
    this.startedMs = this.workload.options.world.nowMs;
    this.workload.underWay++;
  }

  private end(operation: 'get' | 'put'): void {
    const { world, plan, report } = this.workload.options;
    this.workload.underWay--;
    const lateMs = world.nowMs - this.startedMs - plan.timeoutMs;
    if (lateMs <= LATE_MS_MAX) return;
    report('I13 deadline', `a ${operation} of session ${this.index} ended ${lateMs} ms late`);
  }

  private learn(knowledge: Knowledge): void {
    this.known.push(knowledge);
    if (this.known.length > OWN_COUNT_MAX) this.known.shift();
    this.workload.share(knowledge);
  }

  private note(text: () => string): void {
    this.workload.options.note?.(`session ${this.index}: ${text()}`);
  }
}

function siblingText(set: VersionSet | null): string {
  return set === null ? 'nothing' : `${set.siblings.length} siblings`;
}
