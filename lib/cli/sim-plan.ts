/**
 * Plans on the command line: what `--off` and `--set` change in the plan that a seed draws, and, the other way round, the
 * command that leads to a plan.
 *
 * Invariant: `planOf` of what {@link reproduceCommand} says is the plan that it was given.
 */
import { nearestName } from '../config.ts';
import { drawPlan, type FaultKind, faultKinds, type Plan } from '../sim/swarm/plan.ts';
import { InputError } from './exit.ts';

/** What is different from the plans that seeds draw. */
export interface PlanChanges {
  readonly fields: Partial<Plan>;
  /** Taken out of the faults. */
  readonly off: readonly FaultKind[];
  /** Put in, unless they are off. */
  readonly on: readonly FaultKind[];
}

/** Any plan will do: it tells what type a field has. */
const samplePlan = drawPlan(0);

/**
 * Reads options of the command line.
 *
 * @param off Fault kinds; each entry may name several, separated by commas.
 * @param set `name=value` each; the last of a name wins.
 * @throws {InputError} for an unknown kind or a value that is none
 */
export function parseChanges(off: readonly string[], set: readonly string[]): PlanChanges {
  const fields = Object.fromEntries(set.map(parseField)) as Partial<Plan>;
  return { fields, off: off.flatMap((kinds) => parseFaultKinds('--off', kinds)), on: [] };
}

function parseField(text: string): [name: string, value: unknown] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InputError(`--set ${text}: expected name=value`);
  }
  if (name === 'seed') throw new InputError('--set seed: use --seed');
  return [name, parseValue(name, value)];
}

/** A value of the type that the field has. Whether it is in range, and the field there, is for `drawPlan` to say. */
function parseValue(name: string, text: string): unknown {
  const sample = Object.hasOwn(samplePlan, name) ? samplePlan[name as keyof Plan] : '';
  if (Array.isArray(sample)) return parseFaultKinds(`--set ${name}`, text);
  if (typeof sample === 'boolean') return parseBoolean(name, text);
  if (typeof sample === 'number') return parseNumber(name, text);
  return text;
}

function parseBoolean(name: string, text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InputError(`--set ${name}=${text}: expected true or false`);
}

function parseNumber(name: string, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new InputError(`--set ${name}=${text}: expected a number`);
}

/** `none` and an empty text are no kind; `all` is every kind. */
function parseFaultKinds(option: string, text: string): FaultKind[] {
  if (text === '' || text === 'none') return [];
  if (text === 'all') return [...faultKinds];
  return text.split(',').map((name) => {
    const kind = faultKinds.find((candidate) => candidate === name.trim());
    if (kind !== undefined) return kind;
    const near = nearestName(name.trim(), faultKinds);
    const hint = near === null ? '' : `, did you mean ${near}?`;
    throw new InputError(`${option}: there is no fault ${JSON.stringify(name)}${hint}`);
  });
}

/**
 * The plan of a seed, with the changes.
 *
 * @throws {RingletError} if a change is not what this plan can have, as `drawPlan` does
 */
export function planOf(seed: number, { fields, off, on }: PlanChanges): Plan {
  const drawn = drawPlan(seed, fields);
  const faults = faultKinds.filter(
    (kind) => !off.includes(kind) && (drawn.faults.includes(kind) || on.includes(kind)),
  );
  return drawPlan(seed, { ...fields, faults });
}

/** The changes that leave one bucket, which keeps siblings. */
export function withSiblings(changes: PlanChanges): PlanChanges {
  return { ...changes, fields: { ...changes.fields, buckets: 1, lastWriterWins: false } };
}

/** The changes that leave one bucket, which keeps the last writer, under clocks that disagree. */
export function withLastWriterWins(changes: PlanChanges): PlanChanges {
  const fields = { ...changes.fields, buckets: 1, lastWriterWins: true };
  return { ...changes, fields, on: ['clock-skew', 'clock-jump'] };
}

/** The command that runs a plan: its seed, and where it is not what the seed draws. */
export function reproduceCommand(plan: Plan): string {
  const drawn = drawPlan(plan.seed);
  const names = Object.keys(plan) as (keyof Plan)[];
  const differing = names.filter((name) => String(plan[name]) !== String(drawn[name]));
  const options = differing.map((name) =>
    name === 'faults' ? faultOption(plan.faults, drawn.faults) : `--set ${name}=${plan[name]}`,
  );
  return [`npx ringlet sim --seed ${plan.seed}`, ...options].join(' ');
}

function faultOption(faults: readonly FaultKind[], drawn: readonly FaultKind[]): string {
  if (faults.length === 0) return '--off all';
  const isSubset = faults.every((kind) => drawn.includes(kind));
  const off = drawn.filter((kind) => !faults.includes(kind));
  return isSubset ? `--off ${off.join(',')}` : `--set faults=${faults.join(',')}`;
}
