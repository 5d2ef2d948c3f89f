/**
 * A store with siblings as an oracle would have it: each write is a dot, a context is the set of dots that were seen,
 * and a write replaces those alone. Answers come after a turn of the event loop, so that clients interleave.
 */

interface Version<T> {
  readonly dot: number;
  readonly value: T;
}

export interface SiblingStoreOptions<T> {
  readonly resolve: (siblings: readonly T[]) => T;
  /** Called before each request with its number, from 0. What it throws is the answer; a write is carried out first if it says so. */
  readonly fail?: (request: number) => { error: Error; isApplied: boolean } | null;
}

export class SiblingStore<T> {
  readonly versions = new Map<string, Version<T>[]>();
  siblingCountMax = 0;
  private readonly options: SiblingStoreOptions<T>;
  private requestCount = 0;
  private nextDot = 1;

  constructor(options: SiblingStoreOptions<T>) {
    this.options = options;
  }

  async get(key: string) {
    await this.answer(() => {});
    const versions = this.versions.get(key) ?? [];
    const siblings = versions.map(({ value }) => value);
    const context = JSON.stringify(versions.map(({ dot }) => dot));
    const value = siblings.length <= 1 ? siblings[0] : this.options.resolve(siblings);
    return { siblings, context, value };
  }

  async put(key: string, value: T, options: { readonly context?: string } = {}) {
    let context: string | undefined;
    await this.answer(() => {
      const seen: number[] = options.context === undefined ? [] : JSON.parse(options.context);
      const kept = (this.versions.get(key) ?? []).filter(({ dot }) => !seen.includes(dot));
      const dot = this.nextDot++;
      this.versions.set(key, [...kept, { dot, value }]);
      this.siblingCountMax = Math.max(this.siblingCountMax, kept.length + 1);
      context = kept.length === 0 ? JSON.stringify([dot]) : undefined;
    });
    return { context };
  }

  async delete(key: string) {
    await this.answer(() => this.versions.delete(key));
  }

  private async answer(apply: () => void): Promise<void> {
    const failure = this.options.fail?.(this.requestCount++) ?? null;
    await new Promise(setImmediate);
    if (failure === null || failure.isApplied) apply();
    if (failure !== null) throw failure.error;
  }
}
