/** The life of a cluster on threads: opened, used, closed, opened again; nothing is left behind. */
import fs from 'node:fs';
import test from 'ava';
import { Cluster, isRingletError, json, string } from '../../lib/index.ts';
import { runChild } from '../helpers/cluster-process.ts';
import { keysOf, outcomeOf } from '../helpers/cluster-threads.ts';
import { temporaryFolder } from '../helpers/store-fixture.ts';

test('what was put, updated and deleted is so after the directory is opened again', async (t) => {
  const dataDir = temporaryFolder(t);
  const options = { dataDir, nodes: 5, threads: 2 };
  const carts = { codec: json<string[]>() };
  {
    await using cluster = await Cluster.open(options);
    const bucket = cluster.bucket('carts', carts);
    t.is((await bucket.get('new')).value, undefined);
    for (const key of ['kept', 'changed', 'deleted']) await bucket.put(key, [key]);
    t.deepEqual(await bucket.update('changed', (cart = []) => [...cart, 'more']), [
      'changed',
      'more',
    ]);
    await bucket.delete('deleted');
    t.is((await bucket.get('deleted')).value, undefined);
    t.deepEqual((await bucket.get('changed')).value, ['changed', 'more']);
  }
  await using cluster = await Cluster.open(options);
  const bucket = cluster.bucket('carts', carts);
  t.deepEqual((await bucket.get('kept')).value, ['kept']);
  t.deepEqual((await bucket.get('changed')).value, ['changed', 'more']);
  t.is((await bucket.get('deleted')).value, undefined);
});

test('an older copy of a node’s files is noticed, and no name of a write is used twice', async (t) => {
  const dataDir = temporaryFolder(t);
  const options = { dataDir, nodes: 3, threads: 1 };
  const write = async (value: string) => {
    await using cluster = await Cluster.open(options);
    const bucket = cluster.bucket('b', { codec: string, replication: { w: 3 } });
    for (const key of keysOf('k', 20)) await bucket.put(key, value);
    return cluster.openEvents.flatMap(({ type, status }) => (type === 'store' ? [status] : []));
  };
  const files = () => fs.readdirSync(dataDir).filter((name) => name.startsWith('a.db'));
  t.deepEqual(await write('one'), []);
  const copy = temporaryFolder(t);
  for (const name of files()) fs.copyFileSync(`${dataDir}/${name}`, `${copy}/${name}`);
  t.deepEqual(await write('two'), []);
  for (const name of files()) fs.rmSync(`${dataDir}/${name}`);
  for (const name of fs.readdirSync(copy)) fs.copyFileSync(`${copy}/${name}`, `${dataDir}/${name}`);
  t.deepEqual(await write('three'), ['rolled-back']);
  await using cluster = await Cluster.open(options);
  const bucket = cluster.bucket('b', { codec: string });
  for (const key of keysOf('k', 20)) {
    const { siblings } = await bucket.get(key, { fanout: 'all' });
    t.deepEqual([...siblings].sort(), ['one', 'three', 'two'], key);
  }
});

test('a close in the middle of load loses nothing that was acknowledged', async (t) => {
  const dataDir = temporaryFolder(t);
  const options = { dataDir, nodes: 4, threads: 2 };
  const acknowledged = new Set<string>();
  const refused = new Set<string>();
  const cluster = await Cluster.open(options);
  const bucket = cluster.bucket('b', { codec: string });
  const enough = Promise.withResolvers<void>();
  const writers = keysOf('writer', 32).map(async (writer) => {
    for (let index = 0; ; index++) {
      const key = `${writer} ${index}`;
      const outcome = await outcomeOf(bucket.put(key, key));
      if (outcome === 'ok') acknowledged.add(key);
      if (outcome === 'RINGLET_CLOSED definite') refused.add(key);
      if (outcome !== 'ok') return outcome;
      if (acknowledged.size === 500) enough.resolve();
    }
  });
  await enough.promise;
  await cluster.close();
  const outcomes = await Promise.all(writers);
  t.true(outcomes.includes('RINGLET_INTERRUPTED indefinite'), outcomes.join());
  for (const outcome of outcomes)
    t.regex(outcome, /^RINGLET_(INTERRUPTED indefinite|CLOSED definite)$/);

  await using reopened = await Cluster.open(options);
  const found = reopened.bucket('b', { codec: string });
  for (const key of acknowledged) t.is((await found.get(key)).value, key);
  for (const key of refused) t.is((await found.get(key)).value, undefined);
});

test('requests after close are refused, and close may be called again', async (t) => {
  const cluster = await Cluster.open({ nodes: 3, threads: 2 });
  const bucket = cluster.bucket('b', { codec: string });
  await Promise.all([cluster.close(), cluster.close()]);
  await cluster.close();
  t.is(await outcomeOf(bucket.put('k', 'v')), 'RINGLET_CLOSED definite');
  t.is(await outcomeOf(bucket.get('k')), 'RINGLET_CLOSED definite');
  t.is(await outcomeOf(cluster.node('a').restart()), 'RINGLET_CLOSED definite');
  t.is(await outcomeOf(cluster.node('a').kill()), 'RINGLET_CLOSED definite');
  t.is(await outcomeOf(cluster.network.heal()), 'RINGLET_CLOSED definite');
  t.is(await outcomeOf(cluster.stats()), 'RINGLET_CLOSED definite');
  t.is(await outcomeOf(cluster.client()), 'RINGLET_CLOSED definite');
});

test('a temporary directory is private and goes with its cluster', async (t) => {
  let directory = '';
  {
    await using cluster = await Cluster.open({ nodes: 1, threads: 1 });
    directory = cluster.dataDir;
    t.is(fs.statSync(directory).mode & 0o777, 0o700);
    t.true(fs.existsSync(`${directory}/a.db`));
  }
  t.false(fs.existsSync(directory));
});

test('a directory is locked while a cluster is open, and no longer', async (t) => {
  const options = { dataDir: temporaryFolder(t), nodes: 2, threads: 1 };
  const cluster = await Cluster.open(options);
  const error = await t.throwsAsync(Cluster.open(options));
  t.true(isRingletError(error, 'RINGLET_DATADIR_LOCKED'));
  await cluster.close();
  await using again = await Cluster.open(options);
  t.is(again.dataDir, cluster.dataDir);
});

test('a listener that throws does not stop supervision', async (t) => {
  const { code, stdout } = await runChild('throwing-listener');
  t.is(stdout, 'caught: mine\nup again\n');
  t.is(code, 0);
});

test('a process that opens, works and closes ends by itself', async (t) => {
  const { code, stdout, stderr } = await runChild('life');
  t.is(stdout, 'done\n');
  t.is(stderr, '');
  t.is(code, 0);
});

test('a process that closes while threads die ends by itself', async (t) => {
  const { code, stdout, stderr } = await runChild('close-while-dying');
  t.is(stdout, 'done\n');
  t.is(stderr, '');
  t.is(code, 0);
});
