/**
 * The keys and values that the yardstick and the cluster share, so that their figures can be compared:
 * 200,000 random keys of 16 bytes, a pool of random values of 100 bytes, and a random order of keys.
 */
import { Prng } from '../lib/prng.ts';

export interface DatasetOptions {
  readonly keyCount: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly seed: number;
}

export interface Dataset {
  readonly keys: readonly Uint8Array[];
  /** A power of two of them, so that an operation's number picks one cheaply. */
  readonly values: readonly Uint8Array[];
  /** Indexes of keys in random order, each equally likely. A power of two of them. */
  readonly order: Uint32Array;
}

const VALUE_COUNT = 4096;
const ORDER_COUNT = 1 << 20;

export const standardDataset: DatasetOptions = {
  keyCount: 200_000,
  keyBytes: 16,
  valueBytes: 100,
  seed: 20_071_014,
};

export function createDataset(options: DatasetOptions): Dataset {
  const random = new Prng(options.seed);
  const randomBytes = (size: number) => Uint8Array.from({ length: size }, () => random.int(256));
  return {
    keys: Array.from({ length: options.keyCount }, () => randomBytes(options.keyBytes)),
    values: Array.from({ length: VALUE_COUNT }, () => randomBytes(options.valueBytes)),
    order: Uint32Array.from({ length: ORDER_COUNT }, () => random.int(options.keyCount)),
  };
}

/** The key of an operation by its number. */
export function keyAt(dataset: Dataset, operation: number): Uint8Array {
  return dataset.keys[indexAt(dataset, operation)]!;
}

export function indexAt({ order }: Dataset, operation: number): number {
  return order[operation & (order.length - 1)]!;
}

/** The value of an operation by its number: successive writes of a key differ. */
export function valueAt({ values }: Dataset, operation: number): Uint8Array {
  return values[(operation * 7) & (values.length - 1)]!;
}
