/** Dynamo §4.4, Data Versioning. Each test names the claim that it checks. */
import test from 'ava';
import type { ActorAddress } from '../../lib/address.ts';
import { contextOf, decodeVersionSet, siblingsOf } from '../../lib/clock/version-set.ts';
import { nodeOfActor, type VersionVector } from '../../lib/clock/version-vector.ts';
import { json } from '../../lib/codec.ts';
import { VirtualFixture } from '../helpers/virtual-fixture.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A cluster in which the test says which node handles a write, as in the paper's figure 3. */
class Figure3 extends VirtualFixture {
  private readonly key = 'D';

  constructor() {
    super({ seed: 3, nodes: 3 });
  }

  private get settings() {
    const { replication, requestTimeoutMs } = this.cluster.config;
    return { replication, timeoutMs: requestTimeoutMs, signal: null };
  }

  async write(value: string, node: ActorAddress, context: VersionVector): Promise<void> {
    const { partition, key } = this.locate(this.key);
    const bytes = encoder.encode(value);
    const write = { value: bytes, context, preferred: node, lastWriterWins: false };
    const put = this.world.clients[0]!.put(partition, key, write, this.settings);
    const { coordinator } = await this.settle(put);
    if (coordinator !== node) throw new Error('another node handled the write');
    await this.cluster.run(1_000);
  }

  /** What a client reads: the values, the context, and the context as the paper prints a clock. */
  async read(names: ReadonlyMap<number, string>) {
    const { partition, key } = this.locate(this.key);
    const get = this.world.clients[0]!.get(partition, key, 'all', this.settings);
    const set = decodeVersionSet((await this.settle(get)).record!);
    const context = contextOf(set);
    const clock = context
      .map(({ actor, counter }) => `(${names.get(nodeOfActor(actor))},${counter})`)
      .sort()
      .join(' ');
    const values = siblingsOf(set).map(({ value }) => decoder.decode(value!));
    return { values: values.sort(), context, clock };
  }
}

test('figure 3: version evolution of an object over time', async (t) => {
  const cluster = new Figure3();
  const [sx, sy, sz] = cluster.nodes as [ActorAddress, ActorAddress, ActorAddress];
  const names = new Map([
    [sx, 'Sx'],
    [sy, 'Sy'],
    [sz, 'Sz'],
  ]);

  await cluster.write('D1', sx, []);
  const d1 = await cluster.read(names);
  t.like(d1, { values: ['D1'], clock: '(Sx,1)' });

  await cluster.write('D2', sx, d1.context);
  const d2 = await cluster.read(names);
  t.like(d2, { values: ['D2'], clock: '(Sx,2)' }, 'D2 descends from D1 and overwrites it');

  // Two clients read D2 and write through different nodes.
  await cluster.write('D3', sy, d2.context);
  t.like(await cluster.read(names), { values: ['D3'], clock: '(Sx,2) (Sy,1)' });
  await cluster.write('D4', sz, d2.context);
  const both = await cluster.read(names);
  t.deepEqual(both.values, ['D3', 'D4'], 'neither descends from the other: both are kept');
  t.is(both.clock, '(Sx,2) (Sy,1) (Sz,1)', 'the context is a summary of both clocks');

  await cluster.write('D5', sx, both.context);
  t.like(await cluster.read(names), { values: ['D5'], clock: '(Sx,3) (Sy,1) (Sz,1)' });
  t.deepEqual(cluster.valuesEverywhere('D'), [['D5'], ['D5'], ['D5']]);
});

test('"Dynamo treats the result of each modification as a new and immutable version of the data"', async (t) => {
  const fixture = new VirtualFixture({ seed: 1, nodes: 3 });
  const { bucket } = fixture;
  const [node] = fixture.replicasOf('k');
  await fixture.putEverywhere('k', 'old');
  const before = fixture.recordAt(node!, 'k')!;
  const copy = before.slice();
  const { context } = await fixture.settle(bucket.get('k'));
  await fixture.putEverywhere('k', 'new', context);
  t.deepEqual(before, copy, 'the old version is replaced, not changed');
  t.deepEqual(fixture.valuesAt(node!, 'k'), ['new']);
});

test('"it allows for multiple versions of an object to be present in the system at the same time"', async (t) => {
  const fixture = new VirtualFixture({ seed: 2, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  await fixture.putEverywhere('k', 'base');
  const { context } = await fixture.settle(bucket.get('k'));
  world.applyNetwork({ type: 'set-default', settings: { latencyMs: 50 } });
  const requests = ['x', 'y'].map((value) => bucket.put('k', value, { context }));
  await fixture.settle(Promise.all(requests));
  await cluster.run(1_000);
  const { siblings } = await fixture.settle(bucket.get('k'));
  t.deepEqual(siblings.toSorted(), ['x', 'y']);
});

test('claim: versions that descend from one another are reconciled by the system, without the client', async (t) => {
  const fixture = new VirtualFixture({ seed: 3, nodes: 3 });
  const { cluster, world, bucket } = fixture;
  await fixture.putEverywhere('k', 'v1');
  const [behind] = fixture.replicasOf('k');
  world.crash(behind!);
  await cluster.run(10);
  const { context } = await fixture.settle(bucket.get('k'));
  await fixture.putEverywhere('k', 'v2', context);
  world.restart(behind!);
  await cluster.run(10);
  t.deepEqual(fixture.valuesAt(behind!, 'k'), ['v1']);
  const { siblings } = await fixture.settle(bucket.get('k', { fanout: 'all', r: 3 }));
  t.deepEqual(siblings, ['v2']);
});

test('claim: an "add to cart" is never forgotten, on both sides of a partition', async (t) => {
  const fixture = new VirtualFixture({ seed: 4, nodes: 3, replication: { n: 3, r: 1, w: 1 } });
  const { cluster, world } = fixture;
  const carts = cluster.bucket<string[]>('carts', {
    codec: json<string[]>(),
    resolve: (carts) => [...new Set(carts.flat())].sort(),
  });
  world.applyNetwork({ type: 'partition', groups: fixture.nodes.map((node) => [node]) });
  const items = Array.from({ length: 12 }, (_, index) => `item${10 + index}`);
  for (const item of items) {
    await fixture.settle(carts.update('cart', (cart = []) => [...cart, item]));
  }
  world.applyNetwork({ type: 'heal' });
  const { value, siblings } = await fixture.settle(carts.get('cart', { fanout: 'all', r: 3 }));
  t.true(siblings.length > 1, 'the cart has branches');
  t.deepEqual(value, items);
});

test('claim: a write with the context of all branches collapses them into one', async (t) => {
  const fixture = new VirtualFixture({ seed: 5, nodes: 3 });
  for (const value of ['x', 'y', 'z']) await fixture.putEverywhere('k', value);
  const { siblings, context } = await fixture.settle(fixture.bucket.get('k'));
  t.is(siblings.length, 3);
  await fixture.putEverywhere('k', siblings.toSorted().join(''), context);
  t.deepEqual(fixture.valuesEverywhere('k'), [['xyz'], ['xyz'], ['xyz']]);
});

test('claim: a client must say which version it updates, by the context of an earlier read', async (t) => {
  const fixture = new VirtualFixture({ seed: 6, nodes: 3 });
  const { bucket } = fixture;
  await fixture.putEverywhere('k', 'v1');
  const stale = (await fixture.settle(bucket.get('k'))).context;
  await fixture.putEverywhere('k', 'v2', stale);
  // A second write on the version that is no longer there replaces nothing of what came since.
  await fixture.putEverywhere('k', 'v3', stale);
  t.deepEqual(fixture.valuesEverywhere('k'), Array(3).fill(['v2', 'v3']));
});

test('claim: a deleted item reappears only in branches that had not seen the deletion', async (t) => {
  const fixture = new VirtualFixture({ seed: 7, nodes: 3 });
  const { bucket } = fixture;
  await fixture.putEverywhere('k', 'v');
  const { context } = await fixture.settle(bucket.get('k'));
  await fixture.settle(bucket.delete('k', { context }));
  await fixture.cluster.run(1_000);
  t.deepEqual((await fixture.settle(bucket.get('k'))).siblings, []);
  await fixture.putEverywhere('k', 'changed', context);
  t.deepEqual((await fixture.settle(bucket.get('k'))).siblings, ['changed']);
});
