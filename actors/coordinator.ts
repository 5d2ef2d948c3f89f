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

/** A read under way. It outlives its answer while replies are still out, for read repair. */
interface GetRequest {
  readonly client: ActorAddress;
  readonly clientRequestId: RequestId;
  readonly partition: PartitionId;
  readonly key: RecordKey;
  readonly replicas: readonly ActorAddress[];
  readonly core: GetCore;
  readonly startedMs: number;
  readonly deadlineMs: number;
  /** Bit i is set once replica i was asked. */
  askedMask: number;
  /** Asked and not yet heard. */
  outstanding: number;
  /** The replica that answered first; this node itself if it holds a copy. */
  fastest: ActorAddress | null;
  isHedged: boolean;
  isAnswered: boolean;
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

export class Coordinator {
  private readonly options: CoordinatorOptions;
  private readonly load: LoadEstimates;
  private readonly gets = new Map<RequestId, GetRequest>();
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
    for (const [requestId, request] of this.gets) {
      const replica = request.replicas.indexOf(member);
      if (replica < 0 || (request.askedMask & (1 << replica)) === 0) continue;
      if (!addGetFailure(request.core, replica, 'down')) continue;
      request.outstanding--;
      this.advanceGet(context, requestId, request);
    }
    for (const [requestId, request] of this.puts) {
      const replica = request.replicas.indexOf(member);
      if (replica < 0 || !addAcknowledgement(request.core, replica, false)) continue;
      this.advancePut(context, requestId, request);
    }
  }

  // ------------------------------------------------------------------------------------------- reads

  onClientGet(context: Context, client: ActorAddress, message: ClientGet): void {
    this.counters.getCount++;
    const { partition, key, readQuorum } = message;
    const replicas = this.options.preferenceLists.of(partition, message.replicationFactor);
    const refusal = this.refusal(replicas, readQuorum);
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
      isAnswered: false,
    };
    const requestId = this.takeRequestId();
    this.readLocally(context, request);
    const isSampled = context.random.chance(this.options.readRepairSample);
    const wanted = message.fanout === 'all' || isSampled ? replicas.length : readQuorum;
    while (core.tally.succeeded + request.outstanding < wanted) {
      if (!this.askNext(context, requestId, request)) break;
    }
    this.gets.set(requestId, request);
    this.advanceGet(context, requestId, request);
    this.setTimer(context);
  }

  onReplicaGetReply(context: Context, source: ActorAddress, message: ReplicaGetReply): void {
    this.load.onReply(source, message.queueDepth);
    const request = this.gets.get(message.requestId);
    if (request === undefined) return;
    const replica = request.replicas.indexOf(source);
    if (replica < 0) return;
    const isFirst =
      message.status === 'found' || message.status === 'missing'
        ? addRecord(request.core, replica, message.record)
        : addGetFailure(request.core, replica, message.status);
    if (!isFirst) return;
    request.outstanding--;
    request.fastest ??= source;
    this.replicaLatency.add(context.nowMs - request.startedMs);
    this.advanceGet(context, message.requestId, request);
  }

  private readLocally(context: Context, request: GetRequest): void {
    const replica = request.replicas.indexOf(context.self);
    if (replica < 0) return;
    request.askedMask |= 1 << replica;
    request.fastest = context.self;
    const record = this.options.replica.read(request.partition, request.key);
    if (record === CORRUPT) addGetFailure(request.core, replica, 'corrupt');
    else addRecord(request.core, replica, record);
  }

  /** Asks the better of two random replicas not asked yet. @returns `false` if none is left. */
  private askNext(context: Context, requestId: RequestId, request: GetRequest): boolean {
    const candidates = request.replicas.filter(
      (node, replica) => (request.askedMask & (1 << replica)) === 0 && this.isDown[node] === 0,
    );
    if (candidates.length === 0) return false;
    const target = this.load.betterOfTwo(candidates, context.random);
    request.askedMask |= 1 << request.replicas.indexOf(target);
    request.outstanding++;
    this.load.onSent(target);
    context.send(target, replicaGet(requestId, request.partition, request.key));
    return true;
  }

  /** Answers once decided, asks on after a failure, repairs and forgets once nothing is outstanding. */
  private advanceGet(context: Context, requestId: RequestId, request: GetRequest): void {
    const { core } = request;
    while (
      !request.isAnswered &&
      getStatus(core) === 'pending' &&
      core.tally.succeeded + request.outstanding < core.tally.needed
    ) {
      if (!this.askNext(context, requestId, request)) break;
    }
    if (!request.isAnswered) {
      const status = getStatus(core);
      const isStuck = status === 'pending' && request.outstanding === 0;
      if (status !== 'pending' || isStuck) {
        this.answerGet(context, request, status === 'pending' ? 'quorum-unmet' : status);
      }
    }
    if (request.isAnswered && request.outstanding === 0) this.endGet(context, requestId, request);
  }

  private answerGet(context: Context, request: GetRequest, status: GetStatus): void {
    const { tally } = request.core;
    const record = status === 'found' ? mergedRecord(request.core) : null;
    request.isAnswered = true;
    context.send(
      request.client,
      this.getReply(
        request.clientRequestId,
        status,
        tally.needed,
        tally.succeeded,
        record,
        request.fastest ?? context.self,
      ),
    );
  }

  private endGet(context: Context, requestId: RequestId, request: GetRequest): void {
    this.gets.delete(requestId);
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
    const refusal = local < 0 ? 'unavailable' : this.refusal(replicas, writeQuorum);
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
    if (!addAcknowledgement(request.core, replica, message.status === 'stored')) return;
    this.advancePut(context, message.requestId, request);
  }

  private advancePut(context: Context, requestId: RequestId, request: PutRequest): void {
    const status = putStatus(request.core);
    if (status === 'pending') return;
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
    replicas: readonly ActorAddress[],
    quorum: number,
  ): 'overloaded' | 'unavailable' | null {
    if (this.queueDepth >= this.options.coordinatorCountMax) return 'overloaded';
    if (this.downCount === 0) return replicas.length < quorum ? 'unavailable' : null;
    let reachable = 0;
    for (const node of replicas) if (this.isDown[node] === 0) reachable++;
    return reachable < quorum ? 'unavailable' : null;
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
    if (this.isTimerSet || this.queueDepth === 0) return;
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
    const startedBeforeMs = context.nowMs - this.hedgeAfterMs;
    for (const [requestId, request] of this.gets) {
      if (request.startedMs > startedBeforeMs) return;
      if (request.isHedged || request.isAnswered) continue;
      request.isHedged = true;
      if (this.askNext(context, requestId, request)) this.counters.hedgeCount++;
    }
  }

  private endOverdue(context: Context): void {
    for (const [requestId, request] of this.gets) {
      if (context.nowMs < request.deadlineMs) continue;
      if (!request.isAnswered) {
        this.counters.timeoutCount++;
        this.answerGet(context, request, 'timeout');
      }
      this.endGet(context, requestId, request);
    }
    for (const [requestId, request] of this.puts) {
      if (context.nowMs < request.deadlineMs) continue;
      this.counters.timeoutCount++;
      this.endPut(context, requestId, request, 'timeout');
    }
  }
}
