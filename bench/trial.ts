/**
 * A trial: one measured run in a process of its own, which prints what it measured as one line of JSON. The parent
 * takes medians over several trials, so that neither a warm heap nor a burst of the machine's neighbours decides.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What was measured: operations in so many seconds, and the processor time that they took over all threads. */
export interface Trial {
  readonly name: string;
  readonly operations: number;
  readonly seconds: number;
  readonly cpuSeconds?: number;
}

export interface TrialOptions {
  /** Of each measured phase. */
  readonly seconds: number;
  /** Share of the standard data set: 1 measures, less only shows that the bench works. */
  readonly scale: number;
}

/** The body of a trial's own process. */
export async function trialMain(run: (options: TrialOptions) => Promise<Trial[]>): Promise<void> {
  const [seconds, scale] = process.argv.slice(2).map(Number);
  if (seconds === undefined || scale === undefined) throw new Error('usage: SECONDS SCALE');
  console.log(JSON.stringify(await run({ seconds, scale })));
}

/** Runs a trial in a process of its own. @param file Relative to this folder. */
export async function runTrial(file: string, options: TrialOptions): Promise<Trial[]> {
  const script = new URL(file, import.meta.url).pathname;
  const parameters = [script, String(options.seconds), String(options.scale)];
  const { stdout } = await promisify(execFile)(process.execPath, parameters);
  return JSON.parse(stdout) as Trial[];
}

/** The median of numbers, the mean of the middle two if they are even in count. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
