/** Messages between threads: credits that always come back, backlogs that end, values of every size. */
import { MessageChannel } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import type { ActorAddress, RequestId } from '../../lib/address.ts';
import { type Bucket, isRingletError, string } from '../../lib/index.ts';
import { type Message, MessageKind, ping } from '../../lib/protocol/messages.ts';
import { FramePort, type FramePortLimits } from '../../workers/frame-port.ts';
import { keysOf, openThreads, outcomeOf } from '../helpers/cluster-threads.ts';

const [SOURCE, TARGET] = [1 as ActorAddress, 2 as ActorAddress];
/** Bytes of a frame's header, and of a ping in it. */
const HEADER_SIZE = 13;
const PING_SIZE = 8 + 9;

/** Two ends of a link; `received` are the numbers of the pings that came through. */
function openLink(t: ExecutionContext, limits: FramePortLimits) {
  const { port1, port2 } = new MessageChannel();
  const received: number[] = [];
  let wake = () => {};
  const deliver = (_source: ActorAddress, _target: ActorAddress, message: Message) => {
    if (message.kind === MessageKind.Ping) received.push(message.requestId);
    wake();
  };
  const malformed = () => t.fail('malformed');
  const near = new FramePort(port1, limits, { deliver: () => {}, malformed });
  const far = new FramePort(port2, limits, { deliver, malformed });
  t.teardown(() => near.close());
  const until = async (count: number) => {
    while (received.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { near, far, received, until };
}

function sendPing(port: FramePort, id: number): boolean {
  return port.send(SOURCE, TARGET, ping(id as RequestId));
}

test('with credit for one byte all messages arrive, in order', async (t) => {
  const { near, received, until } = openLink(t, { linkCreditBytes: 1, linkBacklogBytes: 1e6 });
  const ids = Array.from({ length: 500 }, (_, index) => index + 1);
  for (const id of ids) {
    t.true(sendPing(near, id));
    if (id % 7 === 0) near.flush();
  }
  near.flush();
  await until(ids.length);
  t.deepEqual(received, ids);
});

test('without credit messages wait, up to a limit; those beyond are refused', async (t) => {
  const countMax = 10;
  const { near, received, until } = openLink(t, {
    linkCreditBytes: 1,
    linkBacklogBytes: HEADER_SIZE + countMax * PING_SIZE,
  });
  sendPing(near, 1);
  near.flush();
  // The credit is used up until the event loop brings the acknowledgement.
  const taken = Array.from({ length: 50 }, (_, index) => sendPing(near, index + 2));
  t.is(taken.filter((isTaken) => isTaken).length, countMax);
  t.is(near.refusedCount, 50 - countMax);
  near.flush();
  await until(1 + countMax);
  t.deepEqual(
    received,
    Array.from({ length: 1 + countMax }, (_, index) => index + 1),
  );
  t.true(sendPing(near, 99));
});

test('a backlog smaller than any message still lets one through at a time', async (t) => {
  const { near, received, until } = openLink(t, { linkCreditBytes: 1, linkBacklogBytes: 1 });
  t.true(sendPing(near, 1));
  t.false(sendPing(near, 2));
  near.flush();
  await until(1);
  t.deepEqual(received, [1]);
});

test('two peers that are both out of credit do not wait for each other', async (t) => {
  const limits = { linkCreditBytes: 1, linkBacklogBytes: 1e6 };
  const { near, far, received, until } = openLink(t, limits);
  for (let id = 1; id <= 200; id++) {
    sendPing(near, id);
    sendPing(far, id);
    near.flush();
    far.flush();
  }
  await until(200);
  t.is(received.length, 200);
});

test('a link that was closed takes messages and loses them, as a network', (t) => {
  const { near } = openLink(t, { linkCreditBytes: 1e6, linkBacklogBytes: 1e6 });
  near.close();
  t.true(sendPing(near, 1));
  t.notThrows(() => near.flush());
});

for (const threads of [1, 3]) {
  test(`nodes on ${threads} thread(s) answer each other`, async (t) => {
    const { cluster } = await openThreads(t, { nodes: 3, threads, requestTimeoutMs: 30_000 });
    const bucket = cluster.bucket('b', { codec: string });
    const keys = keysOf('key', 100);
    await Promise.all(keys.map((key) => bucket.put(key, key, { w: 3 })));
    const entries = await Promise.all(keys.map((key) => bucket.get(key, { r: 3 })));
    t.deepEqual(
      entries.map(({ value }) => value),
      keys,
    );
  });
}

test('the smallest credits and backlogs slow a cluster down and stop nothing', async (t) => {
  const limits = { linkCreditBytes: 1, linkBacklogBytes: 1 };
  const { cluster } = await openThreads(t, {
    nodes: 3,
    threads: 3,
    limits,
    requestTimeoutMs: 30_000,
  });
  const bucket = cluster.bucket('b', { codec: string });
  for (const key of keysOf('key', 50)) {
    await bucket.put(key, key, { w: 3 });
    t.is((await bucket.get(key, { r: 3 })).value, key);
  }
});

test('more than a backlog holds is refused for certain, and what was refused never happens', async (t) => {
  const limits = { linkCreditBytes: 4096, linkBacklogBytes: 4096 };
  const { cluster } = await openThreads(t, {
    nodes: 3,
    threads: 3,
    limits,
    requestTimeoutMs: 2000,
  });
  const bucket = cluster.bucket('b', { codec: string });
  const keys = keysOf('key', 400);
  const outcomes = await Promise.all(keys.map((key) => outcomeOf(bucket.put(key, key))));
  const counts = Map.groupBy(outcomes, (outcome) => outcome);
  t.true(counts.has('ok') && counts.has('RINGLET_OVERLOADED definite'));
  for (const outcome of counts.keys()) {
    t.regex(outcome, /^(ok|RINGLET_OVERLOADED definite|RINGLET_TIMEOUT indefinite)$/);
  }
  for (const [index, key] of keys.entries()) {
    const value = await readPatiently(bucket, key);
    if (outcomes[index] === 'ok') t.is(value, key);
    if (outcomes[index] === 'RINGLET_OVERLOADED definite') t.is(value, undefined);
  }
});

/** Reads a key from all its replicas, again as long as what the burst left in the backlogs loses a message. */
async function readPatiently(bucket: Bucket<string>, key: string): Promise<string | undefined> {
  for (;;) {
    try {
      return (await bucket.get(key, { r: 3 })).value;
    } catch (error) {
      if (!isRingletError(error, 'RINGLET_TIMEOUT')) throw error;
    }
  }
}

test('values larger than all credit pass', async (t) => {
  const limits = { linkCreditBytes: 64 * 1024, linkBacklogBytes: 256 * 1024 };
  const { cluster } = await openThreads(t, {
    nodes: 3,
    threads: 3,
    limits,
    requestTimeoutMs: 30_000,
  });
  const bucket = cluster.bucket('b');
  for (const size of [0, 1, 65_535, 65_536, 3_000_000]) {
    const value = new Uint8Array(size).fill(size % 251);
    await bucket.put(`size ${size}`, value, { w: 3 });
    t.deepEqual((await bucket.get(`size ${size}`, { r: 3 })).value, value);
  }
});
