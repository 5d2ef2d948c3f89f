/**
 * Keys as applications give them, checked and brought into the one form that the inside uses: a binary
 * string of the key's bytes. A string is its UTF-8, taken as it is: no normalisation, so `é` in one code point
 * and in two are two keys.
 */
import { binaryStringOf } from './bytes.ts';
import { RingletError } from './errors.ts';

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
  const binary = typeof key === 'string' ? binaryOfText(key) : binaryOfBytes(key);
  if (binary.length === 0) throw new RingletError('RINGLET_KEY_EMPTY', 'key is empty');
  if (binary.length > bytesMax) {
    throw new RingletError(
      'RINGLET_KEY_TOO_LARGE',
      `key: got ${binary.length} bytes, max ${bytesMax}`,
    );
  }
  return binary;
}

function binaryOfText(key: string): string {
  if (isAscii(key)) return key;
  if (!key.isWellFormed()) {
    throw new RingletError('RINGLET_KEY_ENCODING', 'key: a lone surrogate is no text');
  }
  return binaryStringOf(encoder.encode(key));
}

function binaryOfBytes(key: unknown): string {
  if (!(key instanceof Uint8Array)) {
    const type = key === null ? 'null' : typeof key;
    throw new RingletError(
      'RINGLET_KEY_TYPE',
      `key: got ${type}, expected a string or a Uint8Array`,
    );
  }
  return binaryStringOf(key);
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
