/**
 * What an application may be told: one error class, a closed table of stable codes, and for each
 * whether the operation was definitely not applied.
 *
 * Invariant: `definite` is true only if no replica holds or will ever hold what the operation wrote.
 * An operation that fails with `definite: false` may have happened, or may still happen.
 */

/** How certain a code is: `true` never applied, `false` possibly applied, `'reads'` definite for reads alone. */
type Certainty = boolean | 'reads';

/** Every code, with its certainty and what the reader is to do. The codes are stable, the words are not. */
export const errorCodes = {
  RINGLET_KEY_TYPE: { definite: true, advice: 'pass a string or a Uint8Array' },
  RINGLET_KEY_EMPTY: { definite: true, advice: 'a key has at least one byte' },
  RINGLET_KEY_TOO_LARGE: { definite: true, advice: 'use a shorter key, or its hash' },
  RINGLET_KEY_ENCODING: { definite: true, advice: 'pass bytes if the key is not text' },
  RINGLET_VALUE_TYPE: { definite: true, advice: "use a value that the bucket's codec can encode" },
  RINGLET_VALUE_TOO_LARGE: { definite: true, advice: 'split the value over several keys' },
  RINGLET_VALUE_DEPTH: { definite: true, advice: 'flatten the value' },
  RINGLET_VALUE_BUFFER: { definite: true, advice: 'pass a copy: `value.slice()`' },
  RINGLET_VALUE_UNREADABLE: {
    definite: true,
    advice: 'open the bucket with the codec that wrote it',
  },
  RINGLET_CONTEXT_INVALID: { definite: true, advice: 'pass the context of a get, unchanged' },
  RINGLET_CONTEXT_MISMATCH: { definite: true, advice: 'get this key again and use that context' },
  RINGLET_CONTEXT_UNKNOWN_DOT: {
    definite: true,
    advice: 'get this key again and use that context',
  },
  RINGLET_CONTEXT_TOO_LARGE: { definite: true, advice: 'get this key again and use that context' },
  RINGLET_CONFLICT: { definite: true, advice: 'read `siblings`, or give the bucket a resolver' },
  RINGLET_TOO_MANY_SIBLINGS: { definite: true, advice: 'get, resolve and put with the context' },
  RINGLET_OPTION_INVALID: { definite: true, advice: 'correct the option' },
  RINGLET_OPTION_UNKNOWN: { definite: true, advice: 'correct the name of the option' },
  RINGLET_OPTION_N: { definite: true, advice: 'pass a whole number of copies' },
  RINGLET_OPTION_DEADLINE: {
    definite: true,
    advice: 'pass a finite number of milliseconds above 0',
  },
  RINGLET_QUORUM_IMPOSSIBLE: { definite: true, advice: 'choose R and W from 1 to N' },
  RINGLET_RING_SIZE: { definite: true, advice: 'pass a power of two; it is fixed for a cluster' },
  RINGLET_NODE_ID: {
    definite: true,
    advice: 'give each node an id of its own: lower-case letters, digits and dashes, at most 63',
  },
  RINGLET_NODE_UNKNOWN: { definite: true, advice: 'name a node of this cluster' },
  RINGLET_FAULT_SPEC: { definite: true, advice: 'correct the rule; nothing of it was applied' },
  RINGLET_DATADIR: { definite: true, advice: 'name a folder that this process may write' },
  RINGLET_DATADIR_NAME: { definite: true, advice: 'name a plain folder' },
  RINGLET_DATADIR_LINK: {
    definite: true,
    advice: 'name the real folder; store files must not be shared',
  },
  RINGLET_DATADIR_LOCKED: {
    definite: true,
    advice: 'close the other process or use another folder',
  },
  RINGLET_DATADIR_FOREIGN: {
    definite: true,
    advice: 'use the folder that belongs to this cluster',
  },
  RINGLET_FORMAT_NEWER: { definite: true, advice: 'use the newer Ringlet that wrote this folder' },
  RINGLET_SQLITE_VERSION: {
    definite: true,
    advice: 'install the better-sqlite3 that package.json names',
  },
  RINGLET_NODE_VERSION: { definite: true, advice: 'run on a newer Node.js' },
  RINGLET_STORE_ROLLED_BACK: {
    definite: true,
    advice: 'put the missing file back; or, to go on without what it held, delete its .mark file',
  },
  RINGLET_STORE_CORRUPT: {
    definite: true,
    advice: 'restore the file from a backup; it was left as it is',
  },
  RINGLET_STORE_FAILED: { definite: false, advice: 'read again before you write again' },
  RINGLET_RECORD_CORRUPT: {
    definite: 'reads',
    advice: 'restore the key from a backup or write it anew',
  },
  RINGLET_DISK_FULL: { definite: true, advice: 'free disk space; reads go on' },
  RINGLET_UNAVAILABLE: { definite: true, advice: 'wait for nodes to return or lower the quorum' },
  RINGLET_QUORUM_UNMET: { definite: 'reads', advice: 'read again before you write again' },
  RINGLET_TIMEOUT: { definite: 'reads', advice: 'read again before you write again' },
  RINGLET_OVERLOADED: { definite: true, advice: 'slow down and try again' },
  RINGLET_NODE_STOPPED: { definite: 'reads', advice: 'try again; another node answers' },
  RINGLET_ABORTED: { definite: 'reads', advice: 'read again before you write again' },
  RINGLET_CLOSED: { definite: true, advice: 'open the cluster again' },
  RINGLET_INTERRUPTED: { definite: 'reads', advice: 'the cluster closed before the answer came' },
} as const satisfies Record<string, { definite: Certainty; advice: string }>;

/** A stable error code. */
export type ErrorCode = keyof typeof errorCodes;

export interface RingletErrorOptions {
  /** Overrides the table's certainty; needed where the table says `'reads'`. */
  readonly definite?: boolean;
  readonly cause?: unknown;
}

/** The only error that Ringlet's public API throws or rejects with, broken invariants aside. */
export class RingletError extends Error {
  override name = 'RingletError';
  /** Stable, machine-readable. */
  readonly code: ErrorCode;
  /** True if the operation was certainly not applied and never will be. */
  readonly definite: boolean;

  constructor(code: ErrorCode, message: string, options: RingletErrorOptions = {}) {
    super(
      `${message} (${errorCodes[code].advice})`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.definite = options.definite ?? errorCodes[code].definite === true;
    if (code === 'RINGLET_ABORTED') this.name = 'AbortError';
  }
}

/** Tells whether `error` is a {@link RingletError}, with `code` if one is given. */
export function isRingletError(error: unknown, code?: ErrorCode): error is RingletError {
  return error instanceof RingletError && (code === undefined || error.code === code);
}

/** An error as plain data. Structured clone drops `code`, `definite` and prototypes, so threads send this. */
export interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  readonly code: string | null;
  readonly definite: boolean;
}

/** Turns anything thrown into plain data. */
export function encodeError(error: unknown): ErrorData {
  if (!(error instanceof Error)) {
    return { name: 'Error', message: messageOf(error), stack: null, code: null, definite: false };
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  const definite = error instanceof RingletError && error.definite;
  return { name: error.name, message: error.message, stack: error.stack ?? null, code, definite };
}

/** The inverse of {@link encodeError}. A known code comes back as a {@link RingletError}. */
export function decodeError(data: ErrorData): Error {
  const isKnown = data.code !== null && Object.hasOwn(errorCodes, data.code);
  const error = isKnown
    ? new RingletError(data.code as ErrorCode, '', { definite: data.definite })
    : Object.assign(
        new Error(),
        { name: data.name },
        data.code === null ? {} : { code: data.code },
      );
  error.message = data.message;
  if (data.stack !== null) error.stack = data.stack;
  return error;
}

/** The message of anything thrown, for a line that a person reads. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'string' ? error : `something was thrown: ${typeName(error)}`;
}

/** What kind of thing a value is, for a message that must not show the value itself. Never throws. */
export function typeName(value: unknown): string {
  if (typeof value !== 'object') return typeof value;
  if (value === null) return 'null';
  try {
    return Object.prototype.toString.call(value).slice(8, -1).slice(0, 40);
  } catch {
    return 'object'; // A proxy that was revoked, or a class that names itself by throwing.
  }
}
