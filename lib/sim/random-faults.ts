/** The nemesis of `simulate`: a seed decides what goes wrong in a cluster whose shape the user decides. */
import type { PartitionId } from '../address.ts';
import type { LinkSettings } from '../network/rules.ts';
import { Prng } from '../prng.ts';
import type { FaultSource } from './recorded-world.ts';
import { FaultModel, type PartitionCopies } from './swarm/fault-model.ts';
import { linkSettingsOf, Nemesis } from './swarm/nemesis.ts';
import type { FaultKind, Plan } from './swarm/plan.ts';
import type { World, WorldObserver } from './world/world.ts';

export interface RandomFaultsOptions {
  /** Which faults there are, and how many. */
  readonly plan: Plan;
  /** What links are like without faults. */
  readonly links: Partial<LinkSettings>;
  /** Faults took more from a partition than promises withstand. */
  readonly onBeyond: (partition: PartitionId) => void;
  /** A store was opened that must not be, or was not opened that must be. */
  readonly onWrongOpen: (message: string) => void;
  /** Told when the world is there. */
  readonly onWorld: (world: World, model: FaultModel) => void;
}

export class RandomFaults implements FaultSource {
  readonly observer: WorldObserver;
  private readonly options: RandomFaultsOptions;
  private world: World | null = null;
  private nemesis: Nemesis | null = null;

  constructor(options: RandomFaultsOptions) {
    this.options = options;
    const isWatched = linkSettingsOf(options.plan) !== null;
    this.observer = {
      onNode: (event) => this.nemesis?.onNode(event),
      ...(isWatched && { onVerdict: (event) => this.nemesis?.onVerdict(event) }),
    };
  }

  /** By kind, how often it happened. */
  get counts(): ReadonlyMap<FaultKind, number> {
    return this.nemesis?.counts ?? new Map();
  }

  attach(world: World): void {
    const { plan, onBeyond, onWrongOpen } = this.options;
    const model = new FaultModel({
      isWithinModel: plan.isWithinModel,
      partitions: copiesOf(world, plan.w),
      onBeyond,
    });
    const random = new Prng(plan.seed).split('nemesis');
    this.world = world;
    this.nemesis = new Nemesis({ world, plan, model, random, note: () => {}, onWrongOpen });
    this.options.onWorld(world, model);
  }

  start(): void {
    const { plan, links } = this.options;
    this.nemesis?.start(Number.POSITIVE_INFINITY);
    const settings = { ...links, ...linkSettingsOf(plan) };
    this.world?.applyNetwork({ type: 'set-default', settings });
  }

  heal(): void {
    this.nemesis?.heal();
  }
}

function copiesOf({ ring, preferenceLists, config }: World, writeQuorum: number) {
  const copies = new Map<PartitionId, PartitionCopies>();
  for (let index = 0; index < ring.partitionCount; index++) {
    const partition = index as PartitionId;
    const replicas = preferenceLists.of(partition, config.replication.n);
    copies.set(partition, { replicas, writeQuorum });
  }
  return copies;
}
