/** Clusters on real threads, with a handle on their threads and a record of their events. */
import { type ActorAddress, bucketPrefix, nodeAddress, recordKey } from '../../lib/address.ts';
import { type ClusterEvent, type ObservedVerdict, RunningCluster } from '../../lib/cluster.ts';
import type { ClusterOptions } from '../../lib/config.ts';
import { isRingletError } from '../../lib/errors.ts';
import { hashKey } from '../../lib/hash.ts';
import { PreferenceLists } from '../../lib/ring/preference-list.ts';
import { partitionOfHash, type Ring } from '../../lib/ring/ring.ts';
import { openHost } from '../../workers/open-host.ts';
import type { ThreadHost } from '../../workers/thread-host.ts';
import type { NodeStats } from '../../workers/thread-messages.ts';

interface Teardown {
  teardown(work: () => Promise<void>): void;
}

/** A cluster as `Cluster.open` makes it, but with its host in reach. */
export interface ThreadCluster {
  readonly cluster: RunningCluster<NodeStats>;
  readonly host: ThreadHost;
  readonly events: EventRecord;
  /** The ids of the nodes that keep a key, in the order of its preference list. */
  replicasOf(bucket: string, key: string, n?: number): string[];
  /** The ids of a thread's nodes. */
  nodesOf(threadIndex: number): string[];
}

/** Opens a cluster that is closed when the test is over. */
export async function openThreads(
  t: Teardown,
  options: ClusterOptions = {},
): Promise<ThreadCluster> {
  const opened = await openHost(options);
  const { host, config } = opened;
  const { ring, replication } = opened.environment;
  t.teardown(() => host.close());
  const cluster = new RunningCluster<NodeStats>(opened);
  opened.listeners.add((event) => cluster.dispatch(event));
  const lists = new PreferenceLists(ring);
  return {
    cluster,
    host,
    events: new EventRecord(cluster),
    replicasOf: (bucket, key, n = replication.n) =>
      [...lists.of(partitionOf(ring, bucket, key), n)].map((node) => cluster.nodeIds[node]!),
    nodesOf: (threadIndex) =>
      cluster.nodeIds.filter((_, index) => index % config.threads === threadIndex),
  };
}

function partitionOf(ring: Ring, bucket: string, key: string) {
  const full = recordKey(bucketPrefix(bucket), key);
  return partitionOfHash(ring, hashKey(full, ring.hashSeed).high);
}

/** The address of a node by its id. */
export function addressOf(cluster: RunningCluster<NodeStats>, id: string): ActorAddress {
  return nodeAddress(cluster.nodeIds.indexOf(id));
}

type Awaited = (event: ClusterEvent) => boolean;

/** Events in order; each is waited for once. */
export class EventRecord {
  readonly all: ClusterEvent[] = [];
  private position = 0;
  private wake: () => void = () => {};

  constructor(cluster: RunningCluster<NodeStats>) {
    cluster.onEvent((event) => {
      this.all.push(event);
      this.wake();
    });
  }

  /** The first event after the last one waited for that is awaited; skips the others. */
  async next(isAwaited: Awaited): Promise<ClusterEvent> {
    for (;;) {
      while (this.position < this.all.length) {
        const event = this.all[this.position++]!;
        if (isAwaited(event)) return event;
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Waits until each of these nodes has gone up or down, in any order. @returns the reasons */
  async members(status: 'up' | 'down', nodes: readonly string[]): Promise<string[]> {
    const missing = new Set(nodes);
    const reasons: string[] = [];
    while (missing.size > 0) {
      await this.next((event) => {
        if (event.type !== 'member' || event.status !== status) return false;
        if (!missing.delete(event.node)) return false;
        reasons.push(event.reason);
        return true;
      });
    }
    return reasons;
  }
}

/** What an observer saw, in order; each is waited for once. */
export class Verdicts {
  readonly all: ObservedVerdict[] = [];
  private position = 0;
  private wake: () => void = () => {};

  readonly add = (verdict: ObservedVerdict): void => {
    this.all.push(verdict);
    this.wake();
  };

  async next(type: ObservedVerdict['verdict']['type']): Promise<ObservedVerdict> {
    for (;;) {
      while (this.position < this.all.length) {
        const event = this.all[this.position++]!;
        if (event.verdict.type === type) return event;
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}

/** How a request ended: `ok`, or the code of its error and whether that is definite. */
export async function outcomeOf(request: Promise<unknown>): Promise<string> {
  try {
    await request;
    return 'ok';
  } catch (error) {
    if (!isRingletError(error)) throw error;
    return `${error.code} ${error.definite ? 'definite' : 'indefinite'}`;
  }
}

/** `count` keys that differ in their first characters. */
export function keysOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}
