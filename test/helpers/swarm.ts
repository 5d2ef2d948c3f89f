/** Runs of the simulator in tests: failures as a person wants to read them, and a seed that differs by commit. */
import { execFileSync } from 'node:child_process';
import type { SeedReport } from '../../lib/sim/swarm/run-seed.ts';

/** Used where there is no commit to take a seed from, such as in an unpacked archive. */
const FIXED_SEED = 1;

/** A seed below 2^32 that the commit decides: other seeds with every commit, the same ones if its tests run again. */
export function commitSeed(): number {
  try {
    const output = execFileSync('git', ['rev-parse', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const commit = output.trim();
    return /^[0-9a-f]{40}$/.test(commit) ? Number.parseInt(commit.slice(0, 8), 16) : FIXED_SEED;
  } catch {
    return FIXED_SEED;
  }
}

/** What a run found, with what is needed to see it again. `null` if it found nothing. */
export function describeViolation({ plan, violation, fingerprint }: SeedReport): string | null {
  if (violation === null) return null;
  const { checker, message, step, timeMs, story } = violation;
  return [
    `${checker}  seed=${plan.seed}  step=${step}  time=${timeMs.toFixed(3)} ms`,
    `  ${message}`,
    ...story.map((line) => `  | ${line}`),
    `  fingerprint=${fingerprint}`,
    `  reproduce: npm run ringlet -- sim --seed ${plan.seed}`,
    `  plan: ${JSON.stringify(plan)}`,
  ].join('\n');
}
