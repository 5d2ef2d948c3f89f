/**
 * `ringlet tour`, which `npm start` runs: a cluster at work while its links are cut and a node is killed, and at the
 * end the proof that no acknowledged write is lost.
 *
 * Clients add numbers to baskets, each number once, and remember those that were acknowledged. A basket that is full is
 * left for a new one, so that values stay small. At the end every basket is read and searched for them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ByteReader, ByteWriter } from '../bytes.ts';
import type { Codec } from '../codec.ts';
import { isRingletError } from '../errors.ts';
import { Prng } from '../prng.ts';
import { ExitStatus } from './exit.ts';
import { Faults } from './faults.ts';
import { Latencies, type LatencySummary, summaryHead, summaryRow } from './latencies.ts';
import {
  type ClusterArguments,
  clusterLine,
  clusterOptionsOf,
  describeCluster,
} from './options.ts';
import { formatCount, formatTable, type Output } from './output.ts';
import { showProgress } from './progress.ts';
import { type Session, withCluster } from './session.ts';

/** What commander hands over. */
export interface TourArguments extends ClusterArguments {
  readonly seconds: number;
  readonly clients: number;
}

/** A set of numbers; siblings are united. */
export type Basket = ReadonlySet<number>;

/** As much of a bucket as the tour needs. */
export interface BasketStore {
  get(key: string): Promise<BasketEntry>;
  put(key: string, basket: Basket, options: { readonly context: string }): Promise<unknown>;
}

export interface BasketEntry {
  readonly siblings: readonly Basket[];
  readonly value: Basket | undefined;
  readonly context: string;
}

/** The union of siblings. */
export function mergeBaskets(siblings: readonly Basket[]): Basket {
  return new Set(siblings.flatMap((sibling) => [...sibling]));
}

export const basketCodec: Codec<Basket> = {
  name: 'basket',
  encode(basket) {
    const writer = new ByteWriter(64);
    for (const item of basket) writer.varint(item);
    return writer.take();
  },
  decode(bytes) {
    const reader = new ByteReader(bytes);
    const basket = new Set<number>();
    while (!reader.isAtEnd) basket.add(reader.varint());
    return basket;
  },
};

/** Worker threads, unless told otherwise: two show that nodes share threads and that threads talk. */
const THREADS_DEFAULT = 2;

/** Milliseconds that a request may take: short, so that clients do not all wait at a cut. */
const REQUEST_TIMEOUT_MS = 300;

/** Baskets that clients choose from, and items after which one is left for a new one. */
const OPEN_BASKETS = 128;
const ITEMS_PER_BASKET = 24;

/** Attempts at reading a basket in the final check. */
const CHECK_ATTEMPTS = 20;
const CHECK_CLIENTS = 64;
const PAUSE_MS = 50;

/** Parts of the tour, and their shares of its time. */
const phases = [
  { name: 'all is well', share: 0.2 },
  { name: 'links cut', share: 0.2 },
  { name: 'healed', share: 0.15 },
  { name: 'a node down', share: 0.25 },
  { name: 'restarted', share: 0.2 },
] as const;

interface PhaseResult {
  readonly name: string;
  readonly total: LatencySummary;
}

/** Runs the verb. */
export async function tour(given: TourArguments, session: Session): Promise<ExitStatus> {
  const { output } = session;
  const options = {
    ...clusterOptionsOf(given),
    threads: given.threads ?? Math.min(THREADS_DEFAULT, given.nodes),
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  };
  return withCluster(options, session, async (cluster) => {
    const { config } = cluster;
    output.say(`A cluster of ${clusterLine(config)}.`);
    output.say(
      `${given.clients} clients read baskets and add to them, ${given.seconds} seconds long.`,
    );
    output.say();
    const store = cluster.bucket('baskets', { codec: basketCodec, resolve: mergeBaskets });
    const shoppers = new Shoppers(store, config.seed, session.signal);
    const started = performance.now();
    const faults = new Faults(cluster, (event) => {
      const second = (performance.now() - started) / 1000;
      output.say(`${second.toFixed(1).padStart(6)} s  ${event}`);
    });
    const results = await runPhases(given, shoppers, faults);
    const lost = await shoppers.countLost();
    report(results, shoppers, lost, output);
    output.result(resultOf(results, shoppers, lost, describeCluster(config)));
    return lost === 0 && shoppers.acknowledgedCount > 0 ? ExitStatus.Ok : ExitStatus.Failed;
  });
}

/** Runs the clients through all phases and ends every fault. */
async function runPhases(
  given: TourArguments,
  shoppers: Shoppers,
  faults: Faults,
): Promise<PhaseResult[]> {
  const results: PhaseResult[] = [];
  const totalMs = given.seconds * 1000;
  const started = performance.now();
  const progress = showProgress('tour', given.seconds, () =>
    Math.floor((performance.now() - started) / 1000),
  );
  const shopping = shoppers.shop(given.clients);
  try {
    for (const { name, share } of phases) {
      await enter(name, faults, totalMs);
      const startMs = performance.now();
      const latencies = new Latencies();
      shoppers.latencies = latencies;
      await Promise.race([sleep(totalMs * share), shopping]);
      results.push({ name, total: latencies.total((performance.now() - startMs) / 1000) });
    }
  } finally {
    shoppers.stop();
    progress.stop();
    await shopping;
    await faults.end();
  }
  return results;
}

/** Brings about the fault that a phase is named for, or ends the one before. */
async function enter(
  name: (typeof phases)[number]['name'],
  faults: Faults,
  forMs: number,
): Promise<void> {
  switch (name) {
    case 'links cut':
      return faults.cut(forMs);
    case 'healed':
      return faults.heal();
    case 'a node down':
      return faults.kill(forMs);
    case 'restarted':
      return faults.restart();
    case 'all is well':
      return;
  }
}

/** Clients that read and add, and the ledger of what was acknowledged. */
export class Shoppers {
  /** Where latencies go; changes with the phase. */
  latencies = new Latencies();
  /** Siblings that a read reconciled with the first. */
  siblingsResolved = 0;
  /** Writes that failed without it being certain that they never happen. */
  indefinite = 0;
  acknowledgedCount = 0;
  private readonly store: BasketStore;
  private readonly random: Prng;
  private readonly signal: AbortSignal;
  private readonly openBaskets: number[] = Array.from({ length: OPEN_BASKETS }, (_, i) => i);
  private nextBasket = OPEN_BASKETS;
  private nextItem = 0;
  /** Acknowledged items by basket. */
  private readonly ledger = new Map<number, number[]>();
  private readonly addedCounts = new Map<number, number>();
  private isStopped = false;

  constructor(store: BasketStore, seed: number, signal: AbortSignal) {
    this.store = store;
    this.random = new Prng(seed).split('shoppers');
    this.signal = signal;
  }

  /** Works with `clientCount` clients until {@link stop}. */
  async shop(clientCount: number): Promise<void> {
    await Promise.all(Array.from({ length: clientCount }, () => this.client()));
  }

  stop(): void {
    this.isStopped = true;
  }

  private async client(): Promise<void> {
    while (!this.isStopped && !this.signal.aborted) {
      if (this.random.chance(0.5)) {
        const basket = this.random.pick(this.openBaskets);
        await this.measure('READ', async () => {
          await this.read(basket);
        });
      } else {
        await this.measure('UPDATE', () => this.addTo(this.chooseForAdding()));
      }
    }
  }

  /** An open basket; after its last item it is replaced by a new one. */
  private chooseForAdding(): number {
    const index = this.random.int(OPEN_BASKETS);
    const basket = this.openBaskets[index]!;
    const count = (this.addedCounts.get(basket) ?? 0) + 1;
    if (count < ITEMS_PER_BASKET) this.addedCounts.set(basket, count);
    else {
      this.addedCounts.delete(basket);
      this.openBaskets[index] = this.nextBasket++;
    }
    return basket;
  }

  private async addTo(basket: number): Promise<void> {
    const item = this.nextItem++;
    const { value, context } = await this.read(basket);
    try {
      await this.store.put(keyOf(basket), new Set(value).add(item), { context });
    } catch (error) {
      if (isRingletError(error) && !error.definite) this.indefinite += 1;
      throw error;
    }
    this.acknowledgedCount += 1;
    const items = this.ledger.get(basket);
    if (items === undefined) this.ledger.set(basket, [item]);
    else items.push(item);
  }

  private async read(basket: number): Promise<BasketEntry> {
    const entry = await this.store.get(keyOf(basket));
    this.siblingsResolved += Math.max(0, entry.siblings.length - 1);
    return entry;
  }

  private async measure(kind: string, work: () => Promise<void>): Promise<void> {
    const startMs = performance.now();
    let failure: unknown = null;
    try {
      await work();
    } catch (error) {
      failure = error;
    }
    this.latencies.record(kind, performance.now() - startMs, failure);
    // What is refused at once would otherwise be tried again without a pause.
    if (failure !== null) await sleep(PAUSE_MS);
  }

  /** Reads every basket that got an item and counts acknowledged items that are not there. */
  async countLost(): Promise<number> {
    let lost = 0;
    const baskets = this.ledger.entries();
    const check = async (): Promise<void> => {
      for (const [basket, items] of baskets) {
        const value = await this.readForSure(basket);
        lost += items.filter((item) => !value.has(item)).length;
      }
    };
    await Promise.all(Array.from({ length: CHECK_CLIENTS }, check));
    return lost;
  }

  private async readForSure(basket: number): Promise<Basket> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.store.get(keyOf(basket))).value ?? new Set();
      } catch (error) {
        if (!isRingletError(error) || attempt === CHECK_ATTEMPTS || this.signal.aborted)
          throw error;
        await sleep(PAUSE_MS * attempt);
      }
    }
  }
}

function keyOf(basket: number): string {
  return `basket:${basket}`;
}

function report(
  results: readonly PhaseResult[],
  shoppers: Shoppers,
  lost: number,
  output: Output,
): void {
  const rows = [summaryHead(''), ...results.map(({ name, total }) => summaryRow(name, total))];
  output.say();
  for (const line of formatTable(rows)) output.say(line);
  output.say();
  const facts = [
    ['siblings seen and resolved', formatCount(shoppers.siblingsResolved)],
    ['writes without a certain outcome', formatCount(shoppers.indefinite)],
    ['writes acknowledged', formatCount(shoppers.acknowledgedCount)],
    ['acknowledged writes lost', formatCount(lost)],
  ];
  for (const line of formatTable(facts)) output.say(line);
}

function resultOf(
  results: readonly PhaseResult[],
  shoppers: Shoppers,
  lost: number,
  settings: object,
): object {
  return {
    phases: Object.fromEntries(results.map(({ name, total }) => [name, total])),
    operations: results.reduce((sum, { total }) => sum + total.operations, 0),
    errors: results.reduce((sum, { total }) => sum + total.errors, 0),
    siblingsResolved: shoppers.siblingsResolved,
    indefinite: shoppers.indefinite,
    acknowledged: shoppers.acknowledgedCount,
    lost,
    settings,
  };
}
