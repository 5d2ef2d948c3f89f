/**
 * The coordinator: one state machine per client request (Dynamo §4.5, §5).
 *
 * A read asks the R best replicas, itself first; one more is asked when they are slow; all are asked for
 * a sample of reads. A write goes to the local replica first, which makes the dot, then to all N.
 *
 * Invariants:
 * 1. Every request gets exactly one reply to its client, by its deadline.
 * 2. A write is acknowledged only with W distinct durable copies, the local one included.
 * 3. A refusal that claims to be definite was decided before anything was stored or sent.
 * 4. Read repair begins after the answer and sends to a replica only what it lacks.
 * 5. An answered read waits for late replies for a short time only, and takes no room from new requests.
 */
import type { ActorAddress, PartitionId, RecordKey, RequestId } from '../lib/address.ts';
import { assert } from '../lib/assert.ts';
import { LoadEstimates } from '../lib/load.ts';
import {
  type ClientGet,
  type ClientPut,
  clientGetReply,
  clientPutReply,
  coordinatorTimeout,
  type GetStatus,
  type PutStatus,
  type ReplicaGetReply,
  type ReplicaPutReply,
  replicaGet,
  replicaPut,
} from '../lib/protocol/messages.ts';
import type { PreferenceLists } from '../lib/ring/preference-list.ts';
import type { Context } from '../lib/runtime/actor.ts';
import { CORRUPT } from '../lib/store/contract.ts';
import {
  addGetFailure,
  addRecord,
  createGetCore,
  type GetCore,
  getStatus,
  mergedRecord,
} from './get-core.ts';
import { LatencyQuantile } from './latency-quantile.ts';
import { addAcknowledgement, createPutCore, type PutCore, putStatus } from './put-core.ts';
import { quorumOutcome } from './quorum.ts';
import type { ReadRepair } from './read-repair.ts';
import type { Replica } from './replica.ts';

export interface CoordinatorOptions {
  readonly self: ActorAddress;
  readonly preferenceLists: PreferenceLists;
  readonly nodeCount: number;
  readonly replica: Replica;
  readonly readRepair: ReadRepair;
  /** Requests under way before new ones are refused. */
  readonly coordinatorCountMax: number;
  /** Share of reads that ask all N. */
  readonly readRepairSample: number;
  /** Milliseconds before one more replica is asked; -1 follows the recent 95th percentile. */
  readonly hedgeAfterMs: number;
}

export interface CoordinatorCounters {
  getCount: number;
  putCount: number;
  hedgeCount: number;
  timeoutCount: number;
  refusedCount: number;
}

/** A read under way. It outlives its answer for a while if replies are still out, for read repair. */
interface GetRequest {
  readonly client: ActorAddress;
  readonly clientRequestId: RequestId;
  readonly partition: PartitionId;
  readonly key: RecordKey;
  readonly replicas: readonly ActorAddress[];
  readonly core: GetCore;
  readonly startedMs: number;
  /** When the client must have its answer; once it has, when late replies are no longer waited for. */
  deadlineMs: number;
  /** Bit i is set once replica i was asked. */
  askedMask: number;
  /** Asked and not yet heard. */
  outstanding: number;
  /** The replica whose record came first; this node itself if it holds a sound copy. */
  fastest: ActorAddress | null;
  isHedged: boolean;
}

/** A write under way. It ends with its answer. */
interface PutRequest {
  readonly client: ActorAddress;
  readonly clientRequestId: RequestId;
  readonly replicas: readonly ActorAddress[];
  readonly core: PutCore;
  readonly context: ReturnType<typeof clientPutReply>['context'];
  readonly deadlineMs: number;
}

/** Hedging never starts earlier: on one machine a reply may wait this long for a turn. */
const HEDGE_MS_MIN = 2;
const HEDGE_MS_MAX = 1000;
/** How often deadlines are looked at: the most by which an answer may miss its deadline. */
const SWEEP_MS = 20;
/** How long an answered read waits for the replies that are still out (Dynamo §5: "a small period of time"). */
const LATE_REPLY_MS = 500;

export class Coordinator {
  private readonly options: CoordinatorOptions;
  private readonly load: LoadEstimates;
  /** Reads that are not answered yet. */
  private readonly gets = new Map<RequestId, GetRequest>();
  /** Reads that are answered and wait for late replies, the oldest answer first. */
  private readonly lateGets = new Map<RequestId, GetRequest>();
  private readonly puts = new Map<RequestId, PutRequest>();
  private readonly isDown: Uint8Array;
  private downCount = 0;
  private readonly replicaLatency = new LatencyQuantile(0.95, 5);
  private nextRequestId = 0;
  private isTimerSet = false;
  private nextSweepMs = 0;
  readonly counters: CoordinatorCounters = {
    getCount: 0,
    putCount: 0,
    hedgeCount: 0,
    timeoutCount: 0,
    refusedCount: 0,
  };

  constructor(options: CoordinatorOptions) {
    this.options = options;
    this.load = new LoadEstimates(options.nodeCount);
    this.isDown = new Uint8Array(options.nodeCount);
  }

  /** Request ids start at random, so that a reply to an earlier life of this node matches nothing. */
  start(context: Context): void {
    this.nextRequestId = 1 + context.random.int(2 ** 20) * 2 ** 32;
  }

  /** Requests whose clients wait. */
  get queueDepth(): number {
    return this.gets.size + this.puts.size;
  }

  /** A member that was down when this node started. */
  markDown(member: ActorAddress): void {
    if (this.isDown[member] === 0) this.downCount++;
    this.isDown[member] = 1;
    this.load.reset(member);
  }

  /** Requests that wait for a member that stopped are decided without it. */
  onMemberStatus(context: Context, member: ActorAddress, status: 'up' | 'down'): void {
    if (status === 'up') {
      if (this.isDown[member] === 1) this.downCount--;
      this.isDown[member] = 0;
      return;
    }
    this.markDown(member);
    for (const [requestId, request] of [...this.lateGets, ...this.gets]) {
      const replica = request.replicas.indexOf(member);
      if (replica < 0 || (request.askedMask & (1 << replica)) === 0) continue;
      if (!addGetFailure(request.core, replica, 'down')) continue;
      context.probe.sometimes('coordinator: a read goes on without a member that stopped', true);
      request.outstanding--;
      this.advanceGet(context, requestId, request);
    }
    for (const [requestId, request] of this.puts) {
      const replica = request.replicas.indexOf(member);
      if (replica < 0 || !addAcknowledgement(request.core, replica, false)) continue;
      context.probe.sometimes('coordinator: a write goes on without a member that stopped', true);
      this.advancePut(context, requestId, request);
    }
  }

  // ------------------------------------------------------------------------------------------- reads

  onClientGet(context: Context, client: ActorAddress, message: ClientGet): void {
    this.counters.getCount++;
    const { partition, key, readQuorum } = message;
    const replicas = this.options.preferenceLists.of(partition, message.replicationFactor);
    const refusal = this.refusal(context, replicas, readQuorum);
    if (refusal !== null) {
      this.counters.refusedCount++;
      const reply = this.getReply(message.requestId, refusal, readQuorum, 0, null, context.self);
      context.send(client, reply);
      return;
    }
    const core = createGetCore(replicas.length, readQuorum);
    const request: GetRequest = {
      client,
      clientRequestId: message.requestId,
      partition,
      key,
      replicas,
      core,
      startedMs: context.nowMs,
      deadlineMs: context.nowMs + message.timeoutMs,
      askedMask: 0,
      outstanding: 0,
      fastest: null,
      isHedged: false,
    };
    const requestId = this.takeRequestId();
    this.readLocally(context, request);
    const isSampled = context.random.chance(this.options.readRepairSample);
    const asksAll =
      message.fanout === 'all' || isSampled || context.probe.buggify('coordinator: ask all');
    const wanted = asksAll ? replicas.length : readQuorum;
    while (core.tally.succeeded + request.outstanding < wanted) {
      if (!this.askNext(context, requestId, request)) break;
    }
    this.gets.set(requestId, request);
    this.advanceGet(context, requestId, request);
    this.setTimer(context);
  }

  onReplicaGetReply(context: Context, source: ActorAddress, message: ReplicaGetReply): void {
    this.load.onReply(source, message.queueDepth);
    const { requestId } = message;
    const unanswered = this.gets.get(requestId);
    const request = unanswered ?? this.lateGets.get(requestId);
    if (request === undefined) return;
    const replica = request.replicas.indexOf(source);
    if (replica < 0) return;
    const hasRecord = message.status === 'found' || message.status === 'missing';
    const isFirst = hasRecord
      ? addRecord(request.core, replica, message.record)
      : addGetFailure(request.core, replica, message.status);
    context.probe.sometimes('coordinator: a reply to a read came twice', !isFirst);
    if (!isFirst) return;
    context.probe.sometimes('coordinator: a reply came late', unanswered === undefined);
    request.outstanding--;
    if (hasRecord) request.fastest ??= source;
    this.replicaLatency.add(context.nowMs - request.startedMs);
    this.advanceGet(context, requestId, request);
  }

  private readLocally(context: Context, request: GetRequest): void {
    const replica = request.replicas.indexOf(context.self);
    if (replica < 0) return;
    request.askedMask |= 1 << replica;
    const record = this.options.replica.read(request.partition, request.key);
    context.probe.sometimes('coordinator: its own copy is damaged', record === CORRUPT);
    if (record === CORRUPT) {
      addGetFailure(request.core, replica, 'corrupt');
      return;
    }
    request.fastest = context.self;
    addRecord(request.core, replica, record);
  }

  /** Asks the better of two random replicas not asked yet. @returns `false` if none is left. */
  private askNext(context: Context, requestId: RequestId, request: GetRequest): boolean {
    const candidates = request.replicas.filter(
      (node, replica) => (request.askedMask & (1 << replica)) === 0 && this.isDown[node] === 0,
    );
    if (candidates.length === 0) return false;
    const target = context.probe.buggify('coordinator: ask regardless of load')
      ? candidates[0]!
      : this.load.betterOfTwo(candidates, context.random);
    request.askedMask |= 1 << request.replicas.indexOf(target);
    request.outstanding++;
    this.load.onSent(target);
    context.send(target, replicaGet(requestId, request.partition, request.key));
    return true;
  }

  /** Asks on after a failure, answers once decided, repairs and forgets once nothing is outstanding. */
  private advanceGet(context: Context, requestId: RequestId, request: GetRequest): void {
    if (this.gets.has(requestId)) {
      this.askForQuorum(context, requestId, request);
      const status = getStatus(request.core);
      if (status === 'pending' && request.outstanding > 0) return;
      const isStuck = status === 'pending';
      this.answerGet(context, requestId, request, isStuck ? 'quorum-unmet' : status);
    }
    if (request.outstanding === 0) this.endGet(context, requestId, request);
  }

  /** Asks as many replicas as the quorum still needs, while there are any. */
  private askForQuorum(context: Context, requestId: RequestId, request: GetRequest): void {
    const { tally } = request.core;
    while (
      quorumOutcome(tally) === 'pending' &&
      tally.succeeded + request.outstanding < tally.needed
    ) {
      if (!this.askNext(context, requestId, request)) return;
    }
  }

  /** Answers the client. If replies are still out the request waits for them, to repair. */
  private answerGet(
    context: Context,
    requestId: RequestId,
    request: GetRequest,
    status: GetStatus,
  ): void {
    const { client, clientRequestId, core } = request;
    const { needed, succeeded } = core.tally;
    const record = status === 'found' ? mergedRecord(core) : null;
    const fastest = request.fastest ?? context.self;
    this.gets.delete(requestId);
    const reply = this.getReply(clientRequestId, status, needed, succeeded, record, fastest);
    context.send(client, reply);
    if (request.outstanding > 0) this.awaitLateReplies(context, requestId, request);
  }

  /** When too many wait already, the one that has waited longest gives way. */
  private awaitLateReplies(context: Context, requestId: RequestId, request: GetRequest): void {
    if (context.probe.buggify('coordinator: await no late replies')) {
      this.endGet(context, requestId, request);
      return;
    }
    if (this.lateGets.size >= this.options.coordinatorCountMax) {
      context.probe.sometimes('coordinator: the oldest late read gives way', true);
      const [oldest] = this.lateGets;
      assert(oldest !== undefined, 'at least one request may wait');
      this.endGet(context, ...oldest);
    }
    request.deadlineMs = context.nowMs + LATE_REPLY_MS;
    this.lateGets.set(requestId, request);
  }

  private endGet(context: Context, requestId: RequestId, request: GetRequest): void {
    this.lateGets.delete(requestId);
    const { replicas, partition, key, core } = request;
    this.options.readRepair.repair(context, replicas, partition, key, core);
  }

  private getReply(
    requestId: RequestId,
    status: GetStatus,
    needed: number,
    received: number,
    record: Uint8Array | null,
    fastest: ActorAddress,
  ): ReturnType<typeof clientGetReply> {
    return clientGetReply(requestId, status, needed, received, record, fastest, this.queueDepth);
  }

  // ------------------------------------------------------------------------------------------ writes

  onClientPut(context: Context, client: ActorAddress, message: ClientPut): void {
    this.counters.putCount++;
    const { partition, key, writeQuorum, requestId: clientRequestId } = message;
    const replicas = this.options.preferenceLists.of(partition, message.replicationFactor);
    const local = replicas.indexOf(context.self);
    const refusal = local < 0 ? 'unavailable' : this.refusal(context, replicas, writeQuorum);
    if (refusal !== null) {
      this.counters.refusedCount++;
      this.answerPut(context, client, clientRequestId, refusal, writeQuorum, 0, []);
      return;
    }
    const result = this.options.replica.coordinate(context, message);
    if (result.status !== 'stored') {
      this.answerPut(context, client, clientRequestId, result.status, writeQuorum, 0, []);
      return;
    }
    const core = createPutCore(replicas.length, writeQuorum);
    addAcknowledgement(core, local, true);
    const request: PutRequest = {
      client,
      clientRequestId,
      replicas,
      core,
      context: result.context,
      deadlineMs: context.nowMs + message.timeoutMs,
    };
    const requestId = this.takeRequestId();
    for (const [replica, node] of replicas.entries()) {
      if (replica === local) continue;
      if (this.isDown[node] === 1) {
        addAcknowledgement(core, replica, false);
        continue;
      }
      this.load.onSent(node);
      context.send(node, replicaPut(requestId, partition, key, result.record));
    }
    this.puts.set(requestId, request);
    this.advancePut(context, requestId, request);
    this.setTimer(context);
  }

  onReplicaPutReply(context: Context, source: ActorAddress, message: ReplicaPutReply): void {
    this.load.onReply(source, message.queueDepth);
    const request = this.puts.get(message.requestId);
    if (request === undefined) return;
    const replica = request.replicas.indexOf(source);
    if (replica < 0) return;
    const isFirst = addAcknowledgement(request.core, replica, message.status === 'stored');
    context.probe.sometimes('coordinator: a reply to a write came twice', !isFirst);
    if (!isFirst) return;
    this.advancePut(context, message.requestId, request);
  }

  private advancePut(context: Context, requestId: RequestId, request: PutRequest): void {
    const status = putStatus(request.core);
    if (status === 'pending') return;
    context.probe.sometimes(
      'coordinator: a write is short of copies although enough members are up',
      status === 'quorum-unmet' && this.countUp(request.replicas) >= request.core.tally.needed,
    );
    this.endPut(context, requestId, request, status);
  }

  private endPut(
    context: Context,
    requestId: RequestId,
    request: PutRequest,
    status: PutStatus,
  ): void {
    this.puts.delete(requestId);
    const { needed, succeeded } = request.core.tally;
    const { client, clientRequestId } = request;
    this.answerPut(context, client, clientRequestId, status, needed, succeeded, request.context);
  }

  private answerPut(
    context: Context,
    client: ActorAddress,
    requestId: RequestId,
    status: PutStatus,
    needed: number,
    received: number,
    after: PutRequest['context'],
  ): void {
    const known = status === 'stored' ? after : [];
    context.send(
      client,
      clientPutReply(requestId, status, needed, received, known, this.queueDepth),
    );
  }

  // ------------------------------------------------------------------------------- limits and deadlines

  /** Why a request cannot even begin, or `null`. Nothing has been stored or sent by then. */
  private refusal(
    context: Context,
    replicas: readonly ActorAddress[],
    quorum: number,
  ): 'overloaded' | 'unavailable' | null {
    if (this.queueDepth >= this.options.coordinatorCountMax) return 'overloaded';
    if (context.probe.buggify('coordinator: refuse as overloaded')) return 'overloaded';
    return this.countUp(replicas) < quorum ? 'unavailable' : null;
  }

  private countUp(replicas: readonly ActorAddress[]): number {
    if (this.downCount === 0) return replicas.length;
    let count = 0;
    for (const node of replicas) if (this.isDown[node] === 0) count++;
    return count;
  }

  private takeRequestId(): RequestId {
    assert(this.nextRequestId > 0, 'the coordinator has started');
    return this.nextRequestId++ as RequestId;
  }

  private get hedgeAfterMs(): number {
    if (this.options.hedgeAfterMs >= 0) return this.options.hedgeAfterMs;
    return Math.min(HEDGE_MS_MAX, Math.max(HEDGE_MS_MIN, this.replicaLatency.value));
  }

  private setTimer(context: Context): void {
    if (this.isTimerSet || (this.queueDepth === 0 && this.lateGets.size === 0)) return;
    this.isTimerSet = true;
    context.schedule(Math.min(SWEEP_MS, this.hedgeAfterMs), coordinatorTimeout());
  }

  onCoordinatorTimeout(context: Context): void {
    this.isTimerSet = false;
    this.hedge(context);
    if (context.nowMs >= this.nextSweepMs) {
      this.nextSweepMs = context.nowMs + SWEEP_MS;
      this.endOverdue(context);
    }
    this.setTimer(context);
  }

  /** Asks one more replica for reads that wait too long. Requests are in the order of their start. */
  private hedge(context: Context): void {
    if (context.probe.buggify('coordinator: hedge later')) return;
    const isEarly = context.probe.buggify('coordinator: hedge at once');
    const startedBeforeMs = context.nowMs - (isEarly ? 0 : this.hedgeAfterMs);
    for (const [requestId, request] of this.gets) {
      if (request.startedMs > startedBeforeMs) return;
      if (request.isHedged) continue;
      request.isHedged = true;
      const isAsked = this.askNext(context, requestId, request);
      context.probe.sometimes('coordinator: a read is hedged', isAsked);
      if (isAsked) this.counters.hedgeCount++;
    }
  }

  private endOverdue(context: Context): void {
    for (const [requestId, request] of this.lateGets) {
      if (context.nowMs < request.deadlineMs) break;
      this.endGet(context, requestId, request);
    }
    for (const [requestId, request] of this.gets) {
      if (context.nowMs < request.deadlineMs) continue;
      this.counters.timeoutCount++;
      context.probe.sometimes('coordinator: a read is overdue', true);
      this.answerGet(context, requestId, request, 'timeout');
    }
    for (const [requestId, request] of this.puts) {
      const isOverdue = context.nowMs >= request.deadlineMs;
      if (!isOverdue && !context.probe.buggify('coordinator: end a write early')) continue;
      this.counters.timeoutCount++;
      context.probe.sometimes('coordinator: a write is overdue', isOverdue);
      this.endPut(context, requestId, request, 'timeout');
    }
  }
}
