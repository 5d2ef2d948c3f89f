/**
 * What an actor is and what it may do. Handlers are synchronous; time, chance and messages come from the
 * context alone, so a run is a function of its inputs.
 */

import type { ActorAddress } from '../address.ts';
import type { Prng } from '../prng.ts';
import type { Message } from '../protocol/messages.ts';
import type { Probe } from './probe.ts';

/** Names a timer, so that it can be cancelled. */
export type TimerId = number & { readonly brand: 'TimerId' };

/** What an actor may do to the world. Calls are recorded in the outbox and take effect when the turn commits. */
export interface Context {
  /** This actor's own address. */
  readonly self: ActorAddress;
  /** Monotonic milliseconds, sampled once per turn. Two reads in one turn are equal. */
  readonly nowMs: number;
  /** Milliseconds since 1970 as this node's own clock has it, sampled once per turn. May jump or be skewed. */
  readonly wallMs: number;
  /** The node's own random stream. The only source of randomness. */
  readonly random: Prng;
  /** Forces and counts rare branches in the simulator; silent elsewhere. */
  readonly probe: Probe;
  /** Queues `message` for `target`. Delivery may fail, repeat or reorder. The message must not change afterwards. */
  send(target: ActorAddress, message: Message): void;
  /** Delivers `message` to this actor after `delayMs`. Timers are messages, so traces and crashes see them. */
  schedule(delayMs: number, message: Message): TimerId;
  /** Cancels a timer. Unknown or fired timers are ignored. */
  cancel(timer: TimerId): void;
}

/** A state machine with one entrance. */
export interface Actor {
  /** Called once, in the actor's first turn. */
  start(context: Context): void;
  /** Handles one message. May throw only if an invariant is broken or its store failed: the node then stops. */
  receive(context: Context, source: ActorAddress, message: Message): void;
  /** Requests under way; sent along with replies as the node's load. */
  readonly queueDepth: number;
}
