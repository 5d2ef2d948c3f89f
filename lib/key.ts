/**
 * Keys as applications give them, checked and brought into the one form that the inside uses: a binary
 * string of the key's bytes. A string is its UTF-8, taken as it is: no normalisation, so `é` in one code point
 * and in two are two keys.
 */
import { binaryStringOf } from './bytes.ts';
import { RingletError, typeName } from './errors.ts';

/** A key of a bucket. Text, or bytes where it is not text. */
export type Key = string | Uint8Array;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The bytes of a key as a binary string. An ASCII string is its own, which is the fast path.
 *
 * @throws {RingletError} RINGLET_KEY_TYPE, RINGLET_KEY_EMPTY, RINGLET_KEY_TOO_LARGE, RINGLET_KEY_ENCODING
 */
export function binaryKey(key: unknown, bytesMax: number): string {
  if (!isKey(key)) {
    throw new RingletError(
      'RINGLET_KEY_TYPE',
      `key: got ${typeName(key)}, expected a string or a Uint8Array`,
    );
  }
  if (key.length === 0) {
    throw new RingletError('RINGLET_KEY_EMPTY', `key: got 0 bytes, expected 1 to ${bytesMax}`);
  }
  // Text has at least as many bytes as characters: one that is far too long is not even converted.
  const unit = typeof key === 'string' ? 'characters' : 'bytes';
  if (key.length > bytesMax) throw tooLarge(key.length, unit, bytesMax);
  const binary = typeof key === 'string' ? binaryOfText(key) : binaryStringOf(key);
  if (binary.length > bytesMax) throw tooLarge(binary.length, 'bytes', bytesMax);
  return binary;
}

/** `isView` is not fooled by proxies and by objects with the prototype of an array. */
function isKey(key: unknown): key is Key {
  return typeof key === 'string' || (ArrayBuffer.isView(key) && key instanceof Uint8Array);
}

function tooLarge(count: number, unit: string, bytesMax: number): RingletError {
  const problem = `key: got ${count} ${unit}, max ${bytesMax} bytes`;
  return new RingletError('RINGLET_KEY_TOO_LARGE', problem);
}

function binaryOfText(key: string): string {
  if (isAscii(key)) return key;
  if (!key.isWellFormed()) {
    throw new RingletError('RINGLET_KEY_ENCODING', 'key: a lone surrogate is no text');
  }
  return binaryStringOf(encoder.encode(key));
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) >= 0x80) return false;
  }
  return true;
}

/** A binary key as an application sees it: text if it is valid UTF-8, else bytes. */
export function publicKey(binary: string): Key {
  if (isAscii(binary)) return binary;
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  try {
    return decoder.decode(bytes);
  } catch {
    return bytes;
  }
}
