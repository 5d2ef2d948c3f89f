/** What a browser and Node.js are to agree on. Imports the entry of the simulator and nothing else. */
import { drawPlan, runSeed, SimulatedCluster, simulate, string } from '../../lib/simulator.ts';

/** Fingerprints of a few seeds, of a script by hand and of a workload. */
export async function seedFingerprints(): Promise<Record<string, string>> {
  const fingerprints: Record<string, string> = {};
  for (let seed = 0; seed < 6; seed++) {
    const { fingerprint, violation } = runSeed(drawPlan(seed, { durationMs: 1_000 }));
    fingerprints[`seed ${seed}`] = violation?.message ?? fingerprint;
  }
  fingerprints['by hand'] = await playByHand();
  await simulate({
    seeds: 3,
    workload: async (cluster, { seed, sessions }) => {
      const puts = sessions.map(async ({ index, random, bucket, sleep }) => {
        await sleep(random.int(200));
        await bucket('b', { codec: string })
          .put('k', `value ${index}`)
          .catch(() => {});
      });
      await Promise.all(puts);
      fingerprints[`workload ${seed}`] = cluster.fingerprint;
    },
  });
  return fingerprints;
}

async function playByHand(): Promise<string> {
  const links = {
    latencyMs: 2,
    jitterMs: 5,
    jitterDistribution: 'exponential',
    loss: 0.1,
  } as const;
  const cluster = SimulatedCluster.open({ seed: 7, nodes: 5, threads: 3, syncMs: 2, links });
  const bucket = cluster.bucket('b', { codec: string });
  for (let count = 0; count < 20; count++) {
    await cluster.settle(bucket.put(`k${count % 3}`, `v${count}`)).catch(() => {});
    const node = cluster.node(cluster.nodeIds[count % 5]!);
    if (count % 4 === 0) node.crash();
    else if (!node.isUp) node.restart();
  }
  return cluster.fork().fingerprint;
}
