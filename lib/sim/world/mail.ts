/**
 * Messages under way in a world: from the links' verdict through the codec into frames, and out of them again.
 *
 * Ends are what frames go between: threads, then clients, then the host. Each pair of ends is a channel, and a lane while
 * it holds a frame. What a node sends to one of the same thread needs no frame, but passes the codec too, so that what two
 * nodes must not share shows.
 *
 * Invariant: frames of one channel arrive in the order in which they were sent, each as a whole.
 */
import { type ActorAddress, CLIENT_ADDRESS_MIN, isClientAddress } from '../../address.ts';
import { assert } from '../../assert.ts';
import { ByteReader, ByteWriter } from '../../bytes.ts';
import type { Network } from '../../network/network.ts';
import { readMessage, writeMessage } from '../../protocol/codec.ts';
import type { Message } from '../../protocol/messages.ts';
import type { Fingerprint } from './fingerprint.ts';
import type { Lanes } from './lanes.ts';

export interface Envelope {
  readonly source: ActorAddress;
  readonly target: ActorAddress;
  readonly message: Message;
}

/** A message at the moment at which the links let it through. */
export interface ObservedEnvelope extends Envelope {
  readonly timeMs: number;
  readonly step: number;
  readonly encoded: Uint8Array;
}

/** What the host says to all nodes of a thread. */
export interface Announcement {
  readonly member: ActorAddress;
  readonly status: 'up' | 'down';
}

/** What one step sent from one end to another. */
interface Frame {
  readonly step: number;
  readonly items: (Envelope | Announcement)[];
}

interface Channel {
  readonly lane: number;
  readonly source: number;
  readonly target: number;
  readonly frames: Frame[];
}

export interface MailOptions {
  readonly threadCount: number;
  readonly clientCount: number;
  /** The lane of the first channel; others follow. */
  readonly firstLane: number;
  readonly clock: { readonly nowMs: number; readonly stepCount: number };
  readonly network: Network;
  readonly lanes: Lanes;
  readonly log: Fingerprint;
  readonly onMessage: ((envelope: ObservedEnvelope) => void) | undefined;
  /** A message arrived at its node or client. */
  readonly deliver: (envelope: Envelope) => void;
  /** The host's word arrived at a thread. */
  readonly announce: (thread: number, announcement: Announcement) => void;
}

export class Mail {
  private readonly options: MailOptions;
  private readonly endCount: number;
  private readonly hostEnd: number;
  private readonly channels: readonly Channel[];
  private readonly writer = new ByteWriter();
  private reader = new ByteReader(new Uint8Array(0));
  /** Messages between nodes of one thread, and from the host to them, delivered when the step that sent them ends. */
  private local: Envelope[] = [];
  /** Messages that the links let through. */
  messageCount = 0;

  constructor(options: MailOptions) {
    this.options = options;
    this.hostEnd = options.threadCount + options.clientCount;
    this.endCount = this.hostEnd + 1;
    this.channels = createChannels(this.endCount, options.firstLane);
  }

  // ------------------------------------------------------------------------------- sending

  /** Asks the links, and sends on what they let through. */
  readonly route = (source: ActorAddress, target: ActorAddress, message: Message): void => {
    const { network, clock } = this.options;
    network.admit(clock.nowMs, source, target, message, this.forward);
  };

  /** Sends what the links let through. */
  readonly forward = (source: ActorAddress, target: ActorAddress, message: Message): void => {
    const { log, onMessage, clock } = this.options;
    writeMessage(this.writer, message);
    const encoded = this.writer.takeSmall();
    const envelope = { source, target, message: this.decode(encoded) };
    this.messageCount++;
    log.word((source << 16) | target);
    log.bytes(encoded);
    if (onMessage !== undefined) {
      onMessage({ ...envelope, timeMs: clock.nowMs, step: clock.stepCount, encoded });
    }
    const sourceEnd = this.endOf(source);
    const targetEnd = this.endOf(target);
    if (sourceEnd === targetEnd) this.local.push(envelope);
    else this.post(sourceEnd, targetEnd, envelope);
  };

  /** The host's word to all nodes of a thread. */
  announce(thread: number, announcement: Announcement): void {
    this.post(this.hostEnd, thread, announcement);
  }

  /** The host's message to a client, which no link judges. */
  postFromHost(envelope: Envelope): void {
    this.post(this.hostEnd, this.endOf(envelope.target), envelope);
  }

  /** Puts a message among those that arrive when the step ends. */
  postLocally(envelope: Envelope): void {
    this.local.push(envelope);
  }

  /** Messages lie one after the other in large blocks: one reader serves all of a block. */
  private decode(encoded: Uint8Array): Message {
    const { buffer, byteOffset, length } = encoded;
    if (this.reader.bytes.buffer !== buffer) this.reader = new ByteReader(new Uint8Array(buffer));
    this.reader.offset = byteOffset;
    const message = readMessage(this.reader);
    assert(this.reader.offset === byteOffset + length, 'a message is read to its end');
    return message;
  }

  private endOf(address: ActorAddress): number {
    const { threadCount } = this.options;
    if (isClientAddress(address)) return threadCount + address - CLIENT_ADDRESS_MIN;
    return address % threadCount;
  }

  private post(source: number, target: number, item: Envelope | Announcement): void {
    const { clock, lanes } = this.options;
    const { frames, lane } = this.channelOf(source, target);
    const last = frames.at(-1);
    if (last?.step === clock.stepCount) {
      last.items.push(item);
      return;
    }
    if (frames.length === 0) lanes.add(lane);
    frames.push({ step: clock.stepCount, items: [item] });
  }

  private channelOf(source: number, target: number): Channel {
    return this.channels[source * this.endCount + target]!;
  }

  // ------------------------------------------------------------------------------- arriving

  /** A step: the oldest frame of a channel arrives. */
  deliverFrame(lane: number): void {
    const { firstLane, lanes, deliver, announce } = this.options;
    const { frames, target } = this.channels[lane - firstLane]!;
    const frame = frames.shift();
    assert(frame !== undefined, 'a ready channel has a frame');
    if (frames.length > 0) lanes.add(lane);
    for (const item of frame.items) {
      if ('member' in item) announce(target, item);
      else deliver(item);
    }
  }

  /** Delivers what goes from a thread to itself, and what that gives rise to: a full mailbox refuses with a message. */
  deliverLocally(): void {
    while (this.local.length > 0) {
      const envelopes = this.local;
      this.local = [];
      for (const envelope of envelopes) this.options.deliver(envelope);
    }
  }

  /** What the host said to a thread arrives now, before what it does next. */
  deliverAnnouncements(thread: number): void {
    const channel = this.channelOf(this.hostEnd, thread);
    const frames = channel.frames.slice();
    this.clear(channel);
    for (const { items } of frames) {
      for (const item of items) if ('member' in item) this.options.announce(thread, item);
    }
  }

  // ------------------------------------------------------------------------------- losing

  /** Loses what is under way to a thread, except what the host said. */
  loseSentTo(thread: number): void {
    for (const channel of this.channels) {
      if (channel.target === thread && channel.source !== this.hostEnd) this.clear(channel);
    }
  }

  private clear(channel: Channel): void {
    channel.frames.length = 0;
    this.options.lanes.remove(channel.lane);
  }
}

/** Channels from every end to every end, by source, then target. */
function createChannels(endCount: number, firstLane: number): Channel[] {
  return Array.from({ length: endCount * endCount }, (_, index) => ({
    lane: firstLane + index,
    source: Math.floor(index / endCount),
    target: index % endCount,
    frames: [],
  }));
}
