/** The message table and the answers that the runtime gives in a node's stead. */
import test from 'ava';
import {
  nodeAddress,
  type PartitionId,
  type RecordKey,
  type RequestId,
} from '../../lib/address.ts';
import {
  clientGet,
  clientGetReply,
  clientPut,
  clientPutReply,
  coordinatorTimeout,
  diskFullReplyOf,
  kindName,
  type Message,
  MessageKind,
  memberStatus,
  messageTraits,
  ping,
  pingReply,
  refusalOf,
  replicaGet,
  replicaGetReply,
  replicaPut,
  replicaPutReply,
} from '../../lib/protocol/messages.ts';

const id = 9 as RequestId;
const partition = 3 as PartitionId;
const key = '\u0001bk' as RecordKey;
const node = nodeAddress(1);
const bytes = new Uint8Array([1, 2]);

/** One of each kind. */
const samples: Record<keyof typeof MessageKind, Message> = {
  ClientGet: clientGet(id, partition, key, 3, 2, 'quorum', 100),
  ClientGetReply: clientGetReply(id, 'found', 2, 2, bytes, node, 0),
  ClientPut: clientPut(id, partition, key, 3, 2, false, [], bytes, 100),
  ClientPutReply: clientPutReply(id, 'stored', 2, 2, [], 0),
  ReplicaGet: replicaGet(id, partition, key),
  ReplicaGetReply: replicaGetReply(id, 'found', bytes, 0),
  ReplicaPut: replicaPut(id, partition, key, bytes),
  ReplicaPutReply: replicaPutReply(id, 'stored', 0),
  MemberStatus: memberStatus(node, 'up'),
  Ping: ping(id),
  PingReply: pingReply(id, 0),
  CoordinatorTimeout: coordinatorTimeout(),
};

test('every kind has a number of its own, a factory and a row in the table under its name', (t) => {
  const kinds = Object.values(MessageKind);
  t.is(new Set(kinds).size, kinds.length);
  t.deepEqual(
    Object.keys(messageTraits).map(Number),
    [...kinds].sort((x, y) => x - y),
  );
  for (const [name, kind] of Object.entries(MessageKind)) {
    t.is(kindName(kind), name as keyof typeof MessageKind);
    t.is(samples[name as keyof typeof MessageKind].kind, kind);
    t.true(kind >= 1 && kind <= 255, 'fits the byte that frames give it');
  }
});

test('every reply that the table names exists, is called after its request and answers nothing itself', (t) => {
  for (const { name, reply } of Object.values(messageTraits)) {
    if (reply === null) continue;
    t.is(reply, `${name}Reply` as typeof reply);
    t.is(messageTraits[MessageKind[reply]].reply, null);
  }
  const requests = Object.values(messageTraits).filter(({ reply }) => reply !== null);
  const replies = Object.keys(MessageKind).filter((name) => name.endsWith('Reply'));
  t.is(requests.length, replies.length);
});

test('what keeps a node alive travels in the control lane, what clients cause in the data lane', (t) => {
  const control = Object.values(messageTraits).filter(({ lane }) => lane === 'control');
  t.deepEqual(
    control.map(({ name }) => name),
    ['MemberStatus', 'Ping', 'PingReply', 'CoordinatorTimeout'],
  );
});

test('a full mailbox refuses each request with its reply, under its number', (t) => {
  t.deepEqual(
    refusalOf(samples.ClientGet, node, 5),
    clientGetReply(id, 'overloaded', 2, 0, null, node, 5),
  );
  t.deepEqual(refusalOf(samples.ClientPut, node, 5), clientPutReply(id, 'overloaded', 2, 0, [], 5));
  t.deepEqual(refusalOf(samples.ReplicaGet, node, 5), replicaGetReply(id, 'overloaded', null, 5));
  t.deepEqual(refusalOf(samples.ReplicaPut, node, 5), replicaPutReply(id, 'overloaded', 5));
});

test('a full disk is told to writers alone', (t) => {
  t.deepEqual(diskFullReplyOf(samples.ClientPut), clientPutReply(id, 'disk-full', 2, 0, [], 0));
  t.deepEqual(diskFullReplyOf(samples.ReplicaPut), replicaPutReply(id, 'disk-full', 0));
});

test('what expects no reply gets none', (t) => {
  const repair = replicaPut(0 as RequestId, partition, key, bytes);
  t.is(refusalOf(repair, node, 5), null);
  t.is(diskFullReplyOf(repair), null);
  for (const message of Object.values(samples)) {
    const { reply, effect } = messageTraits[message.kind];
    if (reply === null) t.is(refusalOf(message, node, 5), null, kindName(message.kind));
    if (effect !== 'writes') t.is(diskFullReplyOf(message), null, kindName(message.kind));
  }
});
