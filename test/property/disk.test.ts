/**
 * The simulated disk against a naive one that keeps a copy of everything after each commit: under any sequence of puts,
 * commits, syncs, deaths, losses and copies it holds what the naive one says, and no incarnation outlives a promise.
 */
import { fc, testProp } from '@fast-check/ava';
import type { ExecutionContext } from 'ava';
import type { PartitionId, RecordKey } from '../../lib/address.ts';
import type { Durability } from '../../lib/config.ts';
import { Prng } from '../../lib/prng.ts';
import type { DiskImage, SimulatedDisk, SimulatedStore } from '../../lib/sim/world/disk.ts';
import { createDisk, openDisk, Syncs } from '../helpers/disk-fixture.ts';
import { bytesOf, keyOf, partitionId, textOf } from '../helpers/store-fixture.ts';

type Content = ReadonlyMap<string, string>;

/** Everything after each commit since the store was created; the first is the empty store. */
type History = readonly Content[];

const EMPTY: History = [new Map()];

class Model {
  private readonly t: ExecutionContext;
  private readonly disk: SimulatedDisk;
  private readonly random: Prng;
  private store: SimulatedStore | null = null;
  private syncs = new Syncs();
  private boot = 1;
  private history: History = EMPTY;
  private uncommitted: Content = EMPTY[0]!;
  private image: DiskImage;
  private imageHistory: History = EMPTY;
  /** What happened since the store was open. After the power went the mark may lag, so that it accuses nothing else. */
  private loss: 'none' | 'power' | 'damage' = 'none';
  /** By incarnation, the last commit that its owner was told to be durable. */
  private readonly promised = new Map<number, number>();

  constructor(t: ExecutionContext, durability: Durability, seed: number) {
    this.t = t;
    this.disk = createDisk(durability);
    this.random = new Prng(seed);
    this.image = this.disk.takeImage();
  }

  run({ kind, partition, key, value }: Step): void {
    if (this.store === null) this.whenClosed(kind);
    else this.whenOpen(this.store, kind, partition, key, value);
    this.check();
  }

  private whenOpen(
    store: SimulatedStore,
    kind: Kind,
    partition: PartitionId,
    key: RecordKey,
    value: string,
  ): void {
    switch (kind) {
      case 'put':
        store.put(partition, key, bytesOf(value));
        this.uncommitted = new Map(this.uncommitted).set(`${partition}/${key}`, value);
        break;
      case 'commit':
        store.commit();
        this.commit();
        break;
      case 'sync':
        this.syncs.end();
        break;
      case 'kill':
      case 'lose power':
        store.discard();
        this.store = null;
        if (kind === 'lose power') this.losePower();
        break;
      case 'close':
        store.close();
        this.commit();
        this.store = null;
        break;
      case 'take an image':
        store.commit();
        this.commit();
        this.image = this.disk.takeImage();
        this.imageHistory = this.history;
        break;
    }
  }

  private commit(): void {
    if (this.uncommitted !== this.history.at(-1))
      this.history = [...this.history, this.uncommitted];
  }

  private whenClosed(kind: Kind): void {
    switch (kind) {
      case 'open':
        this.open();
        break;
      case 'sync':
        this.syncs.end();
        break;
      case 'lose power':
        this.losePower();
        break;
      case 'cut':
        if (this.loss === 'power') break;
        this.loss = 'damage';
        this.lose(this.disk.rotJournal(this.random, 'cut'));
        break;
      case 'wipe':
        this.disk.wipe();
        this.history = EMPTY;
        this.promised.clear();
        break;
      case 'put it back':
        this.disk.putBack(this.image);
        this.history = this.imageHistory;
        this.promised.clear();
        break;
      case 'put its file back':
        if (this.loss === 'power') break;
        this.loss = 'damage';
        this.disk.putBack(this.image, 'file');
        this.history = this.imageHistory;
        break;
    }
  }

  private open(): void {
    this.syncs = new Syncs();
    const { start: startSync } = this.syncs;
    this.store = openDisk(this.disk, { bootId: `boot ${this.boot}`, startSync });
    this.uncommitted = this.history.at(-1)!;
    this.loss = 'none';
    const promised = this.promised.get(this.store.incarnation) ?? 0;
    this.t.true(promised <= this.store.commitNumber, 'it forgot a promise');
  }

  private losePower(): void {
    if (this.loss === 'damage') return;
    this.loss = 'power';
    this.boot++;
    const { durableCount } = this.disk;
    this.lose(this.disk.losePower(this.random));
    this.t.true(this.history.length - 1 >= durableCount);
  }

  private lose(count: number): void {
    this.history = this.history.slice(0, this.history.length - count);
  }

  private check(): void {
    const { store, disk, t } = this;
    t.is(disk.commitCount, this.history.length - 1);
    t.true(disk.durableCount <= disk.commitCount);
    if (store === null) return;
    t.is(store.commitNumber, this.history.length - 1);
    this.promised.set(store.incarnation, store.durableNumber);
    const found = [...store.all()].map(({ partition, key, record }): [string, string | null] => [
      `${partition}/${key}`,
      textOf(record),
    ]);
    t.deepEqual(found, [...this.uncommitted].sort());
  }
}

const kinds = [
  'put',
  'commit',
  'sync',
  'open',
  'kill',
  'close',
  'lose power',
  'cut',
  'wipe',
  'take an image',
  'put it back',
  'put its file back',
] as const;
type Kind = (typeof kinds)[number];

const step = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom<Kind>('put', 'put', 'commit') },
    { weight: 2, arbitrary: fc.constantFrom<Kind>('open', 'sync') },
    { weight: 2, arbitrary: fc.constantFrom<Kind>(...kinds) },
  ),
  partition: fc.constantFrom(partitionId(0), partitionId(3)),
  key: fc.constantFrom('a', 'b', 'c', 'd').map(keyOf),
  value: fc.string({ maxLength: 3 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

for (const durability of ['full', 'normal'] as const) {
  testProp(
    `a disk holds a prefix of what was committed, durability ${durability}`,
    [fc.nat(), fc.array(step, { minLength: 30, maxLength: 150 })],
    (t, seed, steps) => {
      const model = new Model(t, durability, seed);
      for (const next of steps) model.run(next);
    },
    { numRuns: 100 },
  );
}
