/**
 * What the host and its threads tell each other outside the data path: the task that a thread is started
 * with, its control methods, and the notices that it sends on its own.
 */
import type { MessagePort } from 'node:worker_threads';
import type { NodeCounters } from '../actors/node.ts';
import type { ActorAddress } from '../lib/address.ts';
import type { ClusterConfig } from '../lib/config.ts';
import type { ErrorData } from '../lib/errors.ts';
import type { LinkCounters } from '../lib/network/link.ts';
import type { VerdictEvent } from '../lib/network/network.ts';
import type { EnvelopeFilter, NetworkCommand } from '../lib/network/rules.ts';
import type { Ring } from '../lib/ring/ring.ts';
import type { StoreStats } from '../lib/store/contract.ts';
import type { OpenReport } from '../lib/store/opening.ts';

/** One node that a thread is to run. */
export interface NodeTask {
  readonly address: ActorAddress;
  readonly id: string;
  /** The node's store file. */
  readonly storePath: string;
  /** The file of its high-water mark. */
  readonly markPath: string;
}

/** What a thread is started with. */
export interface ThreadTask {
  readonly threadIndex: number;
  readonly config: ClusterConfig;
  readonly ring: Ring;
  /** The thread of each node, by address. */
  readonly threadOf: readonly number[];
  readonly nodes: readonly NodeTask[];
  readonly clusterId: string;
  readonly bootId: string;
  /** Fresh in every life of the thread, so that request ids of an earlier life match nothing. */
  readonly randomSeed: number;
  /** What the network had been told when the thread started. */
  readonly networkCommands: readonly NetworkCommand[];
  readonly controlPort: MessagePort;
  readonly noticePort: MessagePort;
}

/** How a node's store was found. */
export interface NodeReport {
  readonly address: ActorAddress;
  readonly open: OpenReport;
}

/** Gauges and counters of one node. */
export interface NodeStats {
  readonly address: ActorAddress;
  readonly state: 'running' | 'paused' | 'stopped';
  readonly queueDepth: number;
  readonly mailboxCount: number;
  readonly mailboxRefusedCount: number;
  readonly counters: NodeCounters;
  readonly store: StoreStats;
}

/** Gauges and counters of one thread, since it started. */
export interface ThreadStats {
  readonly threadIndex: number;
  readonly turnCount: number;
  readonly messageCount: number;
  /** Messages to nodes that are not there, and messages that could not be read. */
  readonly droppedCount: number;
  readonly nodes: readonly NodeStats[];
}

/**
 * Ways to make a thread fail, for tests of supervision. `disk-full`: for each of its nodes that run now, the next commit of
 * a put. `close-error`: the closing of the first of them.
 */
export type ThreadFault = 'throw' | 'exit' | 'out-of-memory' | 'hang' | 'disk-full' | 'close-error';

/** The control methods of a thread. */
export interface ThreadApi {
  attachThread(threadIndex: number, port: MessagePort): void;
  detachThread(threadIndex: number): void;
  attachClient(address: ActorAddress, port: MessagePort): void;
  detachClient(address: ActorAddress): void;
  setMemberStatus(member: ActorAddress, status: 'up' | 'down'): void;
  killNode(address: ActorAddress): void;
  /** Opens a node's store and starts it; one that runs is killed first. @param down The nodes that are down now. */
  startNode(address: ActorAddress, life: number, down: readonly ActorAddress[]): NodeReport;
  pauseNode(address: ActorAddress): void;
  resumeNode(address: ActorAddress): void;
  /** Sets how far a node's wall clock is off. */
  skewClock(address: ActorAddress, skewMs: number): void;
  applyNetwork(command: NetworkCommand): void;
  networkCounters(): LinkCounters[];
  observeNetwork(id: number, filter: EnvelopeFilter): void;
  unobserveNetwork(id: number): void;
  stats(): ThreadStats;
  injectFault(fault: ThreadFault): void;
  /** Closes all stores and ends the thread's task, even if a store's closing throws; then throws the first such error. */
  stop(): void;
}

/** What a thread says on its own. */
export type ThreadNotice =
  | {
      readonly type: 'node-failed';
      readonly address: ActorAddress;
      /** The one that it was started with. */
      readonly life: number;
      readonly error: ErrorData;
      /** Its store took no writes any more. */
      readonly wasReadOnly: boolean;
    }
  | { readonly type: 'verdicts'; readonly id: number; readonly events: readonly VerdictEvent[] };

/** What the host tells a client in another thread. */
export type ClientNotice =
  | {
      readonly type: 'open';
      readonly address: ActorAddress;
      /** The client's ends of its links with the threads that run now. */
      readonly links: readonly { readonly threadIndex: number; readonly port: MessagePort }[];
      readonly config: ClusterConfig;
      readonly ring: Ring;
      readonly threadOf: readonly number[];
      readonly down: readonly ActorAddress[];
      readonly randomSeed: number;
    }
  | { readonly type: 'attach'; readonly threadIndex: number; readonly port: MessagePort }
  | { readonly type: 'detach'; readonly threadIndex: number }
  | { readonly type: 'member'; readonly member: ActorAddress; readonly status: 'up' | 'down' }
  | { readonly type: 'close' };
