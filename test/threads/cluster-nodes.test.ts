/** Single nodes: killed, restarted, paused, resumed, looked at, with clocks that are off. */
import test from 'ava';
import { isRingletError, string } from '../../lib/index.ts';
import { addressOf, keysOf, openThreads, outcomeOf, Verdicts } from '../helpers/cluster-threads.ts';

const options = { nodes: 3, threads: 2, requestTimeoutMs: 30_000 };

test('a killed node is out for all, and back for all as soon as it has restarted', async (t) => {
  const { cluster, events } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  const node = cluster.node('b');
  for (const value of keysOf('round', 8)) {
    await node.kill();
    t.false(node.isUp);
    t.is(await node.stats(), null);
    t.is(await outcomeOf(bucket.put('k', value, { w: 3 })), 'RINGLET_UNAVAILABLE definite');
    t.is(await outcomeOf(bucket.get('k', { r: 3 })), 'RINGLET_UNAVAILABLE definite');
    await Promise.all(keysOf(value, 5).map((key) => bucket.put(key, value, { w: 2 })));

    await node.restart();
    t.true(node.isUp);
    // Every thread knows: whoever coordinates counts on all three.
    const puts = keysOf(value, 10).map((key) => outcomeOf(bucket.put(key, value, { w: 3 })));
    t.deepEqual([...new Set(await Promise.all(puts))], ['ok']);
  }
  t.deepEqual(
    events.all.flatMap((event) => (event.type === 'member' ? [event.status] : [])),
    Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? 'down' : 'up')),
  );
});

test('too few nodes up is a definite refusal, and one more is enough', async (t) => {
  const { cluster } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  await Promise.all([cluster.node('a').kill(), cluster.node('b').kill(), cluster.node('b').kill()]);
  t.is(await outcomeOf(bucket.put('k', 'refused')), 'RINGLET_UNAVAILABLE definite');
  t.is(await outcomeOf(bucket.put('k', 'alone', { w: 1 })), 'ok');
  await cluster.node('a').restart();
  const { siblings, context } = await bucket.get('k');
  t.deepEqual(siblings, ['alone']);
  await bucket.put('k', 'two', { context });
  t.is((await bucket.get('k')).value, 'two');
});

test('a request whose coordinator is killed ends at once', async (t) => {
  const { cluster } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  await bucket.put('k', 'v');
  await cluster.network.rule('stall', { kinds: ['ReplicaPut', 'ReplicaGet'] }, { type: 'hold' });
  const verdicts = new Verdicts();
  await cluster.network.observe({}, verdicts.add);
  const put = outcomeOf(bucket.put('k', 'w', { w: 3 }));
  const get = outcomeOf(bucket.get('k', { r: 3 }));
  const startedMs = performance.now();
  for (let held = 0; held < 4; held++) await verdicts.next('hold');
  for (const id of cluster.nodeIds) await cluster.node(id).kill();
  // A coordinator that outlived one of its replicas knew that its quorum was out of reach.
  t.regex(await put, /^RINGLET_(NODE_STOPPED|QUORUM_UNMET) indefinite$/);
  t.regex(await get, /^RINGLET_(NODE_STOPPED|QUORUM_UNMET) definite$/);
  t.true(performance.now() - startedMs < options.requestTimeoutMs / 2);
});

test('a paused node keeps its mail, and what exceeds its mailbox is refused for certain', async (t) => {
  const mailboxCountMax = 16;
  const { cluster, replicasOf } = await openThreads(t, { ...options, limits: { mailboxCountMax } });
  const bucket = cluster.bucket('b', { codec: string, replication: { n: 1 } });
  const keys = keysOf('key', 1000)
    .filter((key) => replicasOf('b', key, 1)[0] === 'a')
    .slice(0, 30);
  const node = cluster.node('a');
  await node.pause();
  const outcomes: string[] = [];
  const puts = keys.map(async (key) => {
    const outcome = await outcomeOf(bucket.put(key, key));
    outcomes.push(outcome);
    return outcome;
  });
  const refused = await Promise.race(puts);
  t.is(refused, 'RINGLET_OVERLOADED definite');
  const stats = (await node.stats())!;
  t.is(stats.state, 'paused');
  t.is(stats.mailboxCount, mailboxCountMax);

  await node.resume();
  const ended = await Promise.all(puts);
  t.is(ended.filter((outcome) => outcome === 'ok').length, mailboxCountMax);
  t.is(ended.filter((outcome) => outcome === refused).length, keys.length - mailboxCountMax);
  for (const [index, key] of keys.entries()) {
    const { value } = await bucket.get(key);
    t.is(value, ended[index] === 'ok' ? key : undefined);
  }
  const after = (await node.stats())!;
  t.is(after.state, 'running');
  t.is(after.mailboxRefusedCount, keys.length - mailboxCountMax);
});

test('a paused node with a full mailbox still learns who is down', async (t) => {
  const { cluster, replicasOf } = await openThreads(t, {
    ...options,
    limits: { mailboxCountMax: 1 },
  });
  const single = cluster.bucket('b', { codec: string, replication: { n: 1 } });
  const key = keysOf('key', 100).find((name) => replicasOf('b', name, 1)[0] === 'a')!;
  await cluster.node('a').pause();
  const puts = [outcomeOf(single.put(key, 'v')), outcomeOf(single.put(key, 'v'))];
  t.is(await Promise.race(puts), 'RINGLET_OVERLOADED definite');
  await cluster.node('b').kill();
  await cluster.node('c').kill();
  await cluster.node('a').resume();
  await Promise.all(puts);
  await cluster.node('b').restart();
  const triple = cluster.bucket('triple', { codec: string });
  // If `a` still counted on `c` it would wait for an answer of it.
  t.is(await outcomeOf(triple.put('k', 'v')), 'ok');
  t.is(await outcomeOf(triple.put('k', 'v', { w: 3 })), 'RINGLET_UNAVAILABLE definite');
});

test('commands to a node that is down or does not exist say so', async (t) => {
  const { cluster } = await openThreads(t, options);
  const node = cluster.node('c');
  await node.kill();
  await node.kill();
  t.is(await outcomeOf(node.pause()), 'RINGLET_NODE_STOPPED definite');
  t.is(await outcomeOf(node.resume()), 'RINGLET_NODE_STOPPED definite');
  const error = t.throws(() => cluster.node('d'));
  t.true(isRingletError(error, 'RINGLET_NODE_UNKNOWN'));
});

test('statistics count since the node started', async (t) => {
  const { cluster } = await openThreads(t, options);
  const bucket = cluster.bucket('b', { codec: string });
  await Promise.all(keysOf('key', 20).map((key) => bucket.put(key, key, { w: 3 })));
  const nodes = (await cluster.stats()).flatMap((thread) => thread.nodes);
  t.deepEqual(
    nodes.map(({ address }) => address).sort(),
    [0, 1, 2].map((index) => addressOf(cluster, cluster.nodeIds[index]!)),
  );
  t.is(
    nodes.reduce((sum, { counters }) => sum + counters.putCount, 0),
    20,
  );
  for (const { store } of nodes) t.is(store.putCount, 20);
  await cluster.node('a').restart();
  t.is((await cluster.node('a').stats())!.counters.putCount, 0);
});

test("with last-writer-wins the newest by its node's clock stays, and a skewed clock survives a restart", async (t) => {
  const { cluster, replicasOf } = await openThreads(t, options);
  const bucket = cluster.bucket('b', {
    codec: string,
    lastWriterWins: true,
    replication: { n: 2, r: 2, w: 1 },
  });
  const [first, second] = replicasOf('b', 'k', 2).map((id) => cluster.node(id));
  const writeApart = async (key: string) => {
    await second!.kill();
    await bucket.put(key, 'earlier');
    await second!.restart();
    await first!.kill();
    await bucket.put(key, 'later');
    await first!.restart();
    return bucket.get(key);
  };
  t.deepEqual((await writeApart('k')).siblings, ['later']);

  await first!.skewClock(3_600_000);
  await first!.restart();
  const { context } = await bucket.get('k');
  await bucket.delete('k', { context });
  const ahead = keysOf('key', 100).find(
    (key) => replicasOf('b', key, 2).join() === [first!.id, second!.id].join(),
  )!;
  t.deepEqual((await writeApart(ahead)).siblings, ['earlier']);
});
