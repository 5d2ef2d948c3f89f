/**
 * Messages as text: one line each, short, the same for equal messages, so that traces can be read, searched and
 * compared. Values, ids and incarnations are abbreviated; nobody parses the lines.
 *
 * Nodes are called by their place, `a` to `z`, then `n26`, `n27`, …, as a cluster calls them by default; clients are
 * `client0`, `client1`, …. A dot is `a.3f:7`: the seventh write of node a in the incarnation that ends in 3f.
 */
import {
  type ActorAddress,
  CLIENT_ADDRESS_MIN,
  isClientAddress,
  type PartitionId,
  type RecordKey,
  type RequestId,
  splitRecordKey,
} from '../address.ts';
import { unreachable } from '../assert.ts';
import { MalformedError } from '../bytes.ts';
import { type DottedSibling, decodeVersionSet } from '../clock/version-set.ts';
import {
  type ActorId,
  nodeOfActor,
  type VersionVector,
  type VersionVectorEntry,
} from '../clock/version-vector.ts';
import { kindName, type Message, MessageKind } from './messages.ts';

/** A message as one line: its kind, the request it belongs to, and what it says. */
export function describe(message: Message): string {
  return `${kindName(message.kind)} ${contentOf(message)}`.trimEnd();
}

function contentOf(message: Message): string {
  switch (message.kind) {
    case MessageKind.ClientGet: {
      const { replicationFactor, readQuorum, fanout, timeoutMs } = message;
      const quorum = `n=${replicationFactor} r=${readQuorum} ${fanout}`;
      return `${placeOf(message)} ${quorum} ${describeMs(timeoutMs)}`;
    }
    case MessageKind.ClientGetReply: {
      const { requestId, status, received, needed, record, fastest } = message;
      const counts = `${status} ${received}/${needed}`;
      return `${idOf(requestId)} ${counts} ${describeRecord(record)} fastest ${describeAddress(fastest)}`;
    }
    case MessageKind.ClientPut: {
      const { replicationFactor, writeQuorum, lastWriterWins, value, context, timeoutMs } = message;
      const quorum = `n=${replicationFactor} w=${writeQuorum}${lastWriterWins ? ' lww' : ''}`;
      const write = `${describeValue(value)} after ${describeVector(context)}`;
      return `${placeOf(message)} ${write} ${quorum} ${describeMs(timeoutMs)}`;
    }
    case MessageKind.ClientPutReply: {
      const { requestId, status, received, needed, context } = message;
      return `${idOf(requestId)} ${status} ${received}/${needed} ${describeVector(context)}`;
    }
    case MessageKind.ReplicaGet:
      return placeOf(message);
    case MessageKind.ReplicaGetReply:
      return `${idOf(message.requestId)} ${message.status} ${describeRecord(message.record)}`;
    case MessageKind.ReplicaPut:
      return `${placeOf(message)} ${describeRecord(message.record)}`;
    case MessageKind.ReplicaPutReply:
      return `${idOf(message.requestId)} ${message.status}`;
    case MessageKind.MemberStatus:
      return `${describeAddress(message.member)} ${message.status}`;
    case MessageKind.Ping:
    case MessageKind.PingReply:
      return idOf(message.requestId);
    case MessageKind.CoordinatorTimeout:
      return '';
    default:
      return unreachable(message);
  }
}

interface Placed {
  readonly requestId: RequestId;
  readonly partition: PartitionId;
  readonly key: RecordKey;
}

function placeOf({ requestId, partition, key }: Placed): string {
  return `${idOf(requestId)} p${partition} ${describeKey(key)}`;
}

/** Ids start at a random multiple of this in each life of the asker, and count from there. */
const REQUEST_ID_LIVES = 2 ** 32;

function idOf(requestId: RequestId): string {
  return requestId === 0 ? 'repair' : `#${requestId % REQUEST_ID_LIVES}`;
}

function describeMs(ms: number): string {
  return `${Math.round(ms * 1000) / 1000} ms`;
}

/** A node or a client by name. */
export function describeAddress(address: ActorAddress): string {
  return isClientAddress(address)
    ? `client${address - CLIENT_ADDRESS_MIN}`
    : describeNodeIndex(address);
}

function describeNodeIndex(index: number): string {
  return index < 26 ? String.fromCharCode(97 + index) : `n${index}`;
}

/** A record key as `bucket/key`; bytes that are no printable ASCII are percent-encoded. */
export function describeKey(recordKey: RecordKey): string {
  const { bucket, key } = splitRecordKey(recordKey);
  return `${printable(bucket)}/${printable(key)}`;
}

function printable(binary: string): string {
  return binary.replace(/[^!-$&-~]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** A version vector, such as `[a.3f:7 b.10:2]`. */
export function describeVector(vector: VersionVector): string {
  return `[${vector.map(describeDot).join(' ')}]`;
}

const INCARNATION_DIGITS = 256;

/** A timestamp of a bucket that keeps the last writer is milliseconds times 2048; no count of writes gets that far. */
const TIMESTAMP_MIN = 2 ** 40;
const TICKS_PER_MS = 2048;
/** The digits of a timestamp's milliseconds that tell times of one run apart. */
const TIMESTAMP_DIGITS = 1e7;

/** The name of one write, such as `a.3f:7`. Timestamps are the last digits of their milliseconds: `a.3f:~5600250+1`. */
export function describeDot({ actor, counter }: VersionVectorEntry): string {
  return `${describeActor(actor)}:${counter < TIMESTAMP_MIN ? counter : describeTime(counter)}`;
}

function describeActor(actor: ActorId): string {
  const incarnation = (actor % INCARNATION_DIGITS).toString(16).padStart(2, '0');
  return `${describeNodeIndex(nodeOfActor(actor))}.${incarnation}`;
}

function describeTime(timestamp: number): string {
  const ms = Math.floor(timestamp / TICKS_PER_MS) % TIMESTAMP_DIGITS;
  const tick = timestamp % TICKS_PER_MS;
  return tick === 0 ? `~${ms}` : `~${ms}+${tick}`;
}

/** A replica's record: its siblings by dot, and what it knows besides them, such as `{a.3f:7="milk" | [a.3f:7 b.10:2]}`. */
export function describeRecord(record: Uint8Array | null): string {
  if (record === null) return '-';
  try {
    const { siblings, vector, lastWriterWins } = decodeVersionSet(record);
    const held = siblings.map(describeSibling).join(' ');
    return `{${lastWriterWins ? 'lww ' : ''}${held} | ${describeVector(vector)}}`;
  } catch (error) {
    if (error instanceof MalformedError) return `{malformed, ${record.length} bytes}`;
    throw error;
  }
}

function describeSibling(sibling: DottedSibling): string {
  return `${describeDot(sibling)}=${describeValue(sibling.value)}`;
}

/** Characters of a value that are shown. */
const VALUE_SHOWN = 16;

/** A value: its start as text if it is printable ASCII, else in hexadecimal, and its size if that is not all. */
export function describeValue(value: Uint8Array | null): string {
  if (value === null) return 'tombstone';
  const start = value.subarray(0, VALUE_SHOWN);
  const rest = value.length > VALUE_SHOWN ? `…${value.length}` : '';
  const isText = start.every((byte) => byte >= 0x20 && byte < 0x7f);
  return isText ? `"${String.fromCharCode(...start)}"${rest}` : `0x${hexOf(start)}${rest}`;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
