/**
 * What a node of a world runs on, and what outlives it: its disk and its clock.
 *
 * Invariant: what is here survives every crash of the node; what a crash takes is in the cell and the open store.
 */
import type { Durability } from '../../config.ts';
import { drawExponential } from '../../network/latency.ts';
import type { Prng } from '../../prng.ts';
import { SimulatedDisk, type StartSync } from './disk.ts';

/** How far a node's wall clock is off. */
export interface NodeClock {
  /** Added to the world's wall clock. */
  readonly skewMs?: number;
  /** Stands still from now on. */
  readonly isFrozen?: boolean;
}

export interface MachineOptions {
  readonly nodeId: string;
  readonly durability: Durability;
  /** Mean time of a sync; 0 if a commit is durable at once. */
  readonly syncMs: number;
  readonly random: Prng;
  /** Calls back after so long. */
  readonly after: (durationMs: number, action: () => void) => void;
}

export class Machine {
  readonly disk: SimulatedDisk;
  /** Added to the mean time of a sync. */
  slowSyncMs = 0;
  private readonly options: MachineOptions;
  private skewMs = 0;
  /** The wall clock at which it stands still, or `null`. */
  private frozenMs: number | null = null;

  constructor(options: MachineOptions) {
    this.options = options;
    this.disk = new SimulatedDisk({ nodeId: options.nodeId, durability: options.durability });
  }

  /** Milliseconds by which this machine's clock is ahead of the world's. */
  skewAt(wallMs: number): number {
    return this.frozenMs === null ? this.skewMs : this.frozenMs - wallMs;
  }

  setClock({ skewMs = 0, isFrozen = false }: NodeClock, wallMs: number): void {
    this.skewMs = skewMs;
    this.frozenMs = isFrozen ? wallMs + skewMs : null;
  }

  /** How this machine's store syncs; `null` if it need not. */
  get startSync(): StartSync | null {
    const { durability, syncMs, random, after } = this.options;
    if (durability !== 'full' || syncMs + this.slowSyncMs === 0) return null;
    return (done) => {
      after((syncMs + this.slowSyncMs) * drawExponential(random), () => done(null));
    };
  }
}
