/** `simulate`: what it runs, what it finds, and that what it finds can be found again. */
import test from 'ava';
import { string } from '../../lib/codec.ts';
import { isRingletError } from '../../lib/errors.ts';
import {
  describeFailure,
  type SimulatedSession,
  type SimulateFailure,
  type SimulateOptions,
  type SimulateScope,
  simulate,
} from '../../lib/sim/simulate.ts';
import { faultKinds } from '../../lib/sim/swarm/plan.ts';

type Phase = SimulateFailure['phase'];

const ignored = () => {};

/** Puts and reads at random, and lets fail what fails. */
async function keepBusy({ sessions }: SimulateScope): Promise<void> {
  const run = async ({ bucket, random, sleep }: SimulatedSession) => {
    const texts = bucket('b', { codec: string });
    for (let count = 0; count < 8; count++) {
      await sleep(random.int(60));
      const key = random.pick(['x', 'y']);
      if (random.chance(0.5)) await texts.put(key, `${random.uint32()}`).catch(ignored);
      else await texts.get(key).catch(ignored);
    }
  };
  await Promise.all(sessions.map(run));
}

test('runs every seed from the first one on, each as often as it is asked to', async (t) => {
  const seen: [number, string][] = [];
  const report = await simulate({
    seeds: 4,
    from: 10,
    sessions: 2,
    workload: (cluster, { seed, sessions }) => {
      seen.push([seed, cluster.nodeIds.join('')]);
      return sessions.length;
    },
    check: (_, count) => {
      t.is(count, 2);
    },
  });
  t.deepEqual(
    seen,
    [10, 11, 12, 13].map((seed) => [seed, 'abcde']),
  );
  t.is(report.seeds, 4);
  t.deepEqual(report.failures, []);
});

test('only what is asked for goes wrong', async (t) => {
  const run = async (faults: SimulateOptions['faults']) => {
    const given = faults === undefined ? {} : { faults };
    const workload: SimulateOptions['workload'] = (_, scope) => keepBusy(scope);
    const report = await simulate({ seeds: 8, faultsPerSecond: 30, ...given, workload });
    t.deepEqual(report.failures, []);
    return Object.keys(report.faults).sort();
  };
  t.deepEqual(await run([]), []);
  t.deepEqual(await run(['crash', 'partition']), ['crash', 'partition']);
  t.true((await run(undefined)).length > faultKinds.length / 3);
});

test('what the workload, the check and a node throw is found where it is thrown', async (t) => {
  const broken = () => {
    throw new Error('broken');
  };
  const never = () => new Promise<void>(ignored);
  const cases: readonly (readonly [Phase, RegExp, Pick<SimulateOptions, 'workload' | 'check'>])[] =
    [
      ['workload', /broken/, { workload: broken }],
      ['workload', /not ended in time|waits for nothing/, { workload: never }],
      ['check', /broken/, { workload: ignored, check: broken }],
      ['check', /waits for nothing/, { workload: ignored, check: never }],
      [
        'node',
        /broken/,
        {
          workload: async (cluster) => {
            const { store } = cluster.world.cell(cluster.world.nodes[0]!);
            store.commit = broken;
            await cluster.sleep(100);
          },
        },
      ],
    ];
  for (const [phase, message, run] of cases) {
    const options = { seeds: 3, nodes: 1, limitMs: 5_000, faults: [], ...run };
    const { failures, seeds } = await simulate(options);
    t.is(seeds, 1, 'it stops at the first');
    t.is(failures[0]?.phase, phase);
    t.regex(String(failures[0]?.error), message);
    t.true(failures[0]?.isReproducible);
  }
});

test('a seed that fails fails again by itself, at the same step', async (t) => {
  const options: SimulateOptions<number> = {
    seeds: 12,
    stopAtFirst: false,
    workload: async (cluster, scope) => {
      await keepBusy(scope);
      return cluster.step;
    },
    check: (_, step) => {
      if (step % 3 === 0) throw new Error(`after ${step} steps`);
    },
  };
  const { failures, seeds } = await simulate(options);
  t.is(seeds, 12);
  t.true(failures.length > 0 && failures.length < 12, `${failures.length}`);
  for (const failure of failures.slice(0, 2)) {
    const lines: string[] = [];
    const { seed: from } = failure;
    const trace = (line: string) => lines.push(line);
    const again = await simulate({ ...options, from, seeds: 1, trace });
    t.deepEqual(again.failures, [failure]);
    t.true(lines.length > 100);
    const text = describeFailure(failure);
    t.regex(text, new RegExp(`FAIL  check  seed=${from}  step=${failure.step}`));
    t.regex(text, new RegExp(`from: ${from}, seeds: 1`));
  }
});

test('a workload that depends on more than its seed is told so', async (t) => {
  let count = 0;
  const { failures } = await simulate({
    seeds: 1,
    workload: async (cluster) => {
      count++;
      const bucket = cluster.bucket('b', { codec: string });
      await bucket.put('k', `${count}`).catch(ignored);
      throw new Error('broken');
    },
  });
  t.false(failures[0]?.isReproducible);
  t.regex(describeFailure(failures[0]!), /more than the seed/);
});

test('the oracle sees a write that is lost, though nobody asks for it', async (t) => {
  const workload: SimulateOptions['workload'] = async (cluster) => {
    await cluster.client(0).bucket('b', { codec: string }).put('k', 'v');
    // Behind the back of the fault model, which would allow one copy to be lost.
    for (const id of cluster.nodeIds) cluster.node(id).wipe();
  };
  const options = { seeds: 1, nodes: 3, faults: [], workload };
  const { failures } = await simulate(options);
  t.is(failures[0]?.phase, 'oracle');
  t.regex(String(failures[0]?.error), /I1 lost write: b\/k/);
  t.true(failures[0]!.story.length > 0);
  t.deepEqual((await simulate({ ...options, oracle: false })).failures, []);
});

test('the oracle has nothing to say of any kind of bucket, nor of equal values', async (t) => {
  const run = async ({ bucket, random, sleep }: SimulatedSession) => {
    const buckets = [
      bucket('plain', { codec: string }),
      bucket('latest', { codec: string, lastWriterWins: true }),
      bucket('wide', { codec: string, replication: { n: 5, r: 3, w: 3 } }),
      bucket('weak', { codec: string, replication: { n: 3, r: 1, w: 1 } }),
    ];
    for (let count = 0; count < 12; count++) {
      await sleep(random.int(60));
      const own = random.pick(buckets);
      const value = random.pick(['same', 'other']);
      const request = random.pick([
        () => own.put('k', value),
        () => own.put('k', value, { w: 1 }),
        () => own.get('k', { fanout: 'all' }),
        () => own.update('k', () => value),
        () => own.delete('k'),
      ]);
      await request().catch((error: unknown) => {
        if (!isRingletError(error)) throw error;
      });
    }
  };
  const { failures } = await simulate({
    seeds: 16,
    workload: async (_, { sessions }) => {
      await Promise.all(sessions.map(run));
    },
  });
  t.deepEqual(failures.map(describeFailure), []);
});

test('a cluster in which things go wrong can be forked as well', async (t) => {
  let forkCount = 0;
  const { failures } = await simulate({
    seeds: 6,
    faultsPerSecond: 20,
    workload: async (cluster, scope) => {
      const work = keepBusy(scope);
      await cluster.sleep(150);
      const fork = cluster.fork();
      t.is(fork.fingerprint, cluster.fingerprint);
      forkCount++;
      await work;
      // Nobody writes in the fork, but what is wrong there goes on.
      await fork.run(200);
      fork.healFaults();
      await fork.runUntilQuiet();
    },
    check: (cluster) => {
      t.is(cluster.fork().fingerprint, cluster.fingerprint);
    },
  });
  t.deepEqual(failures.map(describeFailure), []);
  t.is(forkCount, 6);
});

test('options are checked', async (t) => {
  const workload = ignored;
  const code = 'RINGLET_OPTION_INVALID';
  await t.throwsAsync(simulate({ seeds: 0, workload }), { code });
  await t.throwsAsync(simulate({ seeds: 1, sessions: 0, workload }), { code });
  await t.throwsAsync(simulate({ seeds: 1, nodes: 65, workload }), { code });
  const unknown = { seeds: 1, workload, node: 3 };
  await t.throwsAsync(simulate(unknown), { code: 'RINGLET_OPTION_UNKNOWN' });
});
