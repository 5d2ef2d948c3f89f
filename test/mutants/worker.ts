/**
 * A thread of its own for one mutant: changes the sources, loads the simulator and runs seeds, or a script, until the bug is
 * found.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { readText } from '../helpers/tidy-sources.ts';
import type { Found, Hunt, HuntResult } from './hunt.ts';
import { installChanges } from './loader.ts';

const { changes, runs, scenario }: Hunt = workerData;

installChanges(changes);
const startedMs = performance.now();
const { found, seedCount } = scenario === null ? await runAll() : await runScenario(scenario);
const result: HuntResult = { found, seedCount, wallMs: performance.now() - startedMs };
parentPort!.postMessage(result);

async function runAll(): Promise<{ found: Found | null; seedCount: number }> {
  const { drawPlan } = await import('../../lib/sim/swarm/plan.ts');
  const { runSeed, runSeedTwice } = await import('../../lib/sim/swarm/run-seed.ts');
  for (const [index, { seed, plan, isTwice }] of runs.entries()) {
    const { violation } = (isTwice ? runSeedTwice : runSeed)(drawPlan(seed, plan));
    if (violation === null) continue;
    const { checker, message, step } = violation;
    return { found: { seed, checker, message, step }, seedCount: index + 1 };
  }
  return { found: null, seedCount: runs.length };
}

async function runScenario(name: string): Promise<{ found: Found | null; seedCount: number }> {
  const { runScript } = await import('../helpers/scenario-script.ts');
  const file = `test/scenario/${name}.txt`;
  const written = readText(file).split('\n');
  const now = runScript(file, written.join('\n')).split('\n');
  const line = now.findIndex((text, index) => text !== written[index]);
  if (line === -1) return { found: null, seedCount: 0 };
  const found = { seed: null, checker: `scenario ${name}`, message: now[line]!, step: line + 1 };
  return { found, seedCount: 0 };
}
