/** The world: its clock, its schedulers, its threads and its faults, and that a run is a function of its seed. */
import test from 'ava';
import { type ActorAddress, nodeAddress } from '../../lib/address.ts';
import type { ClusterOptions } from '../../lib/config.ts';
import type { RingletError } from '../../lib/errors.ts';
import { partitionOf } from '../../lib/ring/ring.ts';
import type { SchedulerOptions } from '../../lib/sim/world/scheduler.ts';
import { World, type WorldOptions } from '../../lib/sim/world/world.ts';
import { bytesOf, keyOf } from '../helpers/store-fixture.ts';

const [a, b, c] = [nodeAddress(0), nodeAddress(1), nodeAddress(2)];

/** A world and how its requests end, in order. */
class Rig {
  readonly world: World;
  readonly outcomes: string[] = [];

  constructor(options: WorldOptions) {
    this.world = new World(options);
  }

  put(
    name: string,
    value: string,
    { w = 2, client = 0, preferred = null as ActorAddress | null } = {},
  ): void {
    const { world } = this;
    const key = keyOf(name);
    const { n, r } = world.config.replication;
    world.clients[client]!.startPut(
      partitionOf(world.ring, key),
      key,
      { value: bytesOf(value), context: [], preferred, lastWriterWins: false },
      { replication: { n, r, w }, timeoutMs: 1000, signal: null },
      () => this.outcomes.push(`${name} stored`),
      (error) => this.outcomes.push(`${name} ${shown(error)}`),
    );
  }

  get(name: string, { r = 2, client = 0 } = {}): void {
    const { world } = this;
    const key = keyOf(name);
    const { n, w } = world.config.replication;
    world.clients[client]!.startGet(
      partitionOf(world.ring, key),
      key,
      'all',
      { replication: { n, r, w }, timeoutMs: 1000, signal: null },
      ({ record }) => this.outcomes.push(`${name} ${record === null ? 'missing' : 'found'}`),
      (error) => this.outcomes.push(`${name} ${shown(error)}`),
    );
  }

  /** What happened since the last call. */
  run(durationMs: number): string[] {
    this.world.runUntil(this.world.nowMs + durationMs);
    return this.outcomes.splice(0);
  }
}

function shown(error: RingletError): string {
  return `${error.code} ${error.definite ? 'definite' : 'indefinite'}`;
}

function rig(options: Partial<WorldOptions> & ClusterOptions = {}): Rig {
  return new Rig({ seed: 1, nodes: 3, ...options });
}

test('time moves to the next event, and no further than asked for', (t) => {
  const { world } = rig();
  const times: number[] = [];
  world.at(5, () => times.push(world.nowMs));
  world.at(2.5, () => world.at(0, () => times.push(world.nowMs)));
  world.runUntil(4);
  t.deepEqual(times, [2.5], 'an event that is late happens now');
  t.is(world.nowMs, 4);
  t.is(world.nextEventMs, 5);
  world.runUntil(100);
  t.deepEqual(times, [2.5, 5]);
  t.is(world.nextEventMs, Number.POSITIVE_INFINITY);
  t.is(world.nowMs, 100);
});

for (const scheduler of [
  { type: 'ordered' },
  { type: 'random' },
  { type: 'priority', changePoints: 3, stepCount: 50 },
] satisfies SchedulerOptions[]) {
  for (const threads of [1, 2, 3]) {
    test(`a value is stored and found: ${scheduler.type}, ${threads} threads`, (t) => {
      const cluster = rig({ scheduler, threads, clients: 2 });
      cluster.put('k', 'v', { w: 3 });
      t.deepEqual(cluster.run(1), ['k stored']);
      cluster.get('k', { client: 1, r: 3 });
      t.deepEqual(cluster.run(1), ['k found']);
      t.deepEqual(cluster.world.failures, []);
    });
  }
}

test('a seed decides everything; another one something', (t) => {
  const play = (seed: number) => {
    const cluster = rig({ seed, threads: 2, clients: 2, syncMs: 3 });
    cluster.world.applyNetwork({ type: 'set-default', settings: { loss: 0.2, jitterMs: 5 } });
    for (let count = 0; count < 20; count++) {
      cluster.put(`k${count}`, 'v', { client: count % 2 });
      cluster.run(4);
    }
    cluster.world.crash(a);
    cluster.run(3000);
    return cluster.world.fingerprint;
  };
  t.is(play(5), play(5));
  t.not(play(5), play(6));
});

test('an outbox is held until its commit is synced', (t) => {
  const cluster = rig({ nodes: 1, syncMs: 20, replication: { n: 1 } });
  cluster.put('k', 'v', { w: 1 });
  cluster.world.runUntil(0);
  t.deepEqual(cluster.outcomes, [], 'stored, but not yet synced');
  t.deepEqual(cluster.run(1000), ['k stored']);
  t.true(cluster.world.nowMs > 0);
});

test('what was not synced goes with the power, what was acknowledged stays', (t) => {
  let lost = 0;
  for (let seed = 0; seed < 30; seed++) {
    const cluster = rig({ seed, nodes: 1, syncMs: 50, replication: { n: 1 } });
    for (let count = 0; count < 4; count++) {
      cluster.put(`k${count}`, 'v', { w: 1 });
      cluster.world.runUntil(cluster.world.nowMs + 20);
    }
    const stored = cluster.outcomes.splice(0).map((outcome) => outcome.split(' ')[0]!);
    cluster.world.losePower();
    t.is(cluster.world.restart(a)?.status, 'recovered');
    cluster.run(1000);
    for (let count = 0; count < 4; count++) cluster.get(`k${count}`, { r: 1 });
    const found = cluster.run(1000);
    for (const key of stored) t.true(found.includes(`${key} found`), `seed ${seed}`);
    lost += found.filter((outcome) => outcome.endsWith('missing')).length;
  }
  t.true(lost > 0, 'the power took something');
});

test('without a sync for each commit the power takes acknowledged writes, and the store knows', (t) => {
  let lost = 0;
  for (let seed = 0; seed < 20; seed++) {
    const cluster = rig({
      seed,
      nodes: 2,
      durability: 'normal',
      replication: { n: 2, r: 1, w: 1 },
    });
    for (let count = 0; count < 4; count++) {
      cluster.put(`k${count}`, 'v', { w: 2 });
      t.deepEqual(cluster.run(10), [`k${count} stored`]);
    }
    cluster.world.losePower();
    for (const node of [a, b]) t.is(cluster.world.restart(node)?.status, 'rolled-back');
    for (let count = 0; count < 4; count++) cluster.get(`k${count}`);
    lost += cluster.run(1000).filter((outcome) => outcome.endsWith('missing')).length;
  }
  t.true(lost > 0);
});

test('a crash between commit and send keeps the write and loses the answer', (t) => {
  const cluster = rig({ nodes: 1, replication: { n: 1 } });
  cluster.world.disk(a).failCommit(0, 'lost-send');
  cluster.put('k', 'v', { w: 1 });
  t.deepEqual(cluster.run(10), ['k RINGLET_NODE_STOPPED indefinite']);
  t.false(cluster.world.isUp(a));
  t.deepEqual(cluster.world.failures, [], 'asked for');
  cluster.world.restart(a);
  cluster.get('k', { r: 1 });
  t.deepEqual(cluster.run(10), ['k found']);
});

test('a disk that fails stops its node, and the write is nowhere', (t) => {
  const cluster = rig({ nodes: 1, replication: { n: 1 } });
  cluster.world.disk(a).failCommit(0, 'io-error');
  cluster.put('k', 'v', { w: 1 });
  t.deepEqual(cluster.run(10), ['k RINGLET_NODE_STOPPED indefinite']);
  cluster.world.restart(a);
  cluster.get('k', { r: 1 });
  t.deepEqual(cluster.run(10), ['k missing']);
});

test('a thread takes all its nodes with it, and what waited for them', (t) => {
  const cluster = rig({ nodes: 4, threads: 2 });
  t.deepEqual(cluster.world.nodesOfThread(0), [a, c]);
  cluster.world.killThread(0);
  t.deepEqual(
    [a, b, c].map((node) => cluster.world.isUp(node)),
    [false, true, false],
  );
  cluster.world.restartThread(0);
  t.true(cluster.world.isUp(a) && cluster.world.isUp(c));
  cluster.put('k', 'v', { w: 3 });
  t.deepEqual(cluster.run(10), ['k stored']);
});

test('a paused node does nothing, and goes on where it was', (t) => {
  const cluster = rig({ nodes: 1, replication: { n: 1 } });
  cluster.world.pause(a);
  t.true(cluster.world.isPaused(a));
  cluster.put('k', 'v', { w: 1 });
  t.deepEqual(cluster.run(500), []);
  cluster.world.resume(a);
  t.deepEqual(cluster.run(0), ['k stored']);
});

test('a node that is paused, crashes or fails while its sync is under way keeps nobody waiting', (t) => {
  for (const stop of ['pause', 'crash', 'fail'] as const) {
    const cluster = rig({ nodes: 2, replication: { n: 1 }, syncMs: 30 });
    const { world } = cluster;
    const keyOn = (node: ActorAddress) => {
      const names = Array.from({ length: 100 }, (_, index) => `k${index}`);
      return names.find((name) => {
        const partition = partitionOf(world.ring, keyOf(name));
        return world.preferenceLists.of(partition, 1)[0] === node;
      })!;
    };
    if (stop === 'fail') world.disk(a).failCommit(0, 'sync-error');
    cluster.put(keyOn(a), 'v', { w: 1 });
    world.runUntil(0);
    cluster.get(keyOn(b), { r: 1 });
    world.runUntil(0);
    t.deepEqual(cluster.outcomes, [], 'the thread waits for the sync');
    if (stop === 'pause') world.pause(a);
    if (stop === 'crash') world.crash(a);
    t.true(cluster.run(900).includes(`${keyOn(b)} missing`), stop);
  }
});

test('turns of a slow thread take their time', (t) => {
  const cluster = rig({ nodes: 1, replication: { n: 1 } });
  cluster.run(0);
  cluster.world.slowThread(0, 100);
  cluster.get('k', { r: 1 });
  cluster.run(0);
  cluster.get('k', { r: 1 });
  t.deepEqual(cluster.run(99), []);
  t.deepEqual(cluster.run(1), ['k missing']);
  cluster.world.slowThread(0, 0);
});

test('a clock is off, jumps, stands still, and stays so over a restart', (t) => {
  const cluster = rig();
  const wallOf = (node: ActorAddress) => {
    cluster.put('k', 'v', { preferred: node });
    cluster.run(10);
    return cluster.world.cell(node).wallMs;
  };
  const startMs = wallOf(b) - cluster.world.nowMs;
  cluster.world.setClock(a, { skewMs: 3_600_000 });
  t.true(Math.abs(wallOf(a) - startMs - 3_600_000 - cluster.world.nowMs) <= 20);
  cluster.world.setClock(a, { skewMs: -5_000, isFrozen: true });
  const frozenMs = wallOf(a);
  cluster.run(500);
  cluster.world.crash(a);
  cluster.world.restart(a);
  t.is(wallOf(a), frozenMs);
  cluster.world.setClock(a, {});
  t.true(wallOf(a) > frozenMs);
});

test('a directory of another node is refused; the node stays down', (t) => {
  const events: string[] = [];
  const observer = {
    onNode: ({ type, node }: { type: string; node: number }) => events.push(`${node} ${type}`),
  };
  const cluster = rig({ observer });
  const own = cluster.world.disk(a).takeImage();
  cluster.world.crash(a);
  cluster.world.disk(a).putBack(cluster.world.disk(b).takeImage());
  t.is(cluster.world.restart(a), null);
  t.false(cluster.world.isUp(a));
  cluster.world.disk(a).putBack(own);
  t.not(cluster.world.restart(a), null);
  t.deepEqual(events.slice(3), ['0 stopped', '0 refused', '0 started']);
});

test('what an actor must not touch stops it, and that is a failure of the run', (t) => {
  const cluster = rig({ nodes: 1, replication: { n: 1 } });
  const { actor } = cluster.world.cell(a);
  cluster.world.runUntil(0);
  actor.receive = () => {
    Math.random();
  };
  cluster.get('k', { r: 1 });
  cluster.run(10);
  t.is(cluster.world.failures.length, 1);
  t.regex(String(cluster.world.failures[0]!.error), /Math\.random is not decided by the seed/);
});

test('a probe reaches the actors', (t) => {
  const cluster = rig({ probe: { buggify: (site) => site === 'x', sometimes: () => {} } });
  t.true(cluster.world.cell(a).probe.buggify('x'));
  t.false(cluster.world.cell(a).probe.buggify('y'));
});
