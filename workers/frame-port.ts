/**
 * Frames over a message port: one transferred buffer per peer and turn, and credits, because Node.js
 * itself has no back-pressure between threads.
 *
 * Invariants:
 * 1. A frame leaves only while less than `linkCreditBytes` are in flight: sent and not yet acknowledged by the peer.
 * 2. No more than about `linkBacklogBytes` wait here; what exceeds them is refused, never queued.
 * 3. A peer that receives acknowledges before its sender runs out of credit, so nobody waits for ever.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ActorAddress } from '../lib/address.ts';
import { FrameBuilder, type FrameSink, readFrame } from '../lib/protocol/frame.ts';
import type { Message } from '../lib/protocol/messages.ts';

export interface FramePortLimits {
  readonly linkCreditBytes: number;
  readonly linkBacklogBytes: number;
}

/** A peer that has received this share of the credit says so, even if it has nothing else to send. */
const ACKNOWLEDGE_SHARE = 0.25;

export class FramePort {
  private readonly port: MessagePort;
  private readonly limits: FramePortLimits;
  private readonly builder = new FrameBuilder();
  private sentBytes = 0;
  private sentBytesAcknowledged = 0;
  private receivedBytes = 0;
  private receivedBytesAcknowledged = 0;
  /** Messages refused because too much waited. */
  refusedCount = 0;

  constructor(port: MessagePort, limits: FramePortLimits, sink: FrameSink) {
    this.port = port;
    this.limits = limits;
    port.on('message', (frame: ArrayBuffer) => this.receive(new Uint8Array(frame), sink));
  }

  /** Adds a message to the next frame. @returns `false` if too much waits already: the message was not taken. */
  send(source: ActorAddress, target: ActorAddress, message: Message): boolean {
    // An empty frame takes a message of any size: one larger than the limit must still get through.
    if (this.builder.count > 0 && this.builder.size >= this.limits.linkBacklogBytes) {
      this.refusedCount++;
      return false;
    }
    this.builder.add(source, target, message);
    return true;
  }

  /** Sends what was added, if there is credit; what waits goes out when the peer acknowledges. */
  flush(): void {
    const hasCredit = this.sentBytes - this.sentBytesAcknowledged < this.limits.linkCreditBytes;
    const owedBytes = this.receivedBytes - this.receivedBytesAcknowledged;
    const owesAcknowledgement = owedBytes >= this.limits.linkCreditBytes * ACKNOWLEDGE_SHARE;
    // An acknowledgement needs no credit: else two peers without any would wait for each other.
    if (hasCredit && this.builder.count > 0) this.post();
    else if (owesAcknowledgement) this.postAcknowledgement();
  }

  close(): void {
    this.port.close();
  }

  private post(): void {
    const frame = this.builder.take(this.receivedBytes);
    this.receivedBytesAcknowledged = this.receivedBytes;
    this.sentBytes += frame.length;
    this.port.postMessage(frame.buffer, [frame.buffer]);
  }

  private postAcknowledgement(): void {
    const frame = new FrameBuilder(0).take(this.receivedBytes);
    this.receivedBytesAcknowledged = this.receivedBytes;
    this.port.postMessage(frame.buffer, [frame.buffer]);
  }

  private receive(frame: Uint8Array, sink: FrameSink): void {
    const { count, acknowledgedBytes } = readFrame(frame, sink);
    // Frames of nothing but an acknowledgement are outside the count, or they would never end.
    if (count > 0) this.receivedBytes += frame.length;
    this.sentBytesAcknowledged = Math.max(this.sentBytesAcknowledged, acknowledgedBytes);
    this.flush();
  }
}
