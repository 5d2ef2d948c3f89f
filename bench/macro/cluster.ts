/**
 * The cluster: 6 nodes on 2 threads, N=3 R=2 W=2, durability full, 256 requests in flight from the main thread,
 * with the yardstick's keys and values.
 *
 * A write carries the context of the write or read of the key before it, as an application's would, so that it
 * replaces what is there. Without one, each would become a sibling.
 */
import { type Bucket, Cluster } from '../../lib/index.ts';
import {
  createDataset,
  type Dataset,
  indexAt,
  keyAt,
  standardDataset,
  valueAt,
} from '../dataset.ts';
import { type Trial, trialMain } from '../trial.ts';

const IN_FLIGHT = 256;

/** Writes with the newest context that it knows of each key. */
class BenchClient {
  private readonly bucket: Bucket<Uint8Array>;
  private readonly dataset: Dataset;
  private readonly contexts: (string | undefined)[];

  constructor(bucket: Bucket<Uint8Array>, dataset: Dataset) {
    this.bucket = bucket;
    this.dataset = dataset;
    this.contexts = new Array(dataset.keys.length);
  }

  async load(index: number): Promise<void> {
    const result = await this.bucket.put(this.dataset.keys[index]!, valueAt(this.dataset, index));
    this.contexts[index] = result.context;
  }

  async put(operation: number): Promise<void> {
    const index = indexAt(this.dataset, operation);
    const key = this.dataset.keys[index]!;
    const context = this.contexts[index] ?? (await this.bucket.get(key)).context;
    const result = await this.bucket.put(key, valueAt(this.dataset, operation), { context });
    this.contexts[index] = result.context;
  }

  async get(operation: number): Promise<void> {
    const entry = await this.bucket.get(keyAt(this.dataset, operation));
    if (entry.siblings.length === 0) throw new Error('a key is missing');
  }
}

/** Spreads reads evenly: the same mix in every stretch of 100 operations. */
function isRead(operation: number, percent: number): boolean {
  return (operation * 37) % 100 < percent;
}

async function measure(
  name: string,
  seconds: number,
  run: (operation: number) => Promise<void>,
): Promise<Trial> {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  const endMs = startMs + seconds * 1000;
  const operations = await inFlight(Number.POSITIVE_INFINITY, run, endMs);
  const { user, system } = process.cpuUsage(cpu);
  const elapsed = (performance.now() - startMs) / 1000;
  return { name, operations, seconds: elapsed, cpuSeconds: (user + system) / 1e6 };
}

/** Runs operations 0 to `count - 1`, {@link IN_FLIGHT} at a time, until they are done or time is up. */
async function inFlight(
  count: number,
  run: (operation: number) => Promise<void>,
  endMs = Number.POSITIVE_INFINITY,
): Promise<number> {
  let next = 0;
  const worker = async () => {
    while (next < count && performance.now() < endMs) await run(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return next;
}

await trialMain(async ({ seconds, scale }) => {
  const dataset = createDataset({
    ...standardDataset,
    keyCount: Math.round(standardDataset.keyCount * scale),
  });
  await using cluster = await Cluster.open({
    nodes: 6,
    threads: 2,
    replication: { n: 3, r: 2, w: 2 },
    durability: 'full',
    seed: 1,
  });
  const client = new BenchClient(cluster.bucket('bench'), dataset);
  await inFlight(dataset.keys.length, (index) => client.load(index));
  return [
    await measure('cluster.put', seconds, (operation) => client.put(operation)),
    await measure('cluster.get', seconds, (operation) => client.get(operation)),
    await measure('cluster.ycsbA', seconds, (operation) =>
      isRead(operation, 50) ? client.get(operation) : client.put(operation),
    ),
    await measure('cluster.ycsbB', seconds, (operation) =>
      isRead(operation, 95) ? client.get(operation) : client.put(operation),
    ),
  ];
});
