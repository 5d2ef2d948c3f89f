/** Comma-separated values: what is read, and what a broken line costs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { type CsvItem, CsvParser } from '../../lib/cli/csv.ts';
import { countLines, readInvoices } from '../../lib/cli/invoices.ts';

function parse(chunks: readonly string[], columnCount: number): CsvItem[] {
  const parser = new CsvParser(columnCount);
  return [...chunks.flatMap((chunk) => parser.push(chunk)), ...parser.end()];
}

/** Items in short: `line: field|field` or `line! problem`. */
function brief(items: readonly CsvItem[]): string[] {
  return items.map((item) =>
    'problem' in item ? `${item.line}! ${item.problem}` : `${item.line}: ${item.fields.join('|')}`,
  );
}

const open = 'a quoted field is not closed';
const misquoted = 'a quote stands where none may be';

const cases: [title: string, text: string, expected: string[]][] = [
  ['nothing', '', []],
  ['plain lines', 'a,b\nc,d\n', ['1: a|b', '2: c|d']],
  ['no line end at the end', 'a,b\nc,d', ['1: a|b', '2: c|d']],
  ['carriage returns', 'a,b\r\n"c",d\r\n', ['1: a|b', '2: c|d']],
  ['empty fields', ',\n"",""\n', ['1: |', '2: |']],
  ['a comma in quotes', '"a,b",c\n', ['1: a,b|c']],
  ['doubled quotes', '"a ""b""",c\n""""" ",d\n', ['1: a "b"|c', '2: "" |d']],
  ['a line end in quotes', '"a\nb",c\nd,e\n', ['1: a\nb|c', '3: d|e']],
  ['a line end of two characters in quotes', '"a\r\nb",c\r\n', ['1: a\r\nb|c']],
  ['blank lines', '\na,b\n\r\n\nc,d\n', ['2: a|b', '5: c|d']],
  ['a byte order mark', '\ufeffa,b\n', ['1: a|b']],
  ['too few columns', 'a\nb,c\n', ['1! 1 columns, expected 2', '2: b|c']],
  ['too many columns', 'a,b,c\nd,e\n', ['1! 3 columns, expected 2', '2: d|e']],
  ['a quote within a field', 'a"b,c\nd,e\n', [`1! ${misquoted}`, '2: d|e']],
  ['text after a closing quote', '"a"b,c\nd,e\n', [`1! ${misquoted}`, '2: d|e']],
  ['a stray quote costs its own line', 'a,"b\nc,d\ne,f\n', [`1! ${open}`, '2: c|d', '3: e|f']],
  [
    'a stray quote before a quoted field',
    'a,"b\nc,"d"\ne,f\n',
    [`1! ${misquoted}`, '2: c|d', '3: e|f'],
  ],
];

for (const [title, text, expected] of cases) {
  test(`csv: ${title}`, (t) => {
    t.deepEqual(brief(parse([text], 2)), expected);
    t.deepEqual(brief(parse([...text], 2)), expected, 'character by character');
  });
}

test('csv: a stray quote in the middle of a long file costs one line', (t) => {
  const lines = Array.from({ length: 1000 }, (_, index) => `${index},x`);
  lines[500] = '500,"x';
  const items = parse([lines.join('\n')], 2);
  t.is(items.length, 1000);
  t.deepEqual(brief(items.filter((item) => 'problem' in item)), [`501! ${open}`]);
});

test('csv: a line without an end does not grow without a limit', (t) => {
  const parser = new CsvParser(2);
  const items = Array.from({ length: 64 }, () => parser.push('x'.repeat(65_536))).flat();
  items.push(...parser.push('x\na,b\n'), ...parser.end());
  t.deepEqual(brief(items), ['1! longer than 1048576 characters', '2: a|b']);
});

test('csv: what was quoted comes back, whatever the pieces', (t) => {
  const field = fc.string({ unit: fc.constantFrom('a', 'b', ',', '"', '\n', '\r', ' ', 'é') });
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(field, field), { maxLength: 8 }),
      fc.integer({ min: 1, max: 7 }),
      (records, size) => {
        const text = records.map((record) => `${record.map(quoted).join(',')}\r\n`).join('');
        const chunks = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
        const fields = parse(chunks, 2).map((item) => ('fields' in item ? item.fields : item));
        return JSON.stringify(fields) === JSON.stringify(records);
      },
    ),
  );
  t.pass();
});

const HEADER =
  'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n';

async function withFile<T>(content: string | Uint8Array, use: (file: string) => Promise<T>) {
  const folder = await mkdtemp(join(tmpdir(), 'ringlet-csv-'));
  try {
    const file = join(folder, 'invoices');
    await writeFile(file, content);
    return await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function readAll(file: string) {
  const items = [];
  for await (const batch of readInvoices(file)) items.push(...batch);
  return items;
}

test('invoices: packed and unpacked files read the same', async (t) => {
  const text = `${HEADER}536365,85123A,"A, ""B""",-6,2010-12-01,2.55,17850.0,UK\n`;
  const expected = [
    {
      invoice: '536365',
      cartLine: { id: 2, stockCode: '85123A', quantity: -6, priceThousandths: 2550 },
    },
  ];
  for (const content of [text, gzipSync(text)]) {
    await withFile(content, async (file) => {
      t.deepEqual(await readAll(file), expected);
      t.is(await countLines(file, new AbortController().signal), 2);
    });
  }
});

test('invoices: broken values are named with their line', async (t) => {
  const lines = [
    '1,a,,x,,1,,',
    '1,a,,1.5,,1,,',
    '1,a,,1,,one,,',
    ',a,,1,,1,,',
    '1,,,1,,1,,',
    '1,a',
  ];
  const items = await withFile(HEADER + lines.join('\n'), readAll);
  t.deepEqual(items, [
    { line: 2, problem: 'Quantity is not a whole number' },
    { line: 3, problem: 'Quantity is not a whole number' },
    { line: 4, problem: 'UnitPrice is not a number' },
    { line: 5, problem: 'InvoiceNo is empty or too long' },
    { line: 6, problem: 'StockCode is empty or too long' },
    { line: 7, problem: '2 columns, expected 8' },
  ]);
});

test('invoices: a file that cannot be one is refused', async (t) => {
  const name = { name: 'InputError' };
  await t.throwsAsync(readAll('/nowhere/at/all'), name);
  await t.throwsAsync(readAll(tmpdir()), name);
  await t.throwsAsync(withFile('', readAll), { ...name, message: /empty/ });
  await t.throwsAsync(withFile('a,b\n', readAll), { ...name, message: /line 1 is not InvoiceNo/ });
  const cutOff = gzipSync(HEADER.repeat(100)).subarray(0, 60);
  await t.throwsAsync(withFile(cutOff, readAll), name);
});
