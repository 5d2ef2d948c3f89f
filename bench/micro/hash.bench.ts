/** What does hashing a key cost, and what does the second half of the hash add? */
import { createHashSeed, hashKey, hashKeyHigh, hashString } from '../../lib/hash.ts';
import { measure } from './harness.ts';

const COUNT = 1000;
const keys = Array.from({ length: COUNT }, (_, index) => `\u0005carts cart:${536_365 + index}`);
const seed = createHashSeed(1);

function sumOf(hash: (key: string) => number): number {
  let sum = 0;
  for (const key of keys) sum += hash(key);
  return sum;
}

await measure(
  'hash of a record key of 18 bytes',
  {
    'hashString, 32 bits': () => sumOf((key) => hashString(key, 1)),
    'hashKeyHigh, the half that places the key': () => sumOf((key) => hashKeyHigh(key, seed)),
    'hashKey, both halves': () => sumOf((key) => hashKey(key, seed).low),
  },
  COUNT,
);
