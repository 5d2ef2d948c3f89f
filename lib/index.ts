/**
 * The public entry: `Cluster.open`, buckets, codecs, errors, and `connect` for clients in other threads.
 */
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { MessagePort } from 'node:worker_threads';
import { assertNodeVersion } from '../workers/assert-node-version.ts';
import type { NodeStats } from '../workers/thread-messages.ts';
import { type ClusterParts, RunningCluster } from './cluster.ts';
import { type ClusterOptions, resolveConfig } from './config.ts';
import { createHashSeed } from './hash.ts';
import { createRing } from './ring/ring.ts';
import type { HostEvent } from './runtime/host.ts';

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

/** Releases what `Cluster.open` made, and gives clients their ports. */
interface ClusterHandle extends ClusterParts<NodeStats> {
  openClientPort(): Promise<MessagePort>;
  onEvent(listener: (event: HostEvent) => void): void;
}

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
    return new Cluster(await openOnThreads(options));
  }

  private constructor(handle: ClusterHandle) {
    super(handle);
    this.openClientPort = handle.openClientPort;
    handle.onEvent((event) => this.dispatch(event));
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

/** The native module is loaded only here, after the version check and on the main thread too. */
async function openOnThreads(options: ClusterOptions): Promise<ClusterHandle> {
  const { openDataDirectory } = await import('../workers/data-directory.ts');
  const { ThreadHost } = await import('../workers/thread-host.ts');
  const given = resolveConfig(options, {
    coreCount: availableParallelism(),
    randomSeed: randomInt(2 ** 47),
  });
  const directory = openDataDirectory(given.dataDir, {
    clusterSeed: options.seed ?? null,
    defaultSeed: given.seed,
    partitionCount: given.partitions,
    nodeIds: given.nodes.map(({ id }) => id),
  });
  try {
    const config = Object.freeze({ ...given, seed: directory.seed });
    const ring = createRing({
      weights: config.nodes.map(({ weight }) => weight),
      partitionCount: config.partitions,
      replicationFactor: config.replication.n,
      hashSeed: createHashSeed(config.seed),
    });
    const listeners = new Set<(event: HostEvent) => void>();
    const onEvent = (event: HostEvent) => {
      for (const listener of listeners) listener(event);
    };
    const host = await ThreadHost.open({ config, ring, directory, onEvent });
    const { client } = await host.openClient();
    return {
      config,
      host,
      dataDir: directory.path,
      environment: {
        client,
        ring,
        limits: config.limits,
        replication: config.replication,
        requestTimeoutMs: config.requestTimeoutMs,
      },
      openClientPort: () => host.openClientPort(),
      onEvent: (listener) => void listeners.add(listener),
    };
  } catch (error) {
    directory.close();
    throw error;
  }
}
