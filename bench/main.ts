/**
 * `npm run bench`: the cluster against the yardstick, in turn, on the same machine and disk, and the ratios of their medians.
 */
import { parseArgs } from 'node:util';
import { median, runTrial, type Trial } from './trial.ts';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    trials: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
  },
});

const trials: Trial[] = [];
for (let round = 1; round <= Number(options.trials); round++) {
  for (const file of ['macro/yardstick.ts', 'macro/cluster.ts']) {
    const settings = { seconds: Number(options.seconds), scale: Number(options.scale) };
    trials.push(...(await runTrial(file, settings)));
    if (!options.json) console.error(`round ${round}: ${file} done`);
  }
}

const names = [...new Set(trials.map(({ name }) => name))];
const rows = names.map((name) => {
  const runs = trials.filter((trial) => trial.name === name);
  const rates = runs.map((trial) => trial.operations / trial.seconds);
  const cpu = runs.map((trial) => ((trial.cpuSeconds ?? trial.seconds) * 1e6) / trial.operations);
  return {
    name,
    opsPerSecond: Math.round(median(rates)),
    min: Math.round(Math.min(...rates)),
    max: Math.round(Math.max(...rates)),
    cpuMicrosPerOp: Number(median(cpu).toFixed(1)),
  };
});

const rateOf = (name: string) => rows.find((row) => row.name === name)!.opsPerSecond;
const round = (ratio: number) => Number(ratio.toFixed(3));
const ratio = {
  put: round(rateOf('cluster.put') / rateOf('yardstick.put')),
  get: round(rateOf('cluster.get') / rateOf('yardstick.get')),
};

if (options.json) {
  console.log(
    JSON.stringify({ ratio, trials: Number(options.trials), node: process.version, rows }),
  );
} else {
  console.table(rows);
  console.log(`put: ${ratio.put} of one copy's upserts (goal 0.6)`);
  console.log(`get: ${ratio.get} of one copy's point gets (goal 0.35)`);
}
