/** Every benchmark still runs. Nothing is measured here: a moment each, on a hundredth of the data. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';

async function run(file: string, ...parameters: string[]): Promise<string> {
  const script = new URL(`../bench/${file}`, import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...parameters]);
  return stdout;
}

test('the cluster and the yardstick run, and their ratios are printed', async (t) => {
  const stdout = await run(
    'main.ts',
    ...['--trials', '1', '--seconds', '0.1', '--scale', '0.01', '--json'],
  );
  const { ratio, rows } = JSON.parse(stdout);
  t.true(ratio.put > 0);
  t.true(ratio.get > 0);
  t.is(rows.length, 6);
});

test('the micro benchmarks run', async (t) => {
  t.regex(await run('micro/main.ts', '--smoke'), /pack ReplicaPut/);
});
