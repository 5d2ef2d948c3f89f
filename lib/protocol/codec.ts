/**
 * Messages as bytes. Every kind is laid out by hand: fixed fields first, then strings and blobs with
 * their length before them.
 *
 * Invariant: `decode(encode(m))` equals `m` for every message, but that deadlines become whole milliseconds and queue
 * depths stop at 65535. Decoding anything else throws {@link MalformedError}; it never yields a message of a
 * wrong shape. Blobs are views of the input.
 */
import type { ActorAddress, PartitionId, RecordKey, RequestId } from '../address.ts';
import { assert, unreachable } from '../assert.ts';
import { type ByteReader, type ByteWriter, MalformedError } from '../bytes.ts';
import { readVector, writeVector } from '../clock/version-vector.ts';
import * as messages from './messages.ts';
import { type Message, MessageKind } from './messages.ts';

const getStatuses = [
  'found',
  'missing',
  'quorum-unmet',
  'unavailable',
  'timeout',
  'corrupt',
  'overloaded',
] as const satisfies readonly messages.GetStatus[];

const putStatuses = [
  'stored',
  'quorum-unmet',
  'unavailable',
  'timeout',
  'unknown-dot',
  'too-many-siblings',
  'disk-full',
  'corrupt',
  'overloaded',
] as const satisfies readonly messages.PutStatus[];

const replicaGetStatuses = ['found', 'missing', 'corrupt', 'overloaded'] as const;
const replicaPutStatuses = ['stored', 'disk-full', 'corrupt', 'overloaded'] as const;
const fanouts = ['quorum', 'all'] as const;
const memberStatuses = ['up', 'down'] as const;

/** Appends a message, kind first. */
export function writeMessage(writer: ByteWriter, message: Message): void {
  writer.uint8(message.kind);
  switch (message.kind) {
    case MessageKind.ClientGet:
      writer.float64(message.requestId);
      writer.uint16(message.partition);
      writer.uint8(message.replicationFactor);
      writer.uint8(message.readQuorum);
      writeName(writer, fanouts, message.fanout);
      writer.uint32(wholeMs(message.timeoutMs));
      writer.binaryString(message.key);
      return;
    case MessageKind.ClientGetReply:
      writer.float64(message.requestId);
      writeName(writer, getStatuses, message.status);
      writer.uint8(message.needed);
      writer.uint8(message.received);
      writer.uint16(message.fastest);
      writeDepth(writer, message.queueDepth);
      writeOptionalBlob(writer, message.record);
      return;
    case MessageKind.ClientPut:
      writer.float64(message.requestId);
      writer.uint16(message.partition);
      writer.uint8(message.replicationFactor);
      writer.uint8(message.writeQuorum);
      writer.uint8(message.lastWriterWins ? 1 : 0);
      writer.uint32(wholeMs(message.timeoutMs));
      writer.binaryString(message.key);
      writeVector(writer, message.context);
      writeOptionalBlob(writer, message.value);
      return;
    case MessageKind.ClientPutReply:
      writer.float64(message.requestId);
      writeName(writer, putStatuses, message.status);
      writer.uint8(message.needed);
      writer.uint8(message.received);
      writeDepth(writer, message.queueDepth);
      writeVector(writer, message.context);
      return;
    case MessageKind.ReplicaGet:
      writer.float64(message.requestId);
      writer.uint16(message.partition);
      writer.binaryString(message.key);
      return;
    case MessageKind.ReplicaGetReply:
      writer.float64(message.requestId);
      writeName(writer, replicaGetStatuses, message.status);
      writeDepth(writer, message.queueDepth);
      writeOptionalBlob(writer, message.record);
      return;
    case MessageKind.ReplicaPut:
      writer.float64(message.requestId);
      writer.uint16(message.partition);
      writer.binaryString(message.key);
      writer.blob(message.record);
      return;
    case MessageKind.ReplicaPutReply:
      writer.float64(message.requestId);
      writeName(writer, replicaPutStatuses, message.status);
      writeDepth(writer, message.queueDepth);
      return;
    case MessageKind.MemberStatus:
      writer.uint16(message.member);
      writeName(writer, memberStatuses, message.status);
      return;
    case MessageKind.Ping:
      writer.float64(message.requestId);
      return;
    case MessageKind.PingReply:
      writer.float64(message.requestId);
      writeDepth(writer, message.queueDepth);
      return;
    case MessageKind.CoordinatorTimeout:
      return;
    default:
      unreachable(message);
  }
}

/**
 * Reads one message.
 *
 * @throws {MalformedError} on bytes that no message has. An unknown kind is one of them.
 */
export function readMessage(reader: ByteReader): Message {
  const kind = reader.uint8() as MessageKind;
  switch (kind) {
    case MessageKind.ClientGet: {
      const requestId = readRequestId(reader);
      const partition = reader.uint16() as PartitionId;
      const replicationFactor = reader.uint8();
      const readQuorum = reader.uint8();
      const fanout = readName(reader, fanouts);
      const timeoutMs = reader.uint32();
      const key = reader.binaryString() as RecordKey;
      return messages.clientGet(
        requestId,
        partition,
        key,
        replicationFactor,
        readQuorum,
        fanout,
        timeoutMs,
      );
    }
    case MessageKind.ClientGetReply: {
      const requestId = readRequestId(reader);
      const status = readName(reader, getStatuses);
      const needed = reader.uint8();
      const received = reader.uint8();
      const fastest = reader.uint16() as ActorAddress;
      const queueDepth = reader.uint16();
      const record = readOptionalBlob(reader);
      return messages.clientGetReply(
        requestId,
        status,
        needed,
        received,
        record,
        fastest,
        queueDepth,
      );
    }
    case MessageKind.ClientPut: {
      const requestId = readRequestId(reader);
      const partition = reader.uint16() as PartitionId;
      const replicationFactor = reader.uint8();
      const writeQuorum = reader.uint8();
      const lastWriterWins = readFlag(reader);
      const timeoutMs = reader.uint32();
      const key = reader.binaryString() as RecordKey;
      const context = readVector(reader);
      const value = readOptionalBlob(reader);
      return messages.clientPut(
        requestId,
        partition,
        key,
        replicationFactor,
        writeQuorum,
        lastWriterWins,
        context,
        value,
        timeoutMs,
      );
    }
    case MessageKind.ClientPutReply: {
      const requestId = readRequestId(reader);
      const status = readName(reader, putStatuses);
      const needed = reader.uint8();
      const received = reader.uint8();
      const queueDepth = reader.uint16();
      const context = readVector(reader);
      return messages.clientPutReply(requestId, status, needed, received, context, queueDepth);
    }
    case MessageKind.ReplicaGet: {
      const requestId = readRequestId(reader);
      const partition = reader.uint16() as PartitionId;
      return messages.replicaGet(requestId, partition, reader.binaryString() as RecordKey);
    }
    case MessageKind.ReplicaGetReply: {
      const requestId = readRequestId(reader);
      const status = readName(reader, replicaGetStatuses);
      const queueDepth = reader.uint16();
      return messages.replicaGetReply(requestId, status, readOptionalBlob(reader), queueDepth);
    }
    case MessageKind.ReplicaPut: {
      const requestId = readRequestId(reader);
      const partition = reader.uint16() as PartitionId;
      const key = reader.binaryString() as RecordKey;
      return messages.replicaPut(requestId, partition, key, reader.blob());
    }
    case MessageKind.ReplicaPutReply: {
      const requestId = readRequestId(reader);
      const status = readName(reader, replicaPutStatuses);
      return messages.replicaPutReply(requestId, status, reader.uint16());
    }
    case MessageKind.MemberStatus: {
      const member = reader.uint16() as ActorAddress;
      return messages.memberStatus(member, readName(reader, memberStatuses));
    }
    case MessageKind.Ping:
      return messages.ping(readRequestId(reader));
    case MessageKind.PingReply: {
      const requestId = readRequestId(reader);
      return messages.pingReply(requestId, reader.uint16());
    }
    case MessageKind.CoordinatorTimeout:
      return messages.coordinatorTimeout();
    default:
      throw new MalformedError(`unknown message kind ${String(kind satisfies never)}`);
  }
}

/** Deadlines travel as whole milliseconds, rounded up so that a short one does not become none. */
function wholeMs(timeoutMs: number): number {
  return Math.max(1, Math.ceil(timeoutMs));
}

function writeDepth(writer: ByteWriter, queueDepth: number): void {
  writer.uint16(Math.min(queueDepth, 0xffff));
}

function writeName<T extends string>(writer: ByteWriter, names: readonly T[], name: T): void {
  const index = names.indexOf(name);
  assert(index >= 0, 'name outside its table');
  writer.uint8(index);
}

function readName<T extends string>(reader: ByteReader, names: readonly T[]): T {
  const name = names[reader.uint8()];
  if (name === undefined) throw new MalformedError('name outside its table');
  return name;
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.uint8();
  if (flag > 1) throw new MalformedError('flag is neither 0 nor 1');
  return flag === 1;
}

/** Length plus one, so that 0 means absent. */
function writeOptionalBlob(writer: ByteWriter, bytes: Uint8Array | null): void {
  if (bytes === null) {
    writer.uint8(0);
    return;
  }
  writer.varint(bytes.length + 1);
  writer.raw(bytes);
}

function readOptionalBlob(reader: ByteReader): Uint8Array | null {
  const length = reader.varint();
  return length === 0 ? null : reader.raw(length - 1);
}

function readRequestId(reader: ByteReader): RequestId {
  const requestId = reader.float64();
  if (!Number.isSafeInteger(requestId) || requestId < 0) throw new MalformedError('request id');
  return requestId as RequestId;
}
