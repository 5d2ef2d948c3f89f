/**
 * The client: sends requests to coordinators that it picks itself from the ring (Dynamo §4.5, the
 * partition-aware client library), and turns replies into results or typed errors.
 *
 * It knows no thread and no timer: {@link ClientLink} carries its messages, and whoever holds it calls
 * {@link Client.sweep} now and then.
 *
 * Invariants:
 * 1. Every request ends exactly once, at the latest with the first sweep after its deadline.
 * 2. A request whose coordinator stopped ends at once; if nothing was sent, its error is definite.
 */
import type { ActorAddress, PartitionId, RecordKey, RequestId } from './address.ts';
import { assert, unreachable } from './assert.ts';
import type { VersionVector } from './clock/version-vector.ts';
import type { Replication } from './config.ts';
import { RingletError } from './errors.ts';
import { LoadEstimates } from './load.ts';
import type { Prng } from './prng.ts';
import {
  type ClientGetReply,
  type ClientPutReply,
  clientGet,
  clientPut,
  type GetStatus,
  type Message,
  MessageKind,
  type PutStatus,
} from './protocol/messages.ts';
import type { PreferenceLists } from './ring/preference-list.ts';

/** What carries a client's messages. */
export interface ClientLink {
  /** Takes a message for a node. @returns `false` if too much waits already: the message was not taken. */
  send(source: ActorAddress, target: ActorAddress, message: Message): boolean;
  /** Monotonic milliseconds. */
  nowMs(): number;
}

export interface ClientOptions {
  readonly address: ActorAddress;
  readonly link: ClientLink;
  readonly preferenceLists: PreferenceLists;
  readonly nodeCount: number;
  readonly random: Prng;
  /** Requests under way before new ones are refused. */
  readonly clientCountMax: number;
}

/** What every request says. Complete; defaults are applied by the bucket. */
export interface RequestSettings {
  readonly replication: Replication;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | null;
}

export interface GetResult {
  /** An encoded version set, `null` if the key is not there. A view of a received frame. */
  readonly record: Uint8Array | null;
  /** The replica that answered fastest. */
  readonly fastest: ActorAddress;
}

/** What a put writes, and on what it is based. */
export interface ClientWrite {
  /** `null` is a tombstone. */
  readonly value: Uint8Array | null;
  readonly context: VersionVector;
  /** The coordinator that the context names, or `null`. */
  readonly preferred: ActorAddress | null;
  readonly lastWriterWins: boolean;
}

export interface PutResult {
  /** The context after the write, `null` if versions remain that the writer has not seen. */
  readonly context: VersionVector | null;
  /** The replica that coordinated it. */
  readonly coordinator: ActorAddress;
}

type Settle = (reply: ClientGetReply | ClientPutReply) => void;

interface Pending {
  readonly operation: 'get' | 'put';
  readonly coordinator: ActorAddress;
  readonly deadlineMs: number;
  readonly settle: Settle;
  readonly reject: (error: RingletError) => void;
  readonly signal: AbortSignal | null;
  readonly onAbort: (() => void) | null;
}

/** The coordinator's share of the time: what is left carries its answer back. */
const COORDINATOR_SHARE = 0.9;
const REPLY_MS_MAX = 50;

export class Client {
  private readonly options: ClientOptions;
  private readonly load: LoadEstimates;
  private readonly isDown: Uint8Array;
  private downCount = 0;
  private readonly pending = new Map<RequestId, Pending>();
  private nextRequestId: number;
  private isClosed = false;

  constructor(options: ClientOptions) {
    this.options = options;
    this.load = new LoadEstimates(options.nodeCount);
    this.isDown = new Uint8Array(options.nodeCount);
    this.nextRequestId = 1 + options.random.int(2 ** 20) * 2 ** 32;
  }

  /** Requests under way. */
  get pendingCount(): number {
    return this.pending.size;
  }

  /**
   * Reads a key's merged record from R replicas.
   *
   * @throws {RingletError} RINGLET_TIMEOUT, RINGLET_QUORUM_UNMET, RINGLET_UNAVAILABLE, RINGLET_OVERLOADED,
   * RINGLET_NODE_STOPPED, RINGLET_RECORD_CORRUPT, RINGLET_ABORTED, RINGLET_CLOSED
   */
  get(
    partition: PartitionId,
    key: RecordKey,
    fanout: 'quorum' | 'all',
    settings: RequestSettings,
  ): Promise<GetResult> {
    return new Promise((resolve, reject) => {
      this.startGet(partition, key, fanout, settings, resolve, reject);
    });
  }

  /** {@link get} with callbacks, for callers that do not wait for promises. Exactly one of the two is called, once. */
  startGet(
    partition: PartitionId,
    key: RecordKey,
    fanout: 'quorum' | 'all',
    settings: RequestSettings,
    onDone: (result: GetResult) => void,
    onFailed: (error: RingletError) => void,
  ): void {
    const { n, r } = settings.replication;
    const coordinator = this.chooseCoordinator(partition, n, r, null);
    this.open(
      'get',
      coordinator,
      settings,
      onFailed,
      (requestId, timeoutMs) => clientGet(requestId, partition, key, n, r, fanout, timeoutMs),
      (reply) => {
        assert(reply.kind === MessageKind.ClientGetReply, 'a get is answered by its reply');
        if (reply.status === 'found' || reply.status === 'missing') {
          onDone({ record: reply.record, fastest: reply.fastest });
        } else {
          onFailed(getError(reply.status, reply));
        }
      },
    );
  }

  /**
   * Writes a value, or a tombstone for `null`, to W replicas.
   *
   * @throws {RingletError} as {@link get}, and RINGLET_CONTEXT_UNKNOWN_DOT, RINGLET_TOO_MANY_SIBLINGS, RINGLET_DISK_FULL
   */
  put(
    partition: PartitionId,
    key: RecordKey,
    write: ClientWrite,
    settings: RequestSettings,
  ): Promise<PutResult> {
    return new Promise((resolve, reject) => {
      this.startPut(partition, key, write, settings, resolve, reject);
    });
  }

  /** {@link put} with callbacks, for callers that do not wait for promises. Exactly one of the two is called, once. */
  startPut(
    partition: PartitionId,
    key: RecordKey,
    { value, context, preferred, lastWriterWins }: ClientWrite,
    settings: RequestSettings,
    onDone: (result: PutResult) => void,
    onFailed: (error: RingletError) => void,
  ): void {
    const { n, w } = settings.replication;
    const coordinator = this.chooseCoordinator(partition, n, w, preferred);
    this.open(
      'put',
      coordinator,
      settings,
      onFailed,
      (requestId, timeoutMs) =>
        clientPut(requestId, partition, key, n, w, lastWriterWins, context, value, timeoutMs),
      (reply) => {
        assert(reply.kind === MessageKind.ClientPutReply, 'a put is answered by its reply');
        if (reply.status !== 'stored') {
          onFailed(putError(reply.status, reply));
          return;
        }
        assert(coordinator !== null, 'someone has stored it');
        onDone({ context: reply.context.length > 0 ? reply.context : null, coordinator });
      },
    );
  }

  /** Takes a message that came for this client. */
  receive(source: ActorAddress, message: Message): void {
    if (message.kind === MessageKind.MemberStatus) {
      this.onMemberStatus(message.member, message.status);
      return;
    }
    const isReply =
      message.kind === MessageKind.ClientGetReply || message.kind === MessageKind.ClientPutReply;
    assert(isReply, 'a client receives replies alone');
    this.load.onReply(source, message.queueDepth);
    // A reply after the deadline, or one that the network repeated, finds nothing.
    this.take(message.requestId)?.settle(message);
  }

  /** Ends the requests that wait for a member that stopped: its answers will not come. */
  onMemberStatus(member: ActorAddress, status: 'up' | 'down'): void {
    const isDown = status === 'down' ? 1 : 0;
    this.downCount += isDown - this.isDown[member]!;
    this.isDown[member] = isDown;
    if (isDown === 0) return;
    this.load.reset(member);
    for (const [requestId, { coordinator, operation }] of this.pending) {
      if (coordinator !== member) continue;
      this.fail(
        requestId,
        new RingletError('RINGLET_NODE_STOPPED', `${operation}: the coordinator stopped`, {
          definite: operation === 'get',
        }),
      );
    }
  }

  /** Ends requests that are past their deadline. Called about every {@link REPLY_MS_MAX} ms while requests are under way. */
  sweep(): void {
    const nowMs = this.options.link.nowMs();
    for (const [requestId, { deadlineMs, operation }] of this.pending) {
      if (nowMs < deadlineMs) continue;
      this.fail(
        requestId,
        new RingletError('RINGLET_TIMEOUT', `${operation}: no answer in time`, {
          definite: operation === 'get',
        }),
      );
    }
  }

  /** Ends all requests under way and refuses new ones. */
  close(): void {
    this.isClosed = true;
    for (const [requestId, { operation }] of this.pending) {
      this.fail(
        requestId,
        new RingletError('RINGLET_INTERRUPTED', `${operation}: the cluster closed`, {
          definite: operation === 'get',
        }),
      );
    }
  }

  /** The preferred replica if it is up, else the better of two random ones; `null` if fewer than the quorum are up. */
  private chooseCoordinator(
    partition: PartitionId,
    n: number,
    quorum: number,
    preferred: ActorAddress | null,
  ): ActorAddress | null {
    const replicas = this.options.preferenceLists.of(partition, n);
    const reachable =
      this.downCount === 0 ? replicas : replicas.filter((node) => this.isDown[node] === 0);
    if (reachable.length < quorum) return null;
    if (preferred !== null && reachable.includes(preferred)) return preferred;
    return this.load.betterOfTwo(reachable, this.options.random);
  }

  private open(
    operation: Pending['operation'],
    coordinator: ActorAddress | null,
    settings: RequestSettings,
    reject: (error: RingletError) => void,
    createMessage: (requestId: RequestId, timeoutMs: number) => Message,
    settle: Settle,
  ): void {
    const { timeoutMs, signal } = settings;
    const { link, address } = this.options;
    const refusal = this.refusal(operation, coordinator, settings);
    if (refusal !== null) {
      reject(refusal);
      return;
    }
    assert(coordinator !== null, 'a refusal covers having no coordinator');
    const requestId = this.nextRequestId++ as RequestId;
    const coordinatorMs = Math.max(timeoutMs * COORDINATOR_SHARE, timeoutMs - REPLY_MS_MAX);
    if (!link.send(address, coordinator, createMessage(requestId, coordinatorMs))) {
      reject(new RingletError('RINGLET_OVERLOADED', `${operation}: too much waits for the node`));
      return;
    }
    this.load.onSent(coordinator);
    const onAbort =
      signal === null ? null : () => this.fail(requestId, abortError(operation, signal, false));
    if (onAbort !== null) signal?.addEventListener('abort', onAbort);
    this.pending.set(requestId, {
      operation,
      coordinator,
      deadlineMs: link.nowMs() + timeoutMs,
      settle,
      reject,
      signal,
      onAbort,
    });
  }

  /** Why a request cannot be sent, or `null`. Nothing has been sent by then, so it is definite. */
  private refusal(
    operation: Pending['operation'],
    coordinator: ActorAddress | null,
    settings: RequestSettings,
  ): RingletError | null {
    if (this.isClosed)
      return new RingletError('RINGLET_CLOSED', `${operation}: the cluster is closed`);
    if (settings.signal?.aborted === true) return abortError(operation, settings.signal, true);
    if (this.pending.size >= this.options.clientCountMax) {
      const count = this.pending.size;
      return new RingletError(
        'RINGLET_OVERLOADED',
        `${operation}: ${count} requests are under way`,
      );
    }
    if (coordinator !== null) return null;
    const { n, r, w } = settings.replication;
    const up = this.options.nodeCount - this.downCount;
    return new RingletError(
      'RINGLET_UNAVAILABLE',
      `${operation}: needs ${operation === 'get' ? r : w} of the key's ${n} replicas, and too few of them are up (${up} of ${this.options.nodeCount} nodes are)`,
    );
  }

  private take(requestId: RequestId): Pending | undefined {
    const pending = this.pending.get(requestId);
    if (pending === undefined) return undefined;
    this.pending.delete(requestId);
    if (pending.onAbort !== null) pending.signal?.removeEventListener('abort', pending.onAbort);
    return pending;
  }

  private fail(requestId: RequestId, error: RingletError): void {
    this.take(requestId)?.reject(error);
  }
}

function abortError(operation: string, signal: AbortSignal, definite: boolean): RingletError {
  return new RingletError('RINGLET_ABORTED', `${operation}: aborted by its signal`, {
    definite: definite || operation === 'get',
    cause: signal.reason,
  });
}

function getError(
  status: Exclude<GetStatus, 'found' | 'missing'>,
  { needed, received }: ClientGetReply,
): RingletError {
  const count = `${received} of ${needed} required replicas answered`;
  const definite = true;
  switch (status) {
    case 'timeout':
      return new RingletError('RINGLET_TIMEOUT', `get: ${count} in time`, { definite });
    case 'quorum-unmet':
      return new RingletError('RINGLET_QUORUM_UNMET', `get: ${count}`, { definite });
    case 'unavailable':
      return new RingletError('RINGLET_UNAVAILABLE', `get: fewer than ${needed} replicas are up`);
    case 'corrupt':
      return new RingletError(
        'RINGLET_RECORD_CORRUPT',
        `get: ${count}, others hold a damaged record`,
        { definite },
      );
    case 'overloaded':
      return new RingletError('RINGLET_OVERLOADED', 'get: the nodes are overloaded');
    default:
      return unreachable(status);
  }
}

function putError(
  status: Exclude<PutStatus, 'stored'>,
  { needed, received }: ClientPutReply,
): RingletError {
  const count = `${received} of ${needed} required replicas stored it`;
  switch (status) {
    case 'timeout':
      return new RingletError('RINGLET_TIMEOUT', `put: ${count} in time`);
    case 'quorum-unmet':
      return new RingletError('RINGLET_QUORUM_UNMET', `put: ${count}`);
    case 'unavailable':
      return new RingletError('RINGLET_UNAVAILABLE', `put: fewer than ${needed} replicas are up`);
    case 'unknown-dot':
      return new RingletError(
        'RINGLET_CONTEXT_UNKNOWN_DOT',
        'put: the context names a write that no node can have made',
      );
    case 'too-many-siblings':
      return new RingletError(
        'RINGLET_TOO_MANY_SIBLINGS',
        'put: the key has as many siblings as it may',
      );
    case 'disk-full':
      return new RingletError('RINGLET_DISK_FULL', "put: the coordinator's disk is full");
    case 'corrupt':
      return new RingletError(
        'RINGLET_RECORD_CORRUPT',
        "put: the coordinator's record is damaged",
        { definite: true },
      );
    case 'overloaded':
      return new RingletError('RINGLET_OVERLOADED', 'put: the node is overloaded');
    default:
      return unreachable(status);
  }
}
