/**
 * FNV-1a over the eight bytes of a whole number, as YCSB spreads popular items and names keys: the 64-bit
 * result with its sign taken off. Computed in two halves of 32 bits; `BigInt` would cost ten times as much.
 */

/** A whole number from 0 to 2^63. */
export interface Fnv64 {
  readonly high: number;
  readonly low: number;
}

const OFFSET_HIGH = 0xcbf29ce4;
const OFFSET_LOW = 0x84222325;
/** The prime is 2^40 + 435. */
const PRIME_LOW = 435;
const TWO_32 = 2 ** 32;

/** The hash of `value`. @param value A whole number from 0 to 2^53 - 1. */
export function fnv64(value: number): Fnv64 {
  let high = OFFSET_HIGH;
  let low = OFFSET_LOW;
  let rest = value;
  for (let octet = 0; octet < 8; octet++) {
    low = (low ^ (rest % 256)) >>> 0;
    rest = Math.floor(rest / 256);
    const product = low * PRIME_LOW;
    // The 2^40 of the prime moves the low half up by 8 bits within the high half.
    high = (high * PRIME_LOW + Math.floor(product / TWO_32) + ((low << 8) >>> 0)) >>> 0;
    low = product >>> 0;
  }
  if (high < 2 ** 31) return { high, low };
  const negated = (TWO_32 - low) >>> 0;
  return { high: (~high + (negated === 0 ? 1 : 0)) >>> 0, low: negated };
}

/** `hash` modulo `divisor`, exactly. @param divisor A whole number from 1 to 2^36. */
export function fnvModulo(hash: Fnv64, divisor: number): number {
  const middle = ((hash.high % divisor) * 65_536 + (hash.low >>> 16)) % divisor;
  return (middle * 65_536 + (hash.low & 0xffff)) % divisor;
}

/** `hash` in decimal digits. */
export function fnvDecimal(hash: Fnv64): string {
  // Long division by 10^9, 16 bits at a time, so that every step is exact.
  const divisor = 1e9;
  const top = Math.floor(hash.high / divisor);
  const upper = (hash.high % divisor) * 65_536 + (hash.low >>> 16);
  const lower = (upper % divisor) * 65_536 + (hash.low & 0xffff);
  const quotient =
    top * TWO_32 + Math.floor(upper / divisor) * 65_536 + Math.floor(lower / divisor);
  const remainder = String(lower % divisor);
  return quotient === 0 ? remainder : quotient + remainder.padStart(9, '0');
}
