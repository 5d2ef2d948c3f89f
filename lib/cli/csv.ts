/**
 * Comma-separated values (RFC 4180) from a stream of text: quoted fields, doubled quotes, commas and line ends
 * within quotes, both kinds of line ends.
 *
 * Invariant: a broken line costs that line alone. A stray quote would make all text up to the next one a single
 * field; here the record is given up after a limit, or where it goes wrong, its first line is named, and reading goes on with the
 * line after that.
 */

/** A record, with the number of its first line, counted from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** A line that belongs to no record, and why. */
export interface CsvProblem {
  readonly line: number;
  readonly problem: string;
}

export type CsvItem = CsvRecord | CsvProblem;

/** Lines that one record may span. */
const RECORD_LINES_MAX = 100;

/** Characters of one line. */
const LINE_LENGTH_MAX = 1 << 20;

/** Takes text in pieces of any size and gives records and problems in the order of their lines. */
export class CsvParser {
  private readonly columnCount: number;
  /** Text after the last line end. */
  private tail = '';
  /** Lines that belong to no record yet, without their `\n`. */
  private lines: string[] = [];
  /** Index in `lines` of the first that was not used, and its number. */
  private head = 0;
  private headLine = 1;
  private isFirstChunk = true;

  /** @param columnCount Fields that every record has. */
  constructor(columnCount: number) {
    this.columnCount = columnCount;
  }

  /** Takes the next piece of text and returns what is complete. */
  push(chunk: string): CsvItem[] {
    const text = this.tail + (this.isFirstChunk ? chunk.replace(/^\ufeff/, '') : chunk);
    this.isFirstChunk &&= chunk === '';
    const lines = text.split('\n');
    this.tail = lines.pop()!;
    // The start is enough to refuse a line that is too long: what follows need not be kept.
    if (this.tail.length > LINE_LENGTH_MAX) this.tail = this.tail.slice(0, LINE_LENGTH_MAX + 1);
    for (const line of lines) this.lines.push(line);
    return this.takeItems(false);
  }

  /** Takes the end of the text and returns what remains. */
  end(): CsvItem[] {
    if (this.tail !== '') this.lines.push(this.tail);
    this.tail = '';
    return this.takeItems(true);
  }

  private takeItems(isAtEnd: boolean): CsvItem[] {
    const items: CsvItem[] = [];
    while (this.head < this.lines.length) {
      const item = this.takeItem(isAtEnd);
      if (item === 'incomplete') break;
      if (item !== 'blank') items.push(item);
    }
    this.lines = this.lines.slice(this.head);
    this.head = 0;
    return items;
  }

  private takeItem(isAtEnd: boolean): CsvItem | 'blank' | 'incomplete' {
    const line = this.headLine;
    let text = withoutReturn(this.lines[this.head]!);
    if (text === '') {
      this.advance(1);
      return 'blank';
    }
    if (text.length > LINE_LENGTH_MAX) {
      this.advance(1);
      return { line, problem: `longer than ${LINE_LENGTH_MAX} characters` };
    }
    let lineCount = 1;
    let fields = splitFields(text);
    while (fields === 'open' && lineCount < RECORD_LINES_MAX) {
      const next = this.lines[this.head + lineCount];
      if (next === undefined) {
        if (!isAtEnd) return 'incomplete';
        break;
      }
      // A line end within quotes belongs to the field, its `\r` included, which `withoutReturn` took off.
      const previous = this.lines[this.head + lineCount - 1]!;
      text += `${previous.endsWith('\r') ? '\r' : ''}\n${withoutReturn(next)}`;
      lineCount += 1;
      fields = splitFields(text);
    }
    const problem = this.problemOf(fields);
    this.advance(problem === null ? lineCount : 1);
    return problem === null ? { line, fields: fields as string[] } : { line, problem };
  }

  private problemOf(fields: string[] | 'open' | 'misquoted'): string | null {
    if (fields === 'open') return 'a quoted field is not closed';
    if (fields === 'misquoted') return 'a quote stands where none may be';
    if (fields.length === this.columnCount) return null;
    return `${fields.length} columns, expected ${this.columnCount}`;
  }

  private advance(lineCount: number): void {
    this.head += lineCount;
    this.headLine += lineCount;
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

/** The fields of a record; `open` if a quoted field does not end, `misquoted` if a quote is neither at an edge of its field nor doubled. */
function splitFields(text: string): string[] | 'open' | 'misquoted' {
  if (!text.includes('"')) return text.split(',');
  const fields: string[] = [];
  for (let start = 0; ; ) {
    if (text[start] !== '"') {
      const comma = text.indexOf(',', start);
      const field = text.slice(start, comma === -1 ? text.length : comma);
      if (field.includes('"')) return 'misquoted';
      fields.push(field);
      if (comma === -1) return fields;
      start = comma + 1;
      continue;
    }
    let quote = text.indexOf('"', start + 1);
    while (quote !== -1 && text[quote + 1] === '"') quote = text.indexOf('"', quote + 2);
    if (quote === -1) return 'open';
    fields.push(text.slice(start + 1, quote).replaceAll('""', '"'));
    if (quote + 1 === text.length) return fields;
    if (text[quote + 1] !== ',') return 'misquoted';
    start = quote + 2;
  }
}
