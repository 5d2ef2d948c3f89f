/**
 * Carries out a stream of operations with a limited number under way: closed loop (as fast as answers come) or open
 * loop (at given times). Clock and operations come from outside, so a test runs it in no time.
 *
 * Invariants:
 * 1. Each operation that was taken from the stream is carried out and reported exactly once.
 * 2. At most `clients` operations are under way.
 * 3. Latency counts from the intended start in an open loop, from the actual one in a closed loop.
 */
import { assert } from '../assert.ts';
import { OpenLoopSchedule } from './schedule.ts';
import { Slots } from './slots.ts';

/** Time, as the runner needs it. */
export interface RunnerClock {
  /** Monotonic milliseconds, with fractions. */
  nowMs(): number;
  /** Settles at `timeMs` or soon after it; at once if that has passed. */
  waitUntil(timeMs: number): Promise<void>;
}

export interface RunnerOptions<Operation> {
  readonly clock: RunnerClock;
  /** Operations under way at most, from 1. */
  readonly clients: number;
  /** Operations per second of an open loop; `null` is a closed loop. */
  readonly targetPerSecond: number | null;
  /** The next operation, or `null` at the end. */
  next(): Operation | null;
  /** Carries an operation out. */
  perform(operation: Operation): Promise<void>;
  /** Called when an operation ended. `error` is what `perform` rejected with, `null` if it did not. May throw to end the run. */
  finish(operation: Operation, latencyMs: number, error: unknown): void;
  /** Once true, no more operations are taken. */
  isStopped(): boolean;
}

/**
 * Runs operations until there are no more or the run is stopped, and waits for those under way.
 *
 * @throws what `finish` throws
 */
export async function runOperations<Operation>(options: RunnerOptions<Operation>): Promise<void> {
  assert(options.clients >= 1, 'number of clients');
  await (options.targetPerSecond === null
    ? runClosedLoop(options)
    : runOpenLoop(options, options.targetPerSecond));
}

async function runClosedLoop<Operation>(options: RunnerOptions<Operation>): Promise<void> {
  const { clock } = options;
  let hasFailed = false;
  const client = async (): Promise<void> => {
    while (!hasFailed && !options.isStopped()) {
      const operation = options.next();
      if (operation === null) return;
      try {
        await performOne(options, operation, clock.nowMs());
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  await allDone(Array.from({ length: options.clients }, client));
}

async function runOpenLoop<Operation>(
  options: RunnerOptions<Operation>,
  targetPerSecond: number,
): Promise<void> {
  const { clock } = options;
  const schedule = new OpenLoopSchedule(clock.nowMs(), targetPerSecond);
  const slots = new Slots(options.clients);
  const failures: unknown[] = [];
  for (let index = 0; failures.length === 0; index++) {
    const intendedMs = schedule.intendedMs(index);
    await clock.waitUntil(intendedMs);
    await slots.take();
    const operation = options.isStopped() ? null : options.next();
    if (operation === null) {
      slots.giveBack();
      break;
    }
    performOne(options, operation, intendedMs)
      .catch((error: unknown) => failures.push(error))
      .finally(() => slots.giveBack());
  }
  await slots.allFree();
  if (failures.length > 0) throw failures[0];
}

async function performOne<Operation>(
  options: RunnerOptions<Operation>,
  operation: Operation,
  startMs: number,
): Promise<void> {
  let error: unknown = null;
  try {
    await options.perform(operation);
  } catch (thrown) {
    error = thrown;
  }
  options.finish(operation, options.clock.nowMs() - startMs, error);
}

/** Waits for all, then throws what the first failed one threw: nothing is left running behind an error. */
async function allDone(tasks: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(tasks);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
