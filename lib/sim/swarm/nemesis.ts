/**
 * The nemesis: begins faults at random times, ends them after a while, and counts what really happened. What takes
 * something from a disk it does only where the fault model allows it.
 *
 * Invariants:
 * 1. After {@link Nemesis.heal} nothing that it did goes on: all nodes are up and running, all links, disks and clocks
 *    sound. What was lost or damaged stays so.
 * 2. A node that stopped, for whatever reason, is started again after a while.
 * 3. A store that is not the node's own is refused.
 */
import type { ActorAddress, PartitionId } from '../../address.ts';
import { messageOf, RingletError } from '../../errors.ts';
import type { VerdictEvent } from '../../network/network.ts';
import type { LinkSettings } from '../../network/rules.ts';
import type { Prng } from '../../prng.ts';
import { describeAddress } from '../../protocol/describe.ts';
import type { CommitFailure } from '../world/disk.ts';
import type { NodeEvent, World } from '../world/world.ts';
import { damageOf, type FaultModel } from './fault-model.ts';
import type { FaultKind, Plan } from './plan.ts';

export interface NemesisOptions {
  readonly world: World;
  readonly plan: Plan;
  readonly model: FaultModel;
  readonly random: Prng;
  /** Takes a line of what it does. */
  readonly note: (line: string) => void;
  /** A store was opened that must not be, or was not opened that must be. */
  readonly onWrongOpen: (message: string) => void;
}

/** Kinds that are settings of all links and happen by themselves. */
const linkKinds = ['loss', 'duplication', 'reordering', 'delay', 'bandwidth'] as const;
type LinkKind = (typeof linkKinds)[number];
type EventKind = Exclude<FaultKind, LinkKind>;

function isEventKind(kind: FaultKind): kind is EventKind {
  return !(linkKinds as readonly FaultKind[]).includes(kind);
}

/** Virtual milliseconds between two looks for nodes that stopped. */
const TEND_MS = 40;
/** The longest that a stopped node is left alone, and the longest that most faults last. */
const REST_MS_MAX = 1_500;
const FAULT_MS_MAX = 2_000;
/** The longest that a node lives which crashes again and again. */
const BOUNCE_MS_MAX = 200;
/** An hour, either way. */
const SKEW_MS_MAX = 3_600_000;
/** Pairs of nodes that are clogged at once. A network has room for 256 rules: two for each of these and for each of 64 nodes. */
const CLOG_COUNT_MAX = 32;
/** Bytes that wait before a limited bandwidth: few, so that the queue overflows at times. */
const QUEUE_BYTES_MAX = 4_000;

/** The settings that a plan gives to all links; `null` if they do nothing. */
export function linkSettingsOf(plan: Plan): Partial<LinkSettings> | null {
  const has = (kind: LinkKind) => plan.faults.includes(kind);
  if (!linkKinds.some(has)) return null;
  return {
    ...(has('loss') && { loss: plan.loss }),
    ...(has('duplication') && { duplication: plan.duplication }),
    ...(has('reordering') && { reordering: plan.reordering }),
    ...(has('delay') && {
      latencyMs: plan.latencyMs,
      jitterMs: plan.jitterMs,
      jitterDistribution: 'exponential',
    }),
    ...(has('bandwidth') && {
      bandwidthBytesPerSecond: plan.bandwidth,
      queueBytesMax: QUEUE_BYTES_MAX,
    }),
  };
}

export class Nemesis {
  /** By kind, how often it really happened. */
  readonly counts = new Map<FaultKind, number>();
  private readonly options: NemesisOptions;
  private readonly world: World;
  private readonly random: Prng;
  private readonly kinds: readonly EventKind[];
  private readonly links: LinkWatch;
  /** What is planned in one round is void in the next. */
  private round = 0;
  private endMs = 0;
  private clogCount = 0;
  /** Stopped for ever. */
  private readonly dead = new Set<ActorAddress>();
  /** Nodes that are left alone until then. */
  private readonly restUntilMs = new Map<ActorAddress, number>();
  /** Disks whose next commits are to fail. */
  private readonly armed = new Map<ActorAddress, CommitFailure>();
  /**
   * Nodes that are down and whose journal is shorter than their high-water mark says. The mark is not synced: if power were lost
   * too, before they start or just before this, nothing would tell that something is missing. That is beyond any model.
   */
  private readonly cutShort = new Set<ActorAddress>();
  private refusal: unknown = null;

  constructor(options: NemesisOptions) {
    this.options = options;
    this.world = options.world;
    this.random = options.random;
    this.kinds = options.plan.faults.filter(isEventKind);
    this.links = new LinkWatch(options.plan, (kind) => this.count(kind));
  }

  // ------------------------------------------------------------------------------- rounds

  /** Begins to break things. */
  start(endMs: number): void {
    this.endMs = endMs;
    const settings = linkSettingsOf(this.options.plan);
    if (settings !== null) this.world.applyNetwork({ type: 'set-default', settings });
    this.planNext();
    this.tend();
  }

  /** Ends all faults and starts all nodes. */
  heal(): void {
    this.round++;
    const { world } = this;
    world.applyNetwork({ type: 'heal' });
    for (let thread = 0; thread < world.threadCount; thread++) world.slowThread(thread, 0);
    for (const node of world.nodes) {
      world.disk(node).isFull = false;
      world.disk(node).failCommit(Number.POSITIVE_INFINITY, 'io-error');
      world.slowDisk(node, 0);
      world.setClock(node, {});
      if (world.isPaused(node)) world.resume(node);
      if (!world.isUp(node)) this.restart(node);
    }
    this.armed.clear();
    this.restUntilMs.clear();
    this.options.note('nemesis: all is healed');
  }

  /** Starts the nodes that have stopped since {@link heal}. @returns `false` if there was none */
  revive(): boolean {
    const stopped = this.world.nodes.filter(
      (node) => !this.world.isUp(node) && !this.dead.has(node),
    );
    for (const node of stopped) this.restart(node);
    return stopped.length > 0;
  }

  /** Stops nodes that will never return. */
  killForEver(nodes: readonly ActorAddress[]): void {
    for (const node of nodes) {
      this.dead.add(node);
      if (this.world.isUp(node)) this.world.crash(node, 'dead for ever');
    }
  }

  private planNext(): void {
    const { faultsPerSecond } = this.options.plan;
    if (this.kinds.length === 0 || faultsPerSecond === 0) return;
    this.later((this.random.float() * 2_000) / faultsPerSecond, () => {
      this.begin(this.random.pick(this.kinds));
      this.planNext();
    });
  }

  /** Calls back after a while, unless all has been healed by then or will be soon. */
  private later(delayMs: number, action: () => void): void {
    const { round } = this;
    const timeMs = this.world.nowMs + delayMs;
    if (timeMs > this.endMs) return;
    this.world.at(timeMs, () => {
      if (round === this.round) action();
    });
  }

  /** Starts nodes again that have been down for long enough. */
  private tend(): void {
    const { world, random } = this;
    for (const node of world.nodes) {
      if (world.isUp(node)) continue;
      const restMs = this.restUntilMs.get(node);
      if (restMs === undefined) {
        const isShort = random.chance(0.3);
        this.restUntilMs.set(node, world.nowMs + (isShort ? 0 : random.int(REST_MS_MAX)));
      } else if (restMs <= world.nowMs) {
        this.restUntilMs.delete(node);
        this.restart(node);
      }
    }
    this.later(TEND_MS, () => this.tend());
  }

  /** What the world tells of nodes, while it is told. */
  onNode(event: NodeEvent): void {
    if (event.type === 'refused') this.refusal = event.error;
    if (event.type === 'started') this.cutShort.delete(event.node);
    if (event.type !== 'stopped' || !event.isFailure) return;
    const armed = this.armed.get(event.node);
    if (armed === undefined || this.world.disk(event.node).isFull) return;
    this.armed.delete(event.node);
    this.count(armed);
  }

  /** What the world tells of links. */
  onVerdict(event: VerdictEvent): void {
    this.links.onVerdict(event);
  }

  private count(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  private did(kind: FaultKind, what: string): void {
    this.count(kind);
    this.options.note(`nemesis: ${kind}, ${what}`);
  }

  // ------------------------------------------------------------------------------- faults

  private begin(kind: EventKind): void {
    const damage = damageOf(kind, this.options.plan.durability);
    if (damage === 'all copies' && !this.options.model.mayHurtAll) return;
    switch (kind) {
      case 'clog':
        return this.clog();
      case 'swizzle':
        return this.swizzle();
      case 'partition':
        return this.partition();
      case 'one-way':
        return this.cutOneWay();
      case 'bridge':
        return this.cutBridge();
      case 'crash':
        return this.crash();
      case 'thread-death':
        return this.killThread();
      case 'lost-send':
      case 'io-error':
      case 'sync-error':
        return this.failCommit(kind);
      case 'pause':
        return this.pause();
      case 'wipe':
      case 'rot-journal':
      case 'rot-meta':
        return this.breakDisk(kind);
      case 'restore':
        return this.restore();
      case 'clone':
        return this.clone();
      case 'power-loss':
        return this.losePower();
      case 'rot-record':
        return this.rotRecord();
      case 'disk-full':
        return this.fillDisk();
      case 'slow-disk':
        return this.slowDisk();
      case 'slow-node':
        return this.slowThread();
      case 'clock-skew':
      case 'clock-jump':
      case 'clock-freeze':
        return this.shiftClock(kind);
    }
  }

  // ------------------------------------------------------------------------------- links

  /** All that two nodes send each other waits for a while. */
  private clog(): void {
    const [one, other] = this.random.shuffle(this.world.nodes);
    if (one === undefined || other === undefined) return;
    const durationMs = this.durationMs();
    this.did('clog', `${namesOf([one, other])} for ${durationMs} ms`);
    const id = `clog ${this.clogCount++ % CLOG_COUNT_MAX}`;
    this.setClogged(id, one, [other], true);
    this.later(durationMs, () => this.setClogged(id, one, [other], false));
  }

  /** Half of the nodes are clogged one by one, and unclogged in another order. */
  private swizzle(): void {
    const { random, world } = this;
    const half = random.shuffle(world.nodes).slice(0, Math.ceil(world.nodes.length / 2));
    if (world.nodes.length < 2) return;
    const stepMs = 1 + random.int(100);
    this.did('swizzle', `${namesOf(half)}, one every ${stepMs} ms`);
    const set = (node: ActorAddress, isClogged: boolean) => {
      const others = world.nodes.filter((other) => other !== node);
      this.setClogged(`swizzle ${node}`, node, others, isClogged);
    };
    const pauseMs = half.length * stepMs + this.durationMs();
    half.forEach((node, index) => {
      this.later(index * stepMs, () => set(node, true));
    });
    random.shuffle(half).forEach((node, index) => {
      this.later(pauseMs + index * stepMs, () => set(node, false));
    });
  }

  private setClogged(
    id: string,
    node: ActorAddress,
    others: readonly ActorAddress[],
    isClogged: boolean,
  ): void {
    for (const [direction, sources, targets] of [
      ['to', others, [node]],
      ['from', [node], others],
    ] as const) {
      const name = `${id} ${direction}`;
      const rule = { sources, targets, verdict: { type: 'hold' } } as const;
      this.world.applyNetwork(
        isClogged ? { type: 'rule', id: name, rule } : { type: 'remove-rule', id: name },
      );
    }
  }

  /** Two halves, one node alone, or several groups. */
  private partition(): void {
    const { random, world } = this;
    if (world.nodes.length < 2) return;
    const nodes = random.shuffle(world.nodes);
    const firstCount = random.pick([
      Math.ceil(nodes.length / 2),
      1,
      1 + random.int(nodes.length - 1),
    ]);
    const groups = [nodes.slice(0, firstCount)];
    const others = nodes.slice(firstCount);
    if (others.length >= 2 && random.chance(0.3)) groups.push(others.slice(1));
    this.did('partition', groups.map(namesOf).join(' | '));
    world.applyNetwork({ type: 'partition', groups });
    this.later(this.durationMs(), () => world.applyNetwork({ type: 'partition', groups: [] }));
  }

  /** Some nodes are heard by others and do not hear them, or the other way round. */
  private cutOneWay(): void {
    const { random, world } = this;
    const nodes = random.shuffle(world.nodes);
    const [first] = nodes;
    if (first === undefined || nodes.length < 2) return;
    const others = nodes.slice(1, 2 + random.int(nodes.length - 1));
    const isFrom = random.chance(0.5);
    const [sources, targets] = isFrom ? [[first], others] : [others, [first]];
    this.did('one-way', `nothing gets from ${namesOf(sources)} to ${namesOf(targets)}`);
    world.applyNetwork({ type: 'block', sources, targets });
    this.later(this.durationMs(), () => world.applyNetwork({ type: 'unblock', sources, targets }));
  }

  /** Two halves that only one node can reach. */
  private cutBridge(): void {
    const { random, world } = this;
    const [bridge, ...others] = random.shuffle(world.nodes);
    if (bridge === undefined || others.length < 2) return;
    const middle = others.length >> 1;
    const left = others.slice(0, middle);
    const right = others.slice(middle);
    this.did('bridge', `${namesOf(left)} | ${namesOf(right)}, over ${describeAddress(bridge)}`);
    const set = (type: 'block' | 'unblock') => {
      world.applyNetwork({ type, sources: left, targets: right });
      world.applyNetwork({ type, sources: right, targets: left });
    };
    set('block');
    this.later(this.durationMs(), () => set('unblock'));
  }

  // ------------------------------------------------------------------------------- processes

  /** Some nodes stay down for a while. Some start again at once, and of these some crash again soon. */
  private crash(): void {
    const node = this.pickUp();
    if (node === null) return;
    const bounceCount = this.random.pick([0, 0, 1, 4]);
    this.did('crash', `${describeAddress(node)}, ${bounceCount} times back at once`);
    this.bounce(node, bounceCount);
  }

  private bounce(node: ActorAddress, count: number): void {
    this.world.crash(node, 'crash');
    if (count === 0) return;
    this.restart(node);
    this.later(this.random.int(BOUNCE_MS_MAX), () => {
      if (count > 1 && this.world.isUp(node)) this.bounce(node, count - 1);
    });
  }

  private killThread(): void {
    const thread = this.random.int(this.world.threadCount);
    if (!this.world.nodesOfThread(thread).some((node) => this.world.isUp(node))) return;
    this.did('thread-death', `thread ${thread}`);
    this.world.killThread(thread);
  }

  private pause(): void {
    const { world } = this;
    const node = this.pickUp();
    if (node === null || world.isPaused(node)) return;
    const durationMs = this.durationMs();
    this.did('pause', `${describeAddress(node)} for ${durationMs} ms`);
    world.pause(node);
    this.later(durationMs, () => {
      if (world.isPaused(node)) world.resume(node);
    });
  }

  private slowThread(): void {
    const thread = this.random.int(this.world.threadCount);
    const turnMs = 1 + this.random.int(30);
    this.did('slow-node', `thread ${thread}, ${turnMs} ms a turn`);
    this.world.slowThread(thread, turnMs);
    this.later(this.durationMs(), () => this.world.slowThread(thread, 0));
  }

  /** Starts a node. Two reasons to be refused are in order: a full disk, and no other node that has what was lost. */
  private restart(node: ActorAddress): void {
    const { world } = this;
    this.refusal = null;
    if (world.restart(node) !== null) return;
    const { refusal } = this;
    const code = refusal instanceof RingletError ? refusal.code : null;
    if (code === 'RINGLET_DISK_FULL' && world.disk(node).isFull) return;
    if (code === 'RINGLET_STORE_ROLLED_BACK' && world.nodes.length === 1) {
      world.disk(node).wipe('mark');
      world.restart(node);
      return;
    }
    this.options.onWrongOpen(`${describeAddress(node)} is refused: ${messageOf(refusal)}`);
  }

  // ------------------------------------------------------------------------------- disks

  private failCommit(kind: CommitFailure): void {
    const node = this.random.pick(this.world.nodes);
    const count = this.random.int(20);
    this.options.note(`nemesis: ${kind} of ${describeAddress(node)} after ${count} more commits`);
    this.world.disk(node).failCommit(count, kind);
    this.armed.set(node, kind);
  }

  /** Takes something from the disk of a node that is down for that. */
  private breakDisk(kind: 'wipe' | 'rot-journal' | 'rot-meta'): void {
    const node = this.pickHurt();
    if (node === null) return;
    const { world, random } = this;
    if (kind === 'rot-journal' && !world.isUp(node)) return;
    this.stopIfUp(node, kind);
    const disk = world.disk(node);
    if (kind === 'rot-journal') {
      if (disk.rotJournal(random) === 0) return;
      this.did(kind, describeAddress(node));
      this.options.model.noteBehind(node);
      this.cutShort.add(node);
      return;
    }
    this.did(kind, describeAddress(node));
    this.options.model.noteBehind(node);
    if (kind === 'wipe') disk.wipe(random.pick(['directory', 'directory', 'file']));
    else disk.rotMeta();
    this.options.model.noteEmptied(node);
  }

  /** An older image of a node's store is put in its place. Its high-water mark stays, as it is not among a node's own files. */
  private restore(): void {
    const { world } = this;
    const { model } = this.options;
    const node = this.pickUp();
    // What its last turn sent has left: were it lost later, its dots could be given out twice, and the image would still hold it.
    if (node === null || world.cell(node).isHeld) return;
    const disk = world.disk(node);
    const image = disk.takeImage();
    const imageCount = disk.commitCount;
    this.later(this.durationMs(), () => {
      if (!world.isUp(node) || !model.mayHurt(node) || disk.commitCount === imageCount) return;
      world.crash(node, 'restore');
      this.cutShort.add(node);
      model.noteBehind(node);
      this.did('restore', describeAddress(node));
      disk.putBack(image, 'file');
    });
  }

  /** A copy of another node's directory is put in place of a node's own, for one start. */
  private clone(): void {
    const { world, random, options } = this;
    const [node, other] = random.shuffle(world.nodes);
    if (node === undefined || other === undefined) return;
    this.stopIfUp(node, 'clone');
    const own = world.disk(node).takeImage();
    const foreign = world.disk(other).takeImage();
    if (foreign.file === null || foreign.file.isDamaged) return;
    this.did('clone', `${describeAddress(node)} gets the directory of ${describeAddress(other)}`);
    world.disk(node).putBack(foreign);
    this.refusal = null;
    const report = world.restart(node);
    const isForeign =
      this.refusal instanceof RingletError && this.refusal.code === 'RINGLET_DATADIR_FOREIGN';
    if (report !== null || !isForeign) {
      const names = `${describeAddress(node)} on the directory of ${describeAddress(other)}`;
      options.onWrongOpen(`${names}: ${report?.status ?? messageOf(this.refusal)}`);
    }
    if (!world.isUp(node)) world.disk(node).putBack(own);
  }

  private losePower(): void {
    const { world, options } = this;
    if (this.cutShort.size > 0) return;
    this.did('power-loss', 'all nodes');
    world.losePower();
    if (options.plan.durability === 'full') return;
    for (const node of world.nodes) options.model.noteBehind(node);
  }

  private rotRecord(): void {
    const node = this.pickHurt();
    if (node === null) return;
    const place = this.world.disk(node).rotRecord(this.random);
    if (place === null) return;
    this.did('rot-record', `${describeAddress(node)}, partition ${place.partition}`);
    this.noteDamaged(node, place.partition);
  }

  private noteDamaged(node: ActorAddress, partition: PartitionId): void {
    this.options.model.noteDamaged(node, partition);
  }

  private fillDisk(): void {
    const node = this.random.pick(this.world.nodes);
    const durationMs = this.durationMs();
    this.did('disk-full', `${describeAddress(node)} for ${durationMs} ms`);
    this.world.disk(node).isFull = true;
    this.later(durationMs, () => {
      this.world.disk(node).isFull = false;
    });
  }

  /** A disk whose syncs take no time is slow from the next start of its node on. */
  private slowDisk(): void {
    const { plan } = this.options;
    const node = this.pickUp();
    if (node === null || plan.durability !== 'full') return;
    const syncMs = 5 + this.random.int(300);
    this.did('slow-disk', `${describeAddress(node)}, ${syncMs} ms a sync`);
    this.world.slowDisk(node, syncMs);
    if (plan.syncMs === 0) this.world.crash(node, 'its disk was replaced');
    this.later(this.durationMs(), () => this.world.slowDisk(node, 0));
  }

  // ------------------------------------------------------------------------------- clocks

  private shiftClock(kind: 'clock-skew' | 'clock-jump' | 'clock-freeze'): void {
    const { world, random } = this;
    const node = random.pick(world.nodes);
    const reachMs = random.pick([10, 1_000, SKEW_MS_MAX]);
    const skewMs = random.int(2 * reachMs + 1) - reachMs;
    const isFrozen = kind === 'clock-freeze';
    this.did(kind, `${describeAddress(node)}, ${isFrozen ? 'stands still' : `${skewMs} ms`}`);
    world.setClock(node, isFrozen ? { isFrozen } : { skewMs });
    if (kind !== 'clock-skew') this.later(this.durationMs(), () => world.setClock(node, {}));
  }

  // ------------------------------------------------------------------------------- choices

  /** Short at times, long at times. */
  private durationMs(): number {
    return 1 + this.random.int(this.random.pick([20, 200, FAULT_MS_MAX]));
  }

  private pickUp(): ActorAddress | null {
    const up = this.world.nodes.filter((node) => this.world.isUp(node));
    return up.length === 0 ? null : this.random.pick(up);
  }

  /** A node whose copies may be hurt. */
  private pickHurt(): ActorAddress | null {
    const nodes = this.world.nodes.filter((node) => this.options.model.mayHurt(node));
    return nodes.length === 0 ? null : this.random.pick(nodes);
  }

  private stopIfUp(node: ActorAddress, reason: string): void {
    if (this.world.isUp(node)) this.world.crash(node, reason);
  }
}

/** Counts what links do by themselves. A message of a link that arrives before an earlier one was reordered. */
class LinkWatch {
  private readonly plan: Plan;
  private readonly count: (kind: LinkKind) => void;
  /** By source and target, when the last message of so far arrives. */
  private readonly lastDueMs: Float64Array;

  constructor(plan: Plan, count: (kind: LinkKind) => void) {
    this.plan = plan;
    this.count = count;
    this.lastDueMs = new Float64Array(plan.nodes * plan.nodes);
  }

  onVerdict({ timeMs, source, target, verdict }: VerdictEvent): void {
    switch (verdict.type) {
      case 'drop':
        if (verdict.reason === 'loss') this.count('loss');
        if (verdict.reason === 'queue') this.count('bandwidth');
        return;
      case 'duplicate':
        return this.count('duplication');
      case 'deliver':
        return this.onArrival(source * this.plan.nodes + target, timeMs);
      case 'delay':
        if (this.plan.faults.includes('delay')) this.count('delay');
        else if (this.plan.faults.includes('bandwidth')) this.count('bandwidth');
        return this.onArrival(source * this.plan.nodes + target, timeMs + verdict.delayMs);
      case 'hold':
        return;
    }
  }

  private onArrival(link: number, dueMs: number): void {
    if (dueMs < this.lastDueMs[link]!) this.count('reordering');
    else this.lastDueMs[link] = dueMs;
  }
}

function namesOf(nodes: readonly ActorAddress[]): string {
  return nodes.map(describeAddress).join(' ');
}
