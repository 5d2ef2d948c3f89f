/**
 * Configuration: what a user writes ({@link ClusterOptions}, all optional) becomes what the code reads
 * ({@link ClusterConfig}, all present, frozen). Every default and every limit is in this file.
 *
 * Invariant: nobody else applies a default, and nobody checks an option twice.
 */
import { NODE_COUNT_MAX } from './address.ts';
import { type ErrorCode, messageOf, RingletError, typeName } from './errors.ts';

/** How many copies of a record there are and how many must answer. R + W > N makes a read see the last acknowledged write. */
export interface Replication {
  /** Copies of each record (N). @default 3, or the number of nodes if there are fewer. */
  readonly n: number;
  /** Replicas that a read waits for (R), 1 to N. @default 2, or N if that is smaller. */
  readonly r: number;
  /** Replicas that have a write durably before it is acknowledged (W), 1 to N. @default 2, or N if that is smaller. */
  readonly w: number;
}

/**
 * What a crash may take. `full`: nothing acknowledged, not even with the power. `normal`: nothing with the process,
 * the last moments with the power. `memory`: everything of a node with its thread.
 */
export type Durability = 'full' | 'normal' | 'memory';

/** One node of a cluster. */
export interface NodeOptions {
  /** 1 to 63 of `a-z`, `0-9`, `-`. */
  readonly id: string;
  /** Its share of the partitions, relative to the others'. From 0.01 to 100. @default 1 */
  readonly weight?: number;
}

/** Bounds on everything that could grow. */
export interface Limits {
  /** Bytes of a key in UTF-8. @default 1024 */
  readonly keyBytesMax: number;
  /** Bytes of an encoded value. @default 8388608 (8 MiB) */
  readonly valueBytesMax: number;
  /** Concurrent versions of one key before writes to it are refused. @default 100 */
  readonly siblingCountMax: number;
  /** Bytes of a context token. @default 16384 */
  readonly contextBytesMax: number;
  /** Messages that wait in a node's data lane. @default 10000 */
  readonly mailboxCountMax: number;
  /** Bytes of values and records that wait in a node's data lane. @default 33554432 (32 MiB) */
  readonly mailboxBytesMax: number;
  /** Messages that wait in a node's control lane. @default 1000 */
  readonly controlCountMax: number;
  /** Messages that one turn takes over all nodes of a thread. @default 512 */
  readonly turnCountMax: number;
  /** Requests under way at one coordinator. @default 10000 */
  readonly coordinatorCountMax: number;
  /** Requests under way at one client. @default 65536 */
  readonly clientCountMax: number;
  /** Bytes in flight from one thread to another before the sender waits. @default 8388608 (8 MiB) */
  readonly linkCreditBytes: number;
  /** Bytes that wait at a sender without credit before messages are refused. @default 33554432 (32 MiB) */
  readonly linkBacklogBytes: number;
  /** Envelopes that simulated links hold back or delay, per thread. @default 100000 */
  readonly networkHeldCountMax: number;
  /** Records in a node's object buffer before it is written to the table. @default 262144 */
  readonly bufferCountMax: number;
  /** Bytes in a node's object buffer before it is written to the table. @default 67108864 (64 MiB) */
  readonly bufferBytesMax: number;
  /**
   * Bytes of JavaScript heap of one thread; beyond it the thread ends and its nodes start again. At least 32 MiB.
   * @default 4294967296 (4 GiB)
   */
  readonly threadHeapBytesMax: number;
  /** Records that background work writes in one turn. @default 64 */
  readonly maintainCountMax: number;
}

export const defaultLimits: Limits = Object.freeze({
  keyBytesMax: 1024,
  valueBytesMax: 8 * 1024 * 1024,
  siblingCountMax: 100,
  contextBytesMax: 16 * 1024,
  mailboxCountMax: 10_000,
  mailboxBytesMax: 32 * 1024 * 1024,
  controlCountMax: 1000,
  turnCountMax: 512,
  coordinatorCountMax: 10_000,
  clientCountMax: 65_536,
  linkCreditBytes: 8 * 1024 * 1024,
  linkBacklogBytes: 32 * 1024 * 1024,
  networkHeldCountMax: 100_000,
  bufferCountMax: 262_144,
  bufferBytesMax: 64 * 1024 * 1024,
  threadHeapBytesMax: 4 * 1024 * 1024 * 1024,
  maintainCountMax: 64,
});

/** Tiny limits, so that every edge is reached at once. For tests. */
export const testMinLimits: Limits = Object.freeze({
  ...defaultLimits,
  mailboxCountMax: 16,
  mailboxBytesMax: 4096,
  controlCountMax: 8,
  turnCountMax: 4,
  siblingCountMax: 4,
  bufferCountMax: 8,
  bufferBytesMax: 2048,
  maintainCountMax: 2,
});

/** What a user may say about a cluster. */
export interface ClusterOptions {
  /** Folder for the nodes' files. @default a temporary one, removed on close */
  readonly dataDir?: string;
  /** Nodes, or how many; they are then called `a`, `b`, … @default 5 */
  readonly nodes?: number | readonly NodeOptions[];
  /** Worker threads that the nodes share. @default the number of cores, at most the number of nodes and at most 8 */
  readonly threads?: number;
  /** Equal parts of the ring (Q), a power of two from 8 to 65536, fixed for a data folder. @default 256 */
  readonly partitions?: number;
  /** @default { n: 3, r: 2, w: 2 } */
  readonly replication?: Partial<Replication>;
  /** @default 'full' */
  readonly durability?: Durability;
  /** Milliseconds until a request fails. More than 0, at most 3600000. @default 5000 */
  readonly requestTimeoutMs?: number;
  /** Milliseconds that a node may take to start, stop or answer a control call. @default 20000 */
  readonly controlTimeoutMs?: number;
  /** Seed for everything random: placement of keys, choice of coordinators, simulated links. Fixed for a data folder. @default drawn at random */
  readonly seed?: number;
  /** Start a node again when its thread died. @default true */
  readonly restartNodes?: boolean;
  /** Share of reads that ask all N replicas although fewer would do, so that read repair finds differences. 0 to 1. @default 0.01 */
  readonly readRepairSample?: number;
  /** A read asks one more replica when the first ones take longer than this. `auto` is the recent 95th percentile. @default 'auto' */
  readonly hedgeAfterMs?: number | 'auto';
  readonly limits?: Partial<Limits>;
}

export interface NodeConfig {
  readonly id: string;
  readonly weight: number;
}

/** What the code reads. Complete, checked, frozen, plain data. */
export interface ClusterConfig {
  readonly dataDir: string | null;
  readonly nodes: readonly NodeConfig[];
  readonly threads: number;
  readonly partitions: number;
  readonly replication: Replication;
  readonly durability: Durability;
  readonly requestTimeoutMs: number;
  readonly controlTimeoutMs: number;
  readonly seed: number;
  readonly restartNodes: boolean;
  readonly readRepairSample: number;
  /** -1 is `auto`. */
  readonly hedgeAfterMs: number;
  readonly limits: Limits;
}

/** What the host environment gives: this file asks no clock, core count or randomness itself. */
export interface ConfigEnvironment {
  readonly coreCount: number;
  /** A random whole number below 2^32, for the default seed. */
  readonly randomSeed: number;
}

/** Copies that a bucket can have. */
export const REPLICATION_FACTOR_MAX = 16;

const REQUEST_TIMEOUT_MS_MAX = 3_600_000;

/** Ranges of limits that may not be any number from 1. */
const limitRanges: { readonly [Name in keyof Limits]?: readonly [min: number, max: number] } = {
  keyBytesMax: [1, 65_536],
  valueBytesMax: [1, 2 ** 30],
  // With much less a thread cannot even start, and takes the process with it.
  threadHeapBytesMax: [32 * 1024 * 1024, Number.MAX_SAFE_INTEGER],
};

const clusterOptionNames: Record<keyof ClusterOptions, true> = {
  dataDir: true,
  nodes: true,
  threads: true,
  partitions: true,
  replication: true,
  durability: true,
  requestTimeoutMs: true,
  controlTimeoutMs: true,
  seed: true,
  restartNodes: true,
  readRepairSample: true,
  hedgeAfterMs: true,
  limits: true,
};

/** {@link Replication} as given; what is absent or `undefined` follows the defaults. */
export type ReplicationOptions = {
  readonly [Name in keyof Replication]?: Replication[Name] | undefined;
};

const replicationOptionNames = { n: true, r: true, w: true } as const;

/**
 * Checks options and fills in the defaults.
 *
 * @throws {RingletError} RINGLET_OPTION_UNKNOWN, RINGLET_OPTION_INVALID, RINGLET_OPTION_N, RINGLET_QUORUM_IMPOSSIBLE,
 * RINGLET_OPTION_DEADLINE, RINGLET_NODE_ID, RINGLET_RING_SIZE
 */
export function resolveConfig(
  options: ClusterOptions,
  environment: ConfigEnvironment,
): ClusterConfig {
  const given = readOptions('option', options, clusterOptionNames);
  const nodes = resolveNodes(given.nodes);
  const {
    dataDir,
    threads = Math.max(1, Math.min(environment.coreCount, nodes.length, 8)),
    partitions = 256,
    replication = {},
    durability = 'full',
    requestTimeoutMs = 5000,
    controlTimeoutMs = 20_000,
    seed = environment.randomSeed,
    restartNodes = true,
    readRepairSample = 0.01,
    hedgeAfterMs = 'auto',
    limits = {},
  } = given;
  if (dataDir !== undefined && typeof dataDir !== 'string') {
    throw invalid('dataDir', dataDir, 'a path');
  }
  if (!isWhole(partitions, 8, 65_536) || (partitions & (partitions - 1)) !== 0) {
    throw new RingletError(
      'RINGLET_RING_SIZE',
      `partitions: got ${show(partitions)}, expected a power of two from 8 to 65536`,
    );
  }
  const config: ClusterConfig = {
    dataDir: dataDir ?? null,
    nodes,
    threads: checkWhole('threads', threads, 1, 64),
    partitions,
    replication: resolveReplication(replication, defaultReplication(nodes.length)),
    durability: checkOneOf('durability', durability, ['full', 'normal', 'memory']),
    requestTimeoutMs: checkTimeout('requestTimeoutMs', requestTimeoutMs),
    controlTimeoutMs: checkTimeout('controlTimeoutMs', controlTimeoutMs),
    seed: checkWhole('seed', seed, 0, Number.MAX_SAFE_INTEGER),
    restartNodes: checkBoolean('restartNodes', restartNodes),
    readRepairSample: checkNumber('readRepairSample', readRepairSample, 0, 1),
    hedgeAfterMs: resolveHedge(hedgeAfterMs),
    limits: resolveLimits(limits),
  };
  if (config.threads > nodes.length) {
    throw invalid('threads', config.threads, `at most one per node (${nodes.length})`);
  }
  return Object.freeze(config);
}

/** N=3, R=2, W=2 as in the paper (Dynamo §6), as far as there are nodes. */
function defaultReplication(nodeCount: number): Replication {
  const n = Math.min(3, nodeCount);
  const quorum = Math.min(2, n);
  return { n, r: quorum, w: quorum };
}

/**
 * Fills in and checks a replication setting: R and W follow N when only N is given.
 *
 * @throws {RingletError} RINGLET_OPTION_UNKNOWN, RINGLET_OPTION_N, RINGLET_QUORUM_IMPOSSIBLE
 */
export function resolveReplication(
  replication: ReplicationOptions,
  defaults: Replication,
): Replication {
  const given = readOptions('replication option', replication, replicationOptionNames);
  const n = checkCopies('n', given.n === undefined ? defaults.n : given.n);
  const r = checkCopies('r', given.r === undefined ? Math.min(defaults.r, n) : given.r);
  const w = checkCopies('w', given.w === undefined ? Math.min(defaults.w, n) : given.w);
  if (r > n) throw new RingletError('RINGLET_QUORUM_IMPOSSIBLE', `R=${r} > N=${n}`);
  if (w > n) throw new RingletError('RINGLET_QUORUM_IMPOSSIBLE', `W=${w} > N=${n}`);
  return Object.freeze({ n, r, w });
}

function checkCopies(name: string, value: unknown): number {
  return checkWhole(name, value, 1, REPLICATION_FACTOR_MAX, 'RINGLET_OPTION_N');
}

/** @throws {RingletError} RINGLET_OPTION_DEADLINE */
export function checkTimeout(name: string, timeoutMs: unknown): number {
  if (!isNumber(timeoutMs, Number.MIN_VALUE, REQUEST_TIMEOUT_MS_MAX)) {
    throw new RingletError(
      'RINGLET_OPTION_DEADLINE',
      `${name}: got ${show(timeoutMs)}, expected more than 0 and at most ${REQUEST_TIMEOUT_MS_MAX} ms`,
    );
  }
  return timeoutMs;
}

/**
 * A copy of options as they are now, so that nothing read later differs from what was checked. Only an object's own
 * properties are options: what sits on a prototype was not said by the caller.
 *
 * @param what One of the options in words, such as `node option`.
 * @throws {RingletError} RINGLET_OPTION_UNKNOWN if a name is not in `known`, RINGLET_OPTION_INVALID if `options` is no plain
 * object or cannot be read
 */
export function readOptions<T extends object>(
  what: string,
  options: T,
  known: Readonly<Record<keyof T, true>>,
): T {
  const own = copyProperties(what, options);
  for (const name of Object.keys(own)) {
    if (Object.hasOwn(known, name)) continue;
    const near = nearestName(name, Object.keys(known));
    const hint = near === null ? '' : `, did you mean \`${near}\`?`;
    throw new RingletError('RINGLET_OPTION_UNKNOWN', `unknown ${what} ${show(name)}${hint}`);
  }
  return own;
}

function copyProperties<T extends object>(what: string, options: T): T {
  if (typeName(options) !== 'Object') throw invalid(`${what}s`, options, 'a plain object');
  try {
    return { ...options };
  } catch (cause) {
    throw new RingletError(
      'RINGLET_OPTION_INVALID',
      `${what}s cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** No name of ours is nearly as long; the edit distance takes time in proportion to it. */
const MISSPELLING_LENGTH_MAX = 64;

/** The candidate within an edit distance of a third of the name's length, or `null`. */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  if (name.length > MISSPELLING_LENGTH_MAX) return null;
  let best: string | null = null;
  // Every name of one letter is within distance 1 of every other, which is no likeness.
  let bestDistance = Math.min(Math.max(2, Math.ceil(name.length / 3)), name.length - 1) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

const NODE_ID_PATTERN = /^[a-z0-9-]{1,63}$/;

function resolveNodes(nodes: number | readonly NodeOptions[] = 5): readonly NodeConfig[] {
  if (typeof nodes === 'number') {
    const count = checkWhole('nodes', nodes, 1, NODE_COUNT_MAX);
    const createNode = (_: unknown, index: number) =>
      Object.freeze({ id: nodeName(index), weight: 1 });
    return Object.freeze(Array.from({ length: count }, createNode));
  }
  if (!Array.isArray(nodes) || nodes.length === 0 || nodes.length > NODE_COUNT_MAX) {
    throw invalid('nodes', nodes, `a number or a list of 1 to ${NODE_COUNT_MAX} nodes`);
  }
  const seen = new Set<string>();
  const resolved = nodes.map((node: NodeOptions) => {
    const { id, weight = 1 } = readOptions('node option', node, { id: true, weight: true });
    checkNodeId(id);
    if (seen.has(id)) {
      throw new RingletError('RINGLET_NODE_ID', `node id ${show(id)} is given twice`);
    }
    seen.add(id);
    return Object.freeze({ id, weight: checkNumber('weight', weight, 0.01, 100) });
  });
  return Object.freeze(resolved);
}

/** @throws {RingletError} RINGLET_NODE_ID */
export function checkNodeId(id: unknown): asserts id is string {
  if (typeof id !== 'string' || !NODE_ID_PATTERN.test(id)) {
    throw new RingletError('RINGLET_NODE_ID', `node id ${show(id)} is not [a-z0-9-]{1,63}`);
  }
}

/** `a` to `z`, then `n26`, `n27`, … */
function nodeName(index: number): string {
  return index < 26 ? String.fromCharCode(97 + index) : `n${index}`;
}

function resolveLimits(limits: Partial<Limits>): Limits {
  const names = Object.keys(defaultLimits) as (keyof Limits)[];
  const known = Object.fromEntries(names.map((name) => [name, true])) as Record<keyof Limits, true>;
  const given = readOptions('limit', limits, known);
  const resolved = names.map((name) => {
    const { [name]: value = defaultLimits[name] } = given;
    const [min, max] = limitRanges[name] ?? [1, Number.MAX_SAFE_INTEGER];
    return [name, checkWhole(`limits.${name}`, value, min, max)];
  });
  return Object.freeze(Object.fromEntries(resolved));
}

function resolveHedge(hedge: number | 'auto'): number {
  if (hedge === 'auto') return -1;
  if (isNumber(hedge, 0.1, REQUEST_TIMEOUT_MS_MAX)) return hedge;
  throw invalid('hedgeAfterMs', hedge, `auto or a number from 0.1 to ${REQUEST_TIMEOUT_MS_MAX}`);
}

/** @throws {RingletError} RINGLET_OPTION_INVALID unless `value` is `true` or `false` */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalid(name, value, 'true or false');
}

/** @throws {RingletError} RINGLET_OPTION_INVALID unless `value` is one of `allowed` */
export function checkOneOf<T extends string>(
  name: string,
  value: unknown,
  allowed: readonly T[],
): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw invalid(name, value, `one of ${allowed.join(', ')}`);
  return found;
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

/** @throws {RingletError} `code` unless `value` is a whole number from `min` to `max` */
export function checkWhole(
  name: string,
  value: unknown,
  min: number,
  max: number,
  code: ErrorCode = 'RINGLET_OPTION_INVALID',
): number {
  if (isWhole(value, min, max)) return value;
  throw new RingletError(
    code,
    `${name}: got ${show(value)}, expected a whole number from ${min} to ${max}`,
  );
}

/** @throws {RingletError} RINGLET_OPTION_INVALID unless `value` is a number from `min` to `max` */
export function checkNumber(name: string, value: unknown, min: number, max: number): number {
  if (isNumber(value, min, max)) return value;
  throw invalid(name, value, `a number from ${min} to ${max}`);
}

/** False for NaN too, which compares as false. */
function isNumber(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max;
}

function invalid(name: string, value: unknown, expected: string): RingletError {
  return new RingletError(
    'RINGLET_OPTION_INVALID',
    `${name}: got ${show(value)}, expected ${expected}`,
  );
}

/** A value as an error message quotes it: short, one line. Never throws. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(shorten(value));
    case 'symbol':
    case 'function':
      return `a ${typeof value}`;
    case 'object':
      return value === null ? 'null' : showObject(typeName(value));
    default:
      return shorten(String(value));
  }
}

function showObject(name: string): string {
  if (name === 'Array') return 'a list';
  return name === 'Object' ? 'an object' : `an object (${show(name)})`;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
