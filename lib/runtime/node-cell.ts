/**
 * One node as its thread holds it: actor, store, mailbox, timers and outbox, in one of four states.
 *
 * Invariant: what the actor sent in a turn is in the outbox until the turn's commit, is held until that commit is durable,
 * and leaves only then.
 */
import type { ActorAddress } from '../address.ts';
import { assert } from '../assert.ts';
import type { Prng } from '../prng.ts';
import type { Message } from '../protocol/messages.ts';
import type { PartitionStore } from '../store/contract.ts';
import type { Actor, Context, TimerId } from './actor.ts';
import { Mailbox, type MailboxLimits } from './mailbox.ts';
import { type Probe, silentProbe } from './probe.ts';
import { Timers } from './timers.ts';

/**
 * `running`: takes part in turns. `paused`: mail and timers wait, as in a long garbage collection.
 * `stopped`: gone with its store, by request or by failure.
 */
export type CellState = 'running' | 'paused' | 'stopped';

export interface CellOptions {
  readonly address: ActorAddress;
  readonly actor: Actor;
  readonly store: PartitionStore;
  readonly random: Prng;
  readonly limits: MailboxLimits;
  /** @default one that does nothing */
  readonly probe?: Probe;
}

export class NodeCell implements Context {
  readonly self: ActorAddress;
  readonly actor: Actor;
  readonly store: PartitionStore;
  readonly random: Prng;
  readonly probe: Probe;
  readonly mailbox: Mailbox;
  readonly timers = new Timers();
  nowMs = 0;
  wallMs = 0;
  /** Added to the host's wall clock: how far this node's clock is off. */
  wallSkewMs = 0;
  state: CellState = 'running';
  hasStarted = false;

  /** What the turn sends: targets and messages, index by index. */
  readonly outboxTargets: ActorAddress[] = [];
  readonly outboxMessages: Message[] = [];
  /** The outbox waits for the commit to be durable. Until then its thread takes no turn, and mail gathers. */
  isHeld = false;
  /** What the turn took, to be answered if its commit fails. */
  readonly takenSources: ActorAddress[] = [];
  readonly takenMessages: Message[] = [];

  constructor(options: CellOptions) {
    this.self = options.address;
    this.actor = options.actor;
    this.store = options.store;
    this.random = options.random;
    this.probe = options.probe ?? silentProbe;
    this.mailbox = new Mailbox(options.limits);
  }

  send(target: ActorAddress, message: Message): void {
    assert(target !== this.self, 'a node does not send to itself; it schedules');
    this.outboxTargets.push(target);
    this.outboxMessages.push(message);
  }

  schedule(delayMs: number, message: Message): TimerId {
    assert(delayMs >= 0, 'delay of a timer');
    return this.timers.schedule(this.nowMs + delayMs, message);
  }

  cancel(timer: TimerId): void {
    this.timers.cancel(timer);
  }

  /** Forgets what the turn took and sent. */
  clearTurn(): void {
    // Most nodes of a thread had nothing to do, and emptying lists that are empty takes time too.
    if (this.outboxMessages.length === 0 && this.takenMessages.length === 0) return;
    this.outboxTargets.length = 0;
    this.outboxMessages.length = 0;
    this.takenSources.length = 0;
    this.takenMessages.length = 0;
  }
}
