/** Clusters that cannot open: a typed error, and nothing is left running, so the process ends by itself. */
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Cluster, isRingletError } from '../../lib/index.ts';
import { runChild } from '../helpers/cluster-process.ts';
import { temporaryFolder } from '../helpers/store-fixture.ts';

async function openInChild(
  t: ExecutionContext,
  dataDir: string,
  nodeOptions: readonly string[] = [],
): Promise<string> {
  const options = JSON.stringify({ dataDir, nodes: 3, threads: 3 });
  const { code, stdout, stderr } = await runChild('open', [options], nodeOptions);
  t.is(stderr, '');
  t.is(code, 0);
  return stdout;
}

test('a store file of another cluster', async (t) => {
  const [own, other] = [temporaryFolder(t), temporaryFolder(t)];
  for (const dataDir of [own, other]) await (await Cluster.open({ dataDir, nodes: 3 })).close();
  fs.copyFileSync(path.join(other, 'b.db'), path.join(own, 'b.db'));
  t.regex(await openInChild(t, own), /^RINGLET_DATADIR_FOREIGN true .*b\.db/);

  const error = await t.throwsAsync(Cluster.open({ dataDir: own, nodes: 3 }));
  t.true(isRingletError(error, 'RINGLET_DATADIR_FOREIGN'), 'the lock was given up as well');
});

test('a directory that another process has open', async (t) => {
  const dataDir = temporaryFolder(t);
  await using cluster = await Cluster.open({ dataDir, nodes: 3 });
  const stdout = await openInChild(t, cluster.dataDir);
  t.regex(stdout, new RegExp(`^RINGLET_DATADIR_LOCKED true .*process ${process.pid} has it open`));
});

test('threads that cannot load', async (t) => {
  const module = `import { isMainThread } from 'node:worker_threads';
    if (!isMainThread) throw new Error('this thread is broken');`;
  const nodeOptions = ['--import', `data:text/javascript,${encodeURIComponent(module)}`];
  const stdout = await openInChild(t, temporaryFolder(t), nodeOptions);
  t.regex(stdout, /^RINGLET_NODE_STOPPED \w+ thread \d ended: this thread is broken/);
});

test('threads that never answer', async (t) => {
  const module = `import { isMainThread } from 'node:worker_threads';
    if (!isMainThread) for (;;);`;
  const nodeOptions = ['--import', `data:text/javascript,${encodeURIComponent(module)}`];
  const options = JSON.stringify({ nodes: 2, threads: 2, controlTimeoutMs: 300 });
  const { code, stdout } = await runChild('open', [options], nodeOptions);
  t.regex(stdout, /^RINGLET_NODE_STOPPED \w+ thread \d ended: .*did not answer/);
  t.is(code, 0);
});
