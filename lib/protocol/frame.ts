/**
 * Frames: all that a turn sends from one thread to another, in one buffer.
 *
 * Layout: version (1 byte), count of messages (4), bytes acknowledged (8), then per message its length (4),
 * source (2), target (2) and body. The acknowledgement is the running total of frame bytes that
 * the sender of this frame has handled: the credit that it gives back. A frame of no messages carries that alone.
 *
 * Invariant: one damaged or unknown message costs that message; the others of its frame are delivered.
 */
import type { ActorAddress } from '../address.ts';
import { ByteReader, ByteWriter, MalformedError } from '../bytes.ts';
import { readMessage, writeMessage } from './codec.ts';
import type { Message } from './messages.ts';

const FRAME_VERSION = 1;
const COUNT_OFFSET = 1;
const HEADER_SIZE = 13;
const MESSAGE_HEADER_SIZE = 8;

/** Collects messages and packs them into a frame. Used again after each {@link take}. */
export class FrameBuilder {
  private readonly writer: ByteWriter;
  /** Messages collected so far. */
  count = 0;

  /** @param capacity Bytes to make room for at first. */
  constructor(capacity = 64 * 1024) {
    this.writer = new ByteWriter(Math.max(capacity, HEADER_SIZE));
    this.begin();
  }

  /** Bytes that the frame would have now. */
  get size(): number {
    return this.writer.length;
  }

  add(source: ActorAddress, target: ActorAddress, message: Message): void {
    const start = this.writer.length;
    this.writer.uint32(0);
    this.writer.uint16(source);
    this.writer.uint16(target);
    writeMessage(this.writer, message);
    this.writer.patchUint32(start, this.writer.length - start - MESSAGE_HEADER_SIZE);
    this.count++;
  }

  /** The frame, in a buffer of exactly its size that may be transferred. */
  take(acknowledgedBytes: number): Uint8Array<ArrayBuffer> {
    this.writer.patchUint32(COUNT_OFFSET, this.count);
    this.writer.patchFloat64(COUNT_OFFSET + 4, acknowledgedBytes);
    const frame = this.writer.take();
    this.writer.reset();
    this.begin();
    return frame;
  }

  private begin(): void {
    this.count = 0;
    this.writer.uint8(FRAME_VERSION);
    this.writer.uint32(0);
    this.writer.float64(0);
  }
}

/** Where a frame's messages go. */
export interface FrameSink {
  deliver(source: ActorAddress, target: ActorAddress, message: Message, size: number): void;
  /** Called for each message that could not be read. */
  malformed(source: ActorAddress, target: ActorAddress): void;
}

/** What a frame's header says. */
export interface FrameHeader {
  readonly count: number;
  /** Bytes that the frame's sender has handled. */
  readonly acknowledgedBytes: number;
}

/**
 * Hands every message of a frame to `sink`, in order.
 *
 * @throws {MalformedError} if the frame itself, not a message in it, cannot be read.
 */
export function readFrame(frame: Uint8Array, sink: FrameSink): FrameHeader {
  const reader = new ByteReader(frame);
  if (reader.uint8() !== FRAME_VERSION) throw new MalformedError('frame version');
  const count = reader.uint32();
  const acknowledgedBytes = reader.float64();
  for (let index = 0; index < count; index++) {
    const length = reader.uint32();
    const source = reader.uint16() as ActorAddress;
    const target = reader.uint16() as ActorAddress;
    const start = reader.offset;
    reader.skip(length);
    const end = reader.offset;
    reader.offset = start;
    const message = tryReadMessage(reader);
    if (message !== null && reader.offset === end) {
      sink.deliver(source, target, message, length + MESSAGE_HEADER_SIZE);
    } else {
      reader.offset = end;
      sink.malformed(source, target);
    }
  }
  if (!reader.isAtEnd) throw new MalformedError('bytes after the last message');
  return { count, acknowledgedBytes };
}

function tryReadMessage(reader: ByteReader): Message | null {
  try {
    return readMessage(reader);
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
}
