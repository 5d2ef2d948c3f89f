/**
 * Scenario scripts: plain text in which commands are followed by what they must print. A block is command lines, a line
 * `----`, the output, and a blank line; `#` begins a comment. What the commands are says `test/helpers/scenario-commands.ts`.
 *
 * Invariant: a script that was run is its own text with the output made anew, so that comparing and rewriting are one.
 */
import { Scenario } from './scenario.ts';
import { executeCommand } from './scenario-commands.ts';

/** A script is wrong, or says something that does not hold. The message begins with file and line. */
export class ScriptError extends Error {
  override name = 'ScriptError';
}

const SEPARATOR = '----';

/** What a block that prints nothing is answered with. */
const NO_OUTPUT = 'ok';

/** More rounds take longer than a script should. */
const REPEAT_COUNT_MAX = 10_000;

interface Line {
  readonly number: number;
  readonly text: string;
}

/**
 * Runs a script.
 *
 * @param file Its name, for messages.
 * @returns the script with the output that its commands have now
 * @throws {ScriptError} if a command is wrong or fails, an expectation does not hold, or nodes failed by themselves
 */
export function runScript(file: string, text: string): string {
  const scenario = new Scenario();
  const result: string[] = [];
  const lines = text.split('\n').map((line, index): Line => ({ number: index + 1, text: line }));
  const lastLine = lines.at(-1)!;
  while (lines.length > 0) {
    if (isProse(lines[0]!)) {
      result.push(lines.shift()!.text);
      continue;
    }
    const block = takeBlock(file, lines);
    const output = runBlock(file, scenario, block);
    result.push(...block.map((line) => line.text), SEPARATOR, ...output);
  }
  located(file, lastLine, () => scenario.end());
  return result.join('\n');
}

function isProse({ text }: Line): boolean {
  return text.trim() === '' || text.startsWith('#');
}

/** Takes commands, separator and old output off the lines. @returns the commands, comments between them included */
function takeBlock(file: string, lines: Line[]): Line[] {
  const block: Line[] = [];
  for (;;) {
    const line = lines.shift();
    if (line === undefined || line.text.trim() === '') {
      throw new ScriptError(
        `${file}:${block[0]!.number}: a block of commands ends with ${SEPARATOR}`,
      );
    }
    if (line.text === SEPARATOR) break;
    block.push(line);
  }
  while (lines.length > 0 && lines[0]!.text.trim() !== '') lines.shift();
  return block;
}

/** `repeat COUNT` as the first command repeats the others; what the last round prints is the output. */
function runBlock(file: string, scenario: Scenario, block: readonly Line[]): string[] {
  const commands = block.filter((line) => !isProse(line));
  const count = repeatCount(file, commands[0]!);
  const rounds = count ?? 1;
  const repeated = count === null ? commands : commands.slice(1);
  let output: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const line of repeated) located(file, line, () => executeCommand(scenario, line.text));
    output = scenario.takeOutput();
  }
  return output.length === 0 ? [NO_OUTPUT] : output;
}

function repeatCount(file: string, line: Line): number | null {
  const [name, count, ...rest] = line.text.split(/\s+/);
  if (name !== 'repeat') return null;
  const rounds = Number(count);
  if (rest.length === 0 && Number.isInteger(rounds) && rounds >= 1 && rounds <= REPEAT_COUNT_MAX) {
    return rounds;
  }
  throw new ScriptError(`${file}:${line.number}: usage: repeat COUNT, at most ${REPEAT_COUNT_MAX}`);
}

function located(file: string, { number }: Line, action: () => void): void {
  try {
    action();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ScriptError(`${file}:${number}: ${message}`, { cause });
  }
}
