/** Simulated disks for tests: how they are opened, syncs that end when the test says so, and what they hold. */
import type { Durability } from '../../lib/config.ts';
import {
  type OpenDiskOptions,
  SimulatedDisk,
  type SimulatedStore,
} from '../../lib/sim/world/disk.ts';
import type { PartitionStore } from '../../lib/store/contract.ts';
import { bootId, bytesOf, keyOf, partitionId, textOf } from './store-fixture.ts';

let incarnation = 0;

export function createDisk(durability: Durability = 'full', nodeId = 'a'): SimulatedDisk {
  return new SimulatedDisk({ nodeId, durability });
}

/** Opens a disk. Commits are durable at once and each incarnation is one higher than the last, unless told otherwise. */
export function openDisk(
  disk: SimulatedDisk,
  change: Partial<OpenDiskOptions> = {},
): SimulatedStore {
  return disk.open({
    createIncarnation: () => ++incarnation,
    hasPeers: true,
    bootId,
    startSync: null,
    ...change,
  });
}

/** Syncs under way. */
export class Syncs {
  private readonly ends: ((error: unknown) => void)[] = [];

  readonly start = (done: (error: unknown) => void): void => {
    this.ends.push(done);
  };

  get count(): number {
    return this.ends.length;
  }

  /** Ends the oldest. @returns `false` if there is none */
  end(error: unknown = null): boolean {
    const done = this.ends.shift();
    done?.(error);
    return done !== undefined;
  }

  endAll(): void {
    while (this.end());
  }
}

/** Puts one record into partition 0 and commits. */
export function putAndCommit(store: PartitionStore, key: string, value: string): void {
  store.put(partitionId(0), keyOf(key), bytesOf(value));
  store.commit();
}

/** One commit for each key `k<first>` to `k<end - 1>`. */
export function fill(store: PartitionStore, end: number, first = 0): void {
  for (let index = first; index < end; index++) putAndCommit(store, `k${index}`, `value ${index}`);
}

export function textAt(store: PartitionStore, key: string): string | null {
  return textOf(store.get(partitionId(0), keyOf(key)));
}

/** The numbers of the keys that {@link fill} put and that are there. */
export function keysFound(store: PartitionStore): number[] {
  return store
    .entries(partitionId(0), null, 10_000)
    .map(({ key }) => Number(key.slice(1)))
    .sort((a, b) => a - b);
}
