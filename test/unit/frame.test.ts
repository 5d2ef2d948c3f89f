/** Frames: what was put in comes out, one damaged message costs itself alone, and garbage is only ever malformed. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import type { ActorAddress, PartitionId, RecordKey, RequestId } from '../../lib/address.ts';
import { MalformedError } from '../../lib/bytes.ts';
import { FrameBuilder, type FrameSink, readFrame } from '../../lib/protocol/frame.ts';
import {
  type Message,
  memberStatus,
  ping,
  replicaGet,
  replicaGetReply,
  replicaPut,
  replicaPutReply,
} from '../../lib/protocol/messages.ts';

/** Bytes of a frame's header, and of the header of each of its messages. */
const HEADER_SIZE = 13;
const MESSAGE_HEADER_SIZE = 8;

interface Envelope {
  readonly source: ActorAddress;
  readonly target: ActorAddress;
  readonly message: Message;
}

const arbitraryAddress = fc.nat(0xffff).map((address) => address as ActorAddress);
const arbitraryRequest = fc.nat(2 ** 31 - 1).map((id) => id as RequestId);
const arbitraryPartition = fc.nat(0xffff).map((id) => id as PartitionId);
const arbitraryKey = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((bytes) => String.fromCharCode(...bytes) as RecordKey);
const arbitraryRecord = fc.uint8Array({ maxLength: 200 });
const arbitraryMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.tuple(arbitraryRequest, arbitraryPartition, arbitraryKey).map((args) => replicaGet(...args)),
  fc
    .tuple(arbitraryRequest, arbitraryPartition, arbitraryKey, arbitraryRecord)
    .map((args) => replicaPut(...args)),
  fc
    .tuple(arbitraryRequest, fc.option(arbitraryRecord), fc.nat(0xffff))
    .map(([id, record, depth]) => replicaGetReply(id, record ? 'found' : 'missing', record, depth)),
  fc.tuple(arbitraryRequest, fc.nat(0xffff)).map(([id, d]) => replicaPutReply(id, 'stored', d)),
  fc.tuple(arbitraryAddress).map(([member]) => memberStatus(member, 'down')),
  arbitraryRequest.map((id) => ping(id)),
);
const arbitraryEnvelopes = fc.array(
  fc.record({ source: arbitraryAddress, target: arbitraryAddress, message: arbitraryMessage }),
  { maxLength: 20 },
);

/** Keeps what it is given; blobs are views of the frame, so it copies. */
class Inbox implements FrameSink {
  readonly envelopes: Envelope[] = [];
  readonly sizes: number[] = [];
  malformedCount = 0;

  deliver(source: ActorAddress, target: ActorAddress, message: Message, size: number): void {
    this.envelopes.push({ source, target, message: structuredClone(message) });
    this.sizes.push(size);
  }

  malformed(): void {
    this.malformedCount++;
  }
}

function frameOf(envelopes: readonly Envelope[], acknowledgedBytes = 0): Uint8Array<ArrayBuffer> {
  const builder = new FrameBuilder(0);
  for (const { source, target, message } of envelopes) builder.add(source, target, message);
  return builder.take(acknowledgedBytes);
}

/** Where each message's body begins and ends. */
function bodiesOf(frame: Uint8Array): { start: number; end: number }[] {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const bodies: { start: number; end: number }[] = [];
  for (let offset = HEADER_SIZE; offset < frame.length; ) {
    const start = offset + MESSAGE_HEADER_SIZE;
    offset = start + view.getUint32(offset, true);
    bodies.push({ start, end: offset });
  }
  return bodies;
}

testProp(
  'envelopes come out as they were put in, in order',
  [arbitraryEnvelopes, fc.nat()],
  (t, envelopes, acknowledgedBytes) => {
    const frame = frameOf(envelopes, acknowledgedBytes);
    const inbox = new Inbox();
    const header = readFrame(frame, inbox);
    t.deepEqual(header, { count: envelopes.length, acknowledgedBytes });
    t.deepEqual(inbox.envelopes, envelopes);
    t.is(inbox.malformedCount, 0);
    t.is(
      inbox.sizes.reduce((sum, size) => sum + size, HEADER_SIZE),
      frame.length,
    );
    t.is(frame.buffer.byteLength, frame.length, 'transferring it sends nothing else');
  },
);

testProp(
  'a builder begins anew after each frame',
  [arbitraryEnvelopes, arbitraryEnvelopes],
  (t, first, second) => {
    const builder = new FrameBuilder(0);
    for (const envelopes of [first, second]) {
      for (const { source, target, message } of envelopes) builder.add(source, target, message);
      t.is(builder.count, envelopes.length);
      t.deepEqual(builder.take(7), frameOf(envelopes, 7));
    }
  },
);

testProp(
  'a damaged message costs itself alone',
  [
    fc.array(
      arbitraryEnvelopes.filter((list) => list.length > 0).map((list) => list[0]!),
      {
        minLength: 1,
        maxLength: 10,
      },
    ),
    fc.nat(),
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
  ],
  (t, envelopes, choice, noise) => {
    const frame = frameOf(envelopes);
    const damaged = choice % envelopes.length;
    const { start, end } = bodiesOf(frame)[damaged]!;
    // No kind has this number, so whatever follows is not a message.
    frame[start] = 0xff;
    for (let offset = start + 1; offset < end; offset++)
      frame[offset] = noise[offset % noise.length]!;
    const inbox = new Inbox();
    t.is(readFrame(frame, inbox).count, envelopes.length);
    t.is(inbox.malformedCount, 1);
    t.deepEqual(inbox.envelopes, envelopes.toSpliced(damaged, 1));
  },
);

testProp(
  'random bytes are read or malformed, nothing else',
  [fc.uint8Array({ maxLength: 400 })],
  (t, noise) => {
    t.true(isReadOrMalformed(noise));
  },
);

testProp(
  'a frame with random bytes in it is read or malformed, nothing else',
  [arbitraryEnvelopes, fc.array(fc.tuple(fc.nat(), fc.nat(0xff)), { minLength: 1, maxLength: 8 })],
  (t, envelopes, changes) => {
    const frame = frameOf(envelopes);
    for (const [position, byte] of changes) frame[position % frame.length] = byte;
    t.true(isReadOrMalformed(frame));
  },
);

testProp(
  'a frame that was cut is malformed',
  [arbitraryEnvelopes, fc.nat()],
  (t, envelopes, choice) => {
    const frame = frameOf(envelopes);
    const cut = frame.subarray(0, choice % frame.length);
    t.throws(() => readFrame(cut, new Inbox()), { instanceOf: MalformedError });
  },
);

test('a frame with bytes after its last message, or of another version, is malformed', (t) => {
  const frame = frameOf([]);
  const longer = new Uint8Array([...frame, 0]);
  t.throws(() => readFrame(longer, new Inbox()), { instanceOf: MalformedError });
  frame[0] = frame[0]! + 1;
  t.throws(() => readFrame(frame, new Inbox()), { instanceOf: MalformedError });
});

function isReadOrMalformed(frame: Uint8Array): boolean {
  try {
    readFrame(frame, new Inbox());
    return true;
  } catch (error) {
    return error instanceof MalformedError;
  }
}
