/**
 * What a cluster needs from whatever runs its nodes, be it threads or a simulator: the boundary between the
 * public API and the runtime.
 */
import type { ActorAddress } from '../address.ts';
import type { LinkCounters } from '../network/link.ts';
import type { VerdictEvent } from '../network/network.ts';
import type { EnvelopeFilter, NetworkCommand } from '../network/rules.ts';

/** What happens to nodes. */
export type HostEvent =
  | {
      readonly type: 'member';
      readonly member: ActorAddress;
      readonly status: 'up' | 'down';
      readonly reason: string;
    }
  | {
      /** A node's store was opened and is not simply as it was left. */
      readonly type: 'store';
      readonly member: ActorAddress;
      readonly status: 'recovered' | 'rolled-back' | 'quarantined';
      readonly detail: string;
    };

/** Runs the nodes of one cluster. All methods reject with a RingletError. */
export interface ClusterHost<Stats> {
  killNode(address: ActorAddress): Promise<void>;
  restartNode(address: ActorAddress): Promise<void>;
  pauseNode(address: ActorAddress): Promise<void>;
  resumeNode(address: ActorAddress): Promise<void>;
  skewClock(address: ActorAddress, skewMs: number): Promise<void>;
  isUp(address: ActorAddress): boolean;
  applyNetwork(command: NetworkCommand): Promise<void>;
  networkCounters(): Promise<LinkCounters[]>;
  /** @returns a function that ends it. */
  observeNetwork(
    filter: EnvelopeFilter,
    listener: (event: VerdictEvent) => void,
  ): Promise<() => Promise<void>>;
  stats(): Promise<Stats>;
  close(): Promise<void>;
}
