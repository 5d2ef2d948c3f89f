/**
 * A process that commits turns to stores until it is killed. Arguments: folder, seed, number of the first turn, durability.
 * Prints `open` before it opens the stores, and the number of each turn after it was committed.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { Durability } from '../../lib/config.ts';
import { openSqliteStore } from '../../workers/sqlite-store.ts';
import { crashLimits, storeNames, turnAt } from './store-crash-turns.ts';
import { storeOptions } from './store-fixture.ts';

const [folder, seed, firstTurn, durability] = process.argv.slice(2) as [
  string,
  string,
  string,
  Durability,
];

print('open');
const stores = storeNames.map((name) =>
  openSqliteStore(
    storeOptions(path.join(folder, `${name}.db`), {
      nodeId: name,
      durability,
      limits: crashLimits,
    }),
  ),
);
for (let number = Number(firstTurn); ; number++) {
  const turn = turnAt(Number(seed), number);
  const store = stores[turn.store]!;
  for (const { partition, key, record } of turn.puts) store.put(partition, key, record);
  store.commit();
  print(String(number));
  store.maintain(3);
}

/** Returns when the line is in the pipe, where the death of this process does not reach it. */
function print(line: string): void {
  fs.writeSync(1, `${line}\n`);
}
