/** Messages as bytes: every kind comes back as it went, and nothing else is taken for one. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import type { ActorAddress, PartitionId, RecordKey, RequestId } from '../../lib/address.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../lib/bytes.ts';
import { createActorId, type VersionVector } from '../../lib/clock/version-vector.ts';
import { messageBytes } from '../../lib/network/size.ts';
import { readMessage, writeMessage } from '../../lib/protocol/codec.ts';
import { FrameBuilder, readFrame } from '../../lib/protocol/frame.ts';
import * as messages from '../../lib/protocol/messages.ts';
import { type Message, MessageKind } from '../../lib/protocol/messages.ts';

const requestId = fc.maxSafeNat().map((id) => id as RequestId);
const partition = fc.nat(65_535).map((id) => id as PartitionId);
const key = fc
  .uint8Array({ minLength: 1, maxLength: 80 })
  .map((bytes) => String.fromCharCode(...bytes) as RecordKey);
const address = fc.nat(65_535).map((index) => index as ActorAddress);
const count = fc.integer({ min: 1, max: 16 });
const depth = fc.nat(65_535);
const timeoutMs = fc.integer({ min: 1, max: 3_600_000 });
const blob = fc.uint8Array({ maxLength: 300 });
const optionalBlob = fc.option(blob);
const vector: fc.Arbitrary<VersionVector> = fc
  .uniqueArray(
    fc.record({
      actor: fc
        .tuple(fc.nat(1023), fc.nat(2 ** 37 - 1))
        .map(([node, incarnation]) => createActorId(node, incarnation)),
      counter: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    }),
    { selector: ({ actor }) => actor, maxLength: 8 },
  )
  .map((entries) => entries.toSorted((a, b) => a.actor - b.actor));
const getStatus = fc.constantFrom<messages.GetStatus>(
  'found',
  'missing',
  'quorum-unmet',
  'unavailable',
  'timeout',
  'corrupt',
  'overloaded',
);
const putStatus = fc.constantFrom<messages.PutStatus>(
  'stored',
  'quorum-unmet',
  'unavailable',
  'timeout',
  'unknown-dot',
  'too-many-siblings',
  'disk-full',
  'corrupt',
  'overloaded',
);

/** One arbitrary for each kind; the compiler sees to it that none is missing. */
const arbitraries: Record<keyof typeof MessageKind, fc.Arbitrary<Message>> = {
  ClientGet: fc
    .tuple(requestId, partition, key, count, count, fc.constantFrom('quorum', 'all'), timeoutMs)
    .map((fields) => messages.clientGet(...fields)),
  ClientGetReply: fc
    .tuple(requestId, getStatus, count, count, optionalBlob, address, depth)
    .map((fields) => messages.clientGetReply(...fields)),
  ClientPut: fc
    .tuple(requestId, partition, key, count, count, fc.boolean(), vector, optionalBlob, timeoutMs)
    .map((fields) => messages.clientPut(...fields)),
  ClientPutReply: fc
    .tuple(requestId, putStatus, count, count, vector, depth)
    .map((fields) => messages.clientPutReply(...fields)),
  ReplicaGet: fc.tuple(requestId, partition, key).map((fields) => messages.replicaGet(...fields)),
  ReplicaGetReply: fc
    .tuple(
      requestId,
      fc.constantFrom('found', 'missing', 'corrupt', 'overloaded'),
      optionalBlob,
      depth,
    )
    .map((fields) => messages.replicaGetReply(...fields)),
  ReplicaPut: fc
    .tuple(requestId, partition, key, blob)
    .map((fields) => messages.replicaPut(...fields)),
  ReplicaPutReply: fc
    .tuple(requestId, fc.constantFrom('stored', 'disk-full', 'corrupt', 'overloaded'), depth)
    .map((fields) => messages.replicaPutReply(...fields)),
  MemberStatus: fc
    .tuple(address, fc.constantFrom('up', 'down'))
    .map((fields) => messages.memberStatus(...fields)),
  Ping: requestId.map(messages.ping),
  PingReply: fc.tuple(requestId, depth).map((fields) => messages.pingReply(...fields)),
  CoordinatorTimeout: fc.constant(messages.coordinatorTimeout()),
};

const anyMessage = fc.oneof(...Object.values(arbitraries));

function encode(message: Message): Uint8Array {
  const writer = new ByteWriter(8);
  writeMessage(writer, message);
  return writer.take();
}

/** A message, or `null` if the bytes are none. Any other error passes on. */
function decode(bytes: Uint8Array): { message: Message; end: number } | null {
  const reader = new ByteReader(bytes);
  try {
    return { message: readMessage(reader), end: reader.offset };
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
}

for (const [name, arbitrary] of Object.entries(arbitraries)) {
  testProp(
    `${name} comes back as it went, in no more bytes than it has room to use`,
    [arbitrary],
    (t, message) => {
      const bytes = encode(message);
      t.deepEqual(decode(bytes), { message, end: bytes.length });
      t.is(message.kind, MessageKind[name as keyof typeof MessageKind]);
      t.true(bytes.length <= messageBytes(message) + 16, 'the estimate of links is not far off');
    },
  );

  testProp(
    `${name} cut off anywhere is malformed`,
    [arbitrary, fc.nat()],
    (t, message, position) => {
      const bytes = encode(message);
      t.is(decode(bytes.subarray(0, position % bytes.length)), null);
    },
  );
}

testProp(
  'random bytes are malformed or a message that encodes to them',
  [
    fc
      .tuple(fc.oneof(fc.nat(255), fc.constantFrom(...Object.values(MessageKind))), blob)
      .map(([kind, rest]) => Uint8Array.of(kind, ...rest)),
  ],
  (t, bytes) => {
    const decoded = decode(bytes);
    if (decoded === null || hasOtherEncoding(decoded.message)) return t.pass();
    t.deepEqual(decode(encode(decoded.message))?.message, decoded.message);
    return undefined;
  },
  { numRuns: 2_000 },
);

/** A deadline of 0 ms is written as 1: no client sends one. */
function hasOtherEncoding(message: Message): boolean {
  return 'timeoutMs' in message && message.timeoutMs === 0;
}

testProp(
  'a flipped byte is malformed or another message, and breaks nothing else',
  [anyMessage, fc.nat(), fc.integer({ min: 1, max: 255 })],
  (t, message, position, flip) => {
    const bytes = encode(message);
    const index = position % bytes.length;
    bytes[index] = bytes[index]! ^ flip;
    t.notThrows(() => decode(bytes));
  },
  { numRuns: 1_000 },
);

test('deadlines travel rounded up, and queue depths up to what two bytes hold', (t) => {
  const get = messages.clientGet(
    1 as RequestId,
    0 as PartitionId,
    'k' as RecordKey,
    3,
    2,
    'all',
    0.2,
  );
  t.deepEqual(decode(encode(get))?.message, { ...get, timeoutMs: 1 });
  const reply = messages.pingReply(1 as RequestId, 100_000);
  t.deepEqual(decode(encode(reply))?.message, { ...reply, queueDepth: 65_535 });
});

// ------------------------------------------------------------------------------------------- frames

const envelopes = fc.array(fc.tuple(address, address, anyMessage), { maxLength: 10 });

function buildFrame(content: readonly [ActorAddress, ActorAddress, Message][], bytes = 0) {
  const builder = new FrameBuilder(16);
  for (const [source, target, message] of content) builder.add(source, target, message);
  return builder.take(bytes);
}

/** What a frame delivers, and how many of its messages are malformed. */
function openFrame(frame: Uint8Array) {
  const delivered: [ActorAddress, ActorAddress, Message][] = [];
  let malformedCount = 0;
  const header = readFrame(frame, {
    deliver: (source, target, message) => delivered.push([source, target, message]),
    malformed: () => {
      malformedCount++;
    },
  });
  return { ...header, delivered, malformedCount };
}

testProp(
  'a frame delivers what was added, in order',
  [envelopes, fc.maxSafeNat()],
  (t, content, bytes) => {
    t.deepEqual(openFrame(buildFrame(content, bytes)), {
      count: content.length,
      acknowledgedBytes: bytes,
      delivered: content,
      malformedCount: 0,
    });
  },
);

testProp(
  'a message of an unknown kind costs that message alone',
  [envelopes, fc.nat()],
  (t, content, position) => {
    fc.pre(content.length > 0);
    const index = position % content.length;
    const frame = buildFrame(content);
    const before = buildFrame(content.slice(0, index)).length;
    frame[before + 8] = 255;
    const { delivered, malformedCount } = openFrame(frame);
    t.deepEqual(delivered, content.toSpliced(index, 1));
    t.is(malformedCount, 1);
  },
);

testProp(
  'a frame that is cut off or longer than it says is malformed',
  [envelopes, fc.nat()],
  (t, content, position) => {
    const frame = buildFrame(content);
    const cut = frame.subarray(0, position % frame.length);
    t.throws(() => openFrame(cut), { instanceOf: MalformedError });
    t.throws(() => openFrame(Uint8Array.of(...frame, 0)), { instanceOf: MalformedError });
  },
);
