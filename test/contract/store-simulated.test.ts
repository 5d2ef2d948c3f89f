/** The simulated store under the store contract, in every durability, and with syncs that end late or never. */
import test from 'ava';
import { createDisk, openDisk, Syncs } from '../helpers/disk-fixture.ts';
import { storeContract } from './store-contract.ts';

for (const durability of ['full', 'normal', 'memory'] as const) {
  storeContract(test, {
    name: `simulated, ${durability}`,
    isDurable: durability !== 'memory',
    createWorld: (t) => {
      const disk = createDisk(durability);
      return () => {
        const store = openDisk(disk);
        t.true(['created', 'opened', 'recovered'].includes(store.openReport.status));
        return store;
      };
    },
  });
}

storeContract(test, {
  name: 'simulated, full, syncs end after the store is gone',
  isDurable: true,
  createWorld: (t) => {
    const disk = createDisk();
    const syncs = new Syncs();
    return () => {
      const store = openDisk(disk, { startSync: syncs.start });
      syncs.endAll();
      t.true(['created', 'opened', 'recovered'].includes(store.openReport.status));
      return store;
    };
  },
});
