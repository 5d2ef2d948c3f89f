/**
 * The coordinator of one request dies at every step of it, with every choice of the messages that it got out, in several
 * orders of events. Small enough to try all; what a request was told must be true of what is found afterwards.
 */
import test from 'ava';
import { type ActorAddress, nodeAddress } from '../../lib/address.ts';
import { contextOf, decodeVersionSet, siblingsOf } from '../../lib/clock/version-set.ts';
import type { VersionVector } from '../../lib/clock/version-vector.ts';
import type { RingletError } from '../../lib/errors.ts';
import { MessageKind } from '../../lib/protocol/messages.ts';
import { partitionOf } from '../../lib/ring/ring.ts';
import { withPoisonedGlobals } from '../../lib/sim/world/poison.ts';
import type { SchedulerOptions } from '../../lib/sim/world/scheduler.ts';
import { World } from '../../lib/sim/world/world.ts';
import { CORRUPT } from '../../lib/store/contract.ts';
import { bytesOf, keyOf } from '../helpers/store-fixture.ts';

const TIMEOUT_MS = 500;

/** Long after every request has ended. */
const REST_MS = 5_000;

const KEY = keyOf('k');

const [a, b, c] = [nodeAddress(0), nodeAddress(1), nodeAddress(2)];

const decoder = new TextDecoder();

type Outcome =
  | { readonly type: 'stored'; readonly copyCount: number }
  | { readonly type: 'read'; readonly values: readonly string[] }
  | { readonly type: 'failed'; readonly isDefinite: boolean };

/** Three nodes on threads of their own, each with a copy of one key. */
class Rig {
  readonly world: World;
  /** How requests ended, in order. */
  readonly outcomes: Outcome[] = [];
  /** The node that got the last request of a client. */
  coordinator: ActorAddress = a;
  context: VersionVector = [];
  private readonly committed = new Map<string, Set<ActorAddress>>();

  constructor(seed: number, scheduler: SchedulerOptions['type']) {
    this.world = new World({
      seed,
      nodes: 3,
      threads: 3,
      partitions: 8,
      readRepairSample: 0,
      scheduler:
        scheduler === 'priority'
          ? { type: scheduler, changePoints: 3, stepCount: 30 }
          : { type: scheduler },
      observer: {
        onMessage: ({ target, message: { kind } }) => {
          const isRequest = kind === MessageKind.ClientGet || kind === MessageKind.ClientPut;
          if (isRequest) this.coordinator = target;
        },
        onCommitted: (node, puts) => {
          for (const { record } of puts) {
            for (const value of valuesOf(record)) this.holdersOf(value).add(node);
          }
        },
      },
    });
  }

  /** The nodes that ever committed a value. */
  holdersOf(value: string): Set<ActorAddress> {
    const holders = this.committed.get(value) ?? new Set();
    this.committed.set(value, holders);
    return holders;
  }

  put(value: string, coordinator: ActorAddress, w: number): void {
    const { world } = this;
    world.clients[0]!.startPut(
      partitionOf(world.ring, KEY),
      KEY,
      {
        value: bytesOf(value),
        context: this.context,
        preferred: coordinator,
        lastWriterWins: false,
      },
      { replication: { n: 3, r: 1, w }, timeoutMs: TIMEOUT_MS, signal: null },
      ({ context }) => {
        this.context = context ?? [];
        this.outcomes.push({ type: 'stored', copyCount: this.holdersOf(value).size });
      },
      this.onFailed,
    );
  }

  get(r: number): void {
    const { world } = this;
    world.clients[0]!.startGet(
      partitionOf(world.ring, KEY),
      KEY,
      'all',
      { replication: { n: 3, r, w: 1 }, timeoutMs: TIMEOUT_MS, signal: null },
      ({ record }) => {
        if (record !== null) this.context = contextOf(decodeVersionSet(record));
        this.outcomes.push({ type: 'read', values: record === null ? [] : valuesOf(record) });
      },
      this.onFailed,
    );
  }

  private readonly onFailed = ({ definite }: RingletError): void => {
    this.outcomes.push({ type: 'failed', isDefinite: definite });
  };

  /** Runs until all is at rest. @returns the outcomes since the last time */
  rest(): Outcome[] {
    this.world.runUntil(this.world.nowMs + REST_MS);
    return this.outcomes.splice(0);
  }

  /** @returns `false` if all was at rest before so many steps */
  takeSteps(count: number): boolean {
    const { world } = this;
    const end = world.stepCount + count;
    world.runUntil(world.nowMs + REST_MS, () => world.stepCount >= end);
    return world.stepCount >= end;
  }

  cut(source: ActorAddress, targets: readonly ActorAddress[]): void {
    if (targets.length === 0) return;
    this.world.applyNetwork({ type: 'block', sources: [source], targets });
  }

  kill(node: ActorAddress): void {
    if (this.world.isUp(node)) this.world.crash(node);
  }

  heal(): void {
    this.world.applyNetwork({ type: 'heal' });
  }

  restart(node: ActorAddress): void {
    this.heal();
    if (!this.world.isUp(node)) this.world.restart(node);
  }

  /** What each node holds. */
  held(): string[][] {
    return this.world.recordsOf(partitionOf(this.world.ring, KEY), KEY).map(({ record }) => {
      if (record === CORRUPT) throw new Error('nothing rots here');
      return record === null ? [] : valuesOf(record);
    });
  }
}

function valuesOf(record: Uint8Array): string[] {
  const siblings = siblingsOf(decodeVersionSet(record));
  return siblings.map(({ value }) => (value === null ? '' : decoder.decode(value)));
}

/** Every subset of some nodes. */
function subsetsOf(nodes: readonly ActorAddress[]): ActorAddress[][] {
  const [first, ...others] = nodes;
  if (first === undefined) return [[]];
  return subsetsOf(others).flatMap((subset) => [subset, [first, ...subset]]);
}

interface Order {
  readonly seed: number;
  readonly scheduler: SchedulerOptions['type'];
}

const orders: readonly Order[] = [
  { seed: 1, scheduler: 'ordered' },
  ...[2, 3].map((seed): Order => ({ seed, scheduler: 'random' })),
  ...[4, 5].map((seed): Order => ({ seed, scheduler: 'priority' })),
];

/** Nobody steps so often for one request. */
const STEP_COUNT_MAX = 200;

/** Where a coordinator dies, and what of its messages gets out. */
interface Death extends Order {
  readonly steps: number;
  /** Nodes that its messages do not reach. */
  readonly lost: readonly ActorAddress[];
}

/** What is wrong with one run, as text. Assertions of the test runner are too slow for thousands of runs. */
class Findings {
  readonly all: string[] = [];
  label = '';

  same(actual: unknown, expected: unknown): void {
    const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (found !== wanted) this.all.push(`${this.label}: ${found}, expected ${wanted}`);
  }
}

/** Runs `check` for every order, every subset of `targets` as lost, and 0, 1, 2, … steps until it says that all was at rest by then. */
function forEveryDeath(
  targets: readonly ActorAddress[],
  check: (death: Death, findings: Findings) => boolean,
): string[] {
  const findings = new Findings();
  // Worlds poison what they must not use whenever they run: to do it once for all of them takes half the time.
  withPoisonedGlobals(() => {
    for (const order of orders) {
      for (const lost of subsetsOf(targets)) {
        for (let steps = 0, isAtRest = false; !isAtRest; steps++) {
          const { scheduler, seed } = order;
          findings.label = `${scheduler} ${seed}: dies after ${steps} steps, cut off from [${lost}]`;
          if (steps > STEP_COUNT_MAX) throw new Error(`${findings.label}: never at rest`);
          isAtRest = check({ ...order, steps, lost }, findings);
        }
      }
    }
  });
  return findings.all;
}

for (const w of [1, 2, 3]) {
  for (const down of [null, c]) {
    const title = down === null ? `W=${w}` : `W=${w}, one replica down`;
    test(`a write whose coordinator dies is where its outcome says: ${title}`, (t) => {
      const seen = new Set<string>();
      const targets = down === null ? [b, c] : [b];
      const found = forEveryDeath(targets, ({ seed, scheduler, steps, lost }, findings) => {
        const rig = new Rig(seed, scheduler);
        rig.put('old', b, 3);
        findings.same(rig.rest(), [{ type: 'stored', copyCount: 3 }]);
        if (down !== null) rig.kill(down);
        rig.rest();
        rig.cut(a, lost);
        rig.put('new', a, w);
        const hasDied = rig.takeSteps(steps);
        rig.kill(a);
        const outcomes = rig.rest();
        if (down !== null) rig.restart(down);
        rig.restart(a);
        rig.rest();
        const expected = rig.held().flat().includes('new') ? 'new' : 'old';

        rig.get(4 - w);
        const [read] = rig.rest();
        const [outcome] = outcomes;
        findings.same(outcomes.length, 1);
        if (outcome?.type === 'stored') {
          findings.same(outcome.copyCount >= w, true);
          findings.same(read, { type: 'read', values: ['new'] });
        }
        const isDefinite = outcome?.type === 'failed' && outcome.isDefinite;
        if (isDefinite) findings.same(rig.holdersOf('new').size, 0);
        findings.same(rig.held(), [[expected], [expected], [expected]]);
        findings.same(rig.world.failures.length, 0);
        seen.add(`${outcome?.type}${isDefinite ? ' for certain' : ''}, ${expected}`);
        return !hasDied;
      });
      t.deepEqual(found, []);
      const isImpossible = down !== null && w === 3;
      const possible = ['failed, new', 'failed, old', 'stored, new'];
      t.deepEqual([...seen].sort(), isImpossible ? ['failed for certain, old'] : possible);
    });
  }
}

test('a read repair whose coordinator dies loses nothing, and the next read completes it', (t) => {
  const seen = new Set<string>();
  const found = forEveryDeath([a, b, c], ({ seed, scheduler, steps, lost }, findings) => {
    const rig = new Rig(seed, scheduler);
    rig.put('old', b, 3);
    rig.rest();
    rig.cut(a, [c]);
    rig.put('new', a, 2);
    findings.same(rig.rest(), [{ type: 'stored', copyCount: 2 }]);
    rig.heal();
    rig.get(2);
    const { coordinator } = rig;
    const others = lost.filter((node) => node !== coordinator);
    rig.cut(coordinator, others);
    const hasDied = rig.takeSteps(steps);
    rig.kill(coordinator);
    const outcomes = rig.rest();
    rig.restart(coordinator);
    rig.rest();

    const [outcome] = outcomes;
    findings.same(outcomes.length, 1);
    if (outcome?.type === 'read') findings.same(outcome.values, ['new']);
    rig.get(2);
    findings.same(rig.rest(), [{ type: 'read', values: ['new'] }]);
    findings.same(rig.held(), [['new'], ['new'], ['new']]);
    findings.same(rig.world.failures.length, 0);
    seen.add(`${outcome?.type} at ${coordinator}`);
    return !hasDied;
  });
  t.deepEqual(found, []);
  const types = ['failed', 'read'];
  const possible = types.flatMap((type) => [a, b, c].map((node) => `${type} at ${node}`));
  t.deepEqual([...seen].sort(), possible);
});

test('a coordinator that dies between its commit and what it sends has the write, and no one was told that it has not', (t) => {
  for (const { seed, scheduler } of orders) {
    for (const w of [1, 2, 3]) {
      const label = `${scheduler} ${seed} W=${w}`;
      const rig = new Rig(seed, scheduler);
      rig.put('old', b, 3);
      rig.rest();
      rig.world.disk(a).failCommit(0, 'lost-send');
      rig.put('new', a, w);
      t.deepEqual(rig.rest(), [{ type: 'failed', isDefinite: false }], label);
      t.deepEqual(rig.held(), [['old'], ['old']], label);
      rig.restart(a);
      rig.rest();
      rig.get(3);
      t.deepEqual(rig.rest(), [{ type: 'read', values: ['new'] }], label);
      t.deepEqual(rig.held(), [['new'], ['new'], ['new']], label);
      t.deepEqual(rig.world.failures, [], label);
    }
  }
});
