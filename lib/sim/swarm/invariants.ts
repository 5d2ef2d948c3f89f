/**
 * What must hold besides what the oracle judges: limits while a run goes on, and at rest that replicas agree, that nothing is
 * left under way, and that neither reading nor hearing a message again changes anything.
 *
 * "At rest" is: all faults healed, sessions stopped, every key read at all its replicas until they agree.
 */
import { mergeRecords } from '../../../actors/get-core.ts';
import type { ActorAddress, PartitionId } from '../../address.ts';
import { decodeVersionSet } from '../../clock/version-set.ts';
import { describe, describeAddress, describeKey, describeRecord } from '../../protocol/describe.ts';
import { MessageKind, type ReplicaPut } from '../../protocol/messages.ts';
import { CORRUPT } from '../../store/contract.ts';
import type { Oracle } from '../judge/oracle.ts';
import { areEqualCopies } from '../stored-keys.ts';
import type { ObservedEnvelope, World } from '../world/world.ts';
import type { FaultModel } from './fault-model.ts';
import type { LocatedKey } from './sessions.ts';

export interface InvariantOptions {
  readonly world: World;
  readonly keys: readonly LocatedKey[];
  readonly oracle: Oracle;
  readonly model: FaultModel;
  readonly report: (checker: string, message: string) => void;
  readonly sometimes: (id: string, condition: boolean) => void;
  /** Starts nodes that have stopped since all was healed: a sync may have failed that began before. @returns `false` if there was none */
  readonly revive: () => boolean;
  /** True if the run has ended for another reason. */
  readonly isOver: () => boolean;
}

/** A message to be delivered again. */
interface RepeatedPut {
  readonly source: ActorAddress;
  readonly target: ActorAddress;
  readonly message: ReplicaPut;
}

/** One record in so many that pass by is decoded and judged. */
const SAMPLE_EVERY = 4;
/** One write to a replica in so many is kept to be repeated, and so many at most. */
const REPEAT_EVERY = 16;
const REPEAT_COUNT_MAX = 24;
/** The longest that a healed world takes to come to rest. */
const REST_MS_MAX = 120_000;
/** How often all keys are read before replicas that still differ are a violation. More copies and smaller mailboxes take more. */
const REPAIR_ROUND_COUNT_MAX = 40;
/** The longest that one read at rest takes. */
const READ_MS_MAX = 10_000;

export class Invariants {
  private readonly options: InvariantOptions;
  private readonly world: World;
  private putCount = 0;
  private repeated: RepeatedPut[] = [];

  constructor(options: InvariantOptions) {
    this.options = options;
    this.world = options.world;
  }

  // ------------------------------------------------------------------------------- while running

  /** Looks at a message as it arrives: I3, I5 and I6 of what replicas are told. */
  onMessage({ source, target, message }: ObservedEnvelope): void {
    if (message.kind !== MessageKind.ReplicaPut) return;
    const count = this.putCount++;
    if (count % REPEAT_EVERY === 0) {
      const place = (count / REPEAT_EVERY) % REPEAT_COUNT_MAX;
      this.repeated[place] = { source, target, message };
    }
    if (count % SAMPLE_EVERY !== 0) return;
    const set = decodeVersionSet(message.record);
    this.options.oracle.checkSet(message.key, set, 'a write to a replica');
  }

  /** I14: nothing is larger than its limit. */
  checkLimits(): void {
    const { world } = this;
    const { limits } = world.config;
    for (const { pendingCount } of world.clients) {
      if (pendingCount <= limits.clientCountMax) continue;
      const problem = `${pendingCount} requests of a client, at most ${limits.clientCountMax}`;
      this.options.report('I14 limits', problem);
    }
    for (const node of world.nodes) {
      if (!world.isUp(node)) continue;
      const { data, control } = world.cell(node).mailbox;
      this.checkLimit('messages that wait for', node, data.count, limits.mailboxCountMax);
      this.checkLimit(
        'control messages that wait for',
        node,
        control.count,
        limits.controlCountMax,
      );
      const { queueDepth } = world.node(node);
      this.checkLimit('requests at', node, queueDepth, limits.coordinatorCountMax);
    }
  }

  private checkLimit(what: string, node: ActorAddress, count: number, max: number): void {
    if (count <= max) return;
    this.options.report('I14 limits', `${what} ${describeAddress(node)}: ${count}, at most ${max}`);
  }

  /** I15: every partition has as many distinct replicas as copies are wanted, or as there are nodes. */
  checkRing(): void {
    const copyCounts = this.options.keys.map(({ bucket }) => bucket.replication.n);
    for (const n of new Set(copyCounts)) this.checkRingFor(n);
  }

  private checkRingFor(n: number): void {
    const { ring, preferenceLists, nodes } = this.world;
    // A node without a partition of its own is in no preference list.
    const expectedCount = Math.min(n, nodes.length, ring.partitionCount);
    for (let partition = 0; partition < ring.partitionCount; partition++) {
      const replicas = preferenceLists.of(partition as PartitionId, n);
      if (replicas.length === expectedCount && new Set(replicas).size === expectedCount) continue;
      this.options.report('I15 ring', `partition ${partition} is at ${namesOf(replicas)}`);
    }
  }

  // ------------------------------------------------------------------------------- at rest

  /** Brings a healed world to rest and checks all that must hold then. Ends early if something does not. */
  checkAtRest(): void {
    const { keys, model, revive, isOver } = this.options;
    const checks = [
      () => this.settle(),
      () => (revive() ? this.settle() : undefined),
      () => this.repair(),
      () => this.checkPurity(),
      () => this.checkIdempotence(),
      ...keys.map((place) => () => this.checkKey(place)),
      () => this.checkNothingPending(),
      () => this.checkLimits(),
    ];
    for (const check of checks) {
      check();
      if (isOver()) return;
    }
    model.noteRepaired();
  }

  /** Lets all that is under way end. */
  private settle(): void {
    const { world } = this;
    const { isOver, report } = this.options;
    const isIdle = () => world.nextEventMs === Number.POSITIVE_INFINITY;
    world.runUntil(world.nowMs + REST_MS_MAX, () => isOver() || isIdle());
    if (!isOver() && !isIdle()) report('I13 deadline', 'the world does not come to rest');
  }

  /** I4: reads every key at all its replicas until they agree. */
  private repair(): void {
    const { keys, isOver, report, sometimes } = this.options;
    for (let round = 0; round < REPAIR_ROUND_COUNT_MAX; round++) {
      const different = keys.filter((place) => !this.isEqualEverywhere(place));
      sometimes('invariants: replicas differed at rest', different.length > 0);
      if (different.length === 0) return;
      for (const place of different) this.readEverywhere(place);
      if (isOver()) return;
    }
    const different = keys.find((place) => !this.isEqualEverywhere(place))!;
    const records = this.copiesOf(different).map(
      ({ node, record }) =>
        `${describeAddress(node)} ${record === CORRUPT ? 'damaged' : describeRecord(record)}`,
    );
    report(
      'I4 convergence',
      `${describeKey(different.key)} does not become equal: ${records.join(', ')}`,
    );
  }

  /** Reads a key at all its replicas, which repairs them. That it may fail, for too few are sound, is no matter. */
  private readEverywhere({ partition, key, bucket }: LocatedKey): void {
    const { world } = this;
    const { n } = bucket.replication;
    const settings = { replication: { n, r: 1, w: 1 }, timeoutMs: READ_MS_MAX, signal: null };
    world.clients[0]!.startGet(partition, key, 'all', settings, ignore, ignore);
    this.settle();
  }

  private copiesOf({ key, partition, bucket }: LocatedKey) {
    const replicas = this.world.preferenceLists.of(partition, bucket.replication.n);
    return this.world.recordsOf(partition, key).filter(({ node }) => replicas.includes(node));
  }

  private isEqualEverywhere(place: LocatedKey): boolean {
    return areEqualCopies(this.copiesOf(place).map(({ record }) => record));
  }

  /** I12: reading what agrees writes nothing. */
  private checkPurity(): void {
    const before = this.commitCount();
    for (const place of this.options.keys) this.readEverywhere(place);
    if (this.commitCount() === before) return;
    this.options.report('I12 purity', 'reading replicas that agree has changed one');
  }

  /**
   * I10: a write to a replica that comes again changes nothing. Of partitions of which a copy was hurt since the message came,
   * nothing is known: what it brought may be lost.
   */
  private checkIdempotence(): void {
    const { world } = this;
    const { model, sometimes } = this.options;
    for (const { source, target, message } of this.repeated) {
      if (message === undefined || !model.isIntact(message.partition)) continue;
      const before = this.commitCount();
      world.inject({ source, target, message });
      this.settle();
      sometimes('invariants: a write to a replica was repeated', true);
      if (this.commitCount() === before) continue;
      const name = `${describeAddress(source)} > ${describeAddress(target)}`;
      this.options.report(
        'I10 idempotence',
        `${name} ${describe(message)} changed something again`,
      );
    }
    this.repeated = [];
    this.putCount = 0;
  }

  private commitCount(): number {
    return this.world.nodes.reduce((sum, node) => sum + this.world.disk(node).commitCount, 0);
  }

  /** Strays, and what the oracle makes of all copies together. */
  private checkKey(place: LocatedKey): void {
    const { world } = this;
    const { key, partition } = place;
    const { oracle, report } = this.options;
    const copies = this.copiesOf(place);
    const sound = copies.flatMap(({ record }) => (record instanceof Uint8Array ? [record] : []));
    for (const { node, record } of world.recordsOf(partition, key)) {
      const isStray = record !== null && !copies.some((copy) => copy.node === node);
      if (isStray)
        report('I4 convergence', `${describeAddress(node)} has a stray ${describeKey(key)}`);
    }
    const merged = sound.length === 0 ? null : decodeVersionSet(sound.reduce(mergeRecords));
    oracle.checkFinal(key, merged, world.nowMs);
  }

  /** I13: nobody waits for anything. */
  private checkNothingPending(): void {
    const { world } = this;
    const { report } = this.options;
    for (const client of world.clients) {
      if (client.pendingCount > 0) report('I13 deadline', 'a client waits for ever');
    }
    for (const node of world.nodes) {
      const count = world.node(node).queueDepth;
      if (count > 0) report('I13 deadline', `${describeAddress(node)} has ${count} requests left`);
    }
  }
}

function ignore(): void {}

function namesOf(nodes: readonly ActorAddress[]): string {
  return nodes.map(describeAddress).join(' ');
}
