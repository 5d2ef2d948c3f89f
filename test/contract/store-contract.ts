/**
 * What every partition store must do, as a function that each implementation runs: see `lib/store/contract.ts`.
 * A world is a place where a store can be opened again and again, such as a file.
 */
import { fc } from '@fast-check/ava';
import type { ExecutionContext, Implementation, TestFn } from 'ava';
import type { PartitionId, RecordKey } from '../../lib/address.ts';
import type { PartitionStore, StoreEntry } from '../../lib/store/contract.ts';
import { bytesOf, keyOf, partitionId, textOf } from '../helpers/store-fixture.ts';

/** Opens a store on the same data each time. */
export type StoreWorld = () => PartitionStore;

export interface StoreContractOptions {
  /** How test titles call the implementation. */
  readonly name: string;
  readonly createWorld: (t: ExecutionContext) => StoreWorld;
  /** False if everything is gone once the store is closed or discarded. */
  readonly isDurable: boolean;
}

const p0 = partitionId(0);
const p1 = partitionId(1);

/** Registers the contract's tests. */
export function storeContract(test: TestFn, options: StoreContractOptions): void {
  const { name, createWorld, isDurable } = options;
  const durableTest = (title: string, run: Implementation<[]>) => isDurable && test(title, run);
  const volatileTest = (title: string, run: Implementation<[]>) => isDurable || test(title, run);

  test(`${name}: a get returns the last put, committed or not`, (t) => {
    const store = createWorld(t)();
    t.is(store.get(p0, keyOf('k')), null);
    t.true(store.put(p0, keyOf('k'), bytesOf('one')));
    t.is(textOf(store.get(p0, keyOf('k'))), 'one');
    store.commit();
    t.is(textOf(store.get(p0, keyOf('k'))), 'one');
    store.put(p0, keyOf('k'), bytesOf('two'));
    store.put(p0, keyOf('k'), bytesOf('three'));
    t.is(textOf(store.get(p0, keyOf('k'))), 'three');
    t.is(store.get(p1, keyOf('k')), null, 'partitions are apart');
    store.discard();
  });

  test(`${name}: bytes of any value and length come back as they were`, (t) => {
    const open = createWorld(t);
    const store = open();
    const allBytes = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
    const records: [RecordKey, Uint8Array][] = [
      [keyOf('\x00'), new Uint8Array(0)],
      [keyOf(allBytes), Uint8Array.from({ length: 256 }, (_, byte) => byte)],
      [keyOf('\xff\xff'), new Uint8Array(1 << 20).fill(7)],
      [keyOf("'; DROP TABLE record; --"), new Uint8Array([0])],
    ];
    for (const [key, record] of records) store.put(p0, key, record);
    store.commit();
    while (store.maintain(1));
    const check = (reader: PartitionStore) => {
      for (const [key, record] of records) {
        const found = reader.get(p0, key);
        t.true(found instanceof Uint8Array && Buffer.compare(found, record) === 0);
      }
    };
    check(store);
    store.close();
    if (!isDurable) return;
    const again = open();
    check(again);
    again.discard();
  });

  durableTest(`${name}: a discard loses what was not committed and nothing else`, (t) => {
    const open = createWorld(t);
    const store = open();
    store.put(p0, keyOf('kept'), bytesOf('1'));
    store.put(p1, keyOf('kept'), bytesOf('2'));
    store.commit();
    store.put(p0, keyOf('kept'), bytesOf('3'));
    store.put(p0, keyOf('lost'), bytesOf('4'));
    store.discard();

    const again = open();
    t.is(textOf(again.get(p0, keyOf('kept'))), '1');
    t.is(textOf(again.get(p1, keyOf('kept'))), '2');
    t.is(again.get(p0, keyOf('lost')), null);
    t.is(again.incarnation, store.incarnation);
    again.discard();
  });

  durableTest(`${name}: a close commits`, (t) => {
    const open = createWorld(t);
    const store = open();
    store.put(p0, keyOf('k'), bytesOf('v'));
    store.close();
    const again = open();
    t.is(textOf(again.get(p0, keyOf('k'))), 'v');
    t.is(again.incarnation, store.incarnation);
    again.close();
  });

  volatileTest(`${name}: a store that lost its file starts another life`, (t) => {
    const open = createWorld(t);
    const store = open();
    store.put(p0, keyOf('k'), bytesOf('v'));
    store.close();
    const again = open();
    t.is(again.get(p0, keyOf('k')), null);
    t.not(again.incarnation, store.incarnation);
    again.close();
  });

  test(`${name}: a new incarnation is durable at once, without the turn's puts`, (t) => {
    const open = createWorld(t);
    const store = open();
    store.put(p0, keyOf('k'), bytesOf('v'));
    store.renewIncarnation(2 ** 37 - 1);
    t.is(store.incarnation, 2 ** 37 - 1);
    t.is(textOf(store.get(p0, keyOf('k'))), 'v');
    store.discard();
    if (!isDurable) return;
    const again = open();
    t.is(again.incarnation, 2 ** 37 - 1);
    t.is(again.get(p0, keyOf('k')), null);
    again.discard();
  });

  test(`${name}: entries come in key order, page by page, the newest of each key`, (t) => {
    const store = createWorld(t)();
    const expected = new Map<RecordKey, string>();
    // Three rounds with background work between them, so that records lie wherever the store keeps them.
    for (const round of ['a', 'b', 'c']) {
      for (let index = 0; index < 20; index++) {
        const key = keyOf(String.fromCharCode((index * 83 + round.charCodeAt(0) * 7) % 256));
        expected.set(key, round + index);
        store.put(p1, key, bytesOf(round + index));
        if (index % 4 === 3) store.commit();
      }
      store.maintain(5);
    }
    store.put(p0, keyOf('elsewhere'), bytesOf('x'));
    const wanted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1));
    t.deepEqual(readable(allEntries(store, p1, 7)), wanted);
    t.deepEqual(readable(store.entries(p1, null, 1000)), wanted);
    t.deepEqual(store.entries(p1, wanted.at(-1)![0], 10), []);
    t.deepEqual(store.entries(partitionId(2), null, 10), []);
    store.discard();
  });

  test(`${name}: statistics count`, (t) => {
    const store = createWorld(t)();
    t.like(store.stats(), { commitCount: 0, putCount: 0, getCount: 0, bufferedBytes: 0 });
    store.commit();
    t.is(store.stats().commitCount, 0, 'an empty commit is none');
    store.put(p0, keyOf('k'), bytesOf('12345'));
    store.get(p0, keyOf('k'));
    store.commit();
    t.like(store.stats(), {
      commitCount: 1,
      putCount: 1,
      getCount: 1,
      bufferedCount: 1,
      bufferedBytes: 6,
      corruptCount: 0,
      isReadOnly: false,
    });
    store.discard();
  });

  test(`${name}: nothing is used after it was discarded`, (t) => {
    const store = createWorld(t)();
    store.discard();
    t.throws(() => store.put(p0, keyOf('k'), bytesOf('v')));
    t.throws(() => store.get(p0, keyOf('k')));
  });

  test(`${name}: agrees with a map under any sequence of calls`, (t) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const open = createWorld(t);
        const model = new Model();
        let store = open();
        for (const { kind, partition, key, value } of steps) {
          switch (kind) {
            case 'put':
              store.put(partition, key, bytesOf(value));
              model.put(partition, key, value);
              break;
            case 'commit':
              store.commit();
              model.commit();
              break;
            case 'maintain':
              store.maintain(2);
              break;
            case 'reopen':
              if (value.length % 2 === 0) store.discard();
              else {
                store.close();
                model.commit();
              }
              store = open();
              model.reopen(isDurable);
              break;
          }
          t.is(textOf(store.get(partition, key)), model.get(partition, key));
        }
        for (const partition of [p0, p1]) {
          t.deepEqual(readable(allEntries(store, partition, 3)), model.entries(partition));
        }
        store.discard();
      }),
      { numRuns: 60 },
    );
  });
}

const step = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'put', 'commit', 'commit', 'maintain', 'reopen'),
  partition: fc.constantFrom(p0, p1),
  key: fc.integer({ min: 0, max: 15 }).map((byte) => keyOf(String.fromCharCode(byte * 17))),
  value: fc.string({ maxLength: 8 }),
});

/** The contract as two maps. */
class Model {
  private committed = new Map<string, string>();
  private latest = new Map<string, string>();

  put(partition: PartitionId, key: RecordKey, value: string): void {
    this.latest.set(`${partition}/${key}`, value);
  }

  get(partition: PartitionId, key: RecordKey): string | null {
    return this.latest.get(`${partition}/${key}`) ?? null;
  }

  commit(): void {
    this.committed = new Map(this.latest);
  }

  reopen(isDurable: boolean): void {
    if (!isDurable) this.committed.clear();
    this.latest = new Map(this.committed);
  }

  entries(partition: PartitionId): [RecordKey, string][] {
    const prefix = `${partition}/`;
    return [...this.latest]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]): [RecordKey, string] => [keyOf(name.slice(prefix.length)), value])
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function allEntries(store: PartitionStore, partition: PartitionId, pageSize: number): StoreEntry[] {
  const all: StoreEntry[] = [];
  for (;;) {
    const page = store.entries(partition, all.at(-1)?.key ?? null, pageSize);
    all.push(...page);
    if (page.length < pageSize) return all;
  }
}

function readable(entries: readonly StoreEntry[]): [RecordKey, string | null][] {
  return entries.map(({ key, record }) => [key, textOf(record)]);
}
