/**
 * A world and all that was done to it from outside, each with the instant at which it was done. Doing the same to a new
 * world at the same instants brings that one to where this one is: that is how the simulator forks.
 *
 * Invariant: as long as the world is changed through {@link RecordedWorld.act} alone, a world with the same options into
 * which it is replayed has the same fingerprint.
 */
import { assert } from '../assert.ts';
import { RingletError } from '../errors.ts';
import { Prng } from '../prng.ts';
import type { DiskImage } from './world/disk.ts';
import type { World, WorldObserver } from './world/world.ts';

/** Faults that a world inflicts on itself. Each world has a source of its own. */
export interface FaultSource {
  /** For the world that it is in. */
  readonly observer: WorldObserver;
  /** Called once, when the world is there. */
  attach(world: World): void;
  start(): void;
  /** Ends all that it did. */
  heal(): void;
}

/** A world, and what earlier actions have left for later ones. Actions keep nothing else from one call to the next. */
export interface Stage {
  readonly world: World;
  /** Chance in what is done by hand, such as which record is damaged. */
  readonly random: Prng;
  /** Images of disks. What stands for one is the same in all worlds. */
  readonly images: Map<object, DiskImage>;
  /** What ends a request early. What stands for one is the same in all worlds. */
  readonly aborts: Map<object, AbortController>;
  readonly faults: FaultSource | null;
}

/** A change to a world. Called once for each world that it is replayed into; must find everything in the stage. */
export type Action<Result> = (stage: Stage) => Result;

/** Between which steps an action came. */
interface Instant {
  readonly step: number;
  readonly timeMs: number;
  /** Nothing was left to do at that time. */
  readonly isComplete: boolean;
}

interface Entry {
  readonly instant: Instant;
  readonly action: Action<unknown>;
}

/** Actions that are kept. */
const ENTRY_COUNT_MAX = 1_000_000;

export class RecordedWorld {
  readonly stage: Stage;
  private readonly onActed: () => void;
  private readonly entries: Entry[] = [];
  private actionCount = 0;

  /** @param onActed Called after each action. */
  constructor(world: World, faults: FaultSource | null, onActed: () => void) {
    this.onActed = onActed;
    const random = new Prng(world.config.seed).split('by hand');
    this.stage = { world, random, images: new Map(), aborts: new Map(), faults };
  }

  get world(): World {
    return this.stage.world;
  }

  /** Does something to the world and keeps it. An action that throws must have changed nothing. */
  act<Result>(action: Action<Result>): Result {
    const instant = this.instant;
    const result = action(this.stage);
    this.actionCount++;
    if (this.entries.length < ENTRY_COUNT_MAX) this.entries.push({ instant, action });
    this.onActed();
    return result;
  }

  /**
   * Does to a new world all that was done to this one, up to the present instant.
   *
   * @throws {RingletError} RINGLET_OVERLOADED if more was done than is kept
   */
  replayInto(other: RecordedWorld): void {
    if (this.actionCount > this.entries.length) {
      const problem = `${this.actionCount} actions, at most ${ENTRY_COUNT_MAX} can be replayed`;
      throw new RingletError('RINGLET_OVERLOADED', problem);
    }
    for (const { instant, action } of this.entries) {
      other.advance(instant);
      other.act(action);
    }
    other.advance(this.instant);
    const isEqual = other.world.fingerprint === this.world.fingerprint;
    assert(
      isEqual,
      'a replay gives the same fingerprint, if nobody changed the world behind its back',
    );
  }

  private get instant(): Instant {
    const { stepCount, nowMs, nextEventMs } = this.world;
    return { step: stepCount, timeMs: nowMs, isComplete: nextEventMs > nowMs };
  }

  private advance({ step, timeMs, isComplete }: Instant): void {
    const { world } = this;
    if (isComplete) world.runUntil(timeMs);
    else world.runUntil(timeMs, () => world.stepCount >= step);
    assert(world.stepCount === step && world.nowMs === timeMs, 'a replay comes by every instant');
  }
}
