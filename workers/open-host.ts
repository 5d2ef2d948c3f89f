/**
 * Puts a cluster together: options to configuration, folder to shape, shape to ring, ring to threads. What loads the
 * native module is reached through here, so that the Node.js version can be checked first.
 */
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { BucketEnvironment } from '../lib/bucket.ts';
import { type ClusterConfig, type ClusterOptions, resolveConfig } from '../lib/config.ts';
import { createHashSeed } from '../lib/hash.ts';
import { createRing } from '../lib/ring/ring.ts';
import type { HostEvent } from '../lib/runtime/host.ts';
import { openDataDirectory } from './data-directory.ts';
import { ThreadHost } from './thread-host.ts';

/** A cluster that runs, in parts. Closing the host closes them all. */
export interface OpenedHost {
  readonly config: ClusterConfig;
  readonly host: ThreadHost;
  readonly environment: BucketEnvironment;
  /** Where the nodes' files are. */
  readonly dataDir: string;
  /** What happened before anyone could listen. */
  readonly openEvents: readonly HostEvent[];
  /** Whom the host tells what happens from then on. */
  readonly listeners: Set<(event: HostEvent) => void>;
}

/** Opens folder, threads, nodes and a client. @throws {RingletError} as `Cluster.open`; nothing is left open */
export async function openHost(options: ClusterOptions): Promise<OpenedHost> {
  const surroundings = { coreCount: availableParallelism(), randomSeed: randomInt(2 ** 47) };
  const wanted = resolveConfig(options, surroundings);
  const { seed, partitions, nodes, replication } = wanted;
  const directory = openDataDirectory(wanted.dataDir, {
    shape: { seed, partitions, nodes, replicationFactor: replication.n },
    asked: (['seed', 'partitions', 'nodes'] as const).filter((name) => options[name] !== undefined),
  });
  try {
    const { replicationFactor, ...found } = directory.shape;
    const config = resolveConfig({ ...options, ...found }, surroundings);
    const ring = createRing({
      weights: config.nodes.map(({ weight }) => weight),
      partitionCount: config.partitions,
      replicationFactor,
      hashSeed: createHashSeed(config.seed),
    });
    const listeners = new Set<(event: HostEvent) => void>();
    const openEvents: HostEvent[] = [];
    let isOpen = false;
    const onEvent = (event: HostEvent) => {
      if (!isOpen) openEvents.push(event);
      for (const listener of listeners) listener(event);
    };
    const host = await ThreadHost.open({ config, ring, directory, onEvent });
    const { client } = await host.openClient();
    isOpen = true;
    const { limits, requestTimeoutMs } = config;
    return {
      config,
      host,
      dataDir: directory.path,
      environment: { client, ring, limits, replication: config.replication, requestTimeoutMs },
      openEvents,
      listeners,
    };
  } catch (error) {
    directory.close();
    throw error;
  }
}
