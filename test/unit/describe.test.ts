/** Messages as text: every kind has its line, and what is long is short in it. */
import test from 'ava';
import {
  bucketPrefix,
  clientAddress,
  nodeAddress,
  type PartitionId,
  type RequestId,
  recordKey,
} from '../../lib/address.ts';
import {
  emptyVersionSet,
  encodeVersionSet,
  updateVersionSet,
} from '../../lib/clock/version-set.ts';
import { createActorId } from '../../lib/clock/version-vector.ts';
import {
  describe,
  describeAddress,
  describeDot,
  describeKey,
  describeRecord,
  describeValue,
  describeVector,
} from '../../lib/protocol/describe.ts';
import {
  clientGet,
  clientGetReply,
  clientPut,
  clientPutReply,
  coordinatorTimeout,
  kindName,
  type Message,
  MessageKind,
  memberStatus,
  ping,
  pingReply,
  replicaGet,
  replicaGetReply,
  replicaPut,
  replicaPutReply,
} from '../../lib/protocol/messages.ts';

const id = (3 * 2 ** 32 + 17) as RequestId;
const repair = 0 as RequestId;
const partition = 5 as PartitionId;
const key = recordKey(bucketPrefix('carts'), 'k17');
const node = nodeAddress(1);
const actor = createActorId(0, 0x2a3f);
const vector = [
  { actor, counter: 7 },
  { actor: createActorId(27, 1), counter: 2 },
];
const value = new TextEncoder().encode('milk');
const record = encodeVersionSet(
  updateVersionSet(emptyVersionSet(false), vector, actor, { value, timestamp: 0 }),
);

const lines: [Message, string][] = [
  [
    clientGet(id, partition, key, 3, 2, 'all', 99.12345),
    'ClientGet #17 p5 carts/k17 n=3 r=2 all 99.123 ms',
  ],
  [
    clientGetReply(id, 'found', 2, 3, record, node, 4),
    'ClientGetReply #17 found 3/2 {a.3f:8="milk" | [a.3f:8 n27.01:2]} fastest b',
  ],
  [
    clientGetReply(id, 'missing', 2, 2, null, node, 4),
    'ClientGetReply #17 missing 2/2 - fastest b',
  ],
  [
    clientPut(id, partition, key, 3, 2, false, vector, value, 500),
    'ClientPut #17 p5 carts/k17 "milk" after [a.3f:7 n27.01:2] n=3 w=2 500 ms',
  ],
  [
    clientPut(id, partition, key, 3, 2, true, [], null, 500),
    'ClientPut #17 p5 carts/k17 tombstone after [] n=3 w=2 lww 500 ms',
  ],
  [
    clientPutReply(id, 'stored', 2, 2, vector, 0),
    'ClientPutReply #17 stored 2/2 [a.3f:7 n27.01:2]',
  ],
  [replicaGet(id, partition, key), 'ReplicaGet #17 p5 carts/k17'],
  [replicaGetReply(id, 'corrupt', null, 0), 'ReplicaGetReply #17 corrupt -'],
  [
    replicaPut(repair, partition, key, record),
    'ReplicaPut repair p5 carts/k17 {a.3f:8="milk" | [a.3f:8 n27.01:2]}',
  ],
  [replicaPutReply(id, 'disk-full', 0), 'ReplicaPutReply #17 disk-full'],
  [memberStatus(node, 'down'), 'MemberStatus b down'],
  [ping(id), 'Ping #17'],
  [pingReply(id, 0), 'PingReply #17'],
  [coordinatorTimeout(), 'CoordinatorTimeout'],
];

for (const [message, line] of lines) test(line, (t) => t.is(describe(message), line));

test('every kind has a line that begins with its name', (t) => {
  const described = new Set(lines.map(([message]) => message.kind));
  t.deepEqual([...described].sort(), Object.values(MessageKind).sort());
  for (const [message] of lines) t.true(describe(message).startsWith(kindName(message.kind)));
});

test('a message of a kind that is not known is a bug', (t) => {
  t.throws(() => describe({ kind: 99 } as unknown as Message));
});

test('addresses', (t) => {
  t.is([0, 25, 26].map((index) => describeAddress(nodeAddress(index))).join(), 'a,z,n26');
  t.is(describeAddress(clientAddress(3)), 'client3');
});

test('keys that are no text stay on their line', (t) => {
  t.is(describeKey(recordKey(bucketPrefix('b'), 'a \n%\u00ff')), 'b/a%20%0a%25%ff');
});

test('values: their start, and their size if that is not all', (t) => {
  const text = (length: number) => new Uint8Array(length).fill(0x78);
  t.is(describeValue(text(0)), '""');
  t.is(describeValue(text(16)), `"${'x'.repeat(16)}"`);
  t.is(describeValue(text(17)), `"${'x'.repeat(16)}"…17`);
  t.is(describeValue(new Uint8Array([0, 10, 255])), '0x000aff');
  t.is(describeValue(new Uint8Array(1000)), `0x${'00'.repeat(16)}…1000`);
});

test('vectors and dots; timestamps by their last digits', (t) => {
  t.is(describeVector([]), '[]');
  const timestamp = 1_767_225_600_250 * 2048;
  t.is(describeDot({ actor, counter: timestamp }), 'a.3f:~5600250');
  t.is(describeDot({ actor, counter: timestamp + 1 }), 'a.3f:~5600250+1');
});

test('records: siblings side by side, last writers marked, and what is damaged', (t) => {
  const both = [actor, createActorId(1, 1)].reduce(
    (set, writer) => updateVersionSet(set, [], writer, { value, timestamp: 0 }),
    emptyVersionSet(false),
  );
  t.is(describeRecord(encodeVersionSet(both)), '{a.3f:1="milk" b.01:1="milk" | [a.3f:1 b.01:1]}');
  const last = updateVersionSet(emptyVersionSet(true), [], actor, { value: null, timestamp: 9 });
  t.is(describeRecord(encodeVersionSet(last)), '{lww a.3f:9=tombstone | [a.3f:9]}');
  t.is(describeRecord(new Uint8Array([255, 1])), '{malformed, 2 bytes}');
});
