/**
 * Micro benchmarks: one question per file, each a list of named steps that are timed in turn. `npm run bench:micro` runs
 * them all; with `--smoke` each step runs a few times only, which shows that it still works.
 */
import { Bench } from 'tinybench';

/** Results go here, so that no step can be optimised away. */
export const sink: { value: unknown } = { value: null };

const isSmoke = process.argv.includes('--smoke');

/** Times each step and prints nanoseconds per call. @param callsPerStep How often one step does what it measures. */
export async function measure(
  question: string,
  steps: Readonly<Record<string, () => unknown>>,
  callsPerStep = 1,
): Promise<void> {
  const bench = new Bench(
    isSmoke ? { iterations: 2, time: 0, warmup: false } : { time: 300, warmupTime: 100 },
  );
  for (const [name, step] of Object.entries(steps)) {
    bench.add(name, () => {
      sink.value = step();
    });
  }
  await bench.run();
  const rows = bench.tasks.map(({ name, result }) => {
    if (result.state !== 'completed') throw new Error(`${name} did not complete: ${result.state}`);
    const { latency } = result;
    const nanos = (milliseconds: number) => Math.round((milliseconds * 1e6) / callsPerStep);
    return { step: name, 'median ns': nanos(latency.p50), 'p99 ns': nanos(latency.p99) };
  });
  console.log(question);
  console.table(rows);
}

/** Does a step `count` times, so that the timer's own cost is spread over them. @returns the last result */
export function repeat(count: number, step: () => unknown): unknown {
  let last: unknown;
  for (let done = 0; done < count; done++) last = step();
  return last;
}
