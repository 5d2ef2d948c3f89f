/** The SQLite store under the store contract, in every durability and at limits where everything happens at once. */
import path from 'node:path';
import test from 'ava';
import { type Durability, defaultLimits, testMinLimits } from '../../lib/config.ts';
import { openSqliteStore } from '../../workers/sqlite-store.ts';
import { storeOptions, temporaryFolder } from '../helpers/store-fixture.ts';
import { storeContract } from './store-contract.ts';

const settings = [
  ['full', testMinLimits],
  ['normal', testMinLimits],
  ['normal', { ...testMinLimits, bufferCountMax: 1 }],
  ['normal', defaultLimits],
  ['memory', testMinLimits],
] as const satisfies [Durability, unknown][];

for (const [durability, limits] of settings) {
  storeContract(test, {
    name: `SQLite, ${durability}, buffer of ${limits.bufferCountMax}`,
    isDurable: durability !== 'memory',
    createWorld: (t) => {
      const file = path.join(temporaryFolder(t), 'a.db');
      return () => {
        const store = openSqliteStore(storeOptions(file, { durability, limits }));
        t.true(['created', 'opened', 'recovered'].includes(store.openReport.status));
        return store;
      };
    },
  });
}
