/**
 * Puts invoice lines into carts through several clients, and checks afterwards that the carts hold exactly them.
 *
 * Invariants:
 * 1. Lines of one cart go to several clients; each client adds its lines of a cart one after the other.
 * 2. At most {@link WINDOW_LINES} lines are under way, so memory does not grow with the file, but for a few bytes
 *    per line: its id and a checksum, kept for the check.
 */
import { messageOf } from '../errors.ts';
import { hashString } from '../hash.ts';
import { Slots } from '../workload/slots.ts';
import { type Cart, type CartLine, fingerprintOf } from './cart.ts';
import { CartClient, type CartStore, createCartCounters } from './cart-client.ts';
import type { InvoiceLine } from './invoices.ts';

/** Lines under way at most. */
const WINDOW_LINES = 8192;

/** Clients that share a cart. */
const CLIENTS_PER_CART = 3;

/** Carts that the check reads at a time. */
const CHECK_WINDOW_CARTS = 256;

/** Differences that are named one by one. */
const DIFFERENCES_MAX = 20;

/** What the check found. */
export interface CartCheck {
  /** Lines of the file that their cart lacks, or has with other contents. */
  readonly missing: number;
  /** Lines in a cart that the file does not have there, or has with other contents. */
  readonly invented: number;
  /** The first of them, in words. */
  readonly differences: readonly string[];
}

/** Adds the lines of a file and keeps what the check needs. */
export class CartReplay {
  readonly counters = createCartCounters();
  /** Lines added so far. */
  doneCount = 0;
  /** Called after each line that was added. */
  onDone: () => void = () => {};
  /** Lines that could not be added. */
  readonly failures: string[] = [];
  private readonly clients: readonly CartClient[];
  private readonly slots = new Slots(WINDOW_LINES);
  /** The last line under way, by client and cart. */
  private readonly tails = new Map<string, Promise<void>>();
  private readonly expected = new Map<string, number[]>();
  private readonly fingerprints = new Fingerprints();

  constructor(store: CartStore, clientCount: number, signal: AbortSignal) {
    this.clients = Array.from(
      { length: clientCount },
      () => new CartClient(store, this.counters, signal),
    );
  }

  get cartCount(): number {
    return this.expected.size;
  }

  /** Starts to add a line; waits while too many are under way. */
  async add({ invoice, cartLine }: InvoiceLine): Promise<void> {
    let ids = this.expected.get(invoice);
    if (ids === undefined) {
      ids = [];
      this.expected.set(invoice, ids);
    }
    const client = this.clientOf(invoice, ids.length);
    ids.push(cartLine.id);
    this.fingerprints.set(cartLine.id, fingerprintOf(cartLine));
    await this.slots.take();
    this.enqueue(client, invoice, cartLine);
  }

  /** Settles when no line is under way. */
  drain(): Promise<void> {
    return this.slots.allFree();
  }

  /** Neighbouring lines of a cart go to different clients. */
  private clientOf(invoice: string, position: number): number {
    const spread = Math.min(CLIENTS_PER_CART, this.clients.length);
    return (hashString(invoice, 0) + (position % spread)) % this.clients.length;
  }

  private enqueue(client: number, invoice: string, line: CartLine): void {
    const queue = `${client} ${invoice}`;
    const tail = (this.tails.get(queue) ?? Promise.resolve())
      .then(() => this.clients[client]!.add(invoice, line))
      .then(
        () => {
          this.doneCount += 1;
          this.onDone();
        },
        (error: unknown) => {
          this.failures.push(`line ${line.id}: ${messageOf(error)}`);
        },
      )
      .then(() => {
        if (this.tails.get(queue) === tail) this.tails.delete(queue);
        this.slots.giveBack();
      });
    this.tails.set(queue, tail);
  }

  /** Reads every cart and compares it with the lines that were to go there. @param onCart Called with each cart that was read. */
  async check(onCart: () => void): Promise<CartCheck> {
    const report = new DifferenceReport();
    const carts = this.expected.entries();
    const worker = async (client: CartClient): Promise<void> => {
      for (const [invoice, ids] of carts) {
        this.compare(invoice, ids, await client.read(invoice), report);
        onCart();
      }
    };
    // The workers draw from the same iterator, so each cart is read once.
    const workers = Array.from({ length: CHECK_WINDOW_CARTS }, (_, index) =>
      worker(this.clients[index % this.clients.length]!),
    );
    await Promise.all(workers);
    return report;
  }

  private compare(
    invoice: string,
    ids: readonly number[],
    cart: Cart,
    report: DifferenceReport,
  ): void {
    const found = new Map(cart.map((line) => [line.id, line]));
    for (const id of ids) {
      const line = found.get(id);
      found.delete(id);
      if (line === undefined) report.onMissing(`line ${id} is not in cart ${invoice}`);
      else if (fingerprintOf(line) !== this.fingerprints.get(id)) {
        report.onMissing(`line ${id} is not as it was in cart ${invoice}`);
        report.onInvented(`cart ${invoice} has other contents for line ${id}`);
      }
    }
    for (const id of found.keys()) report.onInvented(`cart ${invoice} has line ${id}`);
  }
}

class DifferenceReport implements CartCheck {
  missing = 0;
  invented = 0;
  readonly differences: string[] = [];

  onMissing(text: string): void {
    this.missing += 1;
    this.note(text);
  }

  onInvented(text: string): void {
    this.invented += 1;
    this.note(text);
  }

  private note(text: string): void {
    if (this.differences.length < DIFFERENCES_MAX) this.differences.push(text);
  }
}

/** Checksums by line number, four bytes each. */
class Fingerprints {
  private values = new Uint32Array(1024);

  set(line: number, fingerprint: number): void {
    if (line >= this.values.length) {
      const grown = new Uint32Array(Math.max(line + 1, this.values.length * 2));
      grown.set(this.values);
      this.values = grown;
    }
    this.values[line] = fingerprint;
  }

  get(line: number): number {
    return this.values[line]!;
  }
}
