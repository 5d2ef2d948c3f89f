/**
 * What a YCSB workload asks for: properties become checked settings.
 *
 * Invariant: every property is used, or is listed here as one that has no meaning for Ringlet; any other is an
 * error that names it. A workload that asks for what does not exist is refused, not run as something else.
 */
import { nearestName, show } from '../config.ts';
import { RingletError } from '../errors.ts';
import type { Properties } from './properties.ts';

/** The kinds of operation, as reports name them. */
export const operationKinds = ['READ', 'UPDATE', 'INSERT', 'READ-MODIFY-WRITE'] as const;
export type OperationKind = (typeof operationKinds)[number];

const requestDistributions = [
  'uniform',
  'zipfian',
  'latest',
  'hotspot',
  'exponential',
  'sequential',
] as const;
const fieldLengthDistributions = ['constant', 'uniform', 'zipfian'] as const;

/** A checked workload. Names follow YCSB's properties where they say what they mean. */
export interface WorkloadSettings {
  /** Name of the bucket. */
  readonly table: string;
  /** Records that exist once loading is complete. */
  readonly recordCount: number;
  /** Operations of the run phase. */
  readonly operationCount: number;
  /** Number of the first record that this run loads and asks for. */
  readonly insertStart: number;
  /** Records that this run loads and asks for. */
  readonly insertCount: number;
  /** Share of each kind in the run phase; they add up to 1. */
  readonly proportions: Readonly<Record<OperationKind, number>>;
  readonly requestDistribution: (typeof requestDistributions)[number];
  readonly hotspotDataFraction: number;
  readonly hotspotOperationFraction: number;
  /** Percentage of exponential draws that fall within `exponentialFraction` of the records. */
  readonly exponentialPercentile: number;
  readonly exponentialFraction: number;
  readonly fieldCount: number;
  readonly fieldLengthMin: number;
  readonly fieldLengthMax: number;
  readonly fieldLengthDistribution: (typeof fieldLengthDistributions)[number];
  readonly fieldNamePrefix: string;
  /** Keys are hashed record numbers rather than the numbers in order. */
  readonly isKeyHashed: boolean;
  /** Digits of a key after `user`, at least. */
  readonly keyDigitsMin: number;
  /** Concurrent clients, if the workload names a number. */
  readonly clients: number | null;
  /** Operations per second, if the workload names a rate. */
  readonly targetPerSecond: number | null;
  /** Seconds after which the run phase stops, if the workload names a limit. */
  readonly secondsMax: number | null;
}

/** Properties that are read below. */
const usedNames = [
  'table',
  'recordcount',
  'operationcount',
  'insertstart',
  'insertcount',
  'readproportion',
  'updateproportion',
  'insertproportion',
  'scanproportion',
  'readmodifywriteproportion',
  'requestdistribution',
  'hotspotdatafraction',
  'hotspotopnfraction',
  'exponential.percentile',
  'exponential.frac',
  'fieldcount',
  'fieldlength',
  'minfieldlength',
  'fieldlengthdistribution',
  'fieldnameprefix',
  'insertorder',
  'zeropadding',
  'dataintegrity',
  'threadcount',
  'target',
  'maxexecutiontime',
] as const;
type UsedName = (typeof usedNames)[number];

/**
 * Properties of YCSB without a meaning here. A record is one value, so it is always read and written as a whole;
 * scans do not exist; measuring and reporting have options of their own.
 */
const unusedNames = [
  'workload',
  'db',
  'dotransactions',
  'exporter',
  'exportfile',
  'label',
  'readallfields',
  'readallfieldsbyname',
  'writeallfields',
  'minscanlength',
  'maxscanlength',
  'scanlengthdistribution',
  'fieldlengthhistogram',
  'core_workload_insertion_retry_limit',
  'core_workload_insertion_retry_interval',
  'status',
  'status.interval',
  'measurementtype',
  'measurement.interval',
  'measurement.raw.output_file',
  'measurement.histogram.verbose',
  'measurement.trackjvm',
  'histogram.buckets',
  'hdrhistogram.percentiles',
  'hdrhistogram.max',
  'hdrhistogram.fileoutput',
  'hdrhistogram.output.path',
  'timeseries.granularity',
  'reportlatencyforeacherror',
  'latencytrackederrors',
] as const;

const RECORD_COUNT_MAX = 2 ** 31;
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Checks the properties of a workload and fills in YCSB's defaults.
 *
 * @throws {RingletError} RINGLET_OPTION_UNKNOWN for a property that YCSB's core workload does not have,
 * RINGLET_OPTION_INVALID for a value that it cannot have or that is not supported
 */
export function resolveWorkload(properties: Properties): WorkloadSettings {
  rejectUnknownNames(properties);
  const read = new PropertyReader(properties);
  if (read.fraction('scanproportion', 0) > 0) {
    throw invalid('scanproportion', 'scans are not supported yet, so workload E cannot run');
  }
  if (read.oneOf('dataintegrity', ['false', 'true'], 'false') === 'true') {
    throw invalid('dataintegrity', 'checking field contents is not supported');
  }
  const recordCount = read.whole('recordcount', 1000, 1, RECORD_COUNT_MAX);
  const insertStart = read.whole('insertstart', 0, 0, RECORD_COUNT_MAX);
  const insertCountDefault = Math.max(1, recordCount - insertStart);
  const insertCount = read.whole('insertcount', insertCountDefault, 1, RECORD_COUNT_MAX);
  if (insertStart + insertCount > recordCount) {
    throw invalid('recordcount', 'is less than insertstart + insertcount');
  }
  const fieldLengthMax = read.whole('fieldlength', 100, 1, 2 ** 20);
  return Object.freeze({
    table: read.text('table', 'usertable'),
    recordCount,
    operationCount: read.whole('operationcount', 1000, 0, COUNT_MAX),
    insertStart,
    insertCount,
    proportions: resolveProportions(read),
    requestDistribution: read.oneOf('requestdistribution', requestDistributions, 'uniform'),
    hotspotDataFraction: read.fraction('hotspotdatafraction', 0.2),
    hotspotOperationFraction: read.fraction('hotspotopnfraction', 0.8),
    exponentialPercentile: read.number('exponential.percentile', 95, 1e-6, 99.999999),
    exponentialFraction: read.number('exponential.frac', 0.8571428571, 1e-9, 1),
    fieldCount: read.whole('fieldcount', 10, 1, 10_000),
    fieldLengthMin: read.whole('minfieldlength', 1, 1, fieldLengthMax),
    fieldLengthMax,
    fieldLengthDistribution: read.oneOf(
      'fieldlengthdistribution',
      fieldLengthDistributions,
      'constant',
    ),
    fieldNamePrefix: read.text('fieldnameprefix', 'field'),
    isKeyHashed: read.oneOf('insertorder', ['hashed', 'ordered'], 'hashed') === 'hashed',
    keyDigitsMin: read.whole('zeropadding', 1, 0, 100),
    clients: read.optionalWhole('threadcount', 1, 65_536),
    targetPerSecond: read.optionalWhole('target', 1, 1e9),
    secondsMax: read.optionalWhole('maxexecutiontime', 1, 1e9),
  });
}

function rejectUnknownNames(properties: Properties): void {
  const known: readonly string[] = [...usedNames, ...unusedNames];
  for (const name of properties.keys()) {
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    const hint = near === null ? '' : `, did you mean \`${near}\`?`;
    throw new RingletError(
      'RINGLET_OPTION_UNKNOWN',
      `unknown workload property \`${name}\`${hint}`,
    );
  }
}

function resolveProportions(read: PropertyReader): Record<OperationKind, number> {
  const weights = {
    READ: read.fraction('readproportion', 0.95),
    UPDATE: read.fraction('updateproportion', 0.05),
    INSERT: read.fraction('insertproportion', 0),
    'READ-MODIFY-WRITE': read.fraction('readmodifywriteproportion', 0),
  };
  const sum = operationKinds.reduce((total, kind) => total + weights[kind], 0);
  if (sum === 0)
    throw invalid('readproportion', 'all proportions are 0, so there is nothing to do');
  for (const kind of operationKinds) weights[kind] /= sum;
  return weights;
}

function invalid(name: UsedName, problem: string): RingletError {
  return new RingletError('RINGLET_OPTION_INVALID', `workload property ${name}: ${problem}`);
}

/** Typed access to text properties. Its methods throw RINGLET_OPTION_INVALID. */
class PropertyReader {
  private readonly properties: Properties;

  constructor(properties: Properties) {
    this.properties = properties;
  }

  private find(name: UsedName): string | null {
    return this.properties.get(name)?.trim() ?? null;
  }

  text(name: UsedName, byDefault: string): string {
    const text = this.find(name) ?? byDefault;
    if (text === '') throw invalid(name, 'is empty');
    return text;
  }

  number(name: UsedName, byDefault: number, min: number, max: number): number {
    const text = this.find(name);
    if (text === null) return byDefault;
    const value = Number(text);
    if (text === '' || !(value >= min && value <= max)) {
      throw invalid(name, `got ${show(text)}, expected a number from ${min} to ${max}`);
    }
    return value;
  }

  fraction(name: UsedName, byDefault: number): number {
    return this.number(name, byDefault, 0, 1);
  }

  whole(name: UsedName, byDefault: number, min: number, max: number): number {
    return this.optionalWhole(name, min, max) ?? byDefault;
  }

  optionalWhole(name: UsedName, min: number, max: number): number | null {
    const text = this.find(name);
    if (text === null) return null;
    const value = Number(text);
    if (text === '' || !Number.isInteger(value) || value < min || value > max) {
      throw invalid(name, `got ${show(text)}, expected a whole number from ${min} to ${max}`);
    }
    return value;
  }

  oneOf<T extends string>(name: UsedName, allowed: readonly T[], byDefault: T): T {
    const text = this.find(name);
    if (text === null) return byDefault;
    const found = allowed.find((candidate) => candidate === text);
    if (found === undefined) {
      throw invalid(name, `got ${show(text)}, expected one of ${allowed.join(', ')}`);
    }
    return found;
  }
}
