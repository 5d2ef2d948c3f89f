/**
 * One seed: a world, a workload, faults, and everything that must hold, checked while it runs and when it has come to rest
 * (Dynamo §2.3, §4).
 *
 * Safety: in each round sessions work while the nemesis breaks things; then all is healed, repaired and checked. Liveness: at
 * last all but a core of nodes die for ever, and what the core can serve must be served.
 *
 * Invariant: a run is a function of its plan. Hooks only look.
 */
import type { PartitionId } from '../../address.ts';
import type { ClusterOptions } from '../../config.ts';
import { messageOf } from '../../errors.ts';
import { hashKey } from '../../hash.ts';
import { Prng } from '../../prng.ts';
import { describeAddress, describeKey } from '../../protocol/describe.ts';
import { partitionOfHash } from '../../ring/ring.ts';
import { DotBinder } from '../judge/dots.ts';
import { Oracle } from '../judge/oracle.ts';
import { joinObservers } from '../world/observers.ts';
import { type NodeEvent, World, type WorldObserver, type WorldOptions } from '../world/world.ts';
import { type PlannedKey, planKeys } from './buckets.ts';
import { FaultModel, type PartitionCopies } from './fault-model.ts';
import { Invariants } from './invariants.ts';
import { checkLiveness } from './liveness.ts';
import { linkSettingsOf, Nemesis } from './nemesis.ts';
import type { FaultKind, Plan } from './plan.ts';
import { type LocatedKey, Workload } from './sessions.ts';
import { SwarmProbe } from './swarm-probe.ts';

/** A promise that a run found broken. */
export interface Violation {
  /** Which, such as `I1 lost write`. */
  readonly checker: string;
  readonly message: string;
  readonly step: number;
  readonly timeMs: number;
  /** What happened to the key and the nodes involved, newest last. */
  readonly story: readonly string[];
}

/** What a run came to. */
export interface SeedReport {
  readonly plan: Plan;
  /** The first violation, at which the run ended; `null` if there was none. */
  readonly violation: Violation | null;
  readonly fingerprint: string;
  readonly stepCount: number;
  readonly messageCount: number;
  readonly simulatedMs: number;
  /** Reads that ended with a result. */
  readonly reads: number;
  readonly acknowledgedWrites: number;
  readonly failedWrites: number;
  readonly indefiniteWrites: number;
  /** Acknowledged and gone: 0 unless the last writer wins or faults went beyond the model. */
  readonly lostWrites: number;
  /** Those of them that were in buckets in which the last writer wins. */
  readonly lostToLaterWriter: number;
  /** Reads that missed what their session had written or read. */
  readonly staleReads: number;
  /** By kind, how often it really happened. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** By id, how often it was seen. */
  readonly sometimes: Readonly<Record<string, number>>;
}

/** For those who look on. */
export interface RunHooks {
  readonly observer?: WorldObserver;
  /** The world, before its first step. */
  readonly onWorld?: (world: World) => void;
  /** Ends the run before this step. */
  readonly breakAtStep?: number;
  /** Takes lines that the nemesis and the sessions write. */
  readonly trace?: (line: string) => void;
}

/** Runs a plan. Never throws for what it finds. */
export function runSeed(plan: Plan, hooks: RunHooks = {}): SeedReport {
  return new Run(plan, hooks).execute();
}

/**
 * Runs a plan twice. If the runs differ the report has a violation `I16 determinism` that names the first step that does.
 *
 * @param onWorld Gets the world of each run, before its first step.
 */
export function runSeedTwice(plan: Plan, onWorld?: (world: World) => void): SeedReport {
  const log = new StepLog(onWorld);
  const first = runSeed(plan, log.recording());
  const second = runSeed(plan, log.comparing());
  const step = log.differentStep;
  if (step === null && first.fingerprint === second.fingerprint) return first;
  const message = `two runs differ, first in step ${step ?? first.stepCount}: ${first.fingerprint} and ${second.fingerprint}`;
  const violation: Violation = {
    checker: 'I16 determinism',
    message,
    step: step ?? first.stepCount,
    timeMs: log.differentMs,
    story: [],
  };
  return { ...first, violation };
}

/** Lines of the nemesis that a story begins with. */
const NOTE_COUNT_MAX = 24;
/** Virtual milliseconds between two looks at the limits. */
const LIMITS_EVERY_MS = 50;

class Run {
  private readonly plan: Plan;
  private readonly hooks: RunHooks;
  private readonly keys: readonly PlannedKey[];
  private readonly lastWriterKeys: ReadonlySet<string>;
  private readonly probe: SwarmProbe;
  private readonly oracle: Oracle;
  private readonly dots: DotBinder;
  private world: World | null = null;
  private nemesis: Nemesis | null = null;
  private workload: Workload | null = null;
  private invariants: Invariants | null = null;
  private violation: Violation | null = null;
  private readonly notes: string[] = [];

  constructor(plan: Plan, hooks: RunHooks) {
    this.plan = plan;
    this.hooks = hooks;
    this.keys = planKeys(plan);
    const lastWriterKeys = this.keys.filter(({ bucket }) => bucket.lastWriterWins);
    this.lastWriterKeys = new Set(lastWriterKeys.map(({ key }) => key));
    this.probe = new SwarmProbe(this.split('probe'), plan.buggify);
    this.oracle = new Oracle({
      lastWriterWins: (key) => this.lastWriterKeys.has(key),
      report: ({ checker, key, message, story }) =>
        this.report(checker, `${describeKey(key as LocatedKey['key'])}: ${message}`, story),
    });
    this.dots = new DotBinder(this.oracle);
  }

  private split(concern: string): Prng {
    return new Prng(this.plan.seed).split(concern);
  }

  execute(): SeedReport {
    try {
      this.play();
    } catch (error) {
      this.report('assertion', messageOf(error), stackOf(error));
    }
    return this.summary();
  }

  private play(): void {
    const world = this.openWorld();
    const { plan } = this;
    const keys = this.keys.map((planned) => locate(world, planned));
    const model = this.createModel(world, keys);
    const report = (checker: string, message: string) => this.report(checker, message, []);
    const sometimes = (id: string, condition: boolean) => this.probe.sometimes(id, condition);
    const isOver = () => this.isOver;
    const { oracle, dots } = this;
    const shared = { world, plan, keys, oracle, model, report, sometimes, isOver };
    const note = this.hooks.trace ?? null;
    const workload = new Workload({ ...shared, dots, random: this.split('sessions'), note });
    const nemesis = new Nemesis({
      world,
      plan,
      model,
      random: this.split('nemesis'),
      note: (line) => this.note(line),
      onWrongOpen: (message) => report('I6 identity', message),
    });
    const invariants = new Invariants({ ...shared, revive: () => nemesis.revive() });
    this.nemesis = nemesis;
    this.workload = workload;
    this.invariants = invariants;
    invariants.checkRing();
    const random = this.split('liveness');
    // Half of the cores must go on from whatever state they are in, the others from rest.
    const hasRest = random.chance(0.5);
    for (let round = 1; round <= plan.rounds && !this.isOver; round++) {
      this.playRound(world, nemesis, workload);
      if (this.isOver || (round === plan.rounds && !hasRest)) break;
      invariants.checkAtRest();
    }
    if (this.isOver) return;
    sometimes('liveness: a core goes on in the middle of things', !hasRest);
    const kill = nemesis.killForEver.bind(nemesis);
    const revive = nemesis.revive.bind(nemesis);
    checkLiveness({ ...shared, workload, random, kill, revive, note: (line) => this.note(line) });
  }

  /** Works and breaks, and then heals. */
  private playRound(world: World, nemesis: Nemesis, workload: Workload): void {
    const endMs = world.nowMs + this.plan.durationMs / this.plan.rounds;
    this.probe.isOn = this.plan.buggify;
    nemesis.start(endMs);
    workload.start(endMs);
    const look = () => {
      this.invariants?.checkLimits();
      if (world.nowMs + LIMITS_EVERY_MS < endMs) world.at(world.nowMs + LIMITS_EVERY_MS, look);
    };
    look();
    world.runUntil(endMs, () => this.isOver);
    if (this.isOver) return;
    this.probe.isOn = false;
    workload.stop();
    nemesis.heal();
  }

  /** A violation was found, a node failed by itself, or the step was reached at which to stop. */
  private get isOver(): boolean {
    const { world, violation } = this;
    if (violation !== null) return true;
    if (world === null) return false;
    const [failure] = world.failures;
    if (failure !== undefined) {
      const { node, error } = failure;
      const message = `${describeAddress(node)} failed: ${messageOf(error)}`;
      this.report('assertion', message, stackOf(error));
      return true;
    }
    const { breakAtStep } = this.hooks;
    return breakAtStep !== undefined && world.stepCount + 1 >= breakAtStep;
  }

  private openWorld(): World {
    const { plan, hooks, probe } = this;
    const own = this.createObserver();
    const observer = hooks.observer === undefined ? own : joinObservers([own, hooks.observer]);
    const world = new World({ ...worldOptionsOf(plan), probe, observer });
    this.world = world;
    hooks.onWorld?.(world);
    return world;
  }

  private createModel(world: World, keys: readonly LocatedKey[]): FaultModel {
    const { isWithinModel } = this.plan;
    const onBeyond = (partition: PartitionId) => {
      for (const place of keys) {
        if (place.partition === partition) this.oracle.waive('faults beyond the model', place.key);
      }
    };
    return new FaultModel({ isWithinModel, partitions: copiesOf(world, keys), onBeyond });
  }

  // ------------------------------------------------------------------------------- looking on

  /** What the run itself looks at. Links that are watched cost time even where nothing happens on them. */
  private createObserver(): WorldObserver {
    return {
      onMessage: (envelope) => {
        this.workload?.onMessage(envelope);
        this.invariants?.onMessage(envelope);
      },
      ...(linkSettingsOf(this.plan) !== null && {
        onVerdict: (event) => this.nemesis?.onVerdict(event),
      }),
      onCommitted: (node, puts) => {
        if (this.world !== null) this.dots.onCommitted(this.world, node, puts);
      },
      onNode: (event) => {
        this.dots.onNode(this.world, event);
        this.nemesis?.onNode(event);
        this.countOpening(event);
      },
    };
  }

  private countOpening(event: NodeEvent): void {
    if (event.type !== 'started') return;
    const { status } = event.report;
    this.probe.sometimes('world: a store is recovered', status === 'recovered');
    this.probe.sometimes('world: a store is rolled back', status === 'rolled-back');
    this.probe.sometimes('world: a store is set aside', status === 'quarantined');
  }

  private note(line: string): void {
    const timeMs = this.world?.nowMs ?? 0;
    this.notes.push(`${timeMs.toFixed(3)} ms  ${line}`);
    if (this.notes.length > NOTE_COUNT_MAX) this.notes.shift();
    this.hooks.trace?.(line);
  }

  /** The first violation counts. */
  private report(checker: string, message: string, story: readonly string[]): void {
    if (this.violation !== null) return;
    const step = this.world?.stepCount ?? 0;
    const timeMs = this.world?.nowMs ?? 0;
    this.violation = { checker, message, step, timeMs, story: [...this.notes, ...story] };
  }

  private summary(): SeedReport {
    const { plan, violation, world, oracle } = this;
    return {
      plan,
      violation,
      fingerprint: world?.fingerprint ?? '',
      stepCount: world?.stepCount ?? 0,
      messageCount: world?.messageCount ?? 0,
      simulatedMs: world?.nowMs ?? 0,
      reads: oracle.reads,
      acknowledgedWrites: oracle.acknowledgedWrites,
      failedWrites: oracle.failedWrites,
      indefiniteWrites: oracle.indefiniteWrites,
      lostWrites: oracle.lostWrites,
      lostToLaterWriter: oracle.lostToLaterWriter,
      staleReads: oracle.staleReads,
      faults: Object.fromEntries(this.nemesis?.counts ?? []),
      sometimes: Object.fromEntries(this.probe.counts),
    };
  }
}

/** Where an error was thrown, as a story. */
function stackOf(error: unknown): string[] {
  return error instanceof Error && error.stack !== undefined ? [error.stack] : [];
}

function locate({ ring }: World, { key, bucket }: PlannedKey): LocatedKey {
  const hash = hashKey(key, ring.hashSeed);
  return { key, bucket, hash, partition: partitionOfHash(ring, hash.high) };
}

/** The copies of each partition: those of its keys that have the most replicas, and the least W that any of them has. */
function copiesOf({ preferenceLists }: World, keys: readonly LocatedKey[]) {
  const copies = new Map<PartitionId, PartitionCopies>();
  for (const { partition, bucket } of keys) {
    const before = copies.get(partition);
    const replicas = preferenceLists.of(partition, bucket.replication.n);
    const hasMore = before === undefined || replicas.length > before.replicas.length;
    copies.set(partition, {
      replicas: hasMore ? replicas : before.replicas,
      writeQuorum: Math.min(bucket.copyCountMin, before?.writeQuorum ?? bucket.copyCountMin),
    });
  }
  return copies;
}

function worldOptionsOf(plan: Plan): WorldOptions {
  return {
    ...clusterOptionsOf(plan),
    seed: plan.seed,
    clients: plan.clients,
    scheduler: schedulerOf(plan),
    syncMs: plan.syncMs,
  };
}

function clusterOptionsOf(plan: Plan): ClusterOptions {
  const { nodes, threads, partitions, n, r, w, durability, timeoutMs, hedgeAfterMs } = plan;
  const { siblingCountMax, turnCountMax, mailboxCountMax, coordinatorCountMax } = plan;
  return {
    nodes,
    threads,
    partitions,
    replication: { n, r, w },
    durability,
    requestTimeoutMs: timeoutMs,
    readRepairSample: plan.readRepairSample,
    hedgeAfterMs: hedgeAfterMs === -1 ? 'auto' : hedgeAfterMs,
    limits: { siblingCountMax, turnCountMax, mailboxCountMax, coordinatorCountMax },
  };
}

/** The scheduler of a plan, as a world takes it. */
export function schedulerOf(plan: Plan): NonNullable<WorldOptions['scheduler']> {
  if (plan.scheduler !== 'priority') return { type: plan.scheduler };
  // A request takes a step at each end, and so does each copy that is asked.
  const stepsPerRequest = 2 * (plan.n + 1);
  const requestCount = (plan.durationMs / 1_000) * plan.operationsPerSecond;
  const stepCount = Math.ceil(requestCount * stepsPerRequest);
  return { type: 'priority', changePoints: plan.changePoints, stepCount };
}

/** The digests of one run, step by step, and where another run differs. */
class StepLog {
  /** The first step after which the second run was another, and its virtual time. */
  differentStep: number | null = null;
  differentMs = 0;
  private digests = new Uint32Array(1 << 14);
  private count = 0;
  private world: World | null = null;
  private readonly onWorld: (world: World) => void;

  constructor(onWorld: (world: World) => void = () => {}) {
    this.onWorld = (world) => {
      this.world = world;
      onWorld(world);
    };
  }

  recording(): RunHooks {
    return {
      onWorld: this.onWorld,
      observer: { onStep: () => this.push(this.world?.digest ?? 0) },
    };
  }

  comparing(): RunHooks {
    let step = 0;
    return {
      onWorld: this.onWorld,
      observer: {
        onStep: () => {
          const digest = this.world?.digest ?? 0;
          const isSame = step < this.count && this.digests[step] === digest;
          if (!isSame && this.differentStep === null) {
            this.differentStep = step;
            this.differentMs = this.world?.nowMs ?? 0;
          }
          step++;
        },
      },
    };
  }

  private push(digest: number): void {
    if (this.count === this.digests.length) {
      const larger = new Uint32Array(this.count * 2);
      larger.set(this.digests);
      this.digests = larger;
    }
    this.digests[this.count++] = digest;
  }
}
