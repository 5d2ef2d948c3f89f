/**
 * A user's own workload and checks, over many seeds. Each seed is a cluster of its own in which things go wrong while the
 * workload runs; then all is healed, and the checks say whether what is left is what should be.
 *
 * Invariant: a seed's run is a function of the options, as long as the workload and the checks are: they wait for nothing but
 * the cluster, and draw from nothing but the randomness that they are given.
 */
import type { Bucket, BucketOptions } from '../bucket.ts';
import { checkBoolean, checkNumber, checkWhole, resolveConfig } from '../config.ts';
import { isRingletError, messageOf } from '../errors.ts';
import type { LinkSettings } from '../network/rules.ts';
import { Prng } from '../prng.ts';
import { RandomFaults } from './random-faults.ts';
import { RequestWatch } from './request-watch.ts';
import { SimulatedCluster, type SimulatedClusterOptions } from './simulated-cluster.ts';
import { drawPlan, type FaultKind, type Plan } from './swarm/plan.ts';
import { schedulerOf } from './swarm/run-seed.ts';

/** One of the users that a workload plays: a client with an address of its own. */
export interface SimulatedSession {
  /** From 0. */
  readonly index: number;
  /** For this session's choices. */
  readonly random: Prng;
  /** As `cluster.bucket`, for requests of this session. */
  bucket<T = Uint8Array>(name: string, options?: BucketOptions<T>): Bucket<T>;
  /** Ends after so many virtual milliseconds. */
  sleep(durationMs: number): Promise<void>;
}

/** What a workload gets besides the cluster. */
export interface SimulateScope {
  readonly seed: number;
  /** For choices that are no session's. */
  readonly random: Prng;
  readonly sessions: readonly SimulatedSession[];
}

/** What `simulate` is to do. Whatever the cluster's options leave open is drawn from the seed: threads, scheduler, syncs. */
export interface SimulateOptions<Result = void> extends Omit<SimulatedClusterOptions, 'seed'> {
  /** How many seeds, one after another. */
  readonly seeds: number;
  /** The first seed. @default 0 */
  readonly from?: number;
  /** Users that the workload may play at once. @default 3 */
  readonly sessions?: number;
  /** What may go wrong while the workload runs, all of it in every seed; `[]` is nothing. @default some of everything, drawn from the seed */
  readonly faults?: readonly FaultKind[];
  /** How often something begins to go wrong. @default drawn from the seed: 1 to 32 */
  readonly faultsPerSecond?: number;
  /** Judges the cluster as well: that no acknowledged write is lost or comes back, that nothing is invented, … @default true */
  readonly oracle?: boolean;
  /** Ends with the first seed that fails. @default true */
  readonly stopAtFirst?: boolean;
  /** Virtual milliseconds that the workload, the way to rest and the checks each have. @default 600000 */
  readonly limitMs?: number;
  /** Called after each seed. What it returns is awaited: here a page can be drawn, or other work done. */
  readonly onSeed?: (seed: number, failure: SimulateFailure | null) => unknown;
  /** Does what users do. Requests fail while things go wrong: what it throws fails the seed. What it returns goes to the check. */
  readonly workload: (cluster: SimulatedCluster, scope: SimulateScope) => Promise<Result> | Result;
  /** Throws if what it finds is not as it should be. By then all faults have ended, and replicas agree. */
  readonly check?: (cluster: SimulatedCluster, result: Result) => Promise<void> | void;
}

/** A seed that failed. */
export interface SimulateFailure {
  readonly seed: number;
  /** What found it. `node`: one stopped by itself. `oracle`: a promise of the cluster was broken, which is a bug of Ringlet's. */
  readonly phase: 'workload' | 'rest' | 'check' | 'node' | 'oracle';
  /** Steps of the world until then. */
  readonly step: number;
  /** Virtual milliseconds until then. */
  readonly timeMs: number;
  readonly error: unknown;
  /** What happened to the key in question, if the oracle found it. */
  readonly story: readonly string[];
  /** Of the run until then. */
  readonly fingerprint: string;
  /** A second run of the seed had the same fingerprint. If not, the workload or the check depends on more than the seed. */
  readonly isReproducible: boolean;
}

/** What came of all seeds. */
export interface SimulateReport {
  /** Seeds that were run. */
  readonly seeds: number;
  readonly failures: readonly SimulateFailure[];
  readonly steps: number;
  readonly messages: number;
  readonly simulatedMs: number;
  /** By kind, how often something went wrong. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
}

/** What links are like where neither the options nor a fault say otherwise: a little slow, so that requests overlap. */
const calmLinks: Partial<LinkSettings> = Object.freeze({
  latencyMs: 0.5,
  jitterMs: 1,
  jitterDistribution: 'exponential',
});

/** Of a stack: enough to see where in the workload or the check it was. */
const STACK_LINE_COUNT = 4;

const SEED_COUNT_MAX = 1_000_000_000;
const SESSION_COUNT_MAX = 1024;
const LIMIT_MS_MAX = 1e12;

/**
 * Runs a workload and a check over seeds.
 *
 * @returns what was found. A workload or a check that throws is a finding, not an error.
 * @throws {RingletError} what is wrong with an option
 * @example
 * const { failures } = await simulate({
 *   seeds: 100,
 *   workload: async (cluster, { sessions }) => {
 *     const counts = sessions.map(async (session) => {
 *       const bucket = session.bucket('b', { codec: json<number>() });
 *       await session.sleep(session.random.int(100));
 *       return bucket.put('k', session.index).then(() => 1, () => 0);
 *     });
 *     return (await Promise.all(counts)).reduce<number>((sum, count) => sum + count, 0);
 *   },
 *   check: async (cluster, acknowledged) => {
 *     const { siblings } = await cluster.bucket('b', { codec: json<number>() }).get('k');
 *     if (siblings.length < acknowledged) throw new Error('a write is lost');
 *   },
 * });
 */
export async function simulate<Result = void>(
  options: SimulateOptions<Result>,
): Promise<SimulateReport> {
  const { seeds, from = 0, stopAtFirst = true, onSeed } = options;
  checkWhole('seeds', seeds, 1, SEED_COUNT_MAX);
  checkWhole('from', from, 0, Number.MAX_SAFE_INTEGER - seeds);
  checkBoolean('stopAtFirst', stopAtFirst);
  const tally = new Tally();
  for (let seed = from; seed < from + seeds; seed++) {
    const run = new SeedRun<Result>(options, seed);
    const found = await run.execute();
    const failure = found === null ? null : await confirm(options, found);
    tally.add(run, failure);
    await onSeed?.(seed, failure);
    if (failure !== null && stopAtFirst) break;
  }
  return tally.report();
}

/** Runs a seed that failed again, unseen. */
async function confirm<Result>(
  options: SimulateOptions<Result>,
  failure: SimulateFailure,
): Promise<SimulateFailure> {
  const { trace: _trace, observer: _observer, ...unseen } = options;
  const again = await new SeedRun<Result>(unseen, failure.seed).execute();
  return { ...failure, isReproducible: again?.fingerprint === failure.fingerprint };
}

/**
 * A failure in a few lines, with the call that reproduces it.
 *
 * @example for (const failure of report.failures) console.log(describeFailure(failure));
 */
export function describeFailure(failure: SimulateFailure): string {
  const { seed, phase, step, timeMs, error, story, fingerprint, isReproducible } = failure;
  const lines = [
    `FAIL  ${phase}  seed=${seed}  step=${step}  time=${timeMs.toFixed(3)} ms`,
    ...linesOf(error).map((line) => `      ${line}`),
    ...story.map((line) => `      ${line}`),
    `      fingerprint=${fingerprint}`,
    `      reproduce: simulate({ ...options, from: ${seed}, seeds: 1, trace: console.log })`,
  ];
  if (!isReproducible) lines.push('      A second run differed: it depends on more than the seed.');
  return lines.join('\n');
}

/** What was thrown, and where if that is known: the first lines of the stack, which begins with the message. */
function linesOf(error: unknown): string[] {
  if (!(error instanceof Error) || isRingletError(error)) return [messageOf(error)];
  return (error.stack ?? messageOf(error)).split('\n').slice(0, STACK_LINE_COUNT);
}

/** What ended a run. */
interface Finding {
  readonly phase: SimulateFailure['phase'];
  readonly error: unknown;
  readonly step?: number;
  readonly timeMs?: number;
  readonly story?: readonly string[];
}

/** One seed. */
class SeedRun<Result> {
  readonly cluster: SimulatedCluster;
  private readonly options: SimulateOptions<Result>;
  private readonly seed: number;
  private readonly limitMs: number;
  private readonly sessions: readonly SimulatedSession[];
  private readonly watch: RequestWatch | null;
  private faults: RandomFaults | null = null;
  /** What the nemesis found. */
  private wrongOpen: string | null = null;

  constructor(options: SimulateOptions<Result>, seed: number) {
    const { sessions = 3, oracle = true, limitMs = 600_000 } = options;
    checkWhole('sessions', sessions, 1, SESSION_COUNT_MAX);
    this.limitMs = checkNumber('limitMs', limitMs, 1, LIMIT_MS_MAX);
    this.options = options;
    this.seed = seed;
    this.watch = checkBoolean('oracle', oracle) ? new RequestWatch() : null;
    const plan = planOf(options, seed);
    const { clients = sessions } = options;
    this.cluster = SimulatedCluster.openWith(
      { ...clusterOptionsOf(options, plan), clients },
      { watch: this.watch, createFaults: () => this.createFaults(plan) },
    );
    const random = new Prng(seed).split('workload');
    this.sessions = Array.from({ length: sessions }, (_, index) => ({
      ...this.cluster.client(index % clients),
      index,
      random: random.split(`session ${index}`),
      sleep: (durationMs) => this.cluster.sleep(durationMs),
    }));
  }

  /** By kind, how often something went wrong. */
  get faultCounts(): ReadonlyMap<FaultKind, number> {
    return this.faults?.counts ?? new Map();
  }

  /** The first one, and only it, is that of the run; forks have their own. */
  private createFaults(plan: Plan): RandomFaults {
    const { links = calmLinks } = this.options;
    const isFork = this.faults !== null;
    const faults = new RandomFaults({
      plan,
      links,
      onWorld: (world, model) => {
        if (!isFork) this.watch?.attach(world, model);
      },
      onBeyond: (partition) => {
        if (!isFork) this.watch?.onBeyond(partition);
      },
      onWrongOpen: (message) => {
        if (!isFork) this.wrongOpen ??= message;
      },
    });
    this.faults ??= faults;
    return faults;
  }

  async execute(): Promise<SimulateFailure | null> {
    const finding = this.findingOf(await this.play());
    if (finding === null) return null;
    const { step: stepNow, nowMs, fingerprint } = this.cluster;
    const { phase, error, step = stepNow, timeMs = nowMs, story = [] } = finding;
    const { seed } = this;
    return { seed, phase, step, timeMs, error, story, fingerprint, isReproducible: true };
  }

  private async play(): Promise<Finding | null> {
    const { cluster, seed, sessions, limitMs } = this;
    const { workload, check } = this.options;
    const random = new Prng(seed).split('workload');
    let phase: Finding['phase'] = 'workload';
    try {
      cluster.startFaults();
      const result = await this.settle(() => workload(cluster, { seed, random, sessions }));
      phase = 'rest';
      cluster.healFaults();
      await cluster.runUntilQuiet(limitMs);
      await cluster.repair();
      phase = 'check';
      await this.settle(() => check?.(cluster, result));
      await cluster.runUntilQuiet(limitMs);
      this.watch?.checkAtRest();
      return null;
    } catch (error) {
      return { phase, error };
    }
  }

  private settle<T>(act: () => Promise<T> | T): Promise<T> {
    return this.cluster.settle((async () => act())(), this.limitMs);
  }

  /** What broke first is the reason; what a workload or a check says may only follow from it. */
  private findingOf(finding: Finding | null): Finding | null {
    const { watch, wrongOpen } = this;
    const [violation] = watch?.violations ?? [];
    if (violation !== undefined) {
      const { checker, message, ...where } = violation;
      return { phase: 'oracle', error: new Error(`${checker}: ${message}`), ...where };
    }
    const [failure] = this.cluster.failures;
    if (failure !== undefined) return { phase: 'node', error: failure.error };
    if (wrongOpen !== null) return { phase: 'oracle', error: new Error(wrongOpen) };
    return finding;
  }
}

/** What may go wrong in a seed. */
function planOf<Result>(options: SimulateOptions<Result>, seed: number): Plan {
  const { nodes, replication, durability, syncMs, faults, faultsPerSecond } = options;
  const config = resolveConfig(
    {
      ...(nodes !== undefined && { nodes }),
      ...(replication !== undefined && { replication }),
      ...(durability !== undefined && { durability }),
    },
    { coreCount: 1, randomSeed: 0 },
  );
  return drawPlan(seed, {
    ...config.replication,
    nodes: config.nodes.length,
    durability: config.durability === 'full' ? 'full' : 'normal',
    isWithinModel: true,
    ...(syncMs !== undefined && { syncMs }),
    ...(faults !== undefined && { faults }),
    ...(faultsPerSecond !== undefined && { faultsPerSecond }),
  });
}

/** What is left of the options is the cluster's. */
function clusterOptionsOf<Result>(
  options: SimulateOptions<Result>,
  plan: Plan,
): SimulatedClusterOptions {
  const {
    seeds: _seeds,
    from: _from,
    stopAtFirst: _stopAtFirst,
    onSeed: _onSeed,
    ...run
  } = options;
  const { sessions: _sessions, oracle: _oracle, limitMs: _limitMs, ...rest } = run;
  const { faults: _faults, faultsPerSecond: _faultsPerSecond, ...own } = rest;
  const { workload: _workload, check: _check, ...cluster } = own;
  const { seed, threads, syncMs } = plan;
  return { threads, syncMs, scheduler: schedulerOf(plan), ...cluster, seed };
}

/** What is counted of a run. */
type CountedRun = Pick<SeedRun<unknown>, 'cluster' | 'faultCounts'>;

/** Adds up what runs came to. */
class Tally {
  private readonly failures: SimulateFailure[] = [];
  private readonly faults = new Map<FaultKind, number>();
  private seeds = 0;
  private steps = 0;
  private messages = 0;
  private simulatedMs = 0;

  add({ cluster, faultCounts }: CountedRun, failure: SimulateFailure | null): void {
    this.seeds++;
    this.steps += cluster.step;
    this.messages += cluster.world.messageCount;
    this.simulatedMs += cluster.nowMs;
    for (const [kind, count] of faultCounts) {
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    }
    if (failure !== null) this.failures.push(failure);
  }

  report(): SimulateReport {
    const { failures, seeds, steps, messages, simulatedMs } = this;
    const faults = Object.fromEntries(this.faults);
    return { seeds, failures, steps, messages, simulatedMs, faults };
  }
}
