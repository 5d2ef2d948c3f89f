/**
 * A world as scripts drive it: requests that print how they end, contexts and images by name, nodes by name, the trace.
 *
 * Invariant: all that it prints is a function of the commands.
 */
import type { ActorAddress } from '../../lib/address.ts';
import type { RequestSettings } from '../../lib/client.ts';
import { contextOf, decodeVersionSet, siblingsOf } from '../../lib/clock/version-set.ts';
import type { VersionVector } from '../../lib/clock/version-vector.ts';
import { type ReplicationOptions, resolveReplication } from '../../lib/config.ts';
import type { RingletError } from '../../lib/errors.ts';
import { Prng } from '../../lib/prng.ts';
import { describeAddress, describeValue, describeVector } from '../../lib/protocol/describe.ts';
import { partitionOf } from '../../lib/ring/ring.ts';
import type { DiskImage } from '../../lib/sim/world/disk.ts';
import { Trace, type TraceFilter } from '../../lib/sim/world/trace.ts';
import { World, type WorldObserver, type WorldOptions } from '../../lib/sim/world/world.ts';
import { CORRUPT, type StoredRecord } from '../../lib/store/contract.ts';
import { ScenarioNames, scenarioKey } from './scenario-names.ts';

export interface ScenarioOptions extends WorldOptions {
  /** Of all writes. */
  readonly lastWriterWins: boolean;
}

/** What a request of a script may say. */
export interface RequestWords {
  /** What it writes is based on the context of this name. */
  readonly context?: string | undefined;
  /** The name for the context that it brings. */
  readonly as?: string | undefined;
  readonly coordinator?: ActorAddress | undefined;
  readonly timeoutMs?: number | undefined;
  readonly replication: ReplicationOptions;
}

/** What a request brought for the next write. */
interface Seen {
  readonly vector: VersionVector;
  readonly coordinator: ActorAddress;
}

/** A world that still does something after so long never comes to rest. */
const QUIET_MS_MAX = 600_000;

/** A request may miss its deadline by a look at the clock. */
const LATE_MS_MAX = 100;

/** A line of a trace without the number of its step. */
const TRACE_LINE = /^\s*\d+\s+([\d.]+) {2}(.*)$/;

/** What nobody wants to see unless asked for: what the messages show as well. */
const COMMON_NOISE = /^thread \d+ {2}turn$|committed/;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Scenario {
  private opened: World | null = null;
  private lastWriterWins = false;
  private names = new ScenarioNames();
  private output: string[] = [];
  private traceFilter: TraceFilter | null = null;
  private pendingCount = 0;
  private ruleCount = 0;
  /** `null` where a write left siblings that its writer has not seen. */
  private readonly contexts = new Map<string, Seen | null>();
  private readonly images = new Map<string, DiskImage>();

  /** Begins a new world. The one before must have ended well. */
  open({ lastWriterWins, ...options }: ScenarioOptions): void {
    this.end();
    this.lastWriterWins = lastWriterWins;
    this.names = new ScenarioNames();
    this.contexts.clear();
    this.images.clear();
    this.traceFilter = null;
    this.opened = this.openWorld(options);
  }

  private openWorld(options: WorldOptions): World {
    const events = new Trace({ write: (line) => this.print(line.replace(TRACE_LINE, '$2')) });
    const trace = new Trace({
      write: (line) => this.print(line.replace(TRACE_LINE, '$1  $2')),
      filter: (text) => this.traceFilter?.(text) ?? false,
    });
    const observer: WorldObserver = {
      ...trace.observer,
      onNode: (event) => {
        if (this.opened !== null || event.type !== 'started') events.observer.onNode?.(event);
      },
      onCommitted: (node, puts) => {
        for (const { record } of puts) this.names.record(record);
        trace.observer.onCommitted?.(node, puts);
      },
    };
    this.opened = null;
    const world = new World({ ...options, observer });
    trace.follow(world);
    return world;
  }

  /** @throws {Error} if a node failed although nobody asked for it, or a request has not ended */
  end(): void {
    const [failure] = this.opened?.failures ?? [];
    if (failure !== undefined) throw failure.error;
    if (this.pendingCount > 0) throw new Error(`requests under way: ${this.pendingCount}`);
  }

  get world(): World {
    if (this.opened === null) throw new Error('a script begins with `cluster`');
    return this.opened;
  }

  // ------------------------------------------------------------------------------- output

  print(line: string): void {
    this.output.push(this.names.rename(line).trimEnd());
  }

  takeOutput(): string[] {
    return this.output.splice(0);
  }

  /** @param filter What the trace shows from now on. `null`: nothing. */
  trace(filter: TraceFilter | 'messages' | null): void {
    this.traceFilter = filter === 'messages' ? (text) => !COMMON_NOISE.test(text) : filter;
  }

  // ------------------------------------------------------------------------------- time

  run(durationMs: number): void {
    this.world.runUntil(this.world.nowMs + durationMs);
  }

  /** Until nothing is left to do. */
  quiet(): void {
    const { world } = this;
    const endMs = world.nowMs + QUIET_MS_MAX;
    while (world.nextEventMs < Number.POSITIVE_INFINITY) {
      if (world.nextEventMs > endMs) throw new Error(`not quiet after ${QUIET_MS_MAX} ms`);
      world.runUntil(world.nextEventMs);
    }
  }

  // ------------------------------------------------------------------------------- requests

  /** Writes; `null` is a tombstone. @returns a function that waits for the end */
  put(key: string, value: string | null, words: RequestWords): () => void {
    const title = value === null ? `delete ${key}` : `put ${key} ${value}`;
    const seen = words.context === undefined ? null : this.contextOf(words.context);
    const { world } = this;
    const { partition, recordKey } = this.locate(key);
    if (words.coordinator !== undefined && !this.ownersOf(key).includes(words.coordinator)) {
      throw new Error(`${describeAddress(words.coordinator)} is no replica of ${key}`);
    }
    const write = {
      value: value === null ? null : encoder.encode(value),
      context: seen?.vector ?? [],
      preferred: words.coordinator ?? seen?.coordinator ?? null,
      lastWriterWins: this.lastWriterWins,
    };
    return this.request(title, words, (settings, onEnd) => {
      const onDone = ({
        context,
        coordinator,
      }: {
        context: VersionVector | null;
        coordinator: ActorAddress;
      }) => {
        this.remember(words.as, context === null ? null : { vector: context, coordinator });
        const known = context === null ? 'beside others' : describeVector(context);
        onEnd(`stored by ${describeAddress(coordinator)} ${known}`);
      };
      const onFailed = (error: RingletError) => onEnd(describeFailedPut(error));
      world.clients[0]!.startPut(partition, recordKey, write, settings, onDone, onFailed);
    });
  }

  /** Reads. @returns a function that waits for the end */
  get(key: string, fanout: 'quorum' | 'all', words: RequestWords): () => void {
    const { world } = this;
    const { partition, recordKey } = this.locate(key);
    return this.request(`get ${key}`, words, (settings, onEnd) => {
      const onDone = ({
        record,
        fastest,
      }: {
        record: Uint8Array | null;
        fastest: ActorAddress;
      }) => {
        const vector = record === null ? [] : contextOf(decodeVersionSet(record));
        this.remember(words.as, { vector, coordinator: fastest });
        const values = record === null ? [] : shownValues(record);
        onEnd(values.length === 0 ? 'nothing' : values.join(' '));
      };
      const onFailed = (error: RingletError) => onEnd(error.code);
      world.clients[0]!.startGet(partition, recordKey, fanout, settings, onDone, onFailed);
    });
  }

  private request(
    title: string,
    { replication, timeoutMs }: RequestWords,
    start: (settings: RequestSettings, onEnd: (how: string) => void) => void,
  ): () => void {
    const { world } = this;
    const { config } = world;
    const settings: RequestSettings = {
      replication: resolveReplication(replication, config.replication),
      timeoutMs: timeoutMs ?? config.requestTimeoutMs,
      signal: null,
    };
    let hasEnded = false;
    this.pendingCount++;
    start(settings, (how) => {
      hasEnded = true;
      this.pendingCount--;
      this.print(`${title}: ${how}`);
    });
    const endMs = world.nowMs + settings.timeoutMs + LATE_MS_MAX;
    return () => {
      world.runUntil(endMs, () => hasEnded);
      if (!hasEnded) throw new Error(`${title}: did not end by its deadline`);
    };
  }

  private contextOf(name: string): Seen {
    const seen = this.contexts.get(name);
    if (seen === undefined) throw new Error(`there is no context ${name}`);
    if (seen === null)
      throw new Error(`${name} is a write that left siblings, which has no context`);
    return seen;
  }

  private remember(name: string | undefined, seen: Seen | null): void {
    if (name !== undefined) this.contexts.set(name, seen);
  }

  // ------------------------------------------------------------------------------- nodes, disks, links

  node(name: string): ActorAddress {
    const index = this.world.config.nodes.findIndex(({ id }) => id === name);
    if (index < 0) throw new Error(`there is no node ${name}`);
    return this.world.nodes[index]!;
  }

  upNode(name: string): ActorAddress {
    const node = this.node(name);
    if (!this.world.isUp(node)) throw new Error(`${name} is down`);
    return node;
  }

  downNode(name: string): ActorAddress {
    const node = this.node(name);
    if (this.world.isUp(node)) throw new Error(`${name} is up: crash it first`);
    return node;
  }

  saveImage(name: string, image: DiskImage): void {
    this.images.set(name, image);
  }

  image(name: string): DiskImage {
    const image = this.images.get(name);
    if (image === undefined) throw new Error(`there is no image ${name}`);
    return image;
  }

  /** Loses the power of the machine and prints what the disks lost. */
  losePower(): void {
    const { world } = this;
    const before = world.nodes.map((node) => world.disk(node).commitCount);
    world.losePower();
    for (const [index, node] of world.nodes.entries()) {
      this.printLost(node, before[index]! - world.disk(node).commitCount);
    }
  }

  printLost(node: ActorAddress, commitCount: number): void {
    if (commitCount > 0) this.print(`${describeAddress(node)}  lost ${commitCount} of its commits`);
  }

  /** Damages a node's record of a key. */
  rot(node: ActorAddress, key: string): void {
    const { partition, recordKey } = this.locate(key);
    const disk = this.world.disk(node);
    // The disk draws which record it hits; some draw hits this one.
    for (let seed = 0; seed < 1_000; seed++) {
      const hit = disk.takeImage().file?.rotRecord(new Prng(seed)) ?? null;
      if (hit === null) break;
      if (hit.partition !== partition || hit.key !== recordKey) continue;
      disk.rotRecord(new Prng(seed));
      return;
    }
    throw new Error(`${describeAddress(node)} has no record of ${key}`);
  }

  /** A name for a rule that nobody named. */
  nextRuleName(): string {
    return `rule ${++this.ruleCount}`;
  }

  // ------------------------------------------------------------------------------- what replicas hold

  private locate(key: string) {
    const full = scenarioKey(key);
    return { recordKey: full, partition: partitionOf(this.world.ring, full) };
  }

  private ownersOf(key: string): readonly ActorAddress[] {
    const { world } = this;
    return world.preferenceLists.of(this.locate(key).partition, world.config.replication.n);
  }

  private recordsOf(key: string): Map<ActorAddress, StoredRecord> {
    const { partition, recordKey } = this.locate(key);
    const found = this.world.recordsOf(partition, recordKey);
    return new Map(found.map(({ node, record }) => [node, record]));
  }

  /** Prints what each replica of a key holds; replicas that agree share a line. */
  show(key: string): void {
    const records = this.recordsOf(key);
    const owners = this.ownersOf(key);
    const strangers = this.world.nodes.filter(
      (node) => !owners.includes(node) && (records.get(node) ?? null) !== null,
    );
    const groups = new Map<string, string[]>();
    for (const node of [...owners, ...strangers]) {
      const record = records.get(node);
      const text = record === undefined ? 'down' : this.names.record(record);
      groups.set(text, [...(groups.get(text) ?? []), describeAddress(node)]);
    }
    const width = Math.max(...[...groups.values()].map((nodes) => nodes.join(' ').length));
    for (const [text, nodes] of groups) this.print(`${nodes.join(' ').padEnd(width)}  ${text}`);
  }

  /** @throws {Error} unless every replica of a key is up and holds the same record with exactly these values */
  expectValues(key: string, expected: readonly string[]): void {
    const records = this.recordsOf(key);
    const wanted = [...expected].sort().join(' ');
    for (const owner of this.ownersOf(key)) {
      const record = records.get(owner);
      const held = record === undefined ? '(down)' : heldValues(record);
      if (held !== wanted)
        throw new Error(`${describeAddress(owner)} holds ${held}, not ${wanted}`);
    }
    const texts = [...records.values()].filter((record) => record !== null).map(exactText);
    if (new Set(texts).size > 1) throw new Error('the replicas know different things');
  }
}

function describeFailedPut({ code, definite }: RingletError): string {
  return `${code}, ${definite ? 'not stored' : 'may be stored'}`;
}

function shownValues(record: Uint8Array): string[] {
  return siblingsOf(decodeVersionSet(record))
    .filter(({ value }) => value !== null)
    .map(({ value }) => describeValue(value));
}

/** Sorted values as `expect` writes them. */
function heldValues(record: StoredRecord): string {
  if (record === CORRUPT) return '(damaged)';
  if (record === null) return '(nothing)';
  const values = siblingsOf(decodeVersionSet(record)).map(({ value }) =>
    value === null ? '(deleted)' : decoder.decode(value),
  );
  return values.sort().join(' ');
}

function exactText(record: Uint8Array | typeof CORRUPT): string {
  return record === CORRUPT ? '(damaged)' : record.join(' ');
}
