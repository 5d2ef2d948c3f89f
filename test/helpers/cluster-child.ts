/** Scenarios for a process of its own. None of them calls `process.exit`: what is left open keeps the process alive. */
import { isRingletError } from '../../lib/errors.ts';
import { Cluster, type ClusterOptions, connect, string } from '../../lib/index.ts';
import { keysOf, openThreads } from './cluster-threads.ts';

const scenarios: Record<string, (...parameters: string[]) => Promise<void>> = {
  async life() {
    const cluster = await Cluster.open({ nodes: 5, threads: 2 });
    const client = await connect(await cluster.client());
    await cluster.client();
    const ends: (() => Promise<void>)[] = [];
    for (const { bucket } of [
      { bucket: cluster.bucket('b', { codec: string }) },
      { bucket: client.bucket('b', { codec: string }) },
    ]) {
      await Promise.all(keysOf('k', 20).map((key) => bucket.put(key, key)));
      await Promise.all(keysOf('k', 20).map((key) => bucket.get(key)));
      ends.push(() => bucket.put('late', 'v').then(() => {}));
    }
    await cluster.node('a').kill();
    await cluster.node('a').restart();
    await cluster.network.setDefault({ latencyMs: 10_000 });
    const underWay = Promise.allSettled(ends.map((end) => end()));
    await cluster.close();
    await underWay;
    console.log('done');
  },

  async 'close-while-dying'() {
    const { host, events, nodesOf } = await openThreads(
      { teardown: () => {} },
      { nodes: 4, threads: 2 },
    );
    host.terminateThread(0);
    await events.members('down', nodesOf(0));
    host.terminateThread(1);
    await host.close();
    console.log('done');
  },

  async 'throwing-listener'() {
    const { cluster, host, events, nodesOf } = await openThreads(
      { teardown: () => {} },
      { nodes: 2, threads: 2 },
    );
    process.once('uncaughtException', (error) => console.log(`caught: ${error.message}`));
    const end = cluster.onEvent(() => {
      end();
      throw new Error('mine');
    });
    host.terminateThread(0);
    await events.members('up', nodesOf(0));
    console.log('up again');
    await cluster.close();
  },

  async 'throwing-observer'() {
    const cluster = await Cluster.open({ nodes: 3, threads: 1 });
    let caughtCount = 0;
    const all = Promise.withResolvers<void>();
    process.on('uncaughtException', () => {
      caughtCount++;
      if (caughtCount === 40) all.resolve();
    });
    await cluster.network.observe({ kinds: ['ReplicaPut'] }, () => {
      throw new Error('mine');
    });
    const bucket = cluster.bucket('b', { codec: string });
    await Promise.all(keysOf('k', 20).map((key) => bucket.put(key, key, { w: 3 })));
    await all.promise;
    console.log('caught', caughtCount);
    await cluster.close();
  },

  /** Says how opening a cluster failed. */
  async open(options) {
    try {
      await Cluster.open(JSON.parse(options!) as ClusterOptions);
      console.log('opened');
    } catch (error) {
      if (!isRingletError(error)) throw error;
      console.log(error.code, error.definite, error.message.split('\n')[0]);
    }
  },
};

const [name, ...parameters] = process.argv.slice(2);
await scenarios[name!]!(...parameters);
