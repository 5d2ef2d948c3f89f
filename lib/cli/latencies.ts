/**
 * Latencies of one phase, by kind of operation, in HdrHistograms with three significant digits.
 *
 * Failed operations are counted and their latencies kept with the others: leaving out what timed out would
 * flatter the percentiles.
 */
import { build, type Histogram } from 'hdr-histogram-js';
import { isRingletError } from '../errors.ts';
import { formatCount, formatMs, round } from './output.ts';

/** Operations of one kind, or of all. Latencies in milliseconds. */
export interface LatencySummary {
  readonly operations: number;
  readonly errors: number;
  readonly opsPerSecond: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

interface KindRecord {
  readonly histogram: Histogram;
  errorCount: number;
}

/** Histograms hold whole microseconds. */
const UNITS_PER_MS = 1000;

function openHistogram(): Histogram {
  return build({ lowestDiscernibleValue: 1, numberOfSignificantValueDigits: 3, autoResize: true });
}

/** Counts and latencies of one phase. */
export class Latencies {
  private readonly kinds = new Map<string, KindRecord>();
  private readonly codes = new Map<string, number>();

  /**
   * Records one operation. @param error What it failed with, or `null`.
   *
   * @throws `error`, unless it is an expected one of the library
   */
  record(kind: string, latencyMs: number, error: unknown): void {
    let record = this.kinds.get(kind);
    if (record === undefined) {
      record = { histogram: openHistogram(), errorCount: 0 };
      this.kinds.set(kind, record);
    }
    record.histogram.recordValue(Math.max(1, Math.round(latencyMs * UNITS_PER_MS)));
    if (error === null) return;
    if (!isRingletError(error)) throw error;
    record.errorCount += 1;
    this.codes.set(error.code, (this.codes.get(error.code) ?? 0) + 1);
  }

  /** How often each error came, by its code. */
  errorsByCode(): Record<string, number> {
    return Object.fromEntries(this.codes);
  }

  /** All kinds together. @param seconds What the phase took. */
  total(seconds: number): LatencySummary {
    const all: KindRecord = { histogram: openHistogram(), errorCount: 0 };
    for (const { histogram, errorCount } of this.kinds.values()) {
      all.histogram.add(histogram);
      all.errorCount += errorCount;
    }
    return summarize(all, seconds);
  }

  /** Each kind that occurred. @param seconds What the phase took. */
  byKind(seconds: number): Record<string, LatencySummary> {
    return Object.fromEntries(
      [...this.kinds].map(([kind, record]) => [kind, summarize(record, seconds)]),
    );
  }
}

function summarize({ histogram, errorCount }: KindRecord, seconds: number): LatencySummary {
  const operations = histogram.totalCount;
  const ms = (units: number): number => round(units / UNITS_PER_MS, 3);
  const percentile = (p: number): number =>
    operations === 0 ? 0 : ms(histogram.getValueAtPercentile(p));
  return {
    operations,
    errors: errorCount,
    opsPerSecond: seconds > 0 ? round((operations - errorCount) / seconds, 1) : 0,
    mean: operations === 0 ? 0 : ms(histogram.mean),
    p50: percentile(50),
    p99: percentile(99),
    p999: percentile(99.9),
    max: operations === 0 ? 0 : ms(histogram.maxValue),
  };
}

/** The head of a table of summaries; `label` stands over the first column. */
export function summaryHead(label: string): string[] {
  return [label, 'operations', 'ops/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'errors'];
}

/** One row of a table of summaries. */
export function summaryRow(label: string, summary: LatencySummary): string[] {
  return [
    label,
    formatCount(summary.operations),
    formatCount(summary.opsPerSecond),
    formatMs(summary.p50),
    formatMs(summary.p99),
    formatMs(summary.p999),
    formatMs(summary.max),
    formatCount(summary.errors),
  ];
}
