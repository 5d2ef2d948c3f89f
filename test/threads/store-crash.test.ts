/**
 * A process that writes to stores is killed again and again, at random moments. After each death the files hold
 * every turn that was acknowledged, the one that was under way wholly or not at all, and nothing else.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { binaryStringOf } from '../../lib/bytes.ts';
import type { Durability } from '../../lib/config.ts';
import { Prng } from '../../lib/prng.ts';
import { openSqliteStore, type SqliteStore } from '../../workers/sqlite-store.ts';
import { crashLimits, partitionCount, storeNames, turnAt } from '../helpers/store-crash-turns.ts';
import { partitionId, storeOptions, temporaryFolder } from '../helpers/store-fixture.ts';

const ROUND_COUNT = 50;
const seed = Number(process.env.RINGLET_SEED ?? Date.now() % 1e9);
const childFile = fileURLToPath(new URL('../helpers/store-crash-child.ts', import.meta.url));

for (const [lane, durability] of (['full', 'normal'] as const).entries()) {
  test(`nothing acknowledged is lost when the process is killed, durability ${durability}`, async (t) => {
    t.timeout(180_000);
    t.log(`RINGLET_SEED=${seed}`);
    const world = new World(t, seed + lane, durability);
    for (let round = 0; round < ROUND_COUNT; round++) {
      await world.runUntilKilled();
      world.check(round);
    }
    t.log(`${world.turnCount} turns survived ${ROUND_COUNT} kills`);
    t.true(world.turnCount > ROUND_COUNT);
  });
}

/** One folder, the turns that its stores must hold, and the deaths of the processes that wrote them. */
class World {
  /** Turns that are in the stores. */
  turnCount = 0;
  private readonly t: ExecutionContext;
  private readonly seed: number;
  private readonly durability: Durability;
  private readonly folder: string;
  private readonly random: Prng;
  /** The newest record of each key, by store. */
  private readonly expected = storeNames.map(() => new Map<string, string>());
  private readonly incarnations: number[] = [];
  private acknowledgedCount = 0;

  constructor(t: ExecutionContext, seed: number, durability: Durability) {
    this.t = t;
    this.seed = seed;
    this.durability = durability;
    this.folder = temporaryFolder(t);
    this.random = new Prng(seed).split('kills');
  }

  /** Lets a process write and kills it: most often while it writes, sometimes while it opens the stores. */
  async runUntilKilled(): Promise<void> {
    const isKilledOpening = this.random.chance(0.2);
    const delayMs = isKilledOpening ? this.random.int(30) : this.random.int(80);
    const settings = [this.folder, this.seed, this.turnCount, this.durability].map(String);
    const child = spawn(process.execPath, ['--no-warnings', childFile, ...settings], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    let killed: Promise<void> | null = null;
    for await (const line of createInterface({ input: child.stdout! })) {
      if (line !== 'open') this.acknowledgedCount = Number(line) + 1;
      if (line !== 'open' || isKilledOpening) killed ??= kill(child, delayMs);
    }
    const [, signal] = await exit;
    await killed;
    this.t.is(signal, 'SIGKILL', 'the process ended by itself');
  }

  /** Compares the stores with the turns; takes over the turn that was under way if it is there. */
  check(round: number): void {
    const stores = storeNames.map((name) => this.open(name));
    for (; this.turnCount < this.acknowledgedCount; this.turnCount++) this.apply(this.turnCount);
    const { store, puts } = turnAt(this.seed, this.turnCount);
    const { partition, key, record } = puts.at(-1)!;
    const found = stores[store]!.get(partition, key);
    if (found instanceof Uint8Array && binaryStringOf(found) === binaryStringOf(record)) {
      this.apply(this.turnCount++);
    }
    for (const [index, store] of stores.entries()) {
      const difference = firstDifference(contentOf(store), this.expected[index]!);
      this.t.is(difference, null, `round ${round}, store ${storeNames[index]}, seed ${this.seed}`);
      this.incarnations[index] ??= store.incarnation;
      this.t.is(store.incarnation, this.incarnations[index], 'nothing was lost');
      if (round % 5 === 0) store.close();
      else store.discard();
    }
    this.acknowledgedCount = this.turnCount;
  }

  private open(name: string): SqliteStore {
    const file = path.join(this.folder, `${name}.db`);
    const { durability } = this;
    const store = openSqliteStore(
      storeOptions(file, { nodeId: name, durability, limits: crashLimits }),
    );
    this.t.true(
      ['created', 'opened', 'recovered'].includes(store.openReport.status),
      store.openReport.detail,
    );
    this.t.is(store.stats().corruptCount, 0);
    return store;
  }

  private apply(number: number): void {
    const { store, puts } = turnAt(this.seed, number);
    for (const { partition, key, record } of puts) {
      this.expected[store]!.set(`${partition}/${key}`, binaryStringOf(record));
    }
  }
}

async function kill(child: ChildProcess, delayMs: number): Promise<void> {
  await setTimeout(delayMs);
  child.kill('SIGKILL');
}

function contentOf(store: SqliteStore): Map<string, string> {
  const content = new Map<string, string>();
  for (let index = 0; index < partitionCount; index++) {
    for (const { key, record } of store.entries(partitionId(index), null, 1000)) {
      content.set(
        `${index}/${key}`,
        record instanceof Uint8Array ? binaryStringOf(record) : 'CORRUPT',
      );
    }
  }
  return content;
}

function firstDifference(found: Map<string, string>, expected: Map<string, string>): string | null {
  for (const name of new Set([...found.keys(), ...expected.keys()])) {
    const [a, b] = [found.get(name), expected.get(name)];
    if (a === b) continue;
    return `${name}: found turn ${turnOf(a)}, expected turn ${turnOf(b)}`;
  }
  return null;
}

/** The turn that a record says it is of. */
function turnOf(record: string | undefined): string {
  if (record === undefined || record.length < 4) return 'none';
  return String(Buffer.from(record, 'latin1').readUInt32BE(0));
}
