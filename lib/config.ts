/**
 * Configuration: what a user writes ({@link ClusterOptions}, all optional) becomes what the code reads
 * ({@link ClusterConfig}, all present, frozen). Every default and every limit is in this file.
 *
 * Invariant: nobody else applies a default, and nobody checks an option twice.
 */
import { NODE_COUNT_MAX } from './address.ts';
import { type ErrorCode, RingletError } from './errors.ts';

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
  /** Levels of nesting in a JSON value. @default 64 */
  readonly valueDepthMax: number;
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
  /** Bytes of JavaScript heap of one thread; beyond it the thread ends and its nodes start again. @default 4294967296 (4 GiB) */
  readonly threadHeapBytesMax: number;
  /** Records that background work writes in one turn. @default 64 */
  readonly maintainCountMax: number;
}

export const defaultLimits: Limits = Object.freeze({
  keyBytesMax: 1024,
  valueBytesMax: 8 * 1024 * 1024,
  valueDepthMax: 64,
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
  checkOptionNames('option', options, clusterOptionNames);
  const nodes = resolveNodes(options.nodes ?? 5);
  const threadsDefault = Math.max(1, Math.min(environment.coreCount, nodes.length, 8));
  const partitions = options.partitions ?? 256;
  if (!isWhole(partitions, 8, 65_536) || (partitions & (partitions - 1)) !== 0) {
    throw new RingletError(
      'RINGLET_RING_SIZE',
      `partitions: got ${show(partitions)}, expected a power of two from 8 to 65536`,
    );
  }
  const config: ClusterConfig = {
    dataDir: options.dataDir ?? null,
    nodes,
    threads: checkWhole('threads', options.threads ?? threadsDefault, 1, 64),
    partitions,
    replication: resolveReplication(options.replication ?? {}, defaultReplication(nodes.length)),
    durability: checkOneOf('durability', options.durability ?? 'full', [
      'full',
      'normal',
      'memory',
    ]),
    requestTimeoutMs: checkTimeout('requestTimeoutMs', options.requestTimeoutMs ?? 5000),
    controlTimeoutMs: checkTimeout('controlTimeoutMs', options.controlTimeoutMs ?? 20_000),
    seed: checkWhole('seed', options.seed ?? environment.randomSeed, 0, Number.MAX_SAFE_INTEGER),
    restartNodes: options.restartNodes ?? true,
    readRepairSample: checkNumber('readRepairSample', options.readRepairSample ?? 0.01, 0, 1),
    hedgeAfterMs: resolveHedge(options.hedgeAfterMs ?? 'auto'),
    limits: resolveLimits(options.limits ?? {}),
  };
  if (config.dataDir !== null && typeof config.dataDir !== 'string') {
    throw invalid('dataDir', config.dataDir, 'a path');
  }
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
  replication: Partial<Replication>,
  defaults: Replication,
): Replication {
  checkOptionNames('replication option', replication, { n: true, r: true, w: true });
  const n = checkWhole(
    'n',
    replication.n ?? defaults.n,
    1,
    REPLICATION_FACTOR_MAX,
    'RINGLET_OPTION_N',
  );
  const r = checkWhole(
    'r',
    replication.r ?? Math.min(defaults.r, n),
    1,
    REPLICATION_FACTOR_MAX,
    'RINGLET_OPTION_N',
  );
  const w = checkWhole(
    'w',
    replication.w ?? Math.min(defaults.w, n),
    1,
    REPLICATION_FACTOR_MAX,
    'RINGLET_OPTION_N',
  );
  if (r > n) throw new RingletError('RINGLET_QUORUM_IMPOSSIBLE', `R=${r} > N=${n}`);
  if (w > n) throw new RingletError('RINGLET_QUORUM_IMPOSSIBLE', `W=${w} > N=${n}`);
  return Object.freeze({ n, r, w });
}

/** @throws {RingletError} RINGLET_OPTION_DEADLINE */
export function checkTimeout(name: string, timeoutMs: unknown): number {
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0 && timeoutMs <= REQUEST_TIMEOUT_MS_MAX)) {
    throw new RingletError(
      'RINGLET_OPTION_DEADLINE',
      `${name}: got ${show(timeoutMs)}, expected more than 0 and at most ${REQUEST_TIMEOUT_MS_MAX} ms`,
    );
  }
  return timeoutMs;
}

/**
 * Refuses names that are not in `known`, and suggests the nearest.
 *
 * @throws {RingletError} RINGLET_OPTION_UNKNOWN, RINGLET_OPTION_INVALID if `options` is no object
 */
export function checkOptionNames(
  what: string,
  options: unknown,
  known: Readonly<Record<string, true>>,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(what, options, 'an object');
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const near = nearestName(name, Object.keys(known));
    const hint = near === null ? '' : `, did you mean \`${near}\`?`;
    throw new RingletError('RINGLET_OPTION_UNKNOWN', `unknown ${what} \`${name}\`${hint}`);
  }
}

/** The candidate within an edit distance of a third of its length, or `null`. */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.ceil(name.length / 3)) + 1;
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

function resolveNodes(nodes: number | readonly NodeOptions[]): readonly NodeConfig[] {
  if (typeof nodes === 'number') {
    const count = checkWhole('nodes', nodes, 1, NODE_COUNT_MAX);
    return Object.freeze(Array.from({ length: count }, (_, i) => ({ id: nodeName(i), weight: 1 })));
  }
  if (!Array.isArray(nodes) || nodes.length === 0 || nodes.length > NODE_COUNT_MAX) {
    throw invalid('nodes', nodes, `a number or a list of 1 to ${NODE_COUNT_MAX} nodes`);
  }
  const seen = new Set<string>();
  const resolved = nodes.map((node: NodeOptions) => {
    checkOptionNames('node option', node, { id: true, weight: true });
    checkNodeId(node.id);
    if (seen.has(node.id)) {
      throw new RingletError('RINGLET_NODE_ID', `node id ${show(node.id)} is given twice`);
    }
    seen.add(node.id);
    return Object.freeze({
      id: node.id,
      weight: checkNumber('weight', node.weight ?? 1, 0.01, 100),
    });
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
  const known = Object.fromEntries(Object.keys(defaultLimits).map((name) => [name, true as const]));
  checkOptionNames('limit', limits, known);
  for (const [name, value] of Object.entries(limits)) {
    checkWhole(`limits.${name}`, value, 1, Number.MAX_SAFE_INTEGER);
  }
  const resolved = { ...defaultLimits, ...limits };
  if (resolved.keyBytesMax > 65_536)
    throw invalid('limits.keyBytesMax', resolved.keyBytesMax, 'at most 65536');
  if (resolved.valueBytesMax > 2 ** 30)
    throw invalid('limits.valueBytesMax', resolved.valueBytesMax, 'at most 2^30');
  return Object.freeze(resolved);
}

function resolveHedge(hedge: number | 'auto'): number {
  return hedge === 'auto' ? -1 : checkNumber('hedgeAfterMs', hedge, 0.1, REQUEST_TIMEOUT_MS_MAX);
}

function checkOneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw invalid(name, value, `one of ${allowed.join(', ')}`);
  return found;
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function checkWhole(
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

function checkNumber(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw invalid(name, value, `a number from ${min} to ${max}`);
}

function invalid(name: string, value: unknown, expected: string): RingletError {
  return new RingletError(
    'RINGLET_OPTION_INVALID',
    `${name}: got ${show(value)}, expected ${expected}`,
  );
}

/** A value as an error message quotes it: short, one line. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
