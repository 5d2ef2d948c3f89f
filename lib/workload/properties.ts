/**
 * Property files as Java reads them, which is the form that YCSB workloads come in: comments, three kinds of
 * separator, continued lines, escapes.
 *
 * Invariant: what a file says is kept or named in an error, never skipped.
 */
import { show } from '../config.ts';
import { RingletError } from '../errors.ts';

/** Names and values, all text, in the order in which they first appeared. A later value replaces an earlier one. */
export type Properties = ReadonlyMap<string, string>;

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

/**
 * Reads the text of a property file.
 *
 * @param source Name of the file, for messages.
 * @throws {RingletError} RINGLET_OPTION_INVALID naming file and line
 */
export function parseProperties(text: string, source: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const { line, content } of logicalLines(text)) {
    const keyEnd = findKeyEnd(content);
    const valueStart = /^[ \t\f]*[=:]?[ \t\f]*/.exec(content.slice(keyEnd))![0].length + keyEnd;
    const where = `${source}:${line}`;
    const key = decodeEscapes(content.slice(0, keyEnd), where);
    if (key === '') {
      throw new RingletError('RINGLET_OPTION_INVALID', `${where}: a property without a name`);
    }
    properties.set(key, decodeEscapes(content.slice(valueStart), where));
  }
  return properties;
}

/**
 * Reads one `name=value` of a command line.
 *
 * @throws {RingletError} RINGLET_OPTION_INVALID without a name or without `=`
 */
export function parseOverride(text: string): [name: string, value: string] {
  const separator = text.indexOf('=');
  if (separator < 1) {
    throw new RingletError('RINGLET_OPTION_INVALID', `got ${show(text)}, expected name=value`);
  }
  return [text.slice(0, separator).trim(), text.slice(separator + 1).trim()];
}

interface LogicalLine {
  /** Number of its first line in the file, from 1. */
  readonly line: number;
  readonly content: string;
}

/** Joins continued lines and leaves out blank lines and comments. */
function* logicalLines(text: string): Generator<LogicalLine> {
  const lines = text.split(/\r\n|\n|\r/);
  for (let index = 0; index < lines.length; index++) {
    const first = index;
    let content = trimStart(lines[index]!);
    if (content === '' || content.startsWith('#') || content.startsWith('!')) continue;
    while (isContinued(content)) {
      index += 1;
      content = content.slice(0, -1) + trimStart(lines[index] ?? '');
    }
    yield { line: first + 1, content };
  }
}

function trimStart(line: string): string {
  return line.replace(/^[ \t\f]+/, '');
}

/** An odd number of backslashes at the end: an even number are escaped ones. */
function isContinued(content: string): boolean {
  return /\\*$/.exec(content)![0].length % 2 === 1;
}

/** The key ends at the first separator that no backslash escapes. */
function findKeyEnd(content: string): number {
  for (let index = 0; index < content.length; index++) {
    if (content[index] === '\\') index += 1;
    else if ('=: \t\f'.includes(content[index]!)) return index;
  }
  return content.length;
}

function decodeEscapes(text: string, where: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.?)/gs, (_, sequence: string) => {
    if (sequence.length === 5) return String.fromCharCode(Number.parseInt(sequence.slice(1), 16));
    if (sequence === 'u') {
      throw new RingletError(
        'RINGLET_OPTION_INVALID',
        `${where}: \\u is not followed by four hexadecimal digits`,
      );
    }
    return ESCAPES[sequence] ?? sequence;
  });
}
