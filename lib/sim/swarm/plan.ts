/**
 * The plan of a run: everything that a seed decides, as flat data. A seed draws the options first, which faults there are at
 * all among them, then the events: runs that differ in kind find more than many runs of one kind (swarm testing, Groce et
 * al., ISSTA 2012).
 *
 * Invariant: each field is drawn from a stream of its own and knows no override, so that overriding one changes no other,
 * except that threads, R and W are cut to a smaller number of nodes or of copies.
 */
import {
  checkBoolean,
  checkNumber,
  checkOneOf,
  checkWhole,
  REPLICATION_FACTOR_MAX,
  readOptions,
  show,
} from '../../config.ts';
import { RingletError } from '../../errors.ts';
import { Prng } from '../../prng.ts';

/** What can go wrong in a run, by the names under which it is counted. */
export const faultKinds = [
  'loss',
  'duplication',
  'reordering',
  'delay',
  'clog',
  'swizzle',
  'bandwidth',
  'partition',
  'one-way',
  'bridge',
  'crash',
  'thread-death',
  'lost-send',
  'pause',
  'wipe',
  'restore',
  'clone',
  'power-loss',
  'rot-record',
  'rot-journal',
  'rot-meta',
  'disk-full',
  'io-error',
  'sync-error',
  'slow-disk',
  'slow-node',
  'clock-skew',
  'clock-jump',
  'clock-freeze',
] as const;

/** One of {@link faultKinds}. */
export type FaultKind = (typeof faultKinds)[number];

/** Everything that a seed decides. */
export interface Plan {
  readonly seed: number;

  /** Nodes of the cluster, 1 to 64. */
  readonly nodes: number;
  /** Threads that they share, at most one per node. */
  readonly threads: number;
  /** Clients with an address of their own. */
  readonly clients: number;
  readonly partitions: number;
  /** Copies. May be more than there are nodes. */
  readonly n: number;
  readonly r: number;
  readonly w: number;
  /** Keys are dealt out to so many, each further one with an N, R and W of its own: see `lib/sim/swarm/buckets.ts`. */
  readonly buckets: number;
  readonly durability: 'full' | 'normal';
  /** Milliseconds that a sync takes on average; 0 is at once. Only with durability `full`. */
  readonly syncMs: number;

  readonly scheduler: 'ordered' | 'random' | 'priority';
  /** Times that scheduler `priority` changes the order. */
  readonly changePoints: number;

  /** Times that the workload and the faults run, each time until all is healed and checked. */
  readonly rounds: number;
  /** Virtual milliseconds of all rounds together. */
  readonly durationMs: number;
  /** Requests that the sessions start at most, over all of them. */
  readonly operationsPerSecond: number;
  readonly sessions: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** Share of operations that read and write nothing afterwards. */
  readonly readShare: number;
  /** Share of writes without a context. */
  readonly blindShare: number;
  /** Share of writes with the context of an earlier read, its own or another session's. */
  readonly staleShare: number;
  /** Share of writes that delete. */
  readonly deleteShare: number;
  /** Share of requests with an N, R or W of their own. */
  readonly ownQuorumShare: number;
  readonly timeoutMs: number;
  /** All buckets keep the last writer. If not, a further one still may. */
  readonly lastWriterWins: boolean;

  readonly siblingCountMax: number;
  readonly turnCountMax: number;
  readonly mailboxCountMax: number;
  readonly coordinatorCountMax: number;
  /** -1 follows the recent latencies. */
  readonly hedgeAfterMs: number;
  readonly readRepairSample: number;

  /** Share of messages between nodes. Each of these holds only if the fault of its name is among {@link faults}. */
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
  /** Fault `delay`: every message takes so long, */
  readonly latencyMs: number;
  /** and so much longer on average, exponentially distributed. */
  readonly jitterMs: number;
  /** Bytes per second and link. */
  readonly bandwidth: number;

  /** The faults that there are at all. */
  readonly faults: readonly FaultKind[];
  /** How often one begins that does not happen by itself. */
  readonly faultsPerSecond: number;
  /** Faults keep to what promises withstand: see `lib/sim/swarm/fault-model.ts`. */
  readonly isWithinModel: boolean;
  /** Nodes take rare branches at random. */
  readonly buggify: boolean;
  /** A sweep runs this seed twice and compares. */
  readonly checkReplay: boolean;
}

/**
 * Draws the plan of a seed.
 *
 * @throws {RingletError} RINGLET_OPTION_UNKNOWN, RINGLET_OPTION_INVALID, RINGLET_OPTION_N, RINGLET_RING_SIZE,
 * RINGLET_QUORUM_IMPOSSIBLE if an override is not what a plan can have
 */
export function drawPlan(seed: number, overrides: Partial<Plan> = {}): Plan {
  checkWhole('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  const drawn = draw(seed);
  const given = readOptions('plan option', overrides, planFields) as Partial<Plan>;
  const plan = { ...drawn, ...given };
  const fitted = {
    ...plan,
    threads: given.threads ?? Math.min(plan.threads, plan.nodes),
    r: given.r ?? Math.min(plan.r, plan.n),
    w: given.w ?? Math.min(plan.w, plan.n),
    faults: given.faults ?? plan.faults,
  };
  return Object.freeze(checkPlan(fitted));
}

// ------------------------------------------------------------------------------------------- draws

function draw(seed: number): Plan {
  const root = new Prng(seed).split('plan');
  const of = (name: keyof Plan) => root.split(name);
  const nodes = drawNodes(of('nodes'));
  const { n, r, w } = drawReplication(of('n'), nodes);
  const durationMs = drawDurationMs(of('durationMs'), nodes);
  return {
    seed,
    nodes,
    threads: Math.min(nodes, of('threads').pick([1, 1, 2, 3, 4, 8])),
    clients: 1 + of('clients').int(4),
    partitions: of('partitions').pick([8, 8, 16, 64]),
    n,
    r,
    w,
    buckets: of('buckets').pick([1, 1, 1, 1, 2, 3]),
    durability: of('durability').chance(0.75) ? 'full' : 'normal',
    syncMs: of('syncMs').pick([0, 0, 0, 1, 4, 20]),
    scheduler: of('scheduler').pick(['ordered', 'random', 'random', 'random', 'priority']),
    changePoints: of('changePoints').int(20),
    rounds: of('rounds').pick([1, 1, 2, 3]),
    durationMs,
    operationsPerSecond: drawOperationsPerSecond(of('operationsPerSecond'), durationMs, n),
    sessions: spread(of('sessions'), 1, 40),
    keys: of('keys').pick([1, 1, 2, 2, 3, 4, 5, 8, 12, 20]),
    valueBytes: of('valueBytes').pick([8, 8, 8, 16, 60, 500]),
    readShare: of('readShare').pick([0.05, 0.2, 0.3, 0.5, 0.8]),
    blindShare: of('blindShare').pick([0, 0.02, 0.1, 0.1, 0.5]),
    staleShare: of('staleShare').pick([0, 0.05, 0.2, 0.2, 0.6]),
    deleteShare: of('deleteShare').pick([0, 0.05, 0.1, 0.3]),
    ownQuorumShare: of('ownQuorumShare').pick([0, 0, 0, 0, 0.05, 0.2]),
    timeoutMs: spread(of('timeoutMs'), 100, 4_000),
    lastWriterWins: of('lastWriterWins').chance(0.08),
    siblingCountMax: of('siblingCountMax').pick([2, 4, 8, 100, 100, 100]),
    turnCountMax: of('turnCountMax').pick([1, 4, 64, 512, 512]),
    mailboxCountMax: of('mailboxCountMax').pick([16, 64, 10_000, 10_000, 10_000, 10_000]),
    coordinatorCountMax: of('coordinatorCountMax').pick([1, 4, ...new Array(8).fill(10_000)]),
    hedgeAfterMs: of('hedgeAfterMs').pick([-1, -1, 1, 20, 500]),
    readRepairSample: of('readRepairSample').pick([0, 0.01, 0.1, 1]),
    loss: of('loss').float() * 0.3,
    duplication: of('duplication').float() * 0.5,
    reordering: of('reordering').float() * 0.5,
    latencyMs: of('latencyMs').pick([0, 0, 1, 5, 30]),
    jitterMs: spread(of('jitterMs'), 1, 1_000) / 10,
    bandwidth: spread(of('bandwidth'), 2_000, 1_000_000),
    faults: drawFaults(of('faults')),
    faultsPerSecond: spread(of('faultsPerSecond'), 2, 64) / 2,
    isWithinModel: of('isWithinModel').chance(0.85),
    buggify: of('buggify').chance(0.5),
    checkReplay: of('checkReplay').chance(0.05),
  };
}

function drawNodes(random: Prng): number {
  if (random.chance(0.06)) return 10 + random.int(55);
  return random.chance(0.6) ? 3 + random.int(4) : 1 + random.int(9);
}

/** The paper's 3, 2, 2 in half of the runs; seldom more copies than nodes. */
function drawReplication(random: Prng, nodes: number): Pick<Plan, 'n' | 'r' | 'w'> {
  if (nodes >= 3 && random.chance(0.5)) return { n: 3, r: 2, w: 2 };
  const copies = random.chance(0.1) ? 1 + random.int(REPLICATION_FACTOR_MAX) : 1 + random.int(5);
  const n = random.chance(0.15) ? copies : Math.min(copies, nodes);
  return { n, r: 1 + random.int(n), w: 1 + random.int(n) };
}

/** A large cluster costs more per simulated second. */
function drawDurationMs(random: Prng, nodes: number): number {
  const durationMs = spread(random, 1_000, 16_000);
  return nodes > 9 ? Math.ceil(durationMs / 4) : durationMs;
}

/** As many requests as fit a run, whatever its length. */
function drawOperationsPerSecond(random: Prng, durationMs: number, n: number): number {
  const messages = spread(random, 8_000, 128_000);
  const messagesPerOperation = 3 + 2 * n;
  return Math.ceil((messages / messagesPerOperation / durationMs) * 1000);
}

/** None at times, all at times, else a random subset. */
function drawFaults(random: Prng): FaultKind[] {
  const share = random.pick([0, 0.1, 0.2, 0.2, 0.3, 0.3, 0.5, 0.7, 1]);
  return faultKinds.filter(() => share === 1 || random.chance(share));
}

/** A whole number from `min` to `max`, each doubling equally likely. */
function spread(random: Prng, min: number, max: number): number {
  let doublings = 1;
  while (min * 2 ** doublings < max) doublings++;
  const low = min * 2 ** random.int(doublings);
  return low + random.int(Math.min(low, max - low) + 1);
}

// ------------------------------------------------------------------------------------------ checks

type Check = (name: string, value: unknown) => unknown;

const whole =
  (min: number, max: number): Check =>
  (name, value) =>
    checkWhole(name, value, min, max);
const number =
  (min: number, max: number): Check =>
  (name, value) =>
    checkNumber(name, value, min, max);
const share = number(0, 1);
const copies: Check = (name, value) =>
  checkWhole(name, value, 1, REPLICATION_FACTOR_MAX, 'RINGLET_OPTION_N');
const oneOf =
  (...allowed: string[]): Check =>
  (name, value) =>
    checkOneOf(name, value, allowed);

const checks: { readonly [Name in keyof Plan]: Check } = {
  seed: whole(0, Number.MAX_SAFE_INTEGER),
  nodes: whole(1, 64),
  threads: whole(1, 64),
  clients: whole(1, 64),
  partitions: checkPartitions,
  n: copies,
  r: copies,
  w: copies,
  buckets: whole(1, 100),
  durability: oneOf('full', 'normal'),
  syncMs: number(0, 10_000),
  scheduler: oneOf('ordered', 'random', 'priority'),
  changePoints: whole(0, 1_000),
  rounds: whole(1, 100),
  durationMs: number(1, 3_600_000),
  operationsPerSecond: number(0.01, 1_000_000),
  sessions: whole(1, 1_000),
  keys: whole(1, 1_000),
  valueBytes: whole(4, 1_000_000),
  readShare: share,
  blindShare: share,
  staleShare: share,
  deleteShare: share,
  ownQuorumShare: share,
  timeoutMs: number(1, 3_600_000),
  lastWriterWins: checkBoolean,
  siblingCountMax: whole(1, 1_000_000),
  turnCountMax: whole(1, 1_000_000),
  mailboxCountMax: whole(1, 1_000_000),
  coordinatorCountMax: whole(1, 1_000_000),
  hedgeAfterMs: checkHedge,
  readRepairSample: share,
  loss: share,
  duplication: share,
  reordering: share,
  latencyMs: number(0, 60_000),
  jitterMs: number(0, 60_000),
  bandwidth: whole(1, 2 ** 40),
  faults: checkFaults,
  faultsPerSecond: number(0, 10_000),
  isWithinModel: checkBoolean,
  buggify: checkBoolean,
  checkReplay: checkBoolean,
};

const planFields = Object.fromEntries(Object.keys(checks).map((name) => [name, true])) as Record<
  keyof Plan,
  true
>;

function checkPlan(plan: Plan): Plan {
  for (const name of Object.keys(checks) as (keyof Plan)[]) checks[name](name, plan[name]);
  checkWhole('threads', plan.threads, 1, plan.nodes);
  if (plan.r > plan.n)
    throw new RingletError('RINGLET_QUORUM_IMPOSSIBLE', `R=${plan.r} > N=${plan.n}`);
  if (plan.w > plan.n)
    throw new RingletError('RINGLET_QUORUM_IMPOSSIBLE', `W=${plan.w} > N=${plan.n}`);
  return plan;
}

function checkHedge(name: string, value: unknown): void {
  if (value !== -1) checkNumber(name, value, 0.1, 3_600_000);
}

function checkPartitions(name: string, value: unknown): void {
  const count = checkWhole(name, value, 8, 65_536, 'RINGLET_RING_SIZE');
  if ((count & (count - 1)) === 0) return;
  throw new RingletError('RINGLET_RING_SIZE', `${name}: got ${count}, expected a power of two`);
}

function checkFaults(name: string, value: unknown): void {
  if (!Array.isArray(value)) {
    throw new RingletError(
      'RINGLET_OPTION_INVALID',
      `${name}: got ${show(value)}, expected a list`,
    );
  }
  for (const kind of value) checkOneOf(name, kind, faultKinds);
}
