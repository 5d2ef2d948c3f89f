/**
 * The only source of randomness for actors, links and the simulator: sfc32, a small counter-based
 * generator that passes PractRand, in integer arithmetic alone so that every engine agrees.
 *
 * One stream per concern: `split` derives an independent stream from a label, so that a new draw in
 * one concern does not move the others.
 */
import { assert } from './assert.ts';
import { hashString } from './hash.ts';

/** A deterministic stream of random numbers. */
export class Prng {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** @param seed Any finite number; its 53 bits are used. */
  constructor(seed: number) {
    assert(Number.isFinite(seed), 'a seed is a finite number');
    this.a = Math.floor(seed / 2 ** 32) | 0;
    this.b = seed | 0;
    this.c = 0x9e3779b9 | 0;
    for (let round = 0; round < 15; round++) this.uint32();
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to `limit - 1`. @param limit From 1 to 2^32. */
  int(limit: number): number {
    assert(limit >= 1 && limit <= 2 ** 32, 'limit of a draw');
    return Math.floor((this.uint32() / 2 ** 32) * limit);
  }

  /** A number from 0 up to, but not including, 1, with 53 random bits. */
  float(): number {
    return ((this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /** True with probability `probability`. */
  chance(probability: number): boolean {
    return probability > 0 && this.float() < probability;
  }

  /** One element of a list that is not empty. */
  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'cannot pick from an empty list');
    return items[this.int(items.length)]!;
  }

  /** A shuffled copy (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let index = copy.length - 1; index > 0; index--) {
      const other = this.int(index + 1);
      [copy[index], copy[other]] = [copy[other]!, copy[index]!];
    }
    return copy;
  }

  /** A new stream that depends on this one's state and on `label` alone. Does not advance this one. */
  split(label: string): Prng {
    const mixed = hashString(label, (this.a ^ this.b ^ this.c ^ this.counter) >>> 0);
    return new Prng(mixed * 2 ** 20 + (hashString(label, this.b >>> 0) >>> 12));
  }
}
