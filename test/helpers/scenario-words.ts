/**
 * The words of a scenario's command: options, nodes, times, and what a command is made of. Nodes are called by name; several
 * are separated by commas, `*` stands for all of them. Times are written as `5ms`, `2s`, `1h`.
 */
import type { ActorAddress } from '../../lib/address.ts';
import { nearestName } from '../../lib/config.ts';
import type { Scenario } from './scenario.ts';

/** What stands as `name=value` after a command. */
export type Options = Readonly<Record<string, string>>;

/** What a command takes and does. */
export interface Command {
  /** The words after the name, as a message about their misuse shows them. */
  readonly usage: string;
  /** Words that it takes, at least and at most. */
  readonly words: readonly [min: number, max: number];
  /** Options that it takes; `any` are checked by whom they are meant for. @default none */
  readonly options?: readonly string[] | 'any';
  run(scenario: Scenario, words: readonly string[], options: Options): void;
}

/** For commands that take any number of words. */
export const MANY = Number.POSITIVE_INFINITY;

/** Tells options from other words. */
export function splitOptions(parts: readonly string[]): { words: string[]; options: Options } {
  const words: string[] = [];
  const options: Record<string, string> = {};
  for (const part of parts) {
    const [, name, value] = /^([a-zA-Z]+)=(.+)$/.exec(part) ?? [];
    if (name === undefined || value === undefined) words.push(part);
    else options[name] = value;
  }
  return { words, options };
}

/** What was perhaps meant, as the end of a message. */
export function hintFor(name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  return near === null ? '' : `, did you mean \`${near}\`?`;
}

/** A number, `true`, `false`, or the text itself. */
export function parseValue(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

/** @throws {Error} if there is no such node */
export function parseNodes(scenario: Scenario, names: string): ActorAddress[] {
  if (names === '*') return [...scenario.world.nodes];
  return names.split(',').map((name) => scenario.node(name));
}

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** @throws {Error} if it is no time */
export function parseMs(text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) {
    throw new Error(`got ${text}, expected a time such as 5ms, 2s, 1h`);
  }
  return Number(count) * MS_PER_UNIT[unit]!;
}
