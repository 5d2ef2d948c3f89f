/**
 * The fault model: what may fail together so that a promise still has to hold. Whoever injects a fault that takes something
 * from a disk asks here first, and tells when it has done so.
 *
 * What holds under what:
 *
 * - Faults of links, clocks, speed and processes take nothing that was promised: any number of them, at once and for any
 *   time, leave every promise standing. So does the loss of power with durability `full`, a full disk, an I/O error and a
 *   sync that fails, for what they take had not been acknowledged.
 * - A copy is hurt if a record that its node had promised to keep may be gone from it: wiped, rolled back, set aside,
 *   damaged. An acknowledged write has W copies. So while at most W - 1 copies of a partition are hurt between two repairs
 *   one copy of each write is left, and no acknowledged write is lost or comes back (I1, I2). With W = 1 no copy may be hurt.
 *   Where keys of several buckets meet, and requests with a W of their own, the least W counts.
 * - A copy that is behind answers reads with less than it had acknowledged, so no read of its partition is regular (I8)
 *   until it has been repaired. A damaged record is no answer at all and leaves reads regular.
 * - A repair makes all copies of all keys equal: then no copy counts as hurt any more, except where a record is damaged,
 *   which its replica refuses to write over.
 * - A store that is put back to an earlier time together with its high-water mark cannot know that it forgot anything until it
 *   meets a dot of its own that it does not know. The mark is not among a node's own files, so this takes the whole data folder,
 *   and is not played.
 * - Beyond what W allows, I1, I2 and I8 are waived for the partitions concerned, for good. That nothing is invented and no dot is
 *   used twice, that requests end, limits hold and errors are honest (I3, I5, I6, I13, I14, I18) is never waived.
 */
import type { ActorAddress, PartitionId } from '../../address.ts';
import type { FaultKind, Plan } from './plan.ts';

/** What a fault takes from a disk that was promised to be kept. `record`: one record. `all copies`: something of every node's. */
export type Damage = 'none' | 'record' | 'copy' | 'all copies';

/** What a fault of this kind may take. */
export function damageOf(kind: FaultKind, durability: Plan['durability']): Damage {
  switch (kind) {
    case 'wipe':
    case 'restore':
    case 'rot-journal':
    case 'rot-meta':
      return 'copy';
    case 'rot-record':
      return 'record';
    case 'power-loss':
      return durability === 'full' ? 'none' : 'all copies';
    default:
      return 'none';
  }
}

/** Where the records of a partition are. */
export interface PartitionCopies {
  /** Of all its keys. */
  readonly replicas: readonly ActorAddress[];
  /** The least W that a write to any of its keys has. */
  readonly writeQuorum: number;
}

/** What the model needs to know of the cluster. */
export interface FaultModelOptions {
  readonly isWithinModel: boolean;
  /** The partitions that hold anything. */
  readonly partitions: ReadonlyMap<PartitionId, PartitionCopies>;
  /** A fault went beyond what is promised to be survived. Called once for each partition, at most. */
  readonly onBeyond: (partition: PartitionId) => void;
}

interface PartitionState extends PartitionCopies {
  /** Copies that lost something since the last repair. */
  readonly behind: Set<ActorAddress>;
  /** Copies with a damaged record. */
  readonly damaged: Set<ActorAddress>;
  isBeyond: boolean;
}

export class FaultModel {
  private readonly options: FaultModelOptions;
  private readonly partitions = new Map<PartitionId, PartitionState>();

  constructor(options: FaultModelOptions) {
    this.options = options;
    for (const [partition, copies] of options.partitions) {
      const hurt = { behind: new Set<ActorAddress>(), damaged: new Set<ActorAddress>() };
      this.partitions.set(partition, { ...copies, ...hurt, isBeyond: false });
    }
  }

  /** True if a node's copies of all its partitions may be hurt. */
  mayHurt(node: ActorAddress): boolean {
    if (!this.options.isWithinModel) return true;
    for (const state of this.partitions.values()) {
      if (state.replicas.includes(node) && !this.hasRoom(state, node)) return false;
    }
    return true;
  }

  /** True if all copies may be hurt at once. */
  get mayHurtAll(): boolean {
    return !this.options.isWithinModel;
  }

  private hasRoom({ behind, damaged, writeQuorum }: PartitionState, node: ActorAddress): boolean {
    if (writeQuorum === 1) return false;
    return new Set([...behind, ...damaged, node]).size < writeQuorum;
  }

  /** A node's copies of all its partitions may have lost something. What was damaged before is behind now, or as it was. */
  noteBehind(node: ActorAddress): void {
    for (const [partition, state] of this.partitions) {
      if (!state.replicas.includes(node)) continue;
      state.behind.add(node);
      this.judge(partition, state);
    }
  }

  /** A node's file is gone, and damaged records with it. To be told besides {@link noteBehind}. */
  noteEmptied(node: ActorAddress): void {
    for (const { damaged } of this.partitions.values()) damaged.delete(node);
  }

  /** A record of a node is damaged. */
  noteDamaged(node: ActorAddress, partition: PartitionId): void {
    const state = this.partitions.get(partition);
    if (state === undefined) return;
    state.damaged.add(node);
    this.judge(partition, state);
  }

  /** All copies of all keys have been seen to be equal, damaged records aside. */
  noteRepaired(): void {
    for (const { behind } of this.partitions.values()) behind.clear();
  }

  private judge(partition: PartitionId, state: PartitionState): void {
    const hurtCount = new Set([...state.behind, ...state.damaged]).size;
    if (state.isBeyond || hurtCount < state.writeQuorum) return;
    state.isBeyond = true;
    this.options.onBeyond(partition);
  }

  /** True if no replica of the partition may answer a read with less than it had acknowledged. */
  isRegular(partition: PartitionId): boolean {
    return this.partitions.get(partition)?.behind.size === 0;
  }

  /** True if no copy of the partition is hurt. */
  isIntact(partition: PartitionId): boolean {
    return this.isRegular(partition) && this.partitions.get(partition)?.damaged.size === 0;
  }
}
