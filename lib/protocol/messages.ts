/**
 * Every message that actors exchange: one interface and one factory per kind, and the table that says
 * who sends it, who answers and what it does to a turn. ARCHITECTURE.md's message table is made from it.
 *
 * Invariants:
 * 1. A message is plain data, made by its factory, never changed after `send`.
 * 2. All fields are always present; absent is `null` or an empty array.
 * 3. A reply that promises durability is sent in the turn that stored what it promises, so it leaves after the commit.
 */

import type { ActorAddress, PartitionId, RecordKey, RequestId } from '../address.ts';
import type { VersionVector } from '../clock/version-vector.ts';

/** Small integers on the wire. Numbers are never used again for another kind. */
export const MessageKind = {
  ClientGet: 1,
  ClientGetReply: 2,
  ClientPut: 3,
  ClientPutReply: 4,
  ReplicaGet: 5,
  ReplicaGetReply: 6,
  ReplicaPut: 7,
  ReplicaPutReply: 8,
  MemberStatus: 9,
  Ping: 10,
  PingReply: 11,
  CoordinatorTimeout: 12,
} as const;
export type MessageKind = (typeof MessageKind)[keyof typeof MessageKind];
export type MessageKindName = keyof typeof MessageKind;

/** Asks a coordinator for a key (Dynamo §4.5). Answered by {@link ClientGetReply}. */
export interface ClientGet {
  readonly kind: typeof MessageKind.ClientGet;
  readonly requestId: RequestId;
  readonly partition: PartitionId;
  readonly key: RecordKey;
  readonly replicationFactor: number;
  readonly readQuorum: number;
  /** `all` asks every replica, so that read repair sees them all. */
  readonly fanout: 'quorum' | 'all';
  /** Milliseconds left when the message was sent. Relative, because threads have different clocks. */
  readonly timeoutMs: number;
}

/** How a read ended. Only `found` and `missing` met the quorum. */
export type GetStatus =
  | 'found'
  | 'missing'
  | 'quorum-unmet'
  | 'unavailable'
  | 'timeout'
  | 'corrupt'
  | 'overloaded';

/** The merged record of R replicas. */
export interface ClientGetReply {
  readonly kind: typeof MessageKind.ClientGetReply;
  readonly requestId: RequestId;
  readonly status: GetStatus;
  /** Replies that were needed, and that came in time. */
  readonly needed: number;
  readonly received: number;
  /** An encoded version set (`lib/clock/version-set.ts`); `null` unless `found`. */
  readonly record: Uint8Array | null;
  /** The replica that answered this read fastest: the next put's coordinator (Dynamo §5). */
  readonly fastest: ActorAddress;
  /** Requests under way at the coordinator: its load as clients see it. */
  readonly queueDepth: number;
}

/** Asks a replica of the key to coordinate a write (Dynamo §4.5). Answered by {@link ClientPutReply}. */
export interface ClientPut {
  readonly kind: typeof MessageKind.ClientPut;
  readonly requestId: RequestId;
  readonly partition: PartitionId;
  readonly key: RecordKey;
  readonly replicationFactor: number;
  readonly writeQuorum: number;
  /** Keep one value, the newest by time, instead of siblings. */
  readonly lastWriterWins: boolean;
  /** What the writer had read. Empty for a blind write. */
  readonly context: VersionVector;
  /** `null` writes a tombstone. */
  readonly value: Uint8Array | null;
  readonly timeoutMs: number;
}

/** How a write ended. `definite` failures are those of {@link isDefinitePutStatus}. */
export type PutStatus =
  | 'stored'
  | 'quorum-unmet'
  | 'unavailable'
  | 'timeout'
  | 'unknown-dot'
  | 'too-many-siblings'
  | 'disk-full'
  | 'corrupt'
  | 'overloaded';

/** W replicas have the write durably, or why not. */
export interface ClientPutReply {
  readonly kind: typeof MessageKind.ClientPutReply;
  readonly requestId: RequestId;
  readonly status: PutStatus;
  readonly needed: number;
  readonly received: number;
  /** The context after the write; empty if siblings remain that the writer has not seen. */
  readonly context: VersionVector;
  readonly queueDepth: number;
}

/** Asks one replica for its record. Answered by {@link ReplicaGetReply}. */
export interface ReplicaGet {
  readonly kind: typeof MessageKind.ReplicaGet;
  readonly requestId: RequestId;
  readonly partition: PartitionId;
  readonly key: RecordKey;
}

/** One replica's record, or why there is none. */
export interface ReplicaGetReply {
  readonly kind: typeof MessageKind.ReplicaGetReply;
  readonly requestId: RequestId;
  readonly status: 'found' | 'missing' | 'corrupt' | 'overloaded';
  readonly record: Uint8Array | null;
  readonly queueDepth: number;
}

/** Asks a replica to merge a record into its own. Carries dots, never the intent to make one. */
export interface ReplicaPut {
  readonly kind: typeof MessageKind.ReplicaPut;
  /** 0 for read repair, which wants no reply. */
  readonly requestId: RequestId;
  readonly partition: PartitionId;
  readonly key: RecordKey;
  readonly record: Uint8Array;
}

/** A replica's answer to {@link ReplicaPut}. `stored` leaves only after the turn that stored it has committed. */
export interface ReplicaPutReply {
  readonly kind: typeof MessageKind.ReplicaPutReply;
  readonly requestId: RequestId;
  readonly status: 'stored' | 'disk-full' | 'corrupt' | 'overloaded';
  readonly queueDepth: number;
}

/** The host tells a node that another one started or stopped. */
export interface MemberStatus {
  readonly kind: typeof MessageKind.MemberStatus;
  readonly member: ActorAddress;
  readonly status: 'up' | 'down';
}

/** Asks for a sign of life, in the control lane. Answered by {@link PingReply}. */
export interface Ping {
  readonly kind: typeof MessageKind.Ping;
  readonly requestId: RequestId;
}

export interface PingReply {
  readonly kind: typeof MessageKind.PingReply;
  readonly requestId: RequestId;
  readonly queueDepth: number;
}

/** A coordinator's own timer: looks for requests to hedge and requests past their deadline. */
export interface CoordinatorTimeout {
  readonly kind: typeof MessageKind.CoordinatorTimeout;
}

export type Message =
  | ClientGet
  | ClientGetReply
  | ClientPut
  | ClientPutReply
  | ReplicaGet
  | ReplicaGetReply
  | ReplicaPut
  | ReplicaPutReply
  | MemberStatus
  | Ping
  | PingReply
  | CoordinatorTimeout;

export function clientGet(
  requestId: RequestId,
  partition: PartitionId,
  key: RecordKey,
  replicationFactor: number,
  readQuorum: number,
  fanout: ClientGet['fanout'],
  timeoutMs: number,
): ClientGet {
  return {
    kind: MessageKind.ClientGet,
    requestId,
    partition,
    key,
    replicationFactor,
    readQuorum,
    fanout,
    timeoutMs,
  };
}

export function clientGetReply(
  requestId: RequestId,
  status: GetStatus,
  needed: number,
  received: number,
  record: Uint8Array | null,
  fastest: ActorAddress,
  queueDepth: number,
): ClientGetReply {
  return {
    kind: MessageKind.ClientGetReply,
    requestId,
    status,
    needed,
    received,
    record,
    fastest,
    queueDepth,
  };
}

export function clientPut(
  requestId: RequestId,
  partition: PartitionId,
  key: RecordKey,
  replicationFactor: number,
  writeQuorum: number,
  lastWriterWins: boolean,
  context: VersionVector,
  value: Uint8Array | null,
  timeoutMs: number,
): ClientPut {
  return {
    kind: MessageKind.ClientPut,
    requestId,
    partition,
    key,
    replicationFactor,
    writeQuorum,
    lastWriterWins,
    context,
    value,
    timeoutMs,
  };
}

export function clientPutReply(
  requestId: RequestId,
  status: PutStatus,
  needed: number,
  received: number,
  context: VersionVector,
  queueDepth: number,
): ClientPutReply {
  return {
    kind: MessageKind.ClientPutReply,
    requestId,
    status,
    needed,
    received,
    context,
    queueDepth,
  };
}

export function replicaGet(
  requestId: RequestId,
  partition: PartitionId,
  key: RecordKey,
): ReplicaGet {
  return { kind: MessageKind.ReplicaGet, requestId, partition, key };
}

export function replicaGetReply(
  requestId: RequestId,
  status: ReplicaGetReply['status'],
  record: Uint8Array | null,
  queueDepth: number,
): ReplicaGetReply {
  return { kind: MessageKind.ReplicaGetReply, requestId, status, record, queueDepth };
}

export function replicaPut(
  requestId: RequestId,
  partition: PartitionId,
  key: RecordKey,
  record: Uint8Array,
): ReplicaPut {
  return { kind: MessageKind.ReplicaPut, requestId, partition, key, record };
}

export function replicaPutReply(
  requestId: RequestId,
  status: ReplicaPutReply['status'],
  queueDepth: number,
): ReplicaPutReply {
  return { kind: MessageKind.ReplicaPutReply, requestId, status, queueDepth };
}

export function memberStatus(member: ActorAddress, status: MemberStatus['status']): MemberStatus {
  return { kind: MessageKind.MemberStatus, member, status };
}

export function ping(requestId: RequestId): Ping {
  return { kind: MessageKind.Ping, requestId };
}

export function pingReply(requestId: RequestId, queueDepth: number): PingReply {
  return { kind: MessageKind.PingReply, requestId, queueDepth };
}

export function coordinatorTimeout(): CoordinatorTimeout {
  return { kind: MessageKind.CoordinatorTimeout };
}

/** One row of the message table. */
export interface MessageTraits {
  readonly name: MessageKindName;
  readonly source: 'client' | 'coordinator' | 'replica' | 'host' | 'any' | 'itself';
  readonly target: 'client' | 'coordinator' | 'replica' | 'node' | 'any' | 'itself';
  /** The kind that answers it. */
  readonly reply: MessageKindName | null;
  /** The mailbox lane. Control goes first and has a limit of its own, so an overloaded node still answers for its health. */
  readonly lane: 'data' | 'control';
  /** What handling it does to the turn's store. */
  readonly effect: 'none' | 'reads' | 'writes';
}

/** What is true of every kind. */
export const messageTraits: Record<MessageKind, MessageTraits> = {
  [MessageKind.ClientGet]: traits(
    'ClientGet',
    'client',
    'coordinator',
    'ClientGetReply',
    'data',
    'reads',
  ),
  [MessageKind.ClientGetReply]: traits(
    'ClientGetReply',
    'coordinator',
    'client',
    null,
    'data',
    'none',
  ),
  [MessageKind.ClientPut]: traits(
    'ClientPut',
    'client',
    'coordinator',
    'ClientPutReply',
    'data',
    'writes',
  ),
  [MessageKind.ClientPutReply]: traits(
    'ClientPutReply',
    'coordinator',
    'client',
    null,
    'data',
    'none',
  ),
  [MessageKind.ReplicaGet]: traits(
    'ReplicaGet',
    'coordinator',
    'replica',
    'ReplicaGetReply',
    'data',
    'reads',
  ),
  [MessageKind.ReplicaGetReply]: traits(
    'ReplicaGetReply',
    'replica',
    'coordinator',
    null,
    'data',
    'none',
  ),
  [MessageKind.ReplicaPut]: traits(
    'ReplicaPut',
    'coordinator',
    'replica',
    'ReplicaPutReply',
    'data',
    'writes',
  ),
  [MessageKind.ReplicaPutReply]: traits(
    'ReplicaPutReply',
    'replica',
    'coordinator',
    null,
    'data',
    'none',
  ),
  [MessageKind.MemberStatus]: traits('MemberStatus', 'host', 'node', null, 'control', 'none'),
  [MessageKind.Ping]: traits('Ping', 'any', 'node', 'PingReply', 'control', 'none'),
  [MessageKind.PingReply]: traits('PingReply', 'any', 'any', null, 'control', 'none'),
  [MessageKind.CoordinatorTimeout]: traits(
    'CoordinatorTimeout',
    'itself',
    'itself',
    null,
    'control',
    'none',
  ),
};

function traits(
  name: MessageKindName,
  source: MessageTraits['source'],
  target: MessageTraits['target'],
  reply: MessageKindName | null,
  lane: MessageTraits['lane'],
  effect: MessageTraits['effect'],
): MessageTraits {
  return { name, source, target, reply, lane, effect };
}

/** The name of a kind, for people. */
export function kindName(kind: MessageKind): MessageKindName {
  return messageTraits[kind].name;
}

/**
 * The answer of a full mailbox: requests are refused with a reply that says so, since nothing of them
 * was done; what expects no reply is dropped, as a network may do.
 */
export function refusalOf(
  message: Message,
  node: ActorAddress,
  queueDepth: number,
): Message | null {
  switch (message.kind) {
    case MessageKind.ClientGet:
      return clientGetReply(
        message.requestId,
        'overloaded',
        message.readQuorum,
        0,
        null,
        node,
        queueDepth,
      );
    case MessageKind.ClientPut:
      return clientPutReply(
        message.requestId,
        'overloaded',
        message.writeQuorum,
        0,
        [],
        queueDepth,
      );
    case MessageKind.ReplicaGet:
      return replicaGetReply(message.requestId, 'overloaded', null, queueDepth);
    case MessageKind.ReplicaPut:
      if (message.requestId === 0) return null;
      return replicaPutReply(message.requestId, 'overloaded', queueDepth);
    default:
      return null;
  }
}

/** The answer to a write whose turn could not be committed because the disk is full. `null` for anything but a write. */
export function diskFullReplyOf(message: Message): Message | null {
  switch (message.kind) {
    case MessageKind.ClientPut:
      return clientPutReply(message.requestId, 'disk-full', message.writeQuorum, 0, [], 0);
    case MessageKind.ReplicaPut:
      return message.requestId === 0 ? null : replicaPutReply(message.requestId, 'disk-full', 0);
    default:
      return null;
  }
}
