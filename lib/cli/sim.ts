/**
 * `ringlet sim`: the simulator. With `--seeds` many seeds are run on all cores, with `--seed` one is looked at.
 *
 * Here what was asked for is checked; `lib/cli/sim-sweep.ts` and `lib/cli/sim-replay.ts` do it.
 */
import { availableParallelism } from 'node:os';
import { type ExitStatus, InputError } from './exit.ts';
import type { Session } from './session.ts';
import { parseChanges, planOf } from './sim-plan.ts';

/** What commander hands over. */
export interface SimArguments {
  readonly seeds?: number;
  readonly from?: number;
  readonly jobs?: number;
  readonly lastWriterWins?: boolean;
  readonly seed?: number;
  /** `true` without a filter. */
  readonly trace?: string | true;
  readonly breakAtStep?: number;
  readonly shrink?: boolean;
  readonly off: readonly string[];
  readonly set: readonly string[];
  readonly json?: boolean;
}

type OptionName = keyof SimArguments;

const sweepOptions: readonly OptionName[] = ['from', 'jobs', 'lastWriterWins'];
const replayOptions: readonly OptionName[] = ['trace', 'breakAtStep', 'shrink'];

/** Runs the verb. */
export async function sim(given: SimArguments, session: Session): Promise<ExitStatus> {
  const changes = parseChanges(given.off, given.set);
  if (given.seed !== undefined) {
    if (given.seeds !== undefined) throw new InputError('--seed and --seeds: give one of them');
    refuse(given, sweepOptions, '--seeds');
    const { replay } = await import('./sim-replay.ts');
    const { trace, breakAtStep, shrink } = given;
    const options = {
      plan: planOf(given.seed, changes),
      trace: trace === undefined ? null : trace === true ? '' : trace,
      breakAtStep: breakAtStep ?? null,
      isShrunk: shrink ?? false,
    };
    return replay(options, session);
  }
  if (given.seeds === undefined) {
    throw new InputError('--seeds says how many seeds to run, or --seed which one');
  }
  refuse(given, replayOptions, '--seed');
  const { seeds, from = 0, jobs = availableParallelism(), lastWriterWins = false } = given;
  if (seeds - 1 > Number.MAX_SAFE_INTEGER - from) {
    throw new InputError(`--from ${from}: the last seed is ${Number.MAX_SAFE_INTEGER}`);
  }
  const { sweep } = await import('./sim-sweep.ts');
  return sweep({ seeds, from, jobs: Math.min(jobs, seeds), changes, lastWriterWins }, session);
}

/** Some options belong to one of the two ways. */
function refuse(given: SimArguments, names: readonly OptionName[], needed: string): void {
  const name = names.find((candidate) => given[candidate] !== undefined);
  if (name === undefined) return;
  const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new InputError(`--${option} goes with ${needed}`);
}
