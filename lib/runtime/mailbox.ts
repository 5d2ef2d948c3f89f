/**
 * A node's mailbox: two bounded lanes. Control goes first and cannot be filled by data, so an overloaded
 * node still answers for its health.
 *
 * Invariant: neither lane exceeds its limits, in messages or in bytes; what does not fit is refused, never queued.
 */
import type { ActorAddress } from '../address.ts';
import { assert } from '../assert.ts';
import { type Message, messageTraits } from '../protocol/messages.ts';

export interface MailboxLimits {
  readonly mailboxCountMax: number;
  readonly mailboxBytesMax: number;
  readonly controlCountMax: number;
}

/** A first-in-first-out queue of messages: a ring whose size is a power of two and grows up to its limit. */
export class Lane {
  private sources: ActorAddress[];
  private messages: (Message | null)[];
  private sizes: number[];
  private head = 0;
  count = 0;
  bytes = 0;

  constructor() {
    this.sources = new Array<ActorAddress>(16);
    this.messages = new Array<Message | null>(16).fill(null);
    this.sizes = new Array<number>(16).fill(0);
  }

  push(source: ActorAddress, message: Message, size: number): void {
    if (this.count === this.messages.length) this.grow();
    const index = (this.head + this.count) & (this.messages.length - 1);
    this.sources[index] = source;
    this.messages[index] = message;
    this.sizes[index] = size;
    this.count++;
    this.bytes += size;
  }

  /** Who sent the message that {@link shift} returns next. */
  get nextSource(): ActorAddress {
    assert(this.count > 0, 'lane is empty');
    return this.sources[this.head]!;
  }

  shift(): Message {
    assert(this.count > 0, 'lane is empty');
    const message = this.messages[this.head]!;
    this.messages[this.head] = null;
    this.bytes -= this.sizes[this.head]!;
    this.head = (this.head + 1) & (this.messages.length - 1);
    this.count--;
    return message;
  }

  private grow(): void {
    const order = (index: number) => (this.head + index) & (this.count - 1);
    const size = this.count * 2;
    this.sources = Array.from({ length: size }, (_, i) => this.sources[order(i)]!);
    this.messages = Array.from({ length: size }, (_, i) =>
      i < this.count ? this.messages[order(i)]! : null,
    );
    this.sizes = Array.from({ length: size }, (_, i) =>
      i < this.count ? this.sizes[order(i)]! : 0,
    );
    this.head = 0;
  }
}

/** Both lanes of one node. */
export class Mailbox {
  readonly control = new Lane();
  readonly data = new Lane();
  private readonly limits: MailboxLimits;
  /** Messages refused since the mailbox was made. */
  refusedCount = 0;

  constructor(limits: MailboxLimits) {
    this.limits = limits;
  }

  get count(): number {
    return this.control.count + this.data.count;
  }

  /** Queues a message in its lane. @returns `false` if the lane is full: the message was not taken. */
  offer(source: ActorAddress, message: Message, size: number): boolean {
    const isControl = messageTraits[message.kind].lane === 'control';
    const lane = isControl ? this.control : this.data;
    const countMax = isControl ? this.limits.controlCountMax : this.limits.mailboxCountMax;
    // An empty lane takes a message of any size: one larger than the limit must still get through.
    const isFull =
      lane.count >= countMax || (lane.count > 0 && lane.bytes + size > this.limits.mailboxBytesMax);
    if (isFull) {
      this.refusedCount++;
      return false;
    }
    lane.push(source, message, size);
    return true;
  }

  /** The lane to take the next message from, or `null` if both are empty. */
  get next(): Lane | null {
    if (this.control.count > 0) return this.control;
    return this.data.count > 0 ? this.data : null;
  }
}
