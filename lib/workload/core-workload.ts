/**
 * The stream of operations of a YCSB core workload: what to do next, to which record, with which value.
 *
 * Invariants:
 * 1. A run phase hands out exactly `operationCount` operations, a load phase exactly `insertCount` inserts.
 * 2. No operation asks for a record before its insert was reported as finished.
 * 3. The stream depends on the settings, the seed and the order of calls alone.
 */
import { assert } from '../assert.ts';
import { Prng } from '../prng.ts';
import {
  ExponentialGenerator,
  HotspotGenerator,
  LatestGenerator,
  type NumberGenerator,
  ScrambledZipfianGenerator,
  SequentialGenerator,
  UniformGenerator,
} from './generators.ts';
import { createValuePool, recordName } from './records.ts';
import { type OperationKind, operationKinds, type WorkloadSettings } from './settings.ts';

/** Draws of a record before the newest one is taken instead. */
const DRAW_COUNT_MAX = 10_000;

/** One thing to do. */
export interface Operation {
  readonly kind: OperationKind;
  /** Number of the record; an insert reports it to {@link CoreWorkload.finishInsert}. */
  readonly record: number;
  readonly key: string;
  /** What to write; reads ignore it. */
  readonly value: Uint8Array;
}

/** Which records exist: a limit below which all inserts are finished, and those finished above it. */
class InsertedRecords {
  /** Number of the newest record below which none is missing. */
  newest: number;
  private readonly finished = new Set<number>();

  constructor(newest: number) {
    this.newest = newest;
  }

  finish(record: number): void {
    this.finished.add(record);
    while (this.finished.delete(this.newest + 1)) this.newest += 1;
  }
}

/** A source of operations for one load phase and one run phase. */
export class CoreWorkload {
  readonly settings: WorkloadSettings;
  private readonly kindRandom: Prng;
  private readonly valueRandom: Prng;
  private readonly values: readonly Uint8Array[];
  private readonly chooser: NumberGenerator;
  private readonly inserted: InsertedRecords;
  private loadedCount = 0;
  private operationCount = 0;
  private nextInsert: number;

  /** @param seed Any finite number: the same seed gives the same operations. */
  constructor(settings: WorkloadSettings, seed: number) {
    const random = new Prng(seed);
    this.settings = settings;
    this.kindRandom = random.split('kind');
    this.valueRandom = random.split('value');
    this.values = createValuePool(settings, random.split('pool'));
    this.nextInsert = settings.recordCount;
    this.inserted = new InsertedRecords(settings.recordCount - 1);
    this.chooser = createChooser(settings, random.split('record'), () => this.inserted.newest);
  }

  /** The next insert of the load phase, or `null` when all were handed out. */
  nextLoad(): Operation | null {
    if (this.loadedCount === this.settings.insertCount) return null;
    const record = this.settings.insertStart + this.loadedCount;
    this.loadedCount += 1;
    return this.operation('INSERT', record);
  }

  /** The next operation of the run phase, or `null` when all were handed out. */
  nextOperation(): Operation | null {
    if (this.operationCount === this.settings.operationCount) return null;
    this.operationCount += 1;
    const kind = this.chooseKind();
    return this.operation(kind, kind === 'INSERT' ? this.nextInsert++ : this.chooseRecord());
  }

  /** Says that an insert of the run phase was carried out, or given up: from now on it may be asked for. */
  finishInsert(operation: Operation): void {
    assert(operation.kind === 'INSERT' && operation.record < this.nextInsert, 'a record inserted');
    this.inserted.finish(operation.record);
  }

  private operation(kind: OperationKind, record: number): Operation {
    const value = this.values[this.valueRandom.int(this.values.length)]!;
    return { kind, record, key: recordName(this.settings, record), value };
  }

  private chooseKind(): OperationKind {
    let draw = this.kindRandom.float();
    for (const kind of operationKinds) {
      draw -= this.settings.proportions[kind];
      if (draw < 0) return kind;
    }
    // The proportions add up to 1 but for rounding.
    return operationKinds.findLast((kind) => this.settings.proportions[kind] > 0)!;
  }

  /** A record that exists. Generators whose range runs ahead of the inserts are asked again, as in YCSB. */
  private chooseRecord(): number {
    const { newest } = this.inserted;
    for (let draw = 0; draw < DRAW_COUNT_MAX; draw++) {
      const record = this.chooser.next();
      if (record >= 0 && record <= newest) return record;
    }
    return newest;
  }
}

function createChooser(
  settings: WorkloadSettings,
  random: Prng,
  newest: () => number,
): NumberGenerator {
  const { insertStart: start, insertCount: count } = settings;
  switch (settings.requestDistribution) {
    case 'uniform':
      return new UniformGenerator(random, start, count);
    case 'sequential':
      return new SequentialGenerator(start, count);
    case 'hotspot':
      return new HotspotGenerator(
        random,
        start,
        count,
        settings.hotspotDataFraction,
        settings.hotspotOperationFraction,
      );
    case 'latest':
      return new LatestGenerator(random, newest);
    case 'zipfian': {
      // Room for records that the run adds, and one more: YCSB counts both ends of the range.
      const added = Math.floor(settings.operationCount * settings.proportions.INSERT * 2);
      return new ScrambledZipfianGenerator(random, start, count + added + 1);
    }
    case 'exponential': {
      const range = settings.recordCount * settings.exponentialFraction;
      const distance = new ExponentialGenerator(random, settings.exponentialPercentile, range);
      return { next: () => newest() - distance.next() };
    }
  }
}
