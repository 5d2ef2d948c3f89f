/**
 * `ringlet bench`: a YCSB core workload on a new cluster.
 *
 * A record is one value, so an update writes the whole record anew and reads nothing, as the usual bindings for
 * key-value stores do. By default the bucket keeps the last write; with `--versioned` it keeps siblings,
 * and an update reads the record first for its context.
 */
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { ClusterConfig } from '../config.ts';
import { messageOf } from '../errors.ts';
import { CoreWorkload, type Operation } from '../workload/core-workload.ts';
import { type Properties, parseOverride, parseProperties } from '../workload/properties.ts';
import { runOperations } from '../workload/runner.ts';
import { operationKinds, resolveWorkload, type WorkloadSettings } from '../workload/settings.ts';
import { standardWorkloads } from '../workload/standard.ts';
import { processClock } from './clock.ts';
import { ExitStatus, InputError } from './exit.ts';
import { Latencies, type LatencySummary, summaryHead, summaryRow } from './latencies.ts';
import {
  type ClusterArguments,
  clusterLine,
  clusterOptionsOf,
  describeCluster,
} from './options.ts';
import { formatCount, formatTable, type Output, plural, round } from './output.ts';
import { showProgress } from './progress.ts';
import { type Session, withCluster } from './session.ts';

/** What commander hands over. */
export interface BenchArguments extends ClusterArguments {
  /** Property files or names of standard workloads, later ones win. */
  readonly properties: readonly string[];
  /** `name=value`, wins over them. */
  readonly property: readonly string[];
  readonly clients?: number;
  readonly target?: number;
  /** False with `--no-load`. */
  readonly load: boolean;
  readonly loadOnly?: boolean;
  readonly versioned?: boolean;
}

/** As much of a bucket as a workload needs. */
export interface RecordStore {
  get(key: string): Promise<{ readonly siblings: readonly Uint8Array[]; readonly context: string }>;
  put(key: string, value: Uint8Array, options?: { readonly context: string }): Promise<unknown>;
}

/** Properties, and where they come from. */
interface SourcedProperties {
  readonly properties: Properties;
  /** The path of a file, or `built-in`. */
  readonly source: string;
}

interface BenchPlan {
  readonly name: string;
  /** Where the workload comes from: paths or `built-in`, joined as the names are. Null without `-P`. */
  readonly source: string | null;
  readonly workload: WorkloadSettings;
  readonly clients: number;
  readonly targetPerSecond: number | null;
  readonly isVersioned: boolean;
}

/** What one phase came to. */
export interface PhaseReport extends LatencySummary {
  readonly seconds: number;
  /** Reads that found nothing. */
  readonly notFound: number;
  readonly byOperation: Record<string, LatencySummary>;
  readonly errorsByCode: Record<string, number>;
}

const CLIENTS_DEFAULT = 64;

/** Runs the verb. */
export async function bench(given: BenchArguments, session: Session): Promise<ExitStatus> {
  const sourced = await Promise.all(given.properties.map(readWorkload));
  const workload = resolveWorkload(mergeProperties(sourced, given.property));
  if (!given.load && given.data === undefined) {
    throw new InputError('--no-load needs --data with a folder that was loaded before');
  }
  const plan: BenchPlan = {
    name: given.properties.map((file) => basename(file)).join('+') || 'defaults',
    source: sourced.map(({ source }) => source).join('+') || null,
    workload,
    clients: given.clients ?? workload.clients ?? CLIENTS_DEFAULT,
    targetPerSecond: given.target ?? workload.targetPerSecond,
    isVersioned: given.versioned ?? false,
  };
  return withCluster(clusterOptionsOf(given), session, async (cluster) => {
    announce(plan, cluster.config, session.output);
    const bucket = cluster.bucket<Uint8Array>(workload.table, {
      lastWriterWins: !plan.isVersioned,
    });
    const source = new CoreWorkload(workload, cluster.config.seed);
    const load = given.load ? await runLoad(plan, source, bucket, session) : null;
    const run =
      given.loadOnly === true ? null : await runTransactions(plan, source, bucket, session);
    report(plan, cluster.config, load, run, session.output);
    const hasWorked = [load, run].every((phase) => phase === null || !hasFailedEntirely(phase));
    return hasWorked ? ExitStatus.Ok : ExitStatus.Failed;
  });
}

/** Later ones win, and overrides over all. */
function mergeProperties(
  sourced: readonly SourcedProperties[],
  overrides: readonly string[],
): Properties {
  return new Map([
    ...sourced.flatMap(({ properties }) => [...properties]),
    ...overrides.map(parseOverride),
  ]);
}

/** A file wins over the standard workload of its name. */
async function readWorkload(name: string): Promise<SourcedProperties> {
  let text: string;
  try {
    text = await readFile(name, 'utf8');
  } catch (error) {
    const standard = isMissing(error) ? standardWorkloads.get(name) : undefined;
    if (standard !== undefined) return { properties: standard, source: 'built-in' };
    throw new InputError(`cannot read the workload file: ${messageOf(error)}`);
  }
  return { properties: parseProperties(text, name), source: resolve(name) };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** The load phase: as fast as it goes, whatever rate the run phase has. */
function runLoad(
  plan: BenchPlan,
  source: CoreWorkload,
  store: RecordStore,
  session: Session,
): Promise<PhaseReport> {
  const phase = { label: 'load', count: plan.workload.insertCount, next: () => source.nextLoad() };
  return runPhase({ ...plan, targetPerSecond: null }, phase, store, session);
}

function runTransactions(
  plan: BenchPlan,
  source: CoreWorkload,
  store: RecordStore,
  session: Session,
): Promise<PhaseReport> {
  const phase = {
    label: 'run',
    count: plan.workload.operationCount,
    secondsMax: plan.workload.secondsMax,
    next: () => source.nextOperation(),
    onInserted: (operation: Operation) => source.finishInsert(operation),
  };
  return runPhase(plan, phase, store, session);
}

interface Phase {
  readonly label: string;
  readonly count: number;
  readonly secondsMax?: number | null;
  next(): Operation | null;
  /** Called when an insert ended. */
  onInserted?(operation: Operation): void;
}

/** Carries out a phase and measures it. */
export async function runPhase(
  plan: Pick<BenchPlan, 'clients' | 'targetPerSecond' | 'isVersioned'>,
  phase: Phase,
  store: RecordStore,
  { signal }: Pick<Session, 'signal'>,
): Promise<PhaseReport> {
  const latencies = new Latencies();
  const performer = new Performer(store, plan.isVersioned);
  const startMs = processClock.nowMs();
  const endMs = startMs + (phase.secondsMax ?? Number.POSITIVE_INFINITY) * 1000;
  let doneCount = 0;
  const progress = showProgress(phase.label, phase.count, () => doneCount);
  try {
    await runOperations<Operation>({
      clock: processClock,
      clients: plan.clients,
      targetPerSecond: plan.targetPerSecond,
      next: () => phase.next(),
      perform: (operation) => performer.perform(operation),
      finish: (operation, latencyMs, error) => {
        doneCount += 1;
        latencies.record(operation.kind, latencyMs, error);
        if (operation.kind === 'INSERT') phase.onInserted?.(operation);
      },
      isStopped: () => signal.aborted || processClock.nowMs() >= endMs,
    });
  } finally {
    progress.stop();
  }
  const seconds = (processClock.nowMs() - startMs) / 1000;
  return {
    seconds: round(seconds, 3),
    ...latencies.total(seconds),
    notFound: performer.notFoundCount,
    byOperation: latencies.byKind(seconds),
    errorsByCode: latencies.errorsByCode(),
  };
}

/** Turns operations of a workload into requests. */
class Performer {
  notFoundCount = 0;
  private readonly store: RecordStore;
  private readonly isVersioned: boolean;

  constructor(store: RecordStore, isVersioned: boolean) {
    this.store = store;
    this.isVersioned = isVersioned;
  }

  async perform({ kind, key, value }: Operation): Promise<void> {
    switch (kind) {
      case 'READ':
        await this.read(key);
        return;
      case 'INSERT':
        await this.store.put(key, value);
        return;
      case 'UPDATE':
        if (this.isVersioned) await this.readAndWrite(key, value);
        else await this.store.put(key, value);
        return;
      case 'READ-MODIFY-WRITE':
        await this.readAndWrite(key, value);
        return;
    }
  }

  private async read(key: string) {
    const entry = await this.store.get(key);
    if (entry.siblings.length === 0) this.notFoundCount += 1;
    return entry;
  }

  private async readAndWrite(key: string, value: Uint8Array): Promise<void> {
    const { context } = await this.read(key);
    await this.store.put(key, value, { context });
  }
}

function hasFailedEntirely({ operations, errors }: PhaseReport): boolean {
  return operations > 0 && errors === operations;
}

function announce(plan: BenchPlan, config: ClusterConfig, output: Output): void {
  const { workload } = plan;
  const mix = operationKinds
    .filter((kind) => workload.proportions[kind] > 0)
    .map((kind) => `${kind} ${round(workload.proportions[kind] * 100, 1)} %`);
  const size = `${workload.fieldCount} fields of ${workload.fieldLengthMax} bytes`;
  const loop =
    plan.targetPerSecond === null
      ? 'closed loop'
      : `open loop at ${formatCount(plan.targetPerSecond)} ops/s`;
  const origin = plan.source === null ? '' : ` (${plan.source})`;
  output.say(`workload  ${plan.name}${origin}: ${mix.join(', ')}, ${workload.requestDistribution}`);
  output.say(`records   ${formatCount(workload.insertCount)}, ${size}`);
  output.say(`cluster   ${clusterLine(config)}`);
  output.say(`clients   ${plan.clients}, ${loop}`);
  output.say();
}

function report(
  plan: BenchPlan,
  config: ClusterConfig,
  load: PhaseReport | null,
  run: PhaseReport | null,
  output: Output,
): void {
  const rows = [summaryHead('')];
  if (load !== null) rows.push(summaryRow('load', load));
  if (run !== null) {
    for (const kind of operationKinds) {
      const summary = run.byOperation[kind];
      if (summary !== undefined) rows.push(summaryRow(kind.toLowerCase(), summary));
    }
    rows.push(summaryRow('run in all', run));
  }
  for (const line of formatTable(rows)) output.say(line);
  for (const phase of [load, run]) {
    if (phase === null) continue;
    for (const [code, count] of Object.entries(phase.errorsByCode)) {
      output.say(`${plural(count, 'error')} ${code}`);
    }
    if (phase.notFound > 0) output.say(`${plural(phase.notFound, 'read')} found nothing`);
  }
  output.result({ ...run, load, workload: plan.name, settings: settingsOf(plan, config) });
}

function settingsOf(plan: BenchPlan, config: ClusterConfig) {
  const { workload } = plan;
  return {
    ...describeCluster(config),
    workload: plan.name,
    source: plan.source,
    clients: plan.clients,
    target: plan.targetPerSecond,
    versioned: plan.isVersioned,
    recordcount: workload.recordCount,
    operationcount: workload.operationCount,
    requestdistribution: workload.requestDistribution,
    proportions: workload.proportions,
    fieldcount: workload.fieldCount,
    fieldlength: workload.fieldLengthMax,
  };
}
