/** Clients in other threads: a port that was moved to a worker, and used there as the cluster itself. */
import { once } from 'node:events';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import test from 'ava';
import { connect, isRingletError, json, string } from '../../lib/index.ts';
import type { ClientAnswer, ClientCommand } from '../helpers/cluster-client-worker.ts';
import { keysOf, openThreads, outcomeOf, Verdicts } from '../helpers/cluster-threads.ts';

const options = { nodes: 4, threads: 2, requestTimeoutMs: 30_000 };

/** An application's worker thread. */
class ClientWorker {
  private readonly worker = new Worker(
    new URL('../helpers/cluster-client-worker.ts', import.meta.url),
  );
  private readonly waiting = new Map<number, (answer: ClientAnswer) => void>();
  private nextId = 0;

  constructor(t: { teardown(work: () => Promise<unknown>): void }) {
    this.worker.on('message', (answer: ClientAnswer) => this.waiting.get(answer.id)!(answer));
    t.teardown(() => this.worker.terminate());
  }

  send(command: ClientCommand, ports: MessagePort[] = []): Promise<ClientAnswer> {
    const id = this.nextId++;
    this.worker.postMessage({ id, command }, ports);
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
    });
  }

  async connect(port: MessagePort): Promise<string> {
    return (await this.send({ do: 'connect', port }, [port])).outcome;
  }

  async put(key: string, value: string, w = 2): Promise<string> {
    return (await this.send({ do: 'put', key, value, w })).outcome;
  }

  async get(key: string): Promise<readonly string[]> {
    return (await this.send({ do: 'get', key })).siblings;
  }

  /** Lets the thread go, and waits until it has ended by itself. */
  async leave(): Promise<void> {
    this.worker.postMessage({ id: -1, command: { do: 'leave' } satisfies ClientCommand });
    await once(this.worker, 'exit');
  }
}

test('a worker thread reads and writes as the main thread does', async (t) => {
  const { cluster, host } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  const worker = new ClientWorker(t);
  t.is(await worker.connect(await host.openClientPort()), 'ok');
  const keys = keysOf('key', 40);
  await Promise.all(keys.map((key) => worker.put(key, `worker ${key}`)));
  for (const key of keys) t.is((await bucket.get(key)).value, `worker ${key}`);
  await bucket.put('key0', 'main');
  t.deepEqual([...(await worker.get('key0'))].sort(), ['main', 'worker key0']);
  t.is(await worker.put('', 'v'), 'RINGLET_KEY_EMPTY definite');
  t.is(await worker.put('k', 'v', 4), 'RINGLET_QUORUM_IMPOSSIBLE definite');
});

test('nodes that stop and threads that die are known to a worker as well', async (t) => {
  const { cluster, host, events, nodesOf } = await openThreads(t, options);
  const worker = new ClientWorker(t);
  await worker.connect(await host.openClientPort());
  const verdicts = new Verdicts();
  await cluster.network.observe({}, verdicts.add);
  await cluster.network.rule('stall', { kinds: ['ReplicaPut'] }, { type: 'hold' });
  const startedMs = performance.now();
  const put = worker.put('k', 'v');
  await verdicts.next('hold');
  for (const id of cluster.nodeIds) await cluster.node(id).kill();
  t.regex(await put, /^RINGLET_(NODE_STOPPED|QUORUM_UNMET) indefinite$/);
  t.true(performance.now() - startedMs < options.requestTimeoutMs / 2);
  t.is(await worker.put('k', 'v'), 'RINGLET_UNAVAILABLE definite');

  await cluster.network.heal();
  for (const id of cluster.nodeIds) await cluster.node(id).restart();
  await events.members('up', cluster.nodeIds);
  host.terminateThread(0);
  host.terminateThread(1);
  await events.members('down', cluster.nodeIds);
  await events.members('up', [...nodesOf(0), ...nodesOf(1)]);
  // News of nodes and commands reach the worker through different ports.
  while ((await worker.put('k', 'v', 3)) === 'RINGLET_UNAVAILABLE definite');
  const puts = await Promise.all(keysOf('key', 30).map((key) => worker.put(key, key, 3)));
  t.deepEqual([...new Set(puts)], ['ok']);
});

test("a client that connects while threads die is linked with the threads' next lives", async (t) => {
  const { host, events, cluster } = await openThreads(t, options);
  const early = await host.openClientPort();
  host.terminateThread(0);
  host.terminateThread(1);
  const meanwhile = await host.openClientPort();
  await events.members('down', cluster.nodeIds);
  const late = await host.openClientPort();
  await events.members('up', cluster.nodeIds);
  for (const port of [early, meanwhile, late]) {
    const client = await connect(port);
    const bucket = client.bucket('b', { codec: string });
    const puts = keysOf('key', 30).map((key) => outcomeOf(bucket.put(key, key, { w: 3 })));
    t.deepEqual([...new Set(await Promise.all(puts))], ['ok']);
    client.close();
  }
});

test('a cluster that closes ends the requests of its clients and refuses new ones', async (t) => {
  const { cluster, host } = await openThreads(t, options);
  const worker = new ClientWorker(t);
  await worker.connect(await host.openClientPort());
  const unused = await host.openClientPort();
  const verdicts = new Verdicts();
  await cluster.network.observe({}, verdicts.add);
  await cluster.network.rule('stall', { kinds: ['ReplicaPut'] }, { type: 'hold' });
  const put = worker.put('k', 'v');
  await verdicts.next('hold');
  await cluster.close();
  t.is(await put, 'RINGLET_INTERRUPTED indefinite');
  t.is(await worker.put('k', 'v'), 'RINGLET_CLOSED definite');
  const error = await t.throwsAsync(connect(unused));
  t.true(isRingletError(error, 'RINGLET_CLOSED'));
});

test('a client that closes ends its own requests alone; its thread can end', async (t) => {
  const { cluster, host } = await openThreads(t, options);
  const worker = new ClientWorker(t);
  await worker.connect(await host.openClientPort());
  const verdicts = new Verdicts();
  await cluster.network.observe({}, verdicts.add);
  await cluster.network.rule('stall', { kinds: ['ReplicaPut'] }, { type: 'hold' });
  const put = worker.put('k', 'v');
  await verdicts.next('hold');
  await worker.send({ do: 'close' });
  t.is(await put, 'RINGLET_INTERRUPTED indefinite');
  t.is(await worker.put('k', 'v'), 'RINGLET_CLOSED definite');
  await cluster.network.heal();
  t.is(await outcomeOf(cluster.bucket('b', { codec: string }).put('k', 'v')), 'ok');
  await worker.leave();
});

test('a client works in the thread of its cluster too, and one that is disposed is closed', async (t) => {
  const { host } = await openThreads(t, options);
  let bucket = null;
  {
    using client = await connect(await host.openClientPort());
    bucket = client.bucket('b', { codec: json<{ n: number }>() });
    await bucket.put('k', { n: 1 });
    t.deepEqual(await bucket.update('k', (value) => ({ n: value!.n + 1 })), { n: 2 });
  }
  t.is(await outcomeOf(bucket.get('k')), 'RINGLET_CLOSED definite');
});

test('clients that close are forgotten, so there is always room for new ones', async (t) => {
  const { host } = await openThreads(t, { nodes: 1, threads: 1 });
  const ports: MessagePort[] = [];
  while (ports.length < 1023) ports.push(await host.openClientPort());
  t.is(await outcomeOf(host.openClientPort()), 'RINGLET_OVERLOADED definite');
  const closed = ports.map((port) => once(port, 'close'));
  for (const port of ports) port.close();
  await Promise.all(closed);
  const client = await connect(await untilTaken(() => host.openClientPort()));
  t.is(await outcomeOf(client.bucket('b', { codec: string }).put('k', 'v')), 'ok');
  client.close();
});

test('a port that is silent is given up', async (t) => {
  const { RemoteClient } = await import('../../workers/remote-client.ts');
  const { port1, port2 } = new MessageChannel();
  const error = await t.throwsAsync(RemoteClient.connect(port2, 10));
  t.true(isRingletError(error, 'RINGLET_TIMEOUT') && error.definite);
  await once(port1, 'close');
});

/** Tries again, turn by turn of the event loop, while the cluster is full: it learns of closed ports one by one. */
async function untilTaken(open: () => Promise<MessagePort>): Promise<MessagePort> {
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (!isRingletError(error, 'RINGLET_OVERLOADED')) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
