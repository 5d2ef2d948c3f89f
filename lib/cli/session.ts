/** A cluster for the time of a verb: opened, and closed again whatever happens. */
import type { ClusterOptions } from '../config.ts';
import { Cluster } from '../index.ts';
import { untilAborted } from './exit.ts';
import type { Output } from './output.ts';

/** What every verb gets. */
export interface Session {
  readonly output: Output;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
}

/**
 * Runs `work` on a new cluster and closes it.
 *
 * @throws what `work` throws, and {@link InterruptedError} on Ctrl-C: `work` is then left behind, and its requests fail when the cluster closes
 */
export async function withCluster<T>(
  options: ClusterOptions,
  { signal }: Session,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const cluster = await Cluster.open(options);
  try {
    return await untilAborted(work(cluster), signal);
  } finally {
    await cluster.close();
  }
}
