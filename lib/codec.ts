/**
 * Value codecs: how a bucket turns an application's values into bytes and back.
 *
 * Invariant: what cannot come back as it went in is refused when it is written, not when it is read.
 */
import { RingletError, typeName } from './errors.ts';

/** How values of one type become bytes and come back. */
export interface Codec<T> {
  /** Shown in errors. */
  readonly name: string;
  /** @throws {RingletError} RINGLET_VALUE_TYPE, RINGLET_VALUE_DEPTH, RINGLET_VALUE_BUFFER */
  encode(value: T): Uint8Array;
  /** May throw anything on bytes that it did not write; the bucket reports RINGLET_VALUE_UNREADABLE. Must not keep `bytes`. */
  decode(bytes: Uint8Array): T;
}

/** Levels of nesting that {@link json} takes unless told otherwise, and at most: JavaScript's own stack is not much deeper. */
const JSON_DEPTH_DEFAULT = 64;
const JSON_DEPTH_MAX = 1000;

/** Values are byte arrays. The bucket's default. */
export const bytes: Codec<Uint8Array> = Object.freeze({
  name: 'bytes',
  encode(value: Uint8Array): Uint8Array {
    // `isView` is not fooled by proxies and by objects with the prototype of an array.
    if (!(ArrayBuffer.isView(value) && value instanceof Uint8Array)) {
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
 * Values are whatever JSON can carry: plain objects, lists, strings, finite numbers, booleans, null, and objects that say
 * how with `toJSON`. What JSON would drop or change (functions, symbols, bigints, NaN, maps, cycles) is refused with the
 * path to it; but a member that is `undefined` is left out, and -0 comes back as 0, as everywhere with JSON.
 *
 * @param options.depthMax Levels of nesting, from 1 to 1000. @default 64
 * @throws {RingletError} RINGLET_OPTION_INVALID
 */
export function json<T>(options: { readonly depthMax?: number } = {}): Codec<T> {
  const { depthMax = JSON_DEPTH_DEFAULT } = options;
  if (!(Number.isInteger(depthMax) && depthMax >= 1 && depthMax <= JSON_DEPTH_MAX)) {
    throw new RingletError(
      'RINGLET_OPTION_INVALID',
      `depthMax: expected a whole number from 1 to ${JSON_DEPTH_MAX}`,
    );
  }
  return Object.freeze({
    name: 'json',
    encode(value: T): Uint8Array {
      checkJson(value, [], depthMax);
      return encoder.encode(JSON.stringify(value));
    },
    decode(encoded: Uint8Array): T {
      return JSON.parse(decoder.decode(encoded)) as T;
    },
  });
}

/** Names and indexes that lead from a value to a part of it. */
type Path = (string | number)[];

/** A cycle is deeper than any limit, so the depth check finds it too. */
function checkJson(value: unknown, path: Path, depthMax: number): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) throw refuse(path, `${value} has no JSON`);
      return;
    case 'undefined':
      throw refuse(path, 'undefined has no JSON');
    case 'object':
      if (value !== null) checkJsonObject(value, path, depthMax);
      return;
    default:
      throw refuse(path, `a ${typeof value} has no JSON`);
  }
}

function checkJsonObject(value: object, path: Path, depthMax: number): void {
  if (path.length >= depthMax) {
    const problem = `nested deeper than ${depthMax}, or in a circle`;
    throw new RingletError('RINGLET_VALUE_DEPTH', `${showPath(path)}: ${problem}`);
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkMember(index, item, path, depthMax);
  } else if ('toJSON' in value && typeof value.toJSON === 'function') {
    checkMember('toJSON()', value.toJSON(String(path.at(-1) ?? '')), path, depthMax);
  } else {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      throw refuse(path, `an instance of ${className(value)} would lose its class`);
    }
    for (const [name, item] of Object.entries(value)) {
      if (item !== undefined) checkMember(name, item, path, depthMax);
    }
  }
}

function checkMember(name: string | number, item: unknown, path: Path, depthMax: number): void {
  path.push(name);
  checkJson(item, path, depthMax);
  path.pop();
}

function refuse(path: Path, reason: string): RingletError {
  return new RingletError('RINGLET_VALUE_TYPE', `${showPath(path)}: ${reason}`);
}

const PLAIN_NAME_PATTERN = /^[A-Za-z_$][\w$]{0,39}(\(\))?$/;

/** A path as code has it, in one line and cut where it is long. */
function showPath(path: Path): string {
  const parts = path.map((name) => {
    if (typeof name === 'number') return `[${name}]`;
    return PLAIN_NAME_PATTERN.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, 40))}]`;
  });
  const text = `value${parts.join('')}`;
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function className(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' ? name.slice(0, 40) : typeName(value);
}
