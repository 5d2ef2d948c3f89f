/**
 * The public entry: `Cluster.open`, buckets, codecs, errors, and `connect` for clients in other threads.
 */
import type { MessagePort } from 'node:worker_threads';
import { assertNodeVersion } from '../workers/assert-node-version.ts';
import type { OpenedHost } from '../workers/open-host.ts';
import type { NodeStats } from '../workers/thread-messages.ts';
import { RunningCluster } from './cluster.ts';
import type { ClusterOptions } from './config.ts';

export type { RemoteClient } from '../workers/remote-client.ts';
export type { NodeStats, ThreadStats } from '../workers/thread-messages.ts';
export {
  Bucket,
  type BucketOptions,
  Entry,
  type GetOptions,
  type PutOptions,
  type PutResult,
  type RequestOptions,
} from './bucket.ts';
export type {
  ClusterEvent,
  ClusterNetwork,
  ClusterNode,
  LinkControl,
  LinkStats,
  MessageFilter,
  ObservedVerdict,
} from './cluster.ts';
export { bytes, type Codec, json, string } from './codec.ts';
export type {
  ClusterConfig,
  ClusterOptions,
  Durability,
  Limits,
  NodeOptions,
  Replication,
} from './config.ts';
export { type ErrorCode, errorCodes, isRingletError, RingletError } from './errors.ts';
export type { Key } from './key.ts';
export type { LinkSettings, RuleVerdict } from './network/rules.ts';
export type { StoreStats } from './store/contract.ts';

/** A cluster of nodes that runs in this process (Dynamo §2.3: symmetric, decentralised, always writable). */
export class Cluster extends RunningCluster<NodeStats> {
  private readonly openClientPort: () => Promise<MessagePort>;

  /**
   * Opens a cluster: its folder, its threads, its nodes.
   *
   * @throws {RingletError} RINGLET_NODE_VERSION; what is wrong with an option (RINGLET_OPTION_*, RINGLET_NODE_ID, RINGLET_RING_SIZE,
   * RINGLET_QUORUM_IMPOSSIBLE) or with the folder (RINGLET_DATADIR*, RINGLET_FORMAT_NEWER). Nothing is left open then.
   * @example await using cluster = await Cluster.open({ dataDir: './data', nodes: 5 });
   */
  static async open(options: ClusterOptions = {}): Promise<Cluster> {
    assertNodeVersion();
    // What loads the native module comes after the check.
    const { openHost } = await import('../workers/open-host.ts');
    return new Cluster(await openHost(options));
  }

  private constructor(opened: OpenedHost) {
    super(opened);
    this.openClientPort = () => opened.host.openClientPort();
    opened.listeners.add((event) => this.dispatch(event));
  }

  /**
   * A port for a client in any worker thread: transfer it there and pass it to {@link connect}. One client per port.
   *
   * @example worker.postMessage(port, [port]); // with const port = await cluster.client();
   */
  client(): Promise<MessagePort> {
    return this.openClientPort();
  }
}

/**
 * A full client of a cluster that runs in another thread of this process.
 *
 * @param port What `cluster.client()` gave, transferred to this thread or not.
 * @throws {RingletError} RINGLET_TIMEOUT if the port is silent, RINGLET_CLOSED if the cluster is closed
 * @example const client = await connect(port); await client.bucket('b').put('k', value);
 */
export async function connect(
  port: MessagePort,
): Promise<import('../workers/remote-client.ts').RemoteClient> {
  assertNodeVersion();
  const { RemoteClient } = await import('../workers/remote-client.ts');
  return RemoteClient.connect(port);
}
