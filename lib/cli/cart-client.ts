/**
 * One of several clients that fill the same carts. It keeps what it last saw of a cart and writes on with that
 * context, although others write too, and reads again only when an answer tells it that others did: that is how
 * siblings arise, here as in a shop with several front ends.
 *
 * Invariant: a line is added or given up, never half of it. Adding a line twice changes nothing, so whatever is
 * uncertain is tried again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isRingletError, type RingletError } from '../errors.ts';
import { type Cart, type CartLine, withLine } from './cart.ts';

/** As much of a bucket as carts need. */
export interface CartStore {
  get(key: string): Promise<CartEntry>;
  put(
    key: string,
    cart: Cart,
    options: { readonly context: string },
  ): Promise<{ readonly context: string | undefined }>;
}

/** What a read of a cart gives. */
export interface CartEntry {
  readonly siblings: readonly Cart[];
  /** The siblings reconciled. */
  readonly value: Cart | undefined;
  readonly context: string;
}

/** What all clients of a replay did, added up. */
export interface CartCounters {
  reads: number;
  writes: number;
  /** Siblings that a read reconciled with the first. */
  siblingsResolved: number;
  /** Writes that failed without it being certain that they never happen. */
  indefinite: number;
  /** Requests that were tried again. */
  retries: number;
}

/** Counters that all stand at 0. */
export function createCartCounters(): CartCounters {
  return { reads: 0, writes: 0, siblingsResolved: 0, indefinite: 0, retries: 0 };
}

/** A cart as a client last saw it. */
interface View {
  readonly cart: Cart;
  readonly context: string;
}

/** Carts that one client remembers. */
const VIEW_COUNT_MAX = 512;

/** Attempts at a request before it is given up: with the pauses between them, more than a minute. */
const ATTEMPT_COUNT_MAX = 150;
const PAUSE_MS_MIN = 5;
const PAUSE_MS_MAX = 500;

/** The key of an invoice's cart. */
export function cartKey(invoice: string): string {
  return `cart:${invoice}`;
}

/** A client that adds lines to carts. */
export class CartClient {
  private readonly store: CartStore;
  private readonly counters: CartCounters;
  private readonly signal: AbortSignal;
  /** The carts seen last, oldest first. */
  private readonly views = new Map<string, View>();

  constructor(store: CartStore, counters: CartCounters, signal: AbortSignal) {
    this.store = store;
    this.counters = counters;
    this.signal = signal;
  }

  /**
   * Adds a line to a cart, trying again until a write is acknowledged. One call at a time for one cart.
   *
   * @throws {RingletError} the last error, after {@link ATTEMPT_COUNT_MAX} attempts
   */
  add(invoice: string, line: CartLine): Promise<void> {
    const key = cartKey(invoice);
    return this.persist(async () => {
      const view = this.views.get(key) ?? (await this.see(key));
      const cart = withLine(view.cart, line);
      this.views.delete(key);
      const { context } = await this.store.put(key, cart, { context: view.context });
      this.counters.writes += 1;
      // Without a context there are versions that this client has not seen: it looks again next time.
      if (context !== undefined) this.remember(key, { cart, context });
    });
  }

  /**
   * Reads a cart, trying again until it is answered.
   *
   * @throws {RingletError} the last error, after {@link ATTEMPT_COUNT_MAX} attempts
   */
  read(invoice: string): Promise<Cart> {
    return this.persist(async () => (await this.see(cartKey(invoice))).cart);
  }

  private async see(key: string): Promise<View> {
    const entry = await this.store.get(key);
    this.counters.reads += 1;
    this.counters.siblingsResolved += Math.max(0, entry.siblings.length - 1);
    return { cart: entry.value ?? [], context: entry.context };
  }

  private remember(key: string, view: View): void {
    this.views.set(key, view);
    if (this.views.size <= VIEW_COUNT_MAX) return;
    for (const oldest of this.views.keys()) {
      this.views.delete(oldest);
      break;
    }
  }

  private async persist<T>(attempt: () => Promise<T>): Promise<T> {
    for (let attemptCount = 1; ; attemptCount++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isRingletError(error)) throw error;
        if (!error.definite) this.counters.indefinite += 1;
        if (this.isFinal(error) || attemptCount === ATTEMPT_COUNT_MAX) throw error;
        this.counters.retries += 1;
        await sleep(Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(attemptCount, 10)));
      }
    }
  }

  private isFinal(error: RingletError): boolean {
    return this.signal.aborted || error.code === 'RINGLET_CLOSED';
  }
}
