/**
 * Version sets against a naive model, and their laws. The model gives every write an id and keeps sets of ids: what
 * a replica has seen and what it knows to be replaced. It stands for the definition of causality.
 */
import { fc, testProp } from '@fast-check/ava';
import type { ExecutionContext } from 'ava';
import { nodeAddress } from '../../lib/address.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../lib/bytes.ts';
import { decodeContextToken, encodeContextToken } from '../../lib/clock/context-token.ts';
import { HybridClock } from '../../lib/clock/hybrid-clock.ts';
import {
  contextOf,
  decodeVersionSet,
  emptyVersionSet,
  encodeVersionSet,
  isEqualVersionSet,
  siblingsOf,
  syncVersionSets,
  updateVersionSet,
  type VersionSet,
} from '../../lib/clock/version-set.ts';
import {
  type ActorId,
  counterOf,
  createActorId,
  descends,
  isEqualVector,
  joinVectors,
  readVector,
  type VersionVector,
  writeVector,
} from '../../lib/clock/version-vector.ts';
import { RingletError } from '../../lib/errors.ts';

const REPLICA_COUNT = 3;
const CLIENT_COUNT = 3;

type Step =
  /** A client reads some replicas and keeps the context for its next writes. */
  | { readonly do: 'read'; readonly client: number; readonly replicas: readonly number[] }
  /** A client writes with the context that it has, however old. */
  | {
      readonly do: 'put';
      readonly client: number;
      readonly replica: number;
      readonly clock: number;
      readonly isDelete: boolean;
    }
  /** A replica merges a state that some replica had at some time: a message, late, repeated or reordered. */
  | { readonly do: 'deliver'; readonly target: number; readonly state: number }
  /** A replica loses a suffix of its states, and therefore takes a new incarnation. */
  | { readonly do: 'rollback'; readonly replica: number; readonly state: number };

const replicaIndex = fc.nat(REPLICA_COUNT - 1);
const clientIndex = fc.nat(CLIENT_COUNT - 1);

const read = fc.record({
  do: fc.constant('read' as const),
  client: clientIndex,
  replicas: fc.uniqueArray(replicaIndex, { minLength: 1 }),
});
const put = fc.record({
  do: fc.constant('put' as const),
  client: clientIndex,
  replica: replicaIndex,
  clock: fc.nat(20),
  isDelete: fc.boolean(),
});
const deliver = fc.record({
  do: fc.constant('deliver' as const),
  target: replicaIndex,
  state: fc.nat(1000),
});
const rollback = fc.record({
  do: fc.constant('rollback' as const),
  replica: replicaIndex,
  state: fc.nat(1000),
});

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: put },
    { weight: 4, arbitrary: read },
    { weight: 6, arbitrary: deliver },
    { weight: 1, arbitrary: rollback },
  ),
  { minLength: 1, maxLength: 40 },
);

interface Write {
  readonly id: number;
  readonly actor: ActorId;
  readonly counter: number;
  readonly timestamp: number;
}

/** Ids of writes. */
interface Model {
  readonly seen: ReadonlySet<number>;
  readonly replaced: ReadonlySet<number>;
}

interface State {
  readonly set: VersionSet;
  readonly model: Model;
}

const emptyModel: Model = { seen: new Set(), replaced: new Set() };

function union(a: ReadonlySet<number>, b: ReadonlySet<number>): ReadonlySet<number> {
  return new Set([...a, ...b]);
}

function isSuperset(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return [...b].every((id) => a.has(id));
}

function sorted(ids: Iterable<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}

/** Every write that the model has heard of. */
function knownIds(model: Model): ReadonlySet<number> {
  return union(model.seen, model.replaced);
}

/** Runs steps on sets and model alike. */
class Cluster {
  private readonly lastWriterWins: boolean;
  private readonly writes: Write[] = [];
  private readonly replicas: State[];
  private readonly incarnations: number[] = new Array(REPLICA_COUNT).fill(0);
  private readonly contexts: { vector: VersionVector; ids: ReadonlySet<number> }[];
  /** Every state that ever was, with the replica that had it. */
  readonly history: (State & { readonly replica: number })[] = [];

  constructor(lastWriterWins: boolean) {
    this.lastWriterWins = lastWriterWins;
    const empty = { set: emptyVersionSet(lastWriterWins), model: emptyModel };
    this.replicas = new Array(REPLICA_COUNT).fill(empty);
    this.contexts = new Array(CLIENT_COUNT).fill({ vector: [], ids: new Set() });
    for (let replica = 0; replica < REPLICA_COUNT; replica++) this.enter(replica, empty);
  }

  private enter(replica: number, state: State): void {
    this.replicas[replica] = state;
    this.history.push({ ...state, replica });
  }

  run(step: Step): void {
    switch (step.do) {
      case 'read':
        this.read(step.client, step.replicas);
        break;
      case 'put':
        this.put(step.client, step.replica, step.clock, step.isDelete);
        break;
      case 'deliver': {
        const state = this.history[step.state % this.history.length]!;
        this.enter(step.target, merge(this.replicas[step.target]!, state));
        break;
      }
      case 'rollback': {
        const states = this.history.filter(({ replica }) => replica === step.replica);
        this.enter(step.replica, states[step.state % states.length]!);
        this.incarnations[step.replica]!++;
        break;
      }
    }
  }

  private read(client: number, replicas: readonly number[]): void {
    const { set, model } = replicas.map((replica) => this.replicas[replica]!).reduce(merge);
    this.contexts[client] = { vector: contextOf(set), ids: knownIds(model) };
  }

  private put(client: number, replica: number, clock: number, isDelete: boolean): void {
    const context = this.contexts[client]!;
    const { set, model } = this.replicas[replica]!;
    const actor = createActorId(replica, this.incarnations[replica]!);
    const id = this.writes.length;
    const value = isDelete ? null : Uint8Array.of(id);
    const timestamp = this.lastWriterWins ? this.timestampAfter(model, context.ids, clock) : 0;
    const updated = updateVersionSet(set, context.vector, actor, { value, timestamp: clock });
    const counter = counterOf(contextOf(updated), actor);
    this.writes.push({ id, actor, counter, timestamp });
    this.enter(replica, {
      set: updated,
      model: {
        seen: new Set([...model.seen, id]),
        replaced: union(model.replaced, context.ids),
      },
    });
  }

  /** The clock's time, or what is needed to be later than every write that is known. */
  private timestampAfter(model: Model, context: ReadonlySet<number>, clock: number): number {
    const known = [...union(knownIds(model), context)].map((id) => this.writes[id]!.timestamp);
    return Math.max(clock, 1 + Math.max(0, ...known));
  }

  /** The writes whose values a replica should have: what no known write replaced; of these the last, if only that wins. */
  private survivingWrites(model: Model): Write[] {
    const surviving = [...model.seen]
      .filter((id) => !model.replaced.has(id))
      .map((id) => this.writes[id]!);
    if (!this.lastWriterWins) return surviving;
    return surviving.sort((a, b) => b.timestamp - a.timestamp || b.actor - a.actor).slice(0, 1);
  }

  /** Compares the last state entered with the model. */
  check(t: ExecutionContext): void {
    const { set, model } = this.history.at(-1)!;
    const expected = this.survivingWrites(model).map(({ id }) => id);
    const actual = siblingsOf(set).map((sibling) => this.idOf(sibling.actor, sibling.counter));
    t.deepEqual(sorted(actual), sorted(expected));
    const known = this.writes
      .filter(({ actor, counter }) => counterOf(contextOf(set), actor) >= counter)
      .map(({ id }) => id);
    t.deepEqual(sorted(known), sorted(knownIds(model)));
  }

  private idOf(actor: ActorId, counter: number): number {
    return this.writes.findIndex((write) => write.actor === actor && write.counter === counter);
  }
}

function merge(a: State, b: State): State {
  const seen = union(a.model.seen, b.model.seen);
  const replaced = union(a.model.replaced, b.model.replaced);
  return { set: syncVersionSets(a.set, b.set), model: { seen, replaced } };
}

function runAll(lastWriterWins: boolean, all: readonly Step[]): Cluster {
  const cluster = new Cluster(lastWriterWins);
  for (const step of all) cluster.run(step);
  return cluster;
}

testProp(
  'replicas hold what the model says, after every step',
  [fc.boolean(), steps],
  (t, lastWriterWins, all) => {
    const cluster = new Cluster(lastWriterWins);
    for (const step of all) {
      cluster.run(step);
      cluster.check(t);
    }
  },
  { numRuns: 500 },
);

testProp(
  'one vector descends from another exactly if its replica knew all that the other knew',
  [steps],
  (t, all) => {
    const { history } = runAll(false, all);
    for (const a of history) {
      for (const b of history) {
        const knowsAll = isSuperset(knownIds(a.model), knownIds(b.model));
        if (descends(contextOf(a.set), contextOf(b.set)) !== knowsAll) t.fail();
      }
    }
    t.pass();
  },
);

/** Sets that come from one history, so that equal dots stand for equal values. */
const relatedSets = fc
  .tuple(fc.boolean(), steps)
  .map(([lastWriterWins, all]) => runAll(lastWriterWins, all).history.map(({ set }) => set));

const threeRelatedSets = relatedSets.chain((sets) => {
  const set = fc.constantFrom(...sets);
  return fc.tuple(set, set, set);
});

testProp(
  'merging is commutative, associative and idempotent',
  [threeRelatedSets],
  (t, [a, b, c]) => {
    const ab = syncVersionSets(a, b);
    t.true(isEqualVersionSet(ab, syncVersionSets(b, a)));
    t.true(isEqualVersionSet(syncVersionSets(ab, c), syncVersionSets(a, syncVersionSets(b, c))));
    t.is(syncVersionSets(a, a), a);
    t.is(syncVersionSets(ab, a), ab);
  },
  { numRuns: 500 },
);

testProp(
  'a merge is an argument itself exactly if the other adds nothing',
  [threeRelatedSets],
  (t, [a, b]) => {
    const merged = syncVersionSets(a, b);
    t.is(merged === a, isEqualVersionSet(merged, a));
    t.is(merged === b, isEqualVersionSet(merged, b) && (a === b || !isEqualVersionSet(a, b)));
  },
);

testProp(
  'replicas that merge the same sets in any order agree to the byte',
  [
    relatedSets.chain((sets) => {
      const order = fc.shuffledSubarray(sets, { minLength: sets.length });
      return fc.tuple(order, order);
    }),
  ],
  (t, [first, second]) => {
    const left = encodeVersionSet(first.reduce(syncVersionSets));
    const right = encodeVersionSet(second.reduce(syncVersionSets));
    t.deepEqual(left, right);
  },
);

testProp(
  'sets survive encoding; bytes are equal exactly if sets are',
  [threeRelatedSets],
  (t, [a, b]) => {
    const bytes = encodeVersionSet(a);
    t.true(isEqualVersionSet(decodeVersionSet(bytes), a));
    t.deepEqual(encodeVersionSet(decodeVersionSet(bytes)), bytes);
    const other = encodeVersionSet(b);
    t.is(Buffer.compare(bytes, other) === 0, isEqualVersionSet(a, b));
  },
  { numRuns: 300 },
);

testProp('a set that is cut off or too long is refused', [threeRelatedSets], (t, [set]) => {
  const bytes = encodeVersionSet(set);
  for (let length = 0; length < bytes.length; length++) {
    t.throws(() => decodeVersionSet(bytes.subarray(0, length)), { instanceOf: MalformedError });
  }
  t.throws(() => decodeVersionSet(Uint8Array.of(...bytes, 0)), { instanceOf: MalformedError });
});

/** Noise, and sets with some bytes changed. */
const doubtfulBytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .tuple(
      threeRelatedSets,
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 3 }),
    )
    .map(([[set], changes]) => {
      const bytes = Uint8Array.from(encodeVersionSet(set));
      for (const [offset, byte] of changes) bytes[offset % bytes.length] = byte;
      return bytes;
    }),
);

testProp(
  'whatever is decoded keeps the invariants, or it is refused',
  [doubtfulBytes],
  (t, bytes) => {
    let set: VersionSet;
    try {
      set = decodeVersionSet(bytes);
    } catch (error) {
      t.true(error instanceof MalformedError);
      return;
    }
    const siblings = siblingsOf(set);
    t.true(isStrictlySorted(contextOf(set), (a, b) => a.actor - b.actor));
    t.true(isStrictlySorted(siblings, (a, b) => a.actor - b.actor || b.counter - a.counter));
    for (const { actor, counter } of siblings) {
      t.true(counter >= 1 && counter <= counterOf(contextOf(set), actor));
    }
    t.true(!set.lastWriterWins || siblings.length <= 1);
    t.true(isEqualVersionSet(decodeVersionSet(encodeVersionSet(set)), set));
  },
  { numRuns: 2000 },
);

function isStrictlySorted<T>(items: readonly T[], compare: (a: T, b: T) => number): boolean {
  return items.every((item, index) => index === 0 || compare(items[index - 1]!, item) < 0);
}

const vector: fc.Arbitrary<VersionVector> = fc
  .uniqueArray(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 5 })), {
    selector: ([actor]) => actor,
  })
  .map((entries) =>
    entries
      .sort(([a], [b]) => a - b)
      .map(([node, counter]) => ({ actor: createActorId(node, 2 ** 36), counter })),
  );

testProp(
  'a join is the least vector that descends from both',
  [vector, vector, vector],
  (t, a, b, c) => {
    const joined = joinVectors(a, b);
    t.true(descends(joined, a) && descends(joined, b));
    t.is(descends(c, a) && descends(c, b), descends(c, joined));
    t.true(isEqualVector(joined, joinVectors(b, a)));
    t.is(joined === a, descends(a, b));
    t.is(isEqualVector(a, b), descends(a, b) && descends(b, a));
  },
  { numRuns: 500 },
);

testProp('vectors survive encoding', [vector], (t, entries) => {
  const writer = new ByteWriter();
  writeVector(writer, entries);
  t.deepEqual(readVector(new ByteReader(writer.take())), entries);
});

const keyHash = fc.record({ high: fc.nat(2 ** 32 - 1), low: fc.nat(2 ** 32 - 1) });
const address = fc.nat(1023).map(nodeAddress);

testProp('tokens survive encoding', [vector, address, keyHash], (t, entries, coordinator, hash) => {
  const token = encodeContextToken({ vector: entries, coordinator, keyHash: hash });
  t.deepEqual(decodeContextToken(token, hash, 16_384), { vector: entries, coordinator });
  t.is(Buffer.from(token, 'base64url').toString('base64url'), token);
});

testProp(
  'text that is no token is refused with an error of the table',
  [
    fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64url')),
    ),
    keyHash,
  ],
  (t, text, hash) => {
    t.throws(() => decodeContextToken(text, hash, 16_384), {
      instanceOf: RingletError,
      code: 'RINGLET_CONTEXT_INVALID',
    });
  },
  { numRuns: 1000 },
);

testProp(
  'timestamps of a hybrid clock increase and pass all that it accepted',
  [
    fc.array(fc.tuple(fc.integer({ min: -10, max: 2000 }), fc.nat(4000 * 2048)), {
      minLength: 1,
      maxLength: 30,
    }),
  ],
  (t, events) => {
    const clock = new HybridClock(500);
    let greatest = 0;
    for (const [wallMs, remote] of events) {
      if (clock.observe(remote, wallMs) === 'accepted') greatest = Math.max(greatest, remote);
      const timestamp = clock.now(wallMs);
      t.true(timestamp > greatest);
      greatest = timestamp;
    }
  },
);
