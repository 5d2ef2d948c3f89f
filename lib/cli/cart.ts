/**
 * Shopping carts as values: lines by an id of their own, which makes adding one idempotent and the union of
 * concurrent carts their reconciliation (Dynamo §4.4): an item that was added is never lost.
 */
import { ByteReader, ByteWriter, binaryStringOf, bytesOfBinaryString } from '../bytes.ts';
import type { Codec } from '../codec.ts';
import { hashString } from '../hash.ts';

/** One thing in a cart. */
export interface CartLine {
  /** Unique in the cart. */
  readonly id: number;
  readonly stockCode: string;
  /** Negative for a return. */
  readonly quantity: number;
  /** Price of one in thousandths of the currency. */
  readonly priceThousandths: number;
}

/** Lines in the order of their ids, each id once. */
export type Cart = readonly CartLine[];

/** The cart with one more line; the same cart if it has a line of that id. */
export function withLine(cart: Cart, line: CartLine): Cart {
  let place = cart.length;
  while (place > 0 && cart[place - 1]!.id > line.id) place -= 1;
  return cart[place - 1]?.id === line.id ? cart : cart.toSpliced(place, 0, line);
}

/** The union of siblings. A line is never changed, so equal ids mean equal lines and order does not matter. */
export function mergeCarts(siblings: readonly Cart[]): Cart {
  return siblings.reduce(union);
}

function union(a: Cart, b: Cart): Cart {
  const merged: CartLine[] = [];
  let [ofA, ofB] = [0, 0];
  while (ofA < a.length && ofB < b.length) {
    const [lineA, lineB] = [a[ofA]!, b[ofB]!];
    merged.push(lineA.id <= lineB.id ? lineA : lineB);
    if (lineA.id <= lineB.id) ofA += 1;
    if (lineB.id <= lineA.id) ofB += 1;
  }
  while (ofA < a.length) merged.push(a[ofA++]!);
  while (ofB < b.length) merged.push(b[ofB++]!);
  return merged;
}

/** A 32-bit checksum of a line's contents. */
export function fingerprintOf(line: CartLine): number {
  return hashString(`${line.stockCode}\0${line.quantity}\0${line.priceThousandths}`, 0);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** UTF-8 as a binary string, which for ASCII is the text itself. */
function toBinary(text: string): string {
  return isAscii(text) ? text : binaryStringOf(encoder.encode(text));
}

function fromBinary(binary: string): string {
  return isAscii(binary) ? binary : decoder.decode(bytesOfBinaryString(binary));
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

/** Whole numbers of either sign as ones from 0 up, small ones small. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

const writer = new ByteWriter();

/** About ten bytes a line: a cart is written anew with every line that it gets. */
export const cartCodec: Codec<Cart> = {
  name: 'cart',
  encode(cart) {
    writer.reset();
    let previous = 0;
    for (const { id, stockCode, quantity, priceThousandths } of cart) {
      writer.varint(id - previous);
      writer.binaryString(toBinary(stockCode));
      writer.varint(zigzag(quantity));
      writer.varint(zigzag(priceThousandths));
      previous = id;
    }
    return writer.takeSmall();
  },
  decode(bytes) {
    const reader = new ByteReader(bytes);
    // One string for all: cutting it up costs a tenth of reading each stock code out of the bytes.
    const text = binaryStringOf(bytes);
    const cart: CartLine[] = [];
    let id = 0;
    while (!reader.isAtEnd) {
      id += reader.varint();
      const length = reader.varint();
      const stockCode = fromBinary(text.slice(reader.offset, reader.offset + length));
      // Past the end this throws with the next number.
      reader.offset += length;
      const quantity = unzigzag(reader.varint());
      const priceThousandths = unzigzag(reader.varint());
      cart.push({ id, stockCode, quantity, priceThousandths });
    }
    return cart;
  },
};
