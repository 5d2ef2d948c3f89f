/**
 * Bytes: a growing writer and a checked reader, both little-endian, and binary strings.
 *
 * A binary string holds one byte per character (0-255). Keys live in this form, because a JavaScript
 * `Map` can look a string up but not a byte array. Where Node.js's `Buffer` exists it converts
 * them; elsewhere (a browser) plain loops do.
 *
 * Invariant: a reader never reads past its end; input that would make it do so throws
 * {@link MalformedError}, never returns garbage.
 */
import { assert } from './assert.ts';

/** Thrown by {@link ByteReader} on input that is cut off or out of range. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}

/** The two methods of Node.js's `Buffer.prototype` that are used here, callable on any `Uint8Array`. */
interface Latin1Methods {
  latin1Write(this: Uint8Array, text: string, offset: number, length: number): number;
  latin1Slice(this: Uint8Array, start: number, end: number): string;
}

const latin1 = (globalThis as { Buffer?: { prototype: Latin1Methods } }).Buffer?.prototype ?? null;

/** Below this length a loop beats the call into native code: `bench/micro/bytes.bench.ts`. */
const NATIVE_LENGTH_MIN = 12;

/** Writes a binary string into `target` at `offset`. The caller made sure that it fits. */
export function writeBinaryString(target: Uint8Array, offset: number, text: string): void {
  if (latin1 !== null && text.length >= NATIVE_LENGTH_MIN) {
    latin1.latin1Write.call(target, text, offset, text.length);
    return;
  }
  for (let index = 0; index < text.length; index++) target[offset + index] = text.charCodeAt(index);
}

/** Reads bytes from `start` to `end` as a binary string. */
export function readBinaryString(source: Uint8Array, start: number, end: number): string {
  if (latin1 !== null) return latin1.latin1Slice.call(source, start, end);
  let text = '';
  for (let index = start; index < end; index++) text += String.fromCharCode(source[index]!);
  return text;
}

/** The bytes of a binary string. */
export function bytesOfBinaryString(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeBinaryString(bytes, 0, text);
  return bytes;
}

/** The binary string of `bytes`. */
export function binaryStringOf(bytes: Uint8Array): string {
  return readBinaryString(bytes, 0, bytes.length);
}

/** True if both hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

const SLAB_SIZE = 64 * 1024;
let slab = new Uint8Array(0);
let slabUsed = 0;

/**
 * Uninitialised room for `size` bytes, cut from a larger block when it is small: a typed array of its own
 * costs an allocation outside the heap. Never transfer what this returns, its buffer is shared.
 */
export function allocateBytes(size: number): Uint8Array {
  if (size > SLAB_SIZE / 16) return new Uint8Array(size);
  if (slabUsed + size > slab.length) {
    slab = new Uint8Array(SLAB_SIZE);
    slabUsed = 0;
  }
  const bytes = slab.subarray(slabUsed, slabUsed + size);
  slabUsed += size;
  return bytes;
}

/** A copy of `bytes` that keeps nothing larger than a slab alive. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = allocateBytes(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Appends numbers, strings and bytes to a buffer that grows as needed and can be used again. */
export class ByteWriter {
  private bytes: Uint8Array;
  private view: DataView;
  /** Bytes written so far. */
  length = 0;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `size` more bytes. */
  private reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  uint8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  uint16(value: number): void {
    this.reserve(2);
    this.view.setUint16(this.length, value, true);
    this.length += 2;
  }

  uint32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  float64(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte, low bits first. */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = rest >= 2 ** 31 ? (rest % 128) | 0x80 : (rest & 0x7f) | 0x80;
      rest = rest >= 2 ** 31 ? Math.floor(rest / 128) : rest >>> 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** A binary string, with its length before it. */
  binaryString(text: string): void {
    this.varint(text.length);
    this.reserve(text.length);
    writeBinaryString(this.bytes, this.length, text);
    this.length += text.length;
  }

  /** Bytes, with their length before them. */
  blob(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** Bytes without their length. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Overwrites four bytes that were written before, for lengths known only afterwards. */
  patchUint32(offset: number, value: number): void {
    assert(offset + 4 <= this.length, 'patch of bytes not yet written');
    this.view.setUint32(offset, value, true);
  }

  /** Overwrites eight bytes that were written before. */
  patchFloat64(offset: number, value: number): void {
    assert(offset + 8 <= this.length, 'patch of bytes not yet written');
    this.view.setFloat64(offset, value, true);
  }

  /** What was written, valid until the next write. */
  peek(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** What was written, in a buffer of exactly that size that may be transferred. Empties the writer. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(this.length);
    taken.set(this.peek());
    this.length = 0;
    return taken;
  }

  /** What was written, cut from a shared block: see {@link copyBytes}. Empties the writer. */
  takeSmall(): Uint8Array {
    const taken = copyBytes(this.peek());
    this.length = 0;
    return taken;
  }

  /** Empties the writer and keeps its buffer, unless it grew beyond `capacityMax`. */
  reset(capacityMax = 1 << 20): void {
    this.length = 0;
    if (this.bytes.length > capacityMax) {
      this.bytes = new Uint8Array(1024);
      this.view = new DataView(this.bytes.buffer);
    }
  }
}

/** Reads what {@link ByteWriter} wrote. */
export class ByteReader {
  /** Made when it is first needed: most small things have no number of a fixed size in them. */
  private dataView: DataView | null = null;
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = start;
    this.end = end;
  }

  private get view(): DataView {
    const { buffer, byteOffset, byteLength } = this.bytes;
    this.dataView ??= new DataView(buffer, byteOffset, byteLength);
    return this.dataView;
  }

  /** Moves on by `size` bytes and returns where they begin. */
  private advance(size: number): number {
    const start = this.offset;
    if (size > this.end - start) throw new MalformedError('cut off');
    this.offset = start + size;
    return start;
  }

  get isAtEnd(): boolean {
    return this.offset === this.end;
  }

  uint8(): number {
    return this.bytes[this.advance(1)]!;
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  float64(): number {
    return this.view.getFloat64(this.advance(8), true);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let length = 0; length < 8; length++) {
      const byte = this.bytes[this.advance(1)]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new MalformedError('number out of range');
  }

  binaryString(): string {
    const length = this.varint();
    const start = this.advance(length);
    return readBinaryString(this.bytes, start, start + length);
  }

  /** Bytes with their length before them. A view, not a copy: it keeps the whole input alive. */
  blob(): Uint8Array {
    return this.raw(this.varint());
  }

  /** The next `length` bytes, as a view. */
  raw(length: number): Uint8Array {
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  /** Passes over `length` bytes. */
  skip(length: number): void {
    this.advance(length);
  }
}
