/**
 * One link: from one node to another, in one direction. Its state, its random stream and what it counted.
 *
 * Invariant: `sent + duplicated = delivered + all dropped + waiting`.
 */
import type { ActorAddress } from '../address.ts';
import type { Prng } from '../prng.ts';
import type { Message } from '../protocol/messages.ts';
import type { LinkSettings, NetworkCommand } from './rules.ts';
import { messageBytes } from './size.ts';

/**
 * Why an envelope was dropped: a cut link (`partition`, by partition or block), chance (`loss`), a message rule
 * (`rule`), no room before the bandwidth (`queue`), or too many that are held and delayed (`limit`).
 */
export type DropReason = 'partition' | 'loss' | 'rule' | 'queue' | 'limit';

/** What became of the envelopes of one link while the network was not quiet. A quiet network counts nothing. */
export interface LinkCounters {
  source: ActorAddress;
  target: ActorAddress;
  /** Envelopes that were judged. */
  sent: number;
  /** Second copies that were made. */
  duplicated: number;
  /** Envelopes and copies that arrived, at once or later. */
  delivered: number;
  /** Of all, those that had to wait for their time. */
  delayed: number;
  /** Of all, those that a hold or a rule kept, and those of them that were let go. */
  held: number;
  released: number;
  dropped: Record<DropReason, number>;
  /** Envelopes that are held or delayed now. */
  waiting: number;
}

/** The state of a link. `lib/network/network.ts` changes it. */
export class Link {
  readonly source: ActorAddress;
  readonly target: ActorAddress;
  /** The link's own stream, so that what happens on one link moves no other's draws. */
  readonly random: Prng;
  readonly counters: LinkCounters;
  /** `null` is the default of all links. */
  settings: LinkSettings | null = null;
  isBlocked = false;
  isHeld = false;
  /** Delayed envelopes that the link's order binds. While there are any, later ones queue behind `lastDueMs`. */
  orderedCount = 0;
  /** When the last of them is due. */
  lastDueMs = 0;
  /** When the bandwidth will have carried all that it accepted. */
  private freeAtMs = 0;
  /** The settings that gave the bandwidth. */
  private queueSettings: LinkSettings | null = null;

  constructor(source: ActorAddress, target: ActorAddress, random: Prng) {
    this.source = source;
    this.target = target;
    this.random = random;
    this.counters = {
      source,
      target,
      sent: 0,
      duplicated: 0,
      delivered: 0,
      delayed: 0,
      held: 0,
      released: 0,
      dropped: { partition: 0, loss: 0, rule: 0, queue: 0, limit: 0 },
      waiting: 0,
    };
  }

  /** True if the link has a fault of its own. */
  get isFaulty(): boolean {
    return this.settings !== null || this.isBlocked || this.isHeld;
  }

  /** The commands that put this link's faults on another network. */
  standingCommands(): NetworkCommand[] {
    const { source, target, settings } = this;
    const commands: NetworkCommand[] = [];
    if (settings !== null) commands.push({ type: 'set-link', source, target, settings });
    if (this.isBlocked) commands.push({ type: 'block', sources: [source], targets: [target] });
    if (this.isHeld) commands.push({ type: 'hold', source, target });
    return commands;
  }

  /**
   * Sends a message through the bandwidth that `settings` give. New settings begin with an empty queue.
   *
   * @returns When it has passed, or `null` if the queue has no room for it.
   */
  passBandwidth(settings: LinkSettings, message: Message, nowMs: number): number | null {
    const { bandwidthBytesPerSecond, queueBytesMax } = settings;
    if (bandwidthBytesPerSecond === null) return nowMs;
    if (settings !== this.queueSettings) {
      this.queueSettings = settings;
      this.freeAtMs = nowMs;
    }
    const bytes = messageBytes(message);
    const startMs = Math.max(nowMs, this.freeAtMs);
    const queuedBytes = ((startMs - nowMs) * bandwidthBytesPerSecond) / 1000;
    if (queuedBytes > 0 && queuedBytes + bytes > queueBytesMax) return null;
    this.freeAtMs = startMs + (bytes * 1000) / bandwidthBytesPerSecond;
    return this.freeAtMs;
  }
}
