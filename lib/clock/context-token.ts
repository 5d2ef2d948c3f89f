/**
 * Context tokens: the opaque strings in which an application carries a context from a get to a put (Dynamo §4.4).
 *
 * A token is bound to its key and cluster by the key's hash, and names the replica that answered the
 * read fastest (Dynamo §5). Its checksum finds damage; it is no protection against forgery.
 *
 * Layout, base64url without padding: checksum (4 bytes), version (1), coordinator (2), key hash (8), vector. The
 * checksum's seed is constant, so that damage and a token of another key are told apart.
 */
import type { ActorAddress } from '../address.ts';
import { ByteReader, ByteWriter, MalformedError, readBinaryString } from '../bytes.ts';
import { RingletError } from '../errors.ts';
import { hashBytes, type KeyHash } from '../hash.ts';
import { readVector, type VersionVector, writeVector } from './version-vector.ts';

export interface ContextToken {
  readonly vector: VersionVector;
  /** The replica that answered the read fastest. */
  readonly coordinator: ActorAddress;
}

const VERSION = 1;
const CHECKSUM_SIZE = 4;
const CHECKSUM_SEED = 0x746f6b65;

const writer = new ByteWriter();
const textWriter = new ByteWriter();

/** Makes the token of what a get of the key with this hash returned. */
export function encodeContextToken(token: ContextToken & { readonly keyHash: KeyHash }): string {
  writer.reset();
  writer.uint32(0);
  writer.uint8(VERSION);
  writer.uint16(token.coordinator);
  writer.uint32(token.keyHash.high);
  writer.uint32(token.keyHash.low);
  writeVector(writer, token.vector);
  writer.patchUint32(0, hashBytes(writer.peek(), CHECKSUM_SEED, CHECKSUM_SIZE));
  return encodeBase64Url(writer.peek());
}

/**
 * Reads a token that came back from the application.
 *
 * @param bytesMax Length of the longest token that is looked at.
 * @throws {RingletError} RINGLET_CONTEXT_INVALID if it is no undamaged token, RINGLET_CONTEXT_MISMATCH if it is one of another key
 * or cluster, RINGLET_CONTEXT_TOO_LARGE
 */
export function decodeContextToken(
  token: unknown,
  keyHash: KeyHash,
  bytesMax: number,
): ContextToken {
  if (typeof token !== 'string') throw invalid(`a context is a string, not ${typeof token}`);
  if (token.length > bytesMax) {
    throw new RingletError(
      'RINGLET_CONTEXT_TOO_LARGE',
      `the context has ${token.length} bytes, at most ${bytesMax} are allowed`,
    );
  }
  const bytes = decodeBase64Url(token);
  if (bytes === null) throw invalid('the context is no base64url');
  try {
    return readToken(new ByteReader(bytes), keyHash);
  } catch (error) {
    if (error instanceof MalformedError) throw invalid(`the context is damaged: ${error.message}`);
    throw error;
  }
}

function readToken(reader: ByteReader, keyHash: KeyHash): ContextToken {
  if (reader.uint32() !== hashBytes(reader.bytes, CHECKSUM_SEED, CHECKSUM_SIZE)) {
    throw new MalformedError('wrong checksum');
  }
  if (reader.uint8() !== VERSION) throw new MalformedError('unknown version');
  const coordinator = reader.uint16() as ActorAddress;
  const high = reader.uint32();
  const low = reader.uint32();
  const vector = readVector(reader);
  if (!reader.isAtEnd) throw new MalformedError('bytes after the end');
  if (high !== keyHash.high || low !== keyHash.low) {
    throw new RingletError(
      'RINGLET_CONTEXT_MISMATCH',
      'the context belongs to another key, bucket or cluster',
    );
  }
  return { vector, coordinator };
}

function invalid(message: string): RingletError {
  return new RingletError('RINGLET_CONTEXT_INVALID', message);
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Character codes by six-bit digit, and the inverse; -1 where there is no digit. */
const codeOfDigit = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
const digitOfCode = new Int8Array(128).fill(-1);
codeOfDigit.forEach((code, digit) => {
  digitOfCode[code] = digit;
});

/**
 * Base64url without padding. Own code: Node.js 24 has no `Uint8Array.prototype.toBase64`, and `btoa` followed by the
 * three replacements that base64url needs takes three times as long.
 */
function encodeBase64Url(bytes: Uint8Array): string {
  textWriter.reset();
  for (let index = 0; index < bytes.length; index += 3) {
    const group = (bytes[index]! << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    textWriter.uint8(codeOfDigit[group >>> 18]!);
    textWriter.uint8(codeOfDigit[(group >>> 12) & 63]!);
    textWriter.uint8(codeOfDigit[(group >>> 6) & 63]!);
    textWriter.uint8(codeOfDigit[group & 63]!);
  }
  return readBinaryString(textWriter.peek(), 0, Math.ceil((bytes.length * 4) / 3));
}

/** The inverse. `null` unless `text` is exactly what {@link encodeBase64Url} makes of some bytes. */
function decodeBase64Url(text: string): Uint8Array | null {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let length = 0;
  let rest = 0;
  let restBits = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = digitOfCode[text.charCodeAt(index)] ?? -1;
    if (digit < 0) return null;
    rest = (rest << 6) | digit;
    restBits += 6;
    if (restBits < 8) continue;
    restBits -= 8;
    bytes[length++] = rest >>> restBits;
    rest &= (1 << restBits) - 1;
  }
  return restBits < 6 && rest === 0 ? bytes : null;
}
