/**
 * Hash functions in integer arithmetic: MurmurHash3 (x86, 32 bit) over bytes and over binary
 * strings, and a 64-bit key hash made of two 32-bit lanes computed in one pass. None is meant to
 * resist a cryptanalyst; a seed that stays secret makes the key hash unpredictable enough to place
 * keys.
 *
 * A binary string holds one byte per character (0-255), see `lib/key.ts`.
 * Fast because keys are hashed once per request: `bench/micro/hash.bench.ts`.
 */

const C1 = 0xcc9e2d51 | 0;
const C2 = 0x1b873593 | 0;

function mixBlock(block: number): number {
  const k = Math.imul(block, C1);
  return Math.imul((k << 15) | (k >>> 17), C2);
}

function mixHash(hash: number, block: number): number {
  const h = hash ^ mixBlock(block);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number, length: number): number {
  let h = hash ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function blockAt(text: string, index: number): number {
  return (
    text.charCodeAt(index) |
    (text.charCodeAt(index + 1) << 8) |
    (text.charCodeAt(index + 2) << 16) |
    (text.charCodeAt(index + 3) << 24)
  );
}

function tailAt(text: string, index: number): number {
  let tail = 0;
  for (let shift = 0; index < text.length; index++, shift += 8)
    tail |= text.charCodeAt(index) << shift;
  return tail;
}

/** MurmurHash3 of a binary string: a whole number from 0 to 2^32 - 1. */
export function hashString(text: string, seed: number): number {
  let hash = seed | 0;
  const end = text.length & ~3;
  for (let index = 0; index < end; index += 4) hash = mixHash(hash, blockAt(text, index));
  if (end < text.length) hash ^= mixBlock(tailAt(text, end));
  return finish(hash, text.length);
}

/** MurmurHash3 of bytes from `start` to `end`: a whole number from 0 to 2^32 - 1. */
export function hashBytes(bytes: Uint8Array, seed: number, start = 0, end = bytes.length): number {
  let hash = seed | 0;
  const length = end - start;
  const blocksEnd = start + (length & ~3);
  for (let index = start; index < blocksEnd; index += 4) {
    hash = mixHash(
      hash,
      bytes[index]! |
        (bytes[index + 1]! << 8) |
        (bytes[index + 2]! << 16) |
        (bytes[index + 3]! << 24),
    );
  }
  let tail = 0;
  for (let index = blocksEnd, shift = 0; index < end; index++, shift += 8) {
    tail |= bytes[index]! << shift;
  }
  if (blocksEnd < end) hash ^= mixBlock(tail);
  return finish(hash, length);
}

/** Two 32-bit halves of a 64-bit hash. `high` alone decides the partition. */
export interface KeyHash {
  readonly high: number;
  readonly low: number;
}

/** The seed of a cluster's key hash: two 32-bit halves. */
export type HashSeed = KeyHash;

/** Derives a hash seed from a cluster's seed. */
export function createHashSeed(seed: number): HashSeed {
  const text = String(seed);
  return { high: hashString(text, 0x52696e67), low: hashString(text, 0x6c657421) };
}

/**
 * The lanes of the key being hashed; the low one is finished. A typed array, so that they are never
 * boxed.
 */
const lanes = new Int32Array(2);

/** Takes all of `text` into both lanes, in one pass. Hot: `bench/micro/hash.bench.ts`. */
function absorbKey(text: string, seed: HashSeed): void {
  let high = seed.high | 0;
  let low = seed.low | 0;
  const end = text.length & ~3;
  for (let index = 0; index < end; index += 4) {
    const mixed = mixBlock(blockAt(text, index));
    high ^= mixed;
    high = (Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64) | 0;
    low ^= Math.imul(mixed, 0x9e3779b1);
    low = (Math.imul((low << 11) | (low >>> 21), 9) + 0x38495ab5) | 0;
  }
  if (end < text.length) {
    const mixed = mixBlock(tailAt(text, end));
    high ^= mixed;
    low ^= Math.imul(mixed, 0x9e3779b1);
  }
  lanes[0] = high;
  lanes[1] = finish(low, text.length);
}

/**
 * The high half of {@link hashKey}, without the object.
 *
 * It depends on both lanes. A MurmurHash3 lane alone has sets of keys that collide under every
 * seed, known to anyone who looks for them, and all keys of such a set would land in one partition.
 */
export function hashKeyHigh(text: string, seed: HashSeed): number {
  absorbKey(text, seed);
  return finish(lanes[0]! + lanes[1]!, text.length);
}

/**
 * The 64-bit hash of a binary string: two lanes with seeds and constants of their own, in one pass.
 */
export function hashKey(text: string, seed: HashSeed): KeyHash {
  const high = hashKeyHigh(text, seed);
  return { high, low: lanes[1]! >>> 0 };
}
