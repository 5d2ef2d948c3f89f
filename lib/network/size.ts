/**
 * How large a message counts on a link with limited bandwidth: an estimate that needs no encoding and is the
 * same whether or not the message leaves its thread.
 */
import { unreachable } from '../assert.ts';
import { type Message, MessageKind } from '../protocol/messages.ts';

/** Addresses, kind, request, partition, numbers. */
const HEADER_BYTES = 32;

/** An actor and a counter. */
const CONTEXT_ENTRY_BYTES = 16;

/** A fixed header, and the bytes of the key, the value or record, and the context. */
export function messageBytes(message: Message): number {
  switch (message.kind) {
    case MessageKind.ClientGet:
    case MessageKind.ReplicaGet:
      return HEADER_BYTES + message.key.length;
    case MessageKind.ClientGetReply:
    case MessageKind.ReplicaGetReply:
      return HEADER_BYTES + lengthOf(message.record);
    case MessageKind.ClientPut:
      return (
        HEADER_BYTES +
        message.key.length +
        message.context.length * CONTEXT_ENTRY_BYTES +
        lengthOf(message.value)
      );
    case MessageKind.ClientPutReply:
      return HEADER_BYTES + message.context.length * CONTEXT_ENTRY_BYTES;
    case MessageKind.ReplicaPut:
      return HEADER_BYTES + message.key.length + message.record.length;
    case MessageKind.ReplicaPutReply:
    case MessageKind.MemberStatus:
    case MessageKind.Ping:
    case MessageKind.PingReply:
    case MessageKind.CoordinatorTimeout:
      return HEADER_BYTES;
    default:
      return unreachable(message);
  }
}

function lengthOf(bytes: Uint8Array | null): number {
  return bytes === null ? 0 : bytes.length;
}
