/**
 * Value codecs: how a bucket turns an application's values into bytes and back.
 *
 * Invariant: what cannot come back as it went in is refused when it is written, not when it is read.
 */
import { RingletError } from './errors.ts';

export interface Codec<T> {
  /** Shown in errors. */
  readonly name: string;
  /** @throws {RingletError} RINGLET_VALUE_TYPE, RINGLET_VALUE_DEPTH, RINGLET_VALUE_BUFFER */
  encode(value: T): Uint8Array;
  /** May throw anything on bytes that it did not write; the bucket reports RINGLET_VALUE_UNREADABLE. Must not keep `bytes`. */
  decode(bytes: Uint8Array): T;
}

/** Levels of nesting that {@link json} takes unless told otherwise. */
const JSON_DEPTH_MAX = 64;

/** Values are byte arrays. The bucket's default. */
export const bytes: Codec<Uint8Array> = Object.freeze({
  name: 'bytes',
  encode(value: Uint8Array): Uint8Array {
    if (!(value instanceof Uint8Array)) {
      throw new RingletError(
        'RINGLET_VALUE_TYPE',
        `value: got ${typeName(value)}, expected a Uint8Array`,
      );
    }
    const { buffer } = value;
    if (!(buffer instanceof ArrayBuffer)) {
      throw new RingletError(
        'RINGLET_VALUE_BUFFER',
        'value: its memory is shared with other threads',
      );
    }
    if (buffer.resizable) {
      throw new RingletError('RINGLET_VALUE_BUFFER', 'value: its buffer may be resized');
    }
    if (buffer.detached) {
      throw new RingletError('RINGLET_VALUE_BUFFER', 'value: its buffer was transferred away');
    }
    return value;
  },
  decode(encoded: Uint8Array): Uint8Array {
    return encoded.slice();
  },
});

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Values are strings, stored as UTF-8. A string with a lone surrogate has no UTF-8 and is refused. */
export const string: Codec<string> = Object.freeze({
  name: 'string',
  encode(value: string): Uint8Array {
    if (typeof value !== 'string') {
      throw new RingletError(
        'RINGLET_VALUE_TYPE',
        `value: got ${typeName(value)}, expected a string`,
      );
    }
    if (!value.isWellFormed()) {
      throw new RingletError('RINGLET_VALUE_TYPE', 'value: a lone surrogate is no text');
    }
    return encoder.encode(value);
  },
  decode(encoded: Uint8Array): string {
    return decoder.decode(encoded);
  },
});

/**
 * Values are whatever JSON can carry without loss: plain objects, lists, strings, finite numbers, booleans, null,
 * and objects that say how with `toJSON`. What JSON would drop or change (functions, symbols, bigints, NaN,
 * maps, cycles) is refused with the path to it.
 *
 * @param options.depthMax Levels of nesting. @default 64
 */
export function json<T>(options: { readonly depthMax?: number } = {}): Codec<T> {
  const depthMax = options.depthMax ?? JSON_DEPTH_MAX;
  return {
    name: 'json',
    encode(value: T): Uint8Array {
      if (value === undefined) throw refuse('value', 'undefined has no JSON; use delete');
      checkJson(value, 'value', 0, depthMax);
      return encoder.encode(JSON.stringify(value));
    },
    decode(encoded: Uint8Array): T {
      return JSON.parse(decoder.decode(encoded)) as T;
    },
  };
}

function refuse(path: string, reason: string): RingletError {
  return new RingletError('RINGLET_VALUE_TYPE', `${path}: ${reason}`);
}

/** A cycle is deeper than any limit, so the depth check finds it too. */
function checkJson(value: unknown, path: string, depth: number, depthMax: number): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return;
    case 'number':
      if (!Number.isFinite(value)) throw refuse(path, `${value} has no JSON`);
      return;
    case 'object':
      if (value !== null) checkJsonObject(value, path, depth, depthMax);
      return;
    default:
      throw refuse(path, `a ${typeof value} has no JSON`);
  }
}

function checkJsonObject(value: object, path: string, depth: number, depthMax: number): void {
  if (depth >= depthMax) {
    throw new RingletError(
      'RINGLET_VALUE_DEPTH',
      `${path.slice(0, 80)}…: nested deeper than ${depthMax}, or in a circle`,
    );
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (item === undefined)
        throw refuse(`${path}[${index}]`, 'undefined would come back as null');
      checkJson(item, `${path}[${index}]`, depth + 1, depthMax);
    }
    return;
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw refuse(path, `a ${value.constructor?.name ?? 'class instance'} would lose its class`);
  }
  for (const [name, item] of Object.entries(value)) {
    checkJson(item, `${path}.${name}`, depth + 1, depthMax);
  }
}

function typeName(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
