/**
 * The simulated links between nodes: a verdict on every envelope, and the envelopes that a verdict made wait. It
 * owns no timer and no thread; time comes with every call, chance from a seed. Every thread judges what its own
 * nodes send, so all threads are given the same commands.
 *
 * The first of these that has something to say decides:
 * 1. a cut link (partition, block) drops;
 * 2. a held link holds;
 * 3. the first message rule that chooses the envelope has its way;
 * 4. the link's settings, or the default ones, lose, delay, duplicate and reorder.
 *
 * Invariants:
 * 1. Sent and duplicated envelopes are delivered, dropped or waiting, and counted as what they are.
 * 2. Envelopes of a link arrive in the order in which they were sent, whatever its jitter and however its settings
 *    change, unless `reordering` or a message rule took one out of the order.
 * 3. No more than `heldCountMax` envelopes wait; the newest are dropped.
 * 4. Below that limit, the verdicts on a link depend on the seed, the commands and what was sent over that link.
 */
import { type ActorAddress, isClientAddress, NODE_COUNT_MAX } from '../address.ts';
import { assert, unreachable } from '../assert.ts';
import { RingletError } from '../errors.ts';
import { Prng } from '../prng.ts';
import type { Message, MessageKind } from '../protocol/messages.ts';
import { DelayQueue } from './delay-queue.ts';
import { drawLatencyMs } from './latency.ts';
import { type DropReason, Link, type LinkCounters } from './link.ts';
import {
  type EnvelopeFilter,
  type LinkSettings,
  type MessageRule,
  matchesFilter,
  type NetworkCommand,
} from './rules.ts';

/** Takes an envelope that arrived. Must not call back into the network. */
export type Deliver = (source: ActorAddress, target: ActorAddress, message: Message) => void;

export interface NetworkOptions {
  /** The cluster's seed: the same in every thread. */
  readonly seed: number;
  /** Envelopes that may be held and delayed, over all links. */
  readonly heldCountMax: number;
}

/**
 * What an observer sees. `duplicate` announces a second copy, which then has a verdict of its own; what was
 * held has another verdict when it is let go.
 */
export type Verdict =
  | { readonly type: 'deliver' }
  | { readonly type: 'delay'; readonly delayMs: number }
  | { readonly type: 'drop'; readonly reason: DropReason }
  | { readonly type: 'duplicate' }
  | { readonly type: 'hold' };

/** One verdict. */
export interface VerdictEvent {
  readonly timeMs: number;
  readonly source: ActorAddress;
  readonly target: ActorAddress;
  readonly kind: MessageKind;
  readonly verdict: Verdict;
}

/** Message rules that a network can have. */
export const RULE_COUNT_MAX = 256;

/** Observers that a network can have. */
const OBSERVER_COUNT_MAX = 64;

/** The time of one call and where to put what arrives. */
interface Step {
  readonly nowMs: number;
  readonly deliver: Deliver;
}

interface LinkEnds {
  readonly source: ActorAddress;
  readonly target: ActorAddress;
}

interface DelayedEnvelope {
  readonly link: Link;
  readonly message: Message;
  /** Bound by the link's order. */
  readonly isOrdered: boolean;
}

interface HeldEnvelope {
  readonly link: Link;
  readonly message: Message;
  /** The rule that holds it; `null` if its link does. */
  readonly ruleId: string | null;
}

interface Observer {
  readonly filter: EnvelopeFilter;
  readonly callback: (event: VerdictEvent) => void;
}

/** Judges envelopes and keeps those that wait. */
export class Network {
  private readonly random: Prng;
  private readonly heldCountMax: number;
  /** By source and target; made when first needed. */
  private readonly links = new Map<number, Link>();
  private readonly faultyLinks = new Set<Link>();
  /** In the order in which they were added. */
  private readonly rules = new Map<string, MessageRule>();
  /** The group of each node that the partition names, from 1. */
  private readonly groups = new Map<ActorAddress, number>();
  private readonly observers = new Set<Observer>();
  private readonly delayed = new DelayQueue<DelayedEnvelope>();
  /** In the order in which they were sent. */
  private held: HeldEnvelope[] = [];
  private defaultSettings: LinkSettings | null = null;
  private quiet = true;

  constructor(options: NetworkOptions) {
    assert(options.heldCountMax >= 1, 'heldCountMax');
    this.random = new Prng(options.seed).split('network');
    this.heldCountMax = options.heldCountMax;
  }

  /**
   * True while there is no fault, no rule, no observer and nothing that waits. Every envelope may then be delivered
   * without asking; {@link admit} would do the same, and count nothing.
   */
  get isQuiet(): boolean {
    return this.quiet;
  }

  /**
   * Changes the links. It acts on what is sent from now on: what is delayed already arrives even where a link is cut.
   *
   * @throws {RingletError} RINGLET_FAULT_SPEC if there would be more than {@link RULE_COUNT_MAX} rules
   */
  apply(command: NetworkCommand, nowMs: number, deliver: Deliver): void {
    this.execute(command, { nowMs, deliver });
    this.updateQuiet();
  }

  /** Judges an envelope: `deliver` is called now, later by {@link releaseDue} or {@link apply}, or never. */
  admit(
    nowMs: number,
    source: ActorAddress,
    target: ActorAddress,
    message: Message,
    deliver: Deliver,
  ): void {
    if (this.quiet || source === target || isClientAddress(source) || isClientAddress(target)) {
      deliver(source, target, message);
      return;
    }
    const link = this.linkBetween(source, target);
    link.counters.sent++;
    this.judge(link, message, { nowMs, deliver });
  }

  /** When {@link releaseDue} has something to do; Infinity if nothing is delayed. */
  dueMs(): number {
    return this.delayed.dueMs;
  }

  /** Delivers what is due, in order. */
  releaseDue(nowMs: number, deliver: Deliver): void {
    if (this.delayed.dueMs > nowMs) return;
    while (this.delayed.dueMs <= nowMs) {
      const { link, message, isOrdered } = this.delayed.pop();
      if (isOrdered) link.orderedCount--;
      link.counters.waiting--;
      link.counters.delivered++;
      deliver(link.source, link.target, message);
    }
    this.updateQuiet();
  }

  /** What became of all envelopes while the network was not quiet, by source and target. Links without any are left out. */
  counters(): LinkCounters[] {
    return [...this.links.values()]
      .filter((link) => link.counters.sent > 0)
      .map(({ counters }) => ({ ...counters, dropped: { ...counters.dropped } }))
      .sort((a, b) => a.source - b.source || a.target - b.target);
  }

  /**
   * Calls `callback` at every verdict on the envelopes that `filter` chooses. It only looks, and must not call back
   * into the network. While there is an observer the network is not quiet.
   *
   * @returns A function that ends it.
   */
  observe(filter: EnvelopeFilter, callback: (event: VerdictEvent) => void): () => void {
    assert(this.observers.size < OBSERVER_COUNT_MAX, 'too many observers');
    const observer = { filter, callback };
    this.observers.add(observer);
    this.updateQuiet();
    return () => {
      this.observers.delete(observer);
      this.updateQuiet();
    };
  }

  /**
   * The commands that put the faults of this network on a new one: for a thread that starts after they were given.
   * Empty if there is no fault.
   */
  standingCommands(): NetworkCommand[] {
    const commands: NetworkCommand[] = [];
    if (this.defaultSettings !== null) {
      commands.push({ type: 'set-default', settings: this.defaultSettings });
    }
    if (this.groups.size > 0) {
      const groups = Map.groupBy(this.groups.keys(), (node) => this.groups.get(node));
      commands.push({ type: 'partition', groups: [...groups.values()] });
    }
    for (const [id, rule] of this.rules) commands.push({ type: 'rule', id, rule });
    for (const link of this.faultyLinks) commands.push(...link.standingCommands());
    return commands;
  }

  private execute(command: NetworkCommand, step: Step): void {
    switch (command.type) {
      case 'set-link':
        this.setFault(command, { settings: command.settings });
        return;
      case 'reset-link':
        this.setFault(command, { settings: null });
        return;
      case 'set-default':
        this.defaultSettings = command.settings;
        return;
      case 'reset-default':
        this.defaultSettings = null;
        return;
      case 'partition':
        this.partition(command.groups);
        return;
      case 'block':
        this.setBlocked(command.sources, command.targets, true);
        return;
      case 'unblock':
        this.setBlocked(command.sources, command.targets, false);
        return;
      case 'rule':
        this.addRule(command.id, command.rule, step);
        return;
      case 'remove-rule':
        this.rules.delete(command.id);
        this.releaseHeld((held) => held.ruleId === command.id, step);
        return;
      case 'hold':
        this.setFault(command, { isHeld: true });
        return;
      case 'release':
        this.release(command, step);
        return;
      case 'heal':
        this.heal(step);
        return;
      default:
        unreachable(command);
    }
  }

  private setFault(
    { source, target }: LinkEnds,
    fault: Partial<Pick<Link, 'settings' | 'isBlocked' | 'isHeld'>>,
  ): Link {
    const link = Object.assign(this.linkBetween(source, target), fault);
    if (link.isFaulty) this.faultyLinks.add(link);
    else this.faultyLinks.delete(link);
    return link;
  }

  private partition(groups: readonly (readonly ActorAddress[])[]): void {
    this.groups.clear();
    groups.forEach((group, index) => {
      for (const node of group) this.groups.set(node, index + 1);
    });
  }

  private setBlocked(
    sources: readonly ActorAddress[],
    targets: readonly ActorAddress[],
    isBlocked: boolean,
  ): void {
    for (const source of sources) {
      for (const target of targets) this.setFault({ source, target }, { isBlocked });
    }
  }

  private addRule(id: string, rule: MessageRule, step: Step): void {
    if (!this.rules.has(id) && this.rules.size >= RULE_COUNT_MAX) {
      throw new RingletError('RINGLET_FAULT_SPEC', `more than ${RULE_COUNT_MAX} message rules`);
    }
    this.rules.set(id, rule);
    this.releaseHeld((held) => held.ruleId === id, step);
  }

  private release(ends: LinkEnds, step: Step): void {
    const link = this.setFault(ends, { isHeld: false });
    this.releaseHeld((held) => held.link === link && held.ruleId === null, step);
  }

  private heal(step: Step): void {
    this.defaultSettings = null;
    this.rules.clear();
    this.groups.clear();
    for (const link of this.faultyLinks) {
      this.setFault(link, { settings: null, isBlocked: false, isHeld: false });
    }
    this.releaseHeld(() => true, step);
  }

  /** Lets go of what is held. What a link held arrives behind what the link delays. */
  private releaseHeld(isReleased: (held: HeldEnvelope) => boolean, step: Step): void {
    const released = this.held.filter(isReleased);
    this.held = this.held.filter((held) => !isReleased(held));
    for (const { link, message, ruleId } of released) {
      link.counters.waiting--;
      link.counters.released++;
      this.forward(link, message, step.nowMs, ruleId === null, step);
    }
  }

  private judge(link: Link, message: Message, step: Step): void {
    if (this.isCut(link)) {
      this.drop(link, message, 'partition', step);
      return;
    }
    if (link.isHeld) {
      this.hold(link, message, null, step);
      return;
    }
    for (const [id, rule] of this.rules) {
      if (!isChosenBy(rule, link, message)) continue;
      this.obey(id, rule, link, message, step);
      return;
    }
    const settings = link.settings ?? this.defaultSettings;
    if (settings === null) this.forward(link, message, step.nowMs, true, step);
    else this.carry(settings, link, message, step);
  }

  private isCut(link: Link): boolean {
    if (link.isBlocked) return true;
    if (this.groups.size === 0) return false;
    return (this.groups.get(link.source) ?? 0) !== (this.groups.get(link.target) ?? 0);
  }

  private obey(id: string, rule: MessageRule, link: Link, message: Message, step: Step): void {
    const { verdict } = rule;
    switch (verdict.type) {
      case 'deliver':
        this.forward(link, message, step.nowMs, false, step);
        return;
      case 'delay':
        this.forward(link, message, step.nowMs + verdict.delayMs, false, step);
        return;
      case 'drop':
        this.drop(link, message, 'rule', step);
        return;
      case 'duplicate':
        this.forward(link, message, step.nowMs, false, step);
        this.countDuplicate(link, message, step);
        this.forward(link, message, step.nowMs + verdict.delayMs, false, step);
        return;
      case 'hold':
        this.hold(link, message, id, step);
        return;
      default:
        unreachable(verdict);
    }
  }

  private carry(settings: LinkSettings, link: Link, message: Message, step: Step): void {
    if (link.random.chance(settings.loss)) {
      this.drop(link, message, 'loss', step);
      return;
    }
    this.transmit(settings, link, message, step);
    if (link.random.chance(settings.duplication)) {
      this.countDuplicate(link, message, step);
      this.transmit(settings, link, message, step);
    }
  }

  private transmit(settings: LinkSettings, link: Link, message: Message, step: Step): void {
    const sentMs = link.passBandwidth(settings, message, step.nowMs);
    if (sentMs === null) {
      this.drop(link, message, 'queue', step);
      return;
    }
    const arrivalMs = sentMs + drawLatencyMs(settings, link.random);
    const isReordered = link.random.chance(settings.reordering);
    const dueMs = isReordered ? arrivalMs + settings.reorderMs : arrivalMs;
    this.forward(link, message, dueMs, !isReordered, step);
  }

  /** Delivers an envelope when it is due, and not before those that it must not overtake. */
  private forward(
    link: Link,
    message: Message,
    dueMs: number,
    isOrdered: boolean,
    step: Step,
  ): void {
    const isBehind = isOrdered && link.orderedCount > 0;
    if (dueMs <= step.nowMs && !isBehind) {
      link.counters.delivered++;
      this.report(link, message, { type: 'deliver' }, step);
      step.deliver(link.source, link.target, message);
      return;
    }
    if (!this.hasRoom()) {
      this.drop(link, message, 'limit', step);
      return;
    }
    const queuedMs = isBehind ? Math.max(dueMs, link.lastDueMs) : dueMs;
    if (isOrdered) {
      link.orderedCount++;
      link.lastDueMs = queuedMs;
    }
    link.counters.delayed++;
    link.counters.waiting++;
    this.report(link, message, { type: 'delay', delayMs: queuedMs - step.nowMs }, step);
    this.delayed.push(queuedMs, { link, message, isOrdered });
  }

  private hold(link: Link, message: Message, ruleId: string | null, step: Step): void {
    if (!this.hasRoom()) {
      this.drop(link, message, 'limit', step);
      return;
    }
    link.counters.held++;
    link.counters.waiting++;
    this.report(link, message, { type: 'hold' }, step);
    this.held.push({ link, message, ruleId });
  }

  private drop(link: Link, message: Message, reason: DropReason, step: Step): void {
    link.counters.dropped[reason]++;
    this.report(link, message, { type: 'drop', reason }, step);
  }

  private countDuplicate(link: Link, message: Message, step: Step): void {
    link.counters.duplicated++;
    this.report(link, message, { type: 'duplicate' }, step);
  }

  private report(link: Link, message: Message, verdict: Verdict, step: Step): void {
    const { source, target } = link;
    for (const { filter, callback } of this.observers) {
      if (!matchesFilter(filter, source, target, message.kind)) continue;
      callback({ timeMs: step.nowMs, source, target, kind: message.kind, verdict });
    }
  }

  private hasRoom(): boolean {
    return this.delayed.size + this.held.length < this.heldCountMax;
  }

  private linkBetween(source: ActorAddress, target: ActorAddress): Link {
    const id = source * NODE_COUNT_MAX + target;
    let link = this.links.get(id);
    if (link === undefined) {
      link = new Link(source, target, this.random.split(`${source}>${target}`));
      this.links.set(id, link);
    }
    return link;
  }

  /**
   * Only commands and observers end the quiet, so this runs where they come and go, and where waiting ends. What is
   * held needs no look: the fault that holds it is there.
   */
  private updateQuiet(): void {
    const hasFault =
      this.faultyLinks.size > 0 ||
      this.rules.size > 0 ||
      this.groups.size > 0 ||
      this.defaultSettings !== null;
    this.quiet = !hasFault && this.observers.size === 0 && this.delayed.size === 0;
  }
}

/** Tells whether a rule chooses an envelope. Draws only where chance decides. */
function isChosenBy(rule: MessageRule, link: Link, message: Message): boolean {
  if (!matchesFilter(rule, link.source, link.target, message.kind)) return false;
  return rule.probability === 1 || link.random.chance(rule.probability);
}
