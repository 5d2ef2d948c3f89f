/**
 * What the command prints: a report for a person, or with `--json` one JSON object and nothing else on stdout.
 * Remarks go to stderr in both cases.
 */

/** Where a verb writes. */
export interface Output {
  readonly isJson: boolean;
  /** A line of the report; left out with `--json`. */
  say(line?: string): void;
  /** A line on stderr. */
  remark(line: string): void;
  /** The result as a whole; left out without `--json`. To be called once. */
  result(value: object): void;
}

/** @param isJson Print the result alone, as JSON. */
export function createOutput(isJson: boolean): Output {
  return {
    isJson,
    say: (line = '') => {
      if (!isJson) process.stdout.write(`${line}\n`);
    },
    remark: (line) => {
      process.stderr.write(`${line}\n`);
    },
    result: (value) => {
      if (isJson) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
  };
}

/** Columns that line up: the first to the left, the others to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** `1234567` as `1,234,567`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** Milliseconds with three significant digits. */
export function formatMs(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2);
}

/** `value` with at most `digits` digits after the point, for JSON that is easy to read. */
export function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

/** `count` of a thing in English: `1 line`, `2 lines`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
