/** The mailbox: lanes, limits, order. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import {
  type ActorAddress,
  nodeAddress,
  type PartitionId,
  type RecordKey,
  type RequestId,
} from '../../lib/address.ts';
import { AssertionError } from '../../lib/assert.ts';
import { type Message, ping, replicaGet } from '../../lib/protocol/messages.ts';
import { Lane, Mailbox } from '../../lib/runtime/mailbox.ts';

const limits = { mailboxCountMax: 3, mailboxBytesMax: 100, controlCountMax: 2 };
const source = nodeAddress(1);

/** A message of the data lane, named by its request id. */
function data(id: number): Message {
  return replicaGet(id as RequestId, 0 as PartitionId, 'k' as RecordKey);
}

/** A message of the control lane. */
function control(id: number): Message {
  return ping(id as RequestId);
}

/** Takes everything out, as a turn does. */
function drain(mailbox: Mailbox): Message[] {
  const messages: Message[] = [];
  for (let lane = mailbox.next; lane !== null; lane = mailbox.next) messages.push(lane.shift());
  return messages;
}

test('control goes first, each lane in the order of arrival', (t) => {
  const mailbox = new Mailbox(limits);
  for (const message of [data(1), control(2), data(3), control(4)]) {
    t.true(mailbox.offer(source, message, 1));
  }
  t.is(mailbox.count, 4);
  t.deepEqual(drain(mailbox), [control(2), control(4), data(1), data(3)]);
  t.is(mailbox.next, null);
});

test('a lane refuses what exceeds its count, and counts it', (t) => {
  const mailbox = new Mailbox(limits);
  const taken = [1, 2, 3, 4, 5].map((id) => mailbox.offer(source, data(id), 1));
  t.deepEqual(taken, [true, true, true, false, false]);
  t.is(mailbox.refusedCount, 2);
  t.deepEqual(drain(mailbox), [data(1), data(2), data(3)]);
});

test('a full data lane leaves room for control, and the other way round', (t) => {
  const mailbox = new Mailbox(limits);
  while (mailbox.offer(source, data(1), 1));
  t.true(mailbox.offer(source, control(2), 1));
  t.true(mailbox.offer(source, control(3), 1));
  t.false(mailbox.offer(source, control(4), 1));

  const other = new Mailbox(limits);
  while (other.offer(source, control(1), 1));
  t.true(other.offer(source, data(2), 1));
});

test('a lane refuses what exceeds its bytes, and takes it again once there is room', (t) => {
  const mailbox = new Mailbox(limits);
  t.true(mailbox.offer(source, data(1), 60));
  t.true(mailbox.offer(source, data(2), 40));
  t.false(mailbox.offer(source, data(3), 1));
  t.is(mailbox.data.bytes, 100);
  mailbox.data.shift();
  t.is(mailbox.data.bytes, 40);
  t.true(mailbox.offer(source, data(3), 60));
});

test('a message larger than the limit passes an empty lane, alone', (t) => {
  const mailbox = new Mailbox(limits);
  t.true(mailbox.offer(source, data(1), 1_000));
  t.false(mailbox.offer(source, data(2), 1));
  t.deepEqual(drain(mailbox), [data(1)]);
  t.true(mailbox.offer(source, data(2), 1));
  t.false(mailbox.offer(source, data(3), 1_000));
});

test('taking from an empty lane is a bug', (t) => {
  t.throws(() => new Lane().shift(), { instanceOf: AssertionError });
  t.throws(() => new Lane().nextSource, { instanceOf: AssertionError });
});

testProp(
  'a lane is a queue, however far it grows and wherever its ring begins',
  [fc.array(fc.oneof(fc.constant(null), fc.nat(200)), { maxLength: 300 })],
  (t, steps) => {
    const lane = new Lane();
    t.is(lane.count, 0);
    const model: { source: ActorAddress; message: Message; size: number }[] = [];
    for (const [index, size] of steps.entries()) {
      if (size === null) {
        const first = model.shift();
        if (first === undefined) continue;
        t.is(lane.nextSource, first.source);
        t.is(lane.shift(), first.message);
      } else {
        const entry = { source: nodeAddress(index % 7), message: data(index), size };
        model.push(entry);
        lane.push(entry.source, entry.message, size);
      }
      t.is(lane.count, model.length);
      t.is(
        lane.bytes,
        model.reduce((sum, entry) => sum + entry.size, 0),
      );
    }
    for (const { message } of model) t.is(lane.shift(), message);
  },
);
