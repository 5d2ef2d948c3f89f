/**
 * Which item is asked for next: the distributions of YCSB's core workloads. Each generator draws from a stream of
 * its own and owns no clock.
 *
 * Zipfian numbers follow Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994: one
 * logarithm-free draw per item, with a normalising sum (zeta) that is extended, not computed anew, when items are added.
 */
import { assert } from '../assert.ts';
import type { Prng } from '../prng.ts';
import { fnv64, fnvModulo } from './fnv.ts';

/** Draws whole numbers from a range of its own. */
export interface NumberGenerator {
  next(): number;
}

/** How uneven YCSB's zipfian numbers are. */
export const ZIPFIAN_CONSTANT = 0.99;

/** Items that the scrambled generator draws from before it folds them into the real range. */
const SCRAMBLED_ITEM_COUNT = 10_000_000_000;

/** Zeta of {@link SCRAMBLED_ITEM_COUNT} items: it would take minutes to add up. */
const SCRAMBLED_ZETA = 26.469_028_201_783_02;

/** The sum of 1 / i^theta for i from `start` + 1 to `end`. */
export function zeta(theta: number, start: number, end: number): number {
  let sum = 0;
  for (let i = start + 1; i <= end; i++) sum += 1 / i ** theta;
  return sum;
}

/** Numbers from 0 up, where number i comes with a probability in proportion to 1 / (i + 1)^theta. */
export class ZipfianGenerator implements NumberGenerator {
  private readonly random: Prng;
  private readonly theta: number;
  private readonly alpha: number;
  private readonly zetaOfTwo: number;
  private itemCount: number;
  private zetaOfAll: number;
  private eta = 0;

  /** @param itemCount From 1. @param zetaOfAll The sum of 1 / i^theta over all items, where it is known. */
  constructor(
    random: Prng,
    itemCount: number,
    theta = ZIPFIAN_CONSTANT,
    zetaOfAll = zeta(theta, 0, itemCount),
  ) {
    assert(itemCount >= 1 && theta > 0 && theta < 1, 'range of a zipfian generator');
    this.random = random;
    this.theta = theta;
    this.alpha = 1 / (1 - theta);
    this.zetaOfTwo = zeta(theta, 0, 2);
    this.itemCount = itemCount;
    this.zetaOfAll = zetaOfAll;
    this.updateEta();
  }

  private updateEta(): void {
    this.eta =
      (1 - (2 / this.itemCount) ** (1 - this.theta)) / (1 - this.zetaOfTwo / this.zetaOfAll);
  }

  /** Extends the range to `itemCount` numbers. A smaller count changes nothing. */
  grow(itemCount: number): void {
    if (itemCount <= this.itemCount) return;
    this.zetaOfAll += zeta(this.theta, this.itemCount, itemCount);
    this.itemCount = itemCount;
    this.updateEta();
  }

  next(): number {
    if (this.itemCount === 1) return 0;
    const draw = this.random.float();
    const scaled = draw * this.zetaOfAll;
    if (scaled < 1) return 0;
    if (this.itemCount === 2 || scaled < 1 + 0.5 ** this.theta) return 1;
    const item = Math.floor(this.itemCount * (this.eta * draw - this.eta + 1) ** this.alpha);
    return Math.min(item, this.itemCount - 1);
  }
}

/** Zipfian popularity, spread over the range by a hash, so that popular items do not lie side by side. */
export class ScrambledZipfianGenerator implements NumberGenerator {
  private readonly zipfian: ZipfianGenerator;
  private readonly start: number;
  private readonly count: number;

  /** Numbers from `start` to `start + count - 1`. */
  constructor(random: Prng, start: number, count: number) {
    assert(count >= 1, 'range of a generator');
    this.zipfian = new ZipfianGenerator(
      random,
      SCRAMBLED_ITEM_COUNT,
      ZIPFIAN_CONSTANT,
      SCRAMBLED_ZETA,
    );
    this.start = start;
    this.count = count;
  }

  next(): number {
    return this.start + fnvModulo(fnv64(this.zipfian.next()), this.count);
  }
}

/** Zipfian popularity by age: the newest item is the most popular. */
export class LatestGenerator implements NumberGenerator {
  private readonly zipfian: ZipfianGenerator;
  private readonly newest: () => number;

  /** @param newest The number of the newest item there is; it never falls. */
  constructor(random: Prng, newest: () => number) {
    this.zipfian = new ZipfianGenerator(random, Math.max(1, newest() + 1));
    this.newest = newest;
  }

  next(): number {
    const newest = this.newest();
    this.zipfian.grow(newest + 1);
    return newest - Math.min(newest, this.zipfian.next());
  }
}

/** Every number of the range with the same probability. */
export class UniformGenerator implements NumberGenerator {
  private readonly random: Prng;
  private readonly start: number;
  private readonly count: number;

  /** Numbers from `start` to `start + count - 1`. */
  constructor(random: Prng, start: number, count: number) {
    assert(count >= 1, 'range of a generator');
    this.random = random;
    this.start = start;
    this.count = count;
  }

  next(): number {
    return this.start + Math.floor(this.random.float() * this.count);
  }
}

/** A hot set at the start of the range takes a given share of the draws; each set is uniform in itself. */
export class HotspotGenerator implements NumberGenerator {
  private readonly random: Prng;
  private readonly hot: UniformGenerator;
  private readonly cold: UniformGenerator;
  private readonly hotShare: number;

  /** @param hotFraction Share of the items that are hot. @param hotShare Share of the draws that go to them. */
  constructor(random: Prng, start: number, count: number, hotFraction: number, hotShare: number) {
    const hotCount = Math.min(count, Math.max(1, Math.floor(count * hotFraction)));
    const coldCount = count - hotCount;
    this.random = random;
    this.hot = new UniformGenerator(random, start, hotCount);
    this.cold =
      coldCount === 0 ? this.hot : new UniformGenerator(random, start + hotCount, coldCount);
    this.hotShare = hotShare;
  }

  next(): number {
    return (this.random.chance(this.hotShare) ? this.hot : this.cold).next();
  }
}

/** Distances back from the newest item that fall off exponentially. Unbounded above. */
export class ExponentialGenerator implements NumberGenerator {
  private readonly random: Prng;
  private readonly gamma: number;

  /** @param percentile Percentage of the draws that stay below `range`, above 0 and below 100. */
  constructor(random: Prng, percentile: number, range: number) {
    assert(percentile > 0 && percentile < 100 && range > 0, 'range of a generator');
    this.random = random;
    this.gamma = -Math.log(1 - percentile / 100) / range;
  }

  next(): number {
    return Math.floor(-Math.log(1 - this.random.float()) / this.gamma);
  }
}

/** All numbers of the range in turn, again and again. */
export class SequentialGenerator implements NumberGenerator {
  private readonly start: number;
  private readonly count: number;
  private drawn = 0;

  /** Numbers from `start` to `start + count - 1`. */
  constructor(start: number, count: number) {
    assert(count >= 1, 'range of a generator');
    this.start = start;
    this.count = count;
  }

  next(): number {
    const item = this.start + this.drawn;
    this.drawn = (this.drawn + 1) % this.count;
    return item;
  }
}

/** The same number each time. */
export class ConstantGenerator implements NumberGenerator {
  private readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  next(): number {
    return this.value;
  }
}
