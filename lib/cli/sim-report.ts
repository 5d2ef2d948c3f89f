/** What runs of the simulator came to: sums over many, the story of a failure, tables for people. */
import { type FaultKind, faultKinds, type Plan } from '../sim/swarm/plan.ts';
import type { SeedReport, Violation } from '../sim/swarm/run-seed.ts';
import { formatCount, type Output, round } from './output.ts';
import { reproduceCommand } from './sim-plan.ts';
import type { RunResult } from './sim-worker.ts';

/** Lines of a story that are printed, the newest ones. */
const STORY_LINES_MAX = 60;

/** A row of {@link Tally.rows}. */
export const LOST_TO_LATER_WRITER = 'lost to a later writer';

/** A seed that failed. */
export interface SeedFailure {
  readonly seed: number;
  readonly checker: string;
  readonly message: string;
  readonly step: number;
  readonly timeMs: number;
  readonly fingerprint: string;
  /** Runs this very plan. */
  readonly command: string;
}

/** A violation as `--json` shows it. */
export function failureOf(plan: Plan, violation: Violation, fingerprint: string): SeedFailure {
  const { checker, message, step, timeMs } = violation;
  const command = reproduceCommand(plan);
  return { seed: plan.seed, checker, message, step, timeMs, fingerprint, command };
}

/** A violation for people, on stderr. */
export function remarkFailure(
  failure: SeedFailure,
  story: readonly string[],
  { remark }: Output,
): void {
  const { seed, checker, message, step, timeMs, fingerprint, command } = failure;
  remark(`FAIL  ${checker}  seed ${seed}  step ${step}  ${timeMs.toFixed(3)} ms`);
  for (const line of message.split('\n')) remark(`      ${line}`);
  const lines = story.flatMap((entry) => entry.split('\n'));
  const newest = lines.slice(-STORY_LINES_MAX);
  if (newest.length < lines.length)
    remark(`      | … ${lines.length - newest.length} lines before`);
  for (const line of newest) remark(`      | ${line}`);
  remark(`      fingerprint ${fingerprint}`);
  remark(`      reproduce: ${command}`);
}

/** Sums over runs. */
export class Tally {
  seeds = 0;
  acknowledgedWrites = 0;
  failedWrites = 0;
  indefiniteWrites = 0;
  reads = 0;
  staleReads = 0;
  messages = 0;
  busySeconds = 0;
  simulatedMs = 0;
  /** Acknowledged writes that are gone: promised to survive, lost to a later writer, lost to more faults than promises withstand. */
  readonly lost = { promised: 0, lastWriterWins: 0, beyondModel: 0 };
  readonly faults = new Map<FaultKind, number>();
  readonly sometimes = new Map<string, number>();
  private fingerprintHigh = 0;
  private fingerprintLow = 0;

  add({ report, messages, busySeconds }: RunResult): void {
    this.seeds += 1;
    this.messages += messages;
    this.busySeconds += busySeconds;
    this.acknowledgedWrites += report.acknowledgedWrites;
    this.failedWrites += report.failedWrites;
    this.indefiniteWrites += report.indefiniteWrites;
    this.reads += report.reads;
    this.staleReads += report.staleReads;
    this.simulatedMs += report.simulatedMs;
    this.addLost(report);
    this.fingerprintHigh ^= Number.parseInt(report.fingerprint.slice(0, 8), 16);
    this.fingerprintLow ^= Number.parseInt(report.fingerprint.slice(8), 16);
    for (const kind of faultKinds) addTo(this.faults, kind, report.faults[kind] ?? 0);
    for (const [id, count] of Object.entries(report.sometimes)) addTo(this.sometimes, id, count);
  }

  private addLost({ plan, lostWrites, lostToLaterWriter }: SeedReport): void {
    const { lost } = this;
    if (!plan.isWithinModel) {
      lost.beyondModel += lostWrites;
      return;
    }
    lost.lastWriterWins += lostToLaterWriter;
    lost.promised += lostWrites - lostToLaterWriter;
  }

  /** That of a single run; of several the sum without carry, which the order of the runs does not change. */
  get fingerprint(): string {
    const digits = [this.fingerprintHigh, this.fingerprintLow].map((word) =>
      (word >>> 0).toString(16).padStart(8, '0'),
    );
    return digits.join('');
  }

  /** Of one core: over the seconds that threads were busy. */
  get messagesPerSecond(): number {
    return this.busySeconds > 0 ? this.messages / this.busySeconds : 0;
  }

  /** For `--json`. */
  summary() {
    return {
      acknowledgedWrites: this.acknowledgedWrites,
      lostWrites: this.lost.promised,
      lostWritesNotPromised: {
        lastWriterWins: this.lost.lastWriterWins,
        beyondModel: this.lost.beyondModel,
      },
      reads: this.reads,
      failedWrites: this.failedWrites,
      indefiniteWrites: this.indefiniteWrites,
      staleReads: this.staleReads,
      messages: this.messages,
      messagesPerSecond: round(this.messagesPerSecond, 0),
      simulatedSeconds: round(this.simulatedMs / 1000, 3),
      fingerprint: this.fingerprint,
      faults: Object.fromEntries(this.faults),
    };
  }

  /** For a table: names, and what they came to. */
  rows(): [name: string, value: string][] {
    return [
      ['acknowledged writes', formatCount(this.acknowledgedWrites)],
      ['lost', formatCount(this.lost.promised)],
      [LOST_TO_LATER_WRITER, formatCount(this.lost.lastWriterWins)],
      ['lost beyond the fault model', formatCount(this.lost.beyondModel)],
      ['failed writes', formatCount(this.failedWrites)],
      ['indefinite writes', formatCount(this.indefiniteWrites)],
      ['reads', formatCount(this.reads)],
      ['stale reads', formatCount(this.staleReads)],
      ['messages', formatCount(this.messages)],
      ['messages per second and core', formatCount(this.messagesPerSecond)],
      ['simulated seconds', formatSeconds(this.simulatedMs / 1000)],
    ];
  }

  /** Faults that occurred, such as `loss 12`, in the order of their list. */
  faultCounts(): string[] {
    return [...this.faults]
      .filter(([, count]) => count > 0)
      .map(([kind, count]) => `${kind} ${formatCount(count)}`);
  }
}

function formatSeconds(seconds: number): string {
  return seconds < 100 ? seconds.toFixed(1) : formatCount(seconds);
}

function addTo<K>(counts: Map<K, number>, key: K, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

/** The faults that occurred, for people. */
export function sayFaults(tally: Tally, output: Output): void {
  const counts = tally.faultCounts();
  output.say(counts.length === 0 ? 'no faults' : 'faults');
  for (const line of wrapWords(counts, '  ')) output.say(line);
}

/** Words side by side, as many as fit a line of 100 columns. */
export function wrapWords(words: readonly string[], indent: string): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 2 + word.length > 100) lines.push(indent + word);
    else lines[lines.length - 1] = `${last}  ${word}`;
  }
  return lines;
}
