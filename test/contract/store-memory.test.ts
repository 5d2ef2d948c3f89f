/** The in-memory reference under the store contract, and the null store as far as it has one. */
import test from 'ava';
import { createMemoryImage, openMemoryStore } from '../../lib/store/memory-store.ts';
import { openNullStore } from '../../lib/store/null-store.ts';
import { bytesOf, keyOf, partitionId } from '../helpers/store-fixture.ts';
import { storeContract } from './store-contract.ts';

storeContract(test, {
  name: 'memory image',
  isDurable: true,
  createWorld: () => {
    const image = createMemoryImage();
    let incarnation = 0;
    return () => openMemoryStore({ incarnation: ++incarnation, image });
  },
});

test('the null store takes every put and finds nothing', (t) => {
  const store = openNullStore({ incarnation: 5 });
  t.is(store.incarnation, 5);
  t.true(store.put(partitionId(0), keyOf('k'), bytesOf('v')));
  t.is(store.get(partitionId(0), keyOf('k')), null);
  t.deepEqual(store.entries(partitionId(0), null, 10), []);
  store.commit();
  store.commit();
  t.false(store.maintain(10));
  t.like(store.stats(), { putCount: 1, getCount: 1, commitCount: 1 });
  store.renewIncarnation(6);
  t.is(store.incarnation, 6);
  store.close();
});
