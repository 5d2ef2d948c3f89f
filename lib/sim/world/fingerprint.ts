/**
 * The fingerprint of a run: a hash over everything that happened, in order. Two runs with the same seed have the same one,
 * in every engine; where they part tells which step was not a function of the seed.
 *
 * Invariant: only what is folded in changes it, and the order in which it is.
 */
import { hashBytes } from '../../hash.ts';

/** Two lanes of 32 bits. */
export class Fingerprint {
  private high = 0x9e3779b9;
  private low = 0x243f6a88;

  /** Takes in a whole number of 32 bits. */
  word(word: number): void {
    const low = Math.imul(this.low ^ word, 0x85ebca6b);
    this.low = low ^ (low >>> 15);
    const high = Math.imul(this.high + this.low, 0xc2b2ae35);
    this.high = high ^ (high >>> 13);
  }

  /** Takes in any number; of its fraction, thousandths count. */
  number(value: number): void {
    const thousandths = Math.round(value * 1000);
    this.word(thousandths | 0);
    this.word(Math.floor(thousandths / 2 ** 32) | 0);
  }

  bytes(bytes: Uint8Array): void {
    this.word(hashBytes(bytes, this.low) | 0);
  }

  /** 32 bits of the present state: enough to see where two runs part. */
  get digest(): number {
    return (this.high ^ this.low) >>> 0;
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return hexadecimal(this.high) + hexadecimal(this.low);
  }
}

function hexadecimal(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
