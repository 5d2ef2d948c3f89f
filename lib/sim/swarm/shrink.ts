/**
 * Shrinking: from a plan that fails to the smallest one that still fails in the same way. One thing after the other is made
 * simpler, and stays so if the same checker fails, until nothing can be made simpler any more.
 *
 * Invariants:
 * 1. What comes out fails with the checker with which the plan came in.
 * 2. It depends on the plan, on what `run` says and on the budget alone.
 */
import { defaultLimits } from '../../config.ts';
import { faultKinds, type Plan } from './plan.ts';
import type { Violation } from './run-seed.ts';

/** How far a search is. */
export interface Shrunk {
  /** The smallest plan so far that fails in the same way. */
  readonly plan: Plan;
  /** How it fails; `null` if even the first plan does not. */
  readonly violation: Violation | null;
  /** Runs so far. */
  readonly tried: number;
}

/** Runs a plan. @returns what it found, `null` if nothing */
export type RunPlan = (plan: Plan) => Violation | null;

/**
 * Makes a plan smaller.
 *
 * @param budget Runs at most, that of the plan itself included. At least 1.
 */
export function shrink(plan: Plan, run: RunPlan, budget: number): Shrunk {
  let shrunk: Shrunk = { plan, violation: null, tried: 0 };
  for (shrunk of shrinking(plan, run, budget));
  return shrunk;
}

/** {@link shrink} for callers that look on or may stop: yields after every run. */
export function* shrinking(plan: Plan, run: RunPlan, budget: number): Generator<Shrunk, void> {
  let tried = 1;
  let violation = run(plan);
  yield { plan, violation, tried };
  if (violation === null) return;
  const { checker } = violation;
  const known = new Set([JSON.stringify(plan)]);
  let isSmaller = true;
  while (isSmaller) {
    isSmaller = false;
    for (const move of moves) {
      // A move that went well may do so again.
      for (let isGood = true; isGood; ) {
        const candidate: Plan | null = move(plan, violation);
        if (candidate === null || isKnown(candidate, known)) break;
        if (tried === budget) return;
        tried++;
        const found = run(candidate);
        isGood = found?.checker === checker;
        if (isGood) [plan, violation, isSmaller] = [candidate, found!, true];
        yield { plan, violation, tried };
      }
    }
  }
}

/** True if the plan was tried before; it is from now on. */
function isKnown(plan: Plan, known: Set<string>): boolean {
  const count = known.size;
  return known.add(JSON.stringify(plan)).size === count;
}

/** One way to make a plan simpler. @returns `null` if it is that simple already */
type Move = (plan: Plan, violation: Violation) => Plan | null;

/** In order: first what makes all further runs quicker. */
const moves: readonly Move[] = [
  (plan, { timeMs }) => changed(plan, { durationMs: Math.min(plan.durationMs, Math.ceil(timeMs)) }),
  set({ rounds: 1 }),
  lower('durationMs', 1, 1 / 2),
  set({ faults: [] }),
  ...faultKinds.map(without),
  set({ buggify: false }),
  ...downTo('nodes', 1),
  ...downTo('n', 1),
  ...downTo('threads', 1),
  ...downTo('sessions', 1),
  ...downTo('clients', 1),
  ...downTo('keys', 1),
  ...downTo('buckets', 1),
  lower('operationsPerSecond', 1, 1 / 2),
  when(({ faults }) => faults.length > 0, lower('faultsPerSecond', 0, 1 / 2)),
  set({ scheduler: 'ordered' }),
  ...downTo('changePoints', 0).map((move) => when(isPriority, move)),
  when(({ faults }) => faults.includes('delay'), set({ latencyMs: 0 })),
  when(({ durability }) => durability === 'full', set({ syncMs: 0 })),
  set({ deleteShare: 0 }),
  set({ blindShare: 0 }),
  set({ staleShare: 0 }),
  set({ ownQuorumShare: 0 }),
  set({ readRepairSample: 0 }),
  set({ valueBytes: 8 }),
  set({ partitions: 8 }),
  set({ siblingCountMax: defaultLimits.siblingCountMax }),
  set({ turnCountMax: defaultLimits.turnCountMax }),
  set({ mailboxCountMax: defaultLimits.mailboxCountMax }),
  set({ coordinatorCountMax: defaultLimits.coordinatorCountMax }),
  lower('durationMs', 1, 7 / 8),
];

/** The plan with other fields, and with what hangs on them cut to fit; `null` if that is the plan itself. */
function changed(plan: Plan, fields: Partial<Plan>): Plan | null {
  const next = { ...plan, ...fields };
  const fitted = {
    ...next,
    threads: Math.min(next.threads, next.nodes),
    r: Math.min(next.r, next.n),
    w: Math.min(next.w, next.n),
  };
  return JSON.stringify(fitted) === JSON.stringify(plan) ? null : fitted;
}

function set(fields: Partial<Plan>): Move {
  return (plan) => changed(plan, fields);
}

/** A move that is worth trying only where the field has any effect. */
function when(condition: (plan: Plan) => boolean, move: Move): Move {
  return (plan, violation) => (condition(plan) ? move(plan, violation) : null);
}

function isPriority({ scheduler }: Plan): boolean {
  return scheduler === 'priority';
}

function without(kind: Plan['faults'][number]): Move {
  return (plan) => changed(plan, { faults: plan.faults.filter((other) => other !== kind) });
}

type NumericField = {
  [Name in keyof Plan]: Plan[Name] extends number ? Name : never;
}[keyof Plan];

/** To the least value, else half the way, else by one. */
function downTo(name: NumericField, least: number): Move[] {
  const step: Move = (plan) =>
    plan[name] > least ? changed(plan, { [name]: plan[name] - 1 }) : null;
  return [lower(name, least, 0), lower(name, least, 1 / 2), lower(name, least, 3 / 4), step];
}

/** Leaves a field only a share of what it is above its least value. */
function lower(name: NumericField, least: number, share: number): Move {
  return (plan) => {
    const value = least + Math.floor((plan[name] - least) * share);
    return value < plan[name] ? changed(plan, { [name]: value }) : null;
  };
}
