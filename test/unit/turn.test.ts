/** The turn: nothing leaves before the commit, failures stop one node alone, work is shared fairly. */
import test from 'ava';
import {
  type ActorAddress,
  clientAddress,
  nodeAddress,
  type PartitionId,
  type RecordKey,
  type RequestId,
} from '../../lib/address.ts';
import { RingletError } from '../../lib/errors.ts';
import { Prng } from '../../lib/prng.ts';
import {
  clientPut,
  clientPutReply,
  coordinatorTimeout,
  type Message,
  MessageKind,
  ping,
  pingReply,
  replicaGet,
  replicaPut,
  replicaPutReply,
} from '../../lib/protocol/messages.ts';
import type { Actor, Context } from '../../lib/runtime/actor.ts';
import { NodeCell } from '../../lib/runtime/node-cell.ts';
import { TurnRunner } from '../../lib/runtime/turn.ts';
import type { PartitionStore } from '../../lib/store/contract.ts';
import { createMemoryImage, openMemoryStore } from '../../lib/store/memory-store.ts';

const client = clientAddress(0);
const [a, b, c] = [nodeAddress(0), nodeAddress(1), nodeAddress(2)];
const mailboxLimits = { mailboxCountMax: 64, mailboxBytesMax: 1_000_000, controlCountMax: 64 };

type Log = string[];
type Receive = (context: Context, source: ActorAddress, message: Message) => void;

/** An actor that does what the test says. */
class ScriptedActor implements Actor {
  readonly queueDepth = 0;
  readonly received: Message[] = [];
  private readonly script: Receive;

  constructor(script: Receive) {
    this.script = script;
  }

  start(): void {}

  receive(context: Context, source: ActorAddress, message: Message): void {
    this.received.push(message);
    this.script(context, source, message);
  }
}

interface Rig {
  readonly runner: TurnRunner;
  /** What happened, in order: commits, messages that left, failures. */
  readonly log: Log;
  readonly sent: { source: ActorAddress; target: ActorAddress; message: Message }[];
  add(address: ActorAddress, script: Receive, overrides?: Overrides): ScriptedActor;
}

/** Methods of a store to replace; its numbers of commits follow from them. */
type Overrides = Omit<Partial<PartitionStore>, 'commitNumber' | 'durableNumber'>;

/** A runner whose messages between its own nodes come back to it, as on a thread. */
function createRig(turnCountMax = 64): Rig {
  const log: Log = [];
  const sent: Rig['sent'] = [];
  const runner: TurnRunner = new TurnRunner(
    { turnCountMax, maintainCountMax: 2 },
    {
      route(source, target, message) {
        log.push(`${source} sends`);
        sent.push({ source, target, message });
        runner.deliver(source, target, message, 1);
      },
      onReleased: () => log.push('released'),
      onCellFailed: (cell, error) => log.push(`${cell.self} failed: ${(error as Error).message}`),
    },
  );
  return {
    runner,
    log,
    sent,
    add(address, script, overrides = {}) {
      const actor = new ScriptedActor(script);
      const store = loggingStore(address, log, overrides);
      const random = new Prng(address);
      runner.add(new NodeCell({ address, actor, store, random, limits: mailboxLimits }));
      return actor;
    },
  };
}

/** A store in memory that notes its commits and its end, with some of its methods replaced. */
function loggingStore(address: ActorAddress, log: Log, overrides: Overrides): PartitionStore {
  const store = openMemoryStore({ incarnation: 1 });
  const [commit, discard] = [store.commit.bind(store), store.discard.bind(store)];
  const noting: Partial<PartitionStore> = {
    commit() {
      log.push(`${address} commits`);
      commit();
    },
    discard() {
      log.push(`${address} discards`);
      discard();
    },
  };
  for (const methods of [noting, overrides]) {
    Object.defineProperties(store, Object.getOwnPropertyDescriptors(methods));
  }
  return store;
}

/** Answers every ping. */
const pong: Receive = (context, source, message) => {
  if (message.kind === MessageKind.Ping) context.send(source, pingReply(message.requestId, 0));
};

const silent: Receive = () => {};

/** A ping that can be told from others. */
function numbered(id: number): Message {
  return ping(id as RequestId);
}

/** A request in the data lane. */
function data(id: number): Message {
  return replicaGet(id as RequestId, 0 as PartitionId, 'k' as RecordKey);
}

test('all stores commit before anything leaves', (t) => {
  const { runner, log, add } = createRig();
  add(a, pong);
  add(b, pong);
  runner.deliver(client, a, numbered(1), 1);
  runner.deliver(client, b, numbered(2), 1);
  runner.run(0, 0);
  t.deepEqual(log, ['0 commits', '1 commits', '0 sends', '1 sends']);
});

test('a node whose commit throws sends nothing and stops; the others go on', (t) => {
  const { runner, log, sent, add } = createRig();
  add(a, pong, {
    commit() {
      throw new Error('broken');
    },
  });
  add(b, pong);
  runner.deliver(client, a, numbered(1), 1);
  runner.deliver(client, b, numbered(2), 1);
  runner.run(0, 0);
  t.deepEqual(log, ['0 discards', '0 failed: broken', '1 commits', '1 sends']);
  t.deepEqual(sent, [{ source: b, target: client, message: pingReply(2 as RequestId, 0) }]);
  t.is(runner.get(a), undefined);
  t.false(runner.deliver(client, a, numbered(3), 1));
});

test('a node whose handler throws sends nothing and stops; the others go on', (t) => {
  const { runner, log, sent, add } = createRig();
  add(a, (context, source, message) => {
    pong(context, source, message);
    if (message.kind === MessageKind.ReplicaGet) throw new Error('bug');
  });
  add(b, pong);
  runner.deliver(client, a, numbered(1), 1);
  runner.deliver(client, a, data(2), 1);
  runner.deliver(client, b, numbered(3), 1);
  runner.run(0, 0);
  t.deepEqual(log, ['0 discards', '0 failed: bug', '1 commits', '1 sends']);
  t.is(sent.length, 1);
  t.is(runner.get(a), undefined);
});

test('what a node put in the turn that failed is not in its store', (t) => {
  for (const isFailing of [false, true]) {
    const { runner, add } = createRig();
    const image = createMemoryImage();
    const store = openMemoryStore({ incarnation: 1, image });
    const receive = () => {
      store.put(0 as PartitionId, 'k' as RecordKey, new Uint8Array(1));
      if (isFailing) throw new Error('after the put');
    };
    add(a, receive, { commit: () => store.commit(), discard: () => store.discard() });
    runner.deliver(client, a, numbered(1), 1);
    runner.run(0, 0);
    const next = openMemoryStore({ incarnation: 2, image });
    t.is(next.get(0 as PartitionId, 'k' as RecordKey) === null, isFailing);
  }
});

test("a disk that is full at the commit refuses the turn's writes for certain, and nothing else leaves", (t) => {
  const { runner, log, sent, add } = createRig();
  const id = (value: number) => value as RequestId;
  const partition = 0 as PartitionId;
  const key = 'k' as RecordKey;
  add(a, (context) => context.send(c, numbered(99)), {
    commit() {
      throw new RingletError('RINGLET_DISK_FULL', 'no room');
    },
  });
  const put = clientPut(id(1), partition, key, 3, 2, false, [], null, 100);
  const messages: [ActorAddress, Message][] = [
    [client, put],
    [b, replicaPut(id(2), partition, key, new Uint8Array(1))],
    [b, replicaPut(id(0), partition, key, new Uint8Array(1))],
    [b, replicaGet(id(3), partition, key)],
  ];
  for (const [source, message] of messages) runner.deliver(source, a, message, 1);
  runner.run(0, 0);
  t.deepEqual(sent, [
    { source: a, target: client, message: clientPutReply(id(1), 'disk-full', 2, 0, [], 0) },
    { source: a, target: b, message: replicaPutReply(id(2), 'disk-full', 0) },
  ]);
  t.is(log.at(-2), '0 discards');
  t.is(runner.get(a), undefined);
});

test('only what the failed turn took is refused, not what earlier turns took', (t) => {
  const { runner, sent, add } = createRig();
  let isFull = false;
  add(a, silent, {
    commit() {
      if (isFull) throw new RingletError('RINGLET_DISK_FULL', 'no room');
    },
  });
  const put = (requestId: number) =>
    clientPut(
      requestId as RequestId,
      0 as PartitionId,
      'k' as RecordKey,
      3,
      2,
      false,
      [],
      null,
      100,
    );
  runner.deliver(client, a, put(1), 1);
  runner.run(0, 0);
  isFull = true;
  runner.deliver(client, a, put(2), 1);
  runner.run(1, 1);
  t.deepEqual(
    sent.map(({ message }) => message),
    [clientPutReply(2 as RequestId, 'disk-full', 2, 0, [], 0)],
  );
});

test('a message to a node of the same thread is input of a later turn', (t) => {
  const { runner, add } = createRig();
  add(a, (context, _source, message) => {
    if (message.kind === MessageKind.ReplicaGet) context.send(b, numbered(1));
  });
  const receiver = add(b, pong);
  runner.deliver(client, a, data(1), 1);
  runner.run(0, 0);
  t.deepEqual(receiver.received, []);
  t.true(runner.hasWork(0));
  runner.run(0, 0);
  t.deepEqual(receiver.received, [numbered(1)]);
});

test('a turn takes no more than its limit, and shares it among the nodes', (t) => {
  const { runner, add } = createRig(6);
  const actors = [a, b, c].map((address) => add(address, silent));
  for (let id = 0; id < 20; id++) runner.deliver(client, a, data(id), 1);
  runner.deliver(client, b, data(1), 1);
  runner.deliver(client, c, data(1), 1);
  runner.run(0, 0);
  t.deepEqual(
    actors.map(({ received }) => received.length),
    [2, 1, 1],
  );
  t.is(runner.messageCount, 4);
  for (let turn = 0; turn < 9; turn++) runner.run(0, 0);
  t.is(actors[0]!.received.length, 20);
  t.false(runner.hasWork(0));
});

test('every node has its turn even where there are more nodes than messages allowed', (t) => {
  const { runner, add } = createRig(1);
  const actors = [a, b, c].map((address) => add(address, silent));
  for (const address of [a, b, c]) runner.deliver(client, address, data(1), 1);
  runner.run(0, 0);
  t.deepEqual(
    actors.map(({ received }) => received.length),
    [1, 1, 1],
  );
});

test('a full mailbox refuses requests with a reply, and drops what expects none', (t) => {
  const { runner, sent, add } = createRig();
  add(a, silent);
  for (let id = 0; id < mailboxLimits.mailboxCountMax; id++) runner.deliver(client, a, data(id), 1);
  t.deepEqual(sent, []);
  const put = replicaPut(7 as RequestId, 0 as PartitionId, 'k' as RecordKey, new Uint8Array(1));
  t.true(runner.deliver(b, a, put, 1));
  t.true(runner.deliver(b, a, replicaPutReply(8 as RequestId, 'stored', 0), 1));
  t.deepEqual(sent, [
    {
      source: a,
      target: b,
      message: replicaPutReply(7 as RequestId, 'overloaded', mailboxLimits.mailboxCountMax),
    },
  ]);
});

test('a paused node does nothing; its mail and timers wait', (t) => {
  const { runner, add } = createRig();
  const actor = add(a, (context, _source, message) => {
    if (message.kind === MessageKind.Ping) context.schedule(5, coordinatorTimeout());
  });
  runner.deliver(client, a, numbered(1), 1);
  runner.run(0, 0);
  const cell = runner.get(a)!;
  cell.state = 'paused';
  runner.deliver(client, a, numbered(2), 1);
  t.false(runner.hasWork(100));
  t.is(runner.dueMs, Number.POSITIVE_INFINITY);
  runner.run(100, 100);
  t.is(actor.received.length, 1);
  cell.state = 'running';
  t.true(runner.hasWork(100));
  runner.run(100, 100);
  t.deepEqual(actor.received.slice(1), [coordinatorTimeout(), numbered(2)]);
});

test('a timer without delay fires in the next turn, not in the one that set it', (t) => {
  const { runner, add } = createRig();
  const actor = add(a, (context) => context.schedule(0, coordinatorTimeout()));
  runner.deliver(client, a, numbered(1), 1);
  runner.run(0, 0);
  t.is(actor.received.length, 1);
  t.true(runner.hasWork(0));
  runner.run(0, 0);
  t.is(actor.received.length, 2);
});

test('time is the same in a whole turn, and each node has its own wall clock', (t) => {
  const { runner, add } = createRig();
  const times: [number, number][] = [];
  for (const address of [a, b]) add(address, ({ nowMs, wallMs }) => times.push([nowMs, wallMs]));
  runner.get(b)!.wallSkewMs = -50;
  for (const address of [a, a, b]) runner.deliver(client, address, numbered(1), 1);
  runner.run(7, 1_000);
  t.deepEqual(times, [
    [7, 1_000],
    [7, 1_000],
    [7, 950],
  ]);
});

test('a node starts once, before its first message', (t) => {
  const { runner, add } = createRig();
  const order: string[] = [];
  const actor = add(a, () => order.push('message'));
  actor.start = () => order.push('start');
  runner.deliver(client, a, numbered(1), 1);
  runner.run(0, 0);
  runner.deliver(client, a, numbered(2), 1);
  runner.run(1, 1);
  t.deepEqual(order, ['start', 'message', 'message']);
});

test('background work goes on, a slice a turn, until none waits', (t) => {
  const { runner, add } = createRig();
  let rest = 5;
  const slices: number[] = [];
  add(a, silent, {
    maintain(countMax) {
      slices.push(countMax);
      rest = Math.max(0, rest - countMax);
      return rest > 0;
    },
  });
  while (runner.hasWork(0)) runner.run(0, 0);
  t.deepEqual(slices, [2, 2, 2]);
});

test('background work that throws stops its node', (t) => {
  const { runner, log, add } = createRig();
  add(a, silent, {
    maintain() {
      throw new Error('disk');
    },
  });
  runner.run(0, 0);
  t.deepEqual(log.slice(1), ['0 discards', '0 failed: disk']);
  t.false(runner.hasWork(0));
});

/** Whether a turn's messages have left. */
const isSent = (rig: Rig) => rig.sent.length > 0;

/** A node that puts a record for each ping and answers it, on a store whose syncs end when told to. */
function addLaggingNode(rig: Rig, address: ActorAddress) {
  let durableNumber = 0;
  let store: PartitionStore | null = null;
  const partition = 0 as PartitionId;
  rig.add(address, (context, source, message) => {
    if (message.kind !== MessageKind.Ping) return;
    if (message.requestId !== 0) {
      const key = `k${message.requestId}` as RecordKey;
      store?.put(partition, key, new Uint8Array(1));
    }
    context.send(source, pingReply(message.requestId, 0));
  });
  const cell = rig.runner.get(address)!;
  store = cell.store;
  Object.defineProperty(store, 'durableNumber', { get: () => durableNumber });
  return {
    cell,
    endSync(commitNumber: number) {
      durableNumber = commitNumber;
      cell.store.onDurable?.(null);
    },
    failSync: () => cell.store.onDurable?.(new Error('the disk is gone')),
  };
}

test('what a turn sends is held until its commit is durable, and mail gathers meanwhile', (t) => {
  const rig = createRig();
  const [asker, target] = [nodeAddress(0), nodeAddress(1)];
  const node = addLaggingNode(rig, target);
  const repliesTo = (...ids: number[]) => ids.map((id) => pingReply(id as RequestId, 0));
  rig.runner.deliver(asker, target, numbered(1), 1);
  rig.runner.run(1, 1);
  for (const id of [2, 3]) rig.runner.deliver(asker, target, numbered(id), 1);
  t.false(rig.runner.hasWork(1), 'nothing to do until the sync ends');
  rig.runner.run(2, 2);
  t.is(node.cell.store.commitNumber, 1);
  t.false(isSent(rig));

  node.endSync(1);
  t.deepEqual(
    rig.sent.splice(0).map(({ message }) => message),
    repliesTo(1),
  );
  t.true(rig.runner.hasWork(2));
  rig.runner.run(3, 3);
  t.is(node.cell.store.commitNumber, 2, 'what gathered is one batch');
  t.false(isSent(rig));
  node.endSync(2);
  t.deepEqual(
    rig.sent.map(({ message }) => message),
    repliesTo(2, 3),
  );
});

test('what rests on nothing that is synced leaves at once; the next turn begins when all syncs have ended', (t) => {
  const rig = createRig();
  const asker = nodeAddress(0);
  const [slow, quick] = [nodeAddress(1), nodeAddress(2)];
  const node = addLaggingNode(rig, slow);
  rig.add(quick, pong);
  const deliver = () => {
    for (const target of [slow, quick]) rig.runner.deliver(asker, target, numbered(1), 1);
  };
  const sources = () => rig.sent.splice(0).map(({ source }) => source);
  deliver();
  rig.runner.run(1, 1);
  t.deepEqual(sources(), [quick]);
  deliver();
  rig.runner.run(2, 2);
  t.deepEqual(sources(), [], 'the slow one is waited for');
  node.endSync(1);
  t.true(rig.log.includes('released'));
  rig.runner.run(3, 3);
  t.deepEqual(sources(), [slow, quick]);
});

test('a node that was killed or paused, or failed, while its sync was under way is not waited for', (t) => {
  for (const stop of ['kill', 'pause', 'fail'] as const) {
    const rig = createRig();
    const [slow, quick] = [nodeAddress(1), nodeAddress(2)];
    const node = addLaggingNode(rig, slow);
    rig.add(quick, pong);
    rig.runner.deliver(nodeAddress(0), slow, numbered(1), 1);
    rig.runner.run(1, 1);
    rig.runner.deliver(nodeAddress(0), quick, numbered(2), 1);
    if (stop === 'kill') rig.runner.remove(slow);
    if (stop === 'pause') rig.runner.pause(slow);
    if (stop === 'fail') node.failSync();
    t.true(rig.log.includes('released'), 'mail that gathered does not lie');
    t.true(rig.runner.hasWork(1), stop);
    rig.runner.run(2, 2);
    t.deepEqual(
      rig.sent.map(({ source }) => source),
      [quick],
      stop,
    );
  }
});

test('a reply that rests on what a sync has not reached waits too', (t) => {
  const rig = createRig();
  const [asker, target] = [nodeAddress(0), nodeAddress(1)];
  const node = addLaggingNode(rig, target);
  node.cell.store.put(0 as PartitionId, 'k' as RecordKey, new Uint8Array(1));
  rig.runner.run(1, 1);
  rig.runner.deliver(asker, target, numbered(0), 1);
  rig.runner.run(2, 2);
  t.false(isSent(rig), 'what it read may not be durable');
  node.endSync(1);
  t.is(rig.sent.length, 1);
});

test('a sync that fails stops the node, and nothing that it held leaves', (t) => {
  const rig = createRig();
  const target = nodeAddress(1);
  const node = addLaggingNode(rig, target);
  rig.runner.deliver(nodeAddress(0), target, numbered(1), 1);
  rig.runner.run(1, 1);
  node.failSync();
  node.endSync(1);
  t.false(isSent(rig));
  t.is(node.cell.state, 'stopped');
  t.true(rig.log.includes(`${target} failed: the disk is gone`));
});

test('a paused node lets nothing go, even if a sync ends', (t) => {
  const rig = createRig();
  const target = nodeAddress(1);
  const node = addLaggingNode(rig, target);
  rig.runner.deliver(nodeAddress(0), target, numbered(1), 1);
  rig.runner.run(1, 1);
  rig.runner.pause(target);
  node.endSync(1);
  t.false(isSent(rig));
  rig.runner.resume(target);
  rig.runner.run(2, 2);
  t.is(rig.sent.length, 1);
});

test('a sync that ends after its node was killed lets nothing go', (t) => {
  const rig = createRig();
  const target = nodeAddress(1);
  const node = addLaggingNode(rig, target);
  rig.runner.deliver(nodeAddress(0), target, numbered(1), 1);
  rig.runner.run(1, 1);
  rig.runner.remove(target);
  node.endSync(1);
  t.false(isSent(rig));
});
