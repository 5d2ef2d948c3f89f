/**
 * Invoice lines of a shop from a CSV file, packed with gzip or not, as the UCI data set "Online Retail" has them.
 * They are invoices, not clicks: each line stands for one thing that was put into a cart.
 */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { messageOf } from '../errors.ts';
import type { CartLine } from './cart.ts';
import { type CsvItem, CsvParser, type CsvProblem, type CsvRecord } from './csv.ts';
import { InputError } from './exit.ts';

/** One line of the file, as a line of a cart. Its number in the file is its id. */
export interface InvoiceLine {
  readonly invoice: string;
  readonly cartLine: CartLine;
}

const COLUMNS = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
  'Country',
] as const;

/** Line ends of a file, so that shares of it can be told before it was read. */
export async function countLines(file: string, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const chunk of await openText(file)) {
    signal.throwIfAborted();
    for (let at = chunk.indexOf('\n'); at !== -1; at = chunk.indexOf('\n', at + 1)) count += 1;
  }
  return count;
}

/**
 * The invoice lines of a file, piece by piece, in order; broken lines are among them as problems.
 *
 * @throws {InputError} if the file cannot be read or its first line does not name the columns
 */
export async function* readInvoices(file: string): AsyncGenerator<(InvoiceLine | CsvProblem)[]> {
  const parser = new CsvParser(COLUMNS.length);
  let isHeaderNext = true;
  const take = (items: CsvItem[]): (InvoiceLine | CsvProblem)[] => {
    if (isHeaderNext && items.length > 0) {
      checkHeader(file, items.shift()!);
      isHeaderNext = false;
    }
    return items.map((item) => ('problem' in item ? item : invoiceLineOf(item)));
  };
  for await (const chunk of await openText(file)) yield take(parser.push(chunk));
  yield take(parser.end());
  if (isHeaderNext) throw new InputError(`${file}: the file is empty`);
}

/** The text of a file. Its first bytes, not its name, say whether it is packed. */
async function openText(file: string): Promise<AsyncIterable<string>> {
  const isPacked = await startsPacked(file);
  return readText(file, isPacked);
}

async function startsPacked(file: string): Promise<boolean> {
  try {
    if ((await stat(file)).isDirectory()) throw new Error(`${file} is a folder`);
    await using handle = await open(file);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } catch (error) {
    throw new InputError(`cannot read the file: ${messageOf(error)}`);
  }
}

async function* readText(file: string, isPacked: boolean): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const source = createReadStream(file);
  const bytes = isPacked ? source.pipe(createGunzip({ chunkSize: 64 * 1024 })) : source;
  source.on('error', (error) => bytes.destroy(error));
  try {
    for await (const chunk of bytes) yield decoder.decode(chunk as Uint8Array, { stream: true });
  } catch (error) {
    throw new InputError(`${file}: ${messageOf(error)}`);
  } finally {
    source.destroy();
  }
}

function checkHeader(file: string, item: CsvItem): void {
  const isHeader =
    'fields' in item && COLUMNS.every((name, column) => item.fields[column] === name);
  if (!isHeader) throw new InputError(`${file}: line 1 is not ${COLUMNS.join(',')}`);
}

const INVOICE_LENGTH_MAX = 200;

function invoiceLineOf({ line, fields }: CsvRecord): InvoiceLine | CsvProblem {
  const [invoice = '', stockCode = '', , quantity = '', , price = ''] = fields;
  if (invoice === '' || invoice.length > INVOICE_LENGTH_MAX) {
    return { line, problem: 'InvoiceNo is empty or too long' };
  }
  if (stockCode === '' || stockCode.length > INVOICE_LENGTH_MAX) {
    return { line, problem: 'StockCode is empty or too long' };
  }
  if (!/^-?\d{1,15}$/.test(quantity)) return { line, problem: 'Quantity is not a whole number' };
  if (!/^-?\d{1,12}(\.\d+)?$/.test(price)) return { line, problem: 'UnitPrice is not a number' };
  const cartLine = {
    id: line,
    stockCode,
    quantity: Number(quantity),
    priceThousandths: Math.round(Number(price) * 1000),
  };
  return { invoice, cartLine };
}
