/** The simulated links: each verdict, each command, order, limits, counters and determinism. */
import test from 'ava';
import {
  type ActorAddress,
  clientAddress,
  nodeAddress,
  type PartitionId,
  type RecordKey,
  type RequestId,
} from '../../lib/address.ts';
import { isRingletError } from '../../lib/errors.ts';
import type { LinkCounters } from '../../lib/network/link.ts';
import { Network, RULE_COUNT_MAX, type VerdictEvent } from '../../lib/network/network.ts';
import {
  type LinkSettings,
  type MessageRuleOptions,
  type NetworkCommandOptions,
  resolveCommand,
} from '../../lib/network/rules.ts';
import { type Message, MessageKind, ping, replicaPut } from '../../lib/protocol/messages.ts';

const NODE_COUNT = 5;
const [a, b, c, d, e] = Array.from({ length: NODE_COUNT }, (_, index) => nodeAddress(index)) as [
  ActorAddress,
  ActorAddress,
  ActorAddress,
  ActorAddress,
  ActorAddress,
];

interface Arrival {
  readonly timeMs: number;
  readonly source: ActorAddress;
  readonly target: ActorAddress;
  readonly id: number;
}

/** A network with a clock, whose pings are numbered from 1 over all links. */
class Bench {
  readonly network: Network;
  readonly arrivals: Arrival[] = [];
  nowMs = 0;
  private sentCount = 0;

  constructor(options: { seed?: number; heldCountMax?: number } = {}) {
    this.network = new Network({ seed: 1, heldCountMax: 100_000, ...options });
  }

  apply(command: NetworkCommandOptions): void {
    // The clone is the thread boundary that commands cross.
    const resolved = structuredClone(resolveCommand(command, NODE_COUNT));
    this.network.apply(resolved, this.nowMs, this.deliver);
  }

  setLink(source: ActorAddress, target: ActorAddress, settings: Partial<LinkSettings>): void {
    this.apply({ type: 'set-link', source, target, settings });
  }

  addRule(id: string, rule: MessageRuleOptions): void {
    this.apply({ type: 'rule', id, rule });
  }

  /** Sends a ping. @returns Its number. */
  send(source: ActorAddress, target: ActorAddress): number {
    const id = ++this.sentCount;
    this.sendMessage(source, target, ping(id as RequestId));
    return id;
  }

  sendMany(source: ActorAddress, target: ActorAddress, count: number): void {
    for (let sent = 0; sent < count; sent++) this.send(source, target);
  }

  sendMessage(source: ActorAddress, target: ActorAddress, message: Message): void {
    this.network.admit(this.nowMs, source, target, message, this.deliver);
  }

  /** Moves the clock from one due time to the next. */
  runUntil(timeMs: number): void {
    while (this.network.dueMs() <= timeMs) {
      this.nowMs = Math.max(this.nowMs, this.network.dueMs());
      this.network.releaseDue(this.nowMs, this.deliver);
    }
    this.nowMs = timeMs;
  }

  ids(): number[] {
    return this.arrivals.map((arrival) => arrival.id);
  }

  /** `[time, id]` of each arrival. */
  times(): [number, number][] {
    return this.arrivals.map((arrival) => [arrival.timeMs, arrival.id]);
  }

  counters(source: ActorAddress, target: ActorAddress): LinkCounters | undefined {
    const isIt = (link: LinkCounters) => link.source === source && link.target === target;
    return this.network.counters().find(isIt);
  }

  private readonly deliver = (source: ActorAddress, target: ActorAddress, message: Message) => {
    const id = 'requestId' in message ? message.requestId : 0;
    this.arrivals.push({ timeMs: this.nowMs, source, target, id });
  };
}

function put(id: number, valueBytes = 0): Message {
  return replicaPut(id as RequestId, 0 as PartitionId, '' as RecordKey, new Uint8Array(valueBytes));
}

/** A put without a value has the size of the header alone. */
const HEADER_BYTES = 32;

test('a quiet network delivers at once and counts nothing', (t) => {
  const bench = new Bench();
  bench.sendMany(a, b, 3);
  t.deepEqual(bench.ids(), [1, 2, 3]);
  t.true(bench.network.isQuiet);
  t.deepEqual(bench.network.counters(), []);
  t.is(bench.network.dueMs(), Number.POSITIVE_INFINITY);
});

test('only envelopes between two nodes are judged', (t) => {
  const bench = new Bench();
  bench.apply({ type: 'set-default', settings: { loss: 1 } });
  bench.send(clientAddress(0), a);
  bench.send(a, clientAddress(0));
  bench.send(a, a);
  t.deepEqual(bench.ids(), [1, 2, 3]);
  bench.send(a, b);
  t.is(bench.arrivals.length, 3);
});

test('latency delays by exactly that much', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { latencyMs: 40 });
  bench.send(a, b);
  bench.nowMs = 5;
  bench.send(a, b);
  bench.send(b, a);
  t.is(bench.network.dueMs(), 40);
  bench.runUntil(100);
  t.deepEqual(bench.times(), [
    [5, 3],
    [40, 1],
    [45, 2],
  ]);
  t.like(bench.counters(a, b), { sent: 2, delayed: 2, delivered: 2, waiting: 0 });
});

test('nothing is released before it is due', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { latencyMs: 10 });
  bench.send(a, b);
  bench.runUntil(9.999);
  t.deepEqual(bench.ids(), []);
  bench.runUntil(10);
  t.deepEqual(bench.ids(), [1]);
});

for (const jitterDistribution of ['uniform', 'exponential'] as const) {
  test(`${jitterDistribution} jitter keeps the order of a link`, (t) => {
    const bench = new Bench();
    bench.setLink(a, b, { latencyMs: 10, jitterMs: 50, jitterDistribution });
    for (let sent = 0; sent < 500; sent++) {
      bench.runUntil(sent);
      bench.send(a, b);
    }
    bench.runUntil(5000);
    t.deepEqual(
      bench.ids(),
      Array.from({ length: 500 }, (_, index) => index + 1),
    );
    const delays = bench.times().map(([timeMs, id]) => timeMs - (id - 1));
    t.true(delays.every((delayMs) => delayMs >= 10));
    t.true(new Set(delays).size > 10, 'the delays vary');
  });
}

test('reordering takes its share of envelopes out of the order', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { latencyMs: 1, reordering: 0.3, reorderMs: 5 });
  for (let sent = 0; sent < 1000; sent++) {
    bench.runUntil(sent);
    bench.send(a, b);
  }
  bench.runUntil(5000);
  const late = bench.times().filter(([timeMs, id]) => timeMs - (id - 1) === 6);
  const punctual = bench.times().filter(([timeMs, id]) => timeMs - (id - 1) === 1);
  t.is(late.length + punctual.length, 1000);
  t.true(late.length > 230 && late.length < 370, `${late.length} of 1000`);
  t.notDeepEqual(
    bench.ids(),
    [...bench.ids()].sort((x, y) => x - y),
  );
});

test('loss drops its share, and the counters say so', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { loss: 0.2 });
  bench.sendMany(a, b, 10_000);
  const lost = 10_000 - bench.arrivals.length;
  t.true(lost > 1800 && lost < 2200, `${lost} of 10000`);
  t.like(bench.counters(a, b), { sent: 10_000, delivered: 10_000 - lost });
  t.is(bench.counters(a, b)?.dropped.loss, lost);
});

test('loss of 1 loses everything, loss of 0 nothing', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { loss: 1 });
  bench.setLink(a, c, { loss: 0 });
  bench.sendMany(a, b, 100);
  t.is(bench.arrivals.length, 0);
  bench.sendMany(a, c, 100);
  t.is(bench.arrivals.length, 100);
});

test('duplication delivers twice, in order', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { latencyMs: 10, duplication: 1 });
  bench.sendMany(a, b, 2);
  bench.runUntil(10);
  t.deepEqual(bench.ids(), [1, 1, 2, 2]);
  t.like(bench.counters(a, b), { sent: 2, duplicated: 2, delivered: 4, waiting: 0 });
});

test('bandwidth paces what is sent', (t) => {
  const bench = new Bench();
  // 132 bytes take 132 ms at 1000 bytes a second.
  bench.setLink(a, b, { latencyMs: 5, bandwidthBytesPerSecond: 1000 });
  for (const id of [1, 2, 3]) bench.sendMessage(a, b, put(id, 132 - HEADER_BYTES));
  bench.runUntil(1000);
  t.deepEqual(bench.times(), [
    [137, 1],
    [269, 2],
    [401, 3],
  ]);
  bench.sendMessage(a, b, put(4, 132 - HEADER_BYTES));
  bench.runUntil(2000);
  t.deepEqual(bench.times().at(-1), [1137, 4], 'an idle link saves up nothing');
});

test('the queue before the bandwidth is bounded', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { bandwidthBytesPerSecond: 1000, queueBytesMax: 300 });
  for (const id of [1, 2, 3, 4]) bench.sendMessage(a, b, put(id, 100 - HEADER_BYTES));
  t.is(bench.counters(a, b)?.dropped.queue, 1);
  bench.runUntil(100);
  bench.sendMessage(a, b, put(5, 100 - HEADER_BYTES));
  bench.sendMessage(a, b, put(6, 100 - HEADER_BYTES));
  bench.runUntil(1000);
  t.deepEqual(bench.times(), [
    [100, 1],
    [200, 2],
    [300, 3],
    [400, 5],
  ]);
  t.like(bench.counters(a, b)?.dropped, { queue: 2, limit: 0 });
});

test('an envelope larger than the queue passes when the queue is empty', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { bandwidthBytesPerSecond: 1000, queueBytesMax: 300 });
  bench.sendMessage(a, b, put(1, 1000 - HEADER_BYTES));
  bench.sendMessage(a, b, put(2));
  bench.runUntil(5000);
  t.deepEqual(bench.times(), [[1000, 1]]);
});

for (const set of ['set-link', 'set-default'] as const) {
  test(`new settings begin with an empty queue: ${set}`, (t) => {
    const bench = new Bench();
    const command = set === 'set-link' ? { type: set, source: a, target: b } : { type: set };
    const queueBytesMax = 100;
    bench.apply({ ...command, settings: { bandwidthBytesPerSecond: 1, queueBytesMax } });
    bench.sendMessage(a, b, put(1));
    bench.apply({ ...command, settings: { bandwidthBytesPerSecond: 1000, queueBytesMax } });
    bench.sendMessage(a, b, put(2));
    bench.runUntil(100_000);
    t.deepEqual(bench.times(), [
      [32_000, 1],
      [32_000, 2],
    ]);
  });
}

test('a partition cuts both ways between groups, and who is not named is a group', (t) => {
  const bench = new Bench();
  bench.apply({ type: 'partition', groups: [[a, b], [c]] });
  const nodes = [a, b, c, d, e];
  const passing: string[] = [];
  for (const source of nodes) {
    for (const target of nodes) {
      const before = bench.arrivals.length;
      if (source !== target) bench.send(source, target);
      if (bench.arrivals.length > before) passing.push(`${source}${target}`);
    }
  }
  t.deepEqual(passing, ['01', '10', '34', '43']);
  t.is(bench.counters(a, c)?.dropped.partition, 1);
});

test('a partition replaces an earlier one, and one without groups ends it', (t) => {
  const bench = new Bench();
  bench.apply({ type: 'partition', groups: [[a]] });
  bench.apply({ type: 'partition', groups: [[b]] });
  const id = bench.send(a, c);
  t.deepEqual(bench.ids(), [id]);
  bench.apply({ type: 'partition', groups: [] });
  t.true(bench.network.isQuiet);
});

test('block cuts one way only, until unblock', (t) => {
  const bench = new Bench();
  bench.apply({ type: 'block', sources: [a, b], targets: [c] });
  bench.send(a, c);
  bench.send(b, c);
  t.deepEqual(bench.ids(), []);
  bench.send(c, a);
  bench.send(a, b);
  t.deepEqual(bench.ids(), [3, 4]);
  bench.apply({ type: 'unblock', sources: [a], targets: [c] });
  bench.send(a, c);
  bench.send(b, c);
  t.deepEqual(bench.ids(), [3, 4, 5]);
});

test('what is under way when a link is cut still arrives', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { latencyMs: 10 });
  bench.send(a, b);
  bench.apply({ type: 'partition', groups: [[a]] });
  bench.send(a, b);
  bench.runUntil(100);
  t.deepEqual(bench.times(), [[10, 1]]);
});

test('a held link delivers in order when it is released', (t) => {
  const bench = new Bench();
  bench.apply({ type: 'hold', source: a, target: b });
  bench.sendMany(a, b, 3);
  bench.send(b, a);
  t.deepEqual(bench.ids(), [4]);
  t.like(bench.counters(a, b), { held: 3, waiting: 3, delivered: 0 });
  bench.nowMs = 7;
  bench.apply({ type: 'release', source: a, target: b });
  t.deepEqual(bench.times().slice(1), [
    [7, 1],
    [7, 2],
    [7, 3],
  ]);
  t.like(bench.counters(a, b), { held: 3, released: 3, waiting: 0, delivered: 3 });
  t.true(bench.network.isQuiet);
});

test('release lets go of one link alone', (t) => {
  const bench = new Bench();
  bench.apply({ type: 'hold', source: a, target: b });
  bench.apply({ type: 'hold', source: a, target: c });
  bench.send(a, b);
  bench.send(a, c);
  bench.apply({ type: 'release', source: a, target: c });
  t.deepEqual(bench.ids(), [2]);
  t.false(bench.network.isQuiet);
});

test('what a link held arrives behind what the link delays', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { latencyMs: 50 });
  bench.send(a, b);
  bench.apply({ type: 'hold', source: a, target: b });
  bench.send(a, b);
  bench.nowMs = 10;
  bench.apply({ type: 'release', source: a, target: b });
  bench.runUntil(100);
  t.deepEqual(bench.times(), [
    [50, 1],
    [50, 2],
  ]);
});

test('what is sent after a reset does not overtake what is delayed', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { latencyMs: 50 });
  bench.send(a, b);
  bench.apply({ type: 'reset-link', source: a, target: b });
  t.false(bench.network.isQuiet, 'the order still has to be kept');
  bench.nowMs = 10;
  bench.send(a, b);
  bench.send(b, a);
  bench.nowMs = 60;
  bench.send(a, b);
  t.deepEqual(bench.ids(), [3], 'the first is due, but was not released yet');
  bench.runUntil(100);
  t.deepEqual(bench.ids(), [3, 1, 2, 4]);
  t.true(bench.network.isQuiet);
});

test('once the delayed have arrived, nothing waits for the order', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { latencyMs: 50 });
  bench.send(a, b);
  bench.runUntil(50);
  bench.setLink(a, b, {});
  bench.send(a, b);
  t.deepEqual(bench.times(), [
    [50, 1],
    [50, 2],
  ]);
});

test('rules single out kinds and leave the order of the others', (t) => {
  const bench = new Bench();
  bench.addRule('no-puts', { kinds: [MessageKind.ReplicaPut], verdict: { type: 'drop' } });
  bench.sendMessage(a, b, put(100));
  bench.send(a, b);
  t.deepEqual(bench.ids(), [1]);
  t.is(bench.counters(a, b)?.dropped.rule, 1);

  bench.addRule('no-puts', { kinds: ['ReplicaPut'], verdict: { type: 'delay', delayMs: 20 } });
  bench.sendMessage(a, b, put(101));
  bench.send(a, b);
  bench.runUntil(100);
  t.deepEqual(bench.times().slice(1), [
    [0, 2],
    [20, 101],
  ]);

  bench.apply({ type: 'remove-rule', id: 'no-puts' });
  t.true(bench.network.isQuiet);
});

test('rules single out sources and targets', (t) => {
  const bench = new Bench();
  bench.addRule('1', { sources: [a, b], targets: [c, d], verdict: { type: 'drop' } });
  bench.send(a, c);
  bench.send(b, d);
  bench.send(a, b);
  bench.send(c, a);
  t.deepEqual(bench.ids(), [3, 4]);
});

test('the first rule that chooses an envelope decides', (t) => {
  const bench = new Bench();
  bench.addRule('first', { kinds: ['Ping'], verdict: { type: 'deliver' } });
  bench.addRule('second', { verdict: { type: 'drop' } });
  bench.send(a, b);
  bench.sendMessage(a, b, put(100));
  t.deepEqual(bench.ids(), [1]);
});

test('a rule goes before the link settings, a cut and a hold before the rule', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { loss: 1 });
  bench.addRule('through', { verdict: { type: 'deliver' } });
  bench.send(a, b);
  t.deepEqual(bench.ids(), [1]);
  bench.apply({ type: 'hold', source: a, target: b });
  bench.send(a, b);
  bench.apply({ type: 'block', sources: [a], targets: [b] });
  bench.send(a, b);
  t.deepEqual(bench.ids(), [1]);
  t.like(bench.counters(a, b), { held: 1 });
  t.is(bench.counters(a, b)?.dropped.partition, 1);
});

test('a rule that duplicates delivers at once and again', (t) => {
  const bench = new Bench();
  bench.addRule('twice', { verdict: { type: 'duplicate', delayMs: 30 } });
  bench.send(a, b);
  bench.runUntil(100);
  t.deepEqual(bench.times(), [
    [0, 1],
    [30, 1],
  ]);
  bench.addRule('twice', { verdict: { type: 'duplicate' } });
  bench.send(a, b);
  t.deepEqual(bench.times().slice(2), [
    [100, 2],
    [100, 2],
  ]);
});

test('what a rule holds leaves in order when the rule is removed', (t) => {
  const bench = new Bench();
  bench.addRule('puts', { kinds: ['ReplicaPut'], verdict: { type: 'hold' } });
  bench.sendMessage(a, b, put(100));
  bench.sendMessage(c, d, put(101));
  bench.sendMessage(a, b, put(102));
  bench.send(a, b);
  t.deepEqual(bench.ids(), [1]);
  bench.apply({ type: 'release', source: a, target: b });
  t.deepEqual(bench.ids(), [1], 'release is for what the link held');
  bench.apply({ type: 'remove-rule', id: 'puts' });
  t.deepEqual(bench.ids(), [1, 100, 101, 102]);
});

test('a rule that is replaced lets go of what it held and keeps its place', (t) => {
  const bench = new Bench();
  bench.addRule('1', { verdict: { type: 'hold' } });
  bench.addRule('2', { verdict: { type: 'drop' } });
  bench.send(a, b);
  bench.addRule('1', { verdict: { type: 'deliver' } });
  t.deepEqual(bench.ids(), [1]);
  bench.send(a, b);
  t.deepEqual(bench.ids(), [1, 2]);
});

test('a rule with a probability chooses its share', (t) => {
  const bench = new Bench();
  bench.addRule('half', { verdict: { type: 'drop' }, probability: 0.5 });
  bench.sendMany(a, b, 1000);
  t.true(bench.arrivals.length > 430 && bench.arrivals.length < 570, `${bench.arrivals.length}`);
});

test('default settings are for links without their own', (t) => {
  const bench = new Bench();
  bench.apply({ type: 'set-default', settings: { latencyMs: 10 } });
  bench.setLink(a, b, {});
  bench.send(a, b);
  bench.send(a, c);
  bench.apply({ type: 'reset-link', source: a, target: b });
  bench.send(a, b);
  bench.runUntil(10);
  t.deepEqual(bench.times(), [
    [0, 1],
    [10, 2],
    [10, 3],
  ]);
  bench.apply({ type: 'reset-default' });
  t.true(bench.network.isQuiet);
});

test('heal undoes everything; what is held leaves, what is delayed keeps its time', (t) => {
  const bench = new Bench();
  bench.setLink(a, b, { latencyMs: 30 });
  bench.send(a, b);
  bench.apply({ type: 'set-default', settings: { loss: 1 } });
  bench.apply({ type: 'hold', source: a, target: c });
  bench.send(a, c);
  bench.addRule('hold', { kinds: ['ReplicaPut'], verdict: { type: 'hold' } });
  bench.sendMessage(a, d, put(100));
  bench.apply({ type: 'partition', groups: [[a]] });
  bench.apply({ type: 'block', sources: [b], targets: [c] });
  bench.nowMs = 10;

  bench.apply({ type: 'heal' });
  t.deepEqual(bench.times(), [
    [10, 2],
    [10, 100],
  ]);
  t.false(bench.network.isQuiet);
  for (const target of [b, c, d]) bench.send(a, target);
  bench.send(b, c);
  bench.runUntil(30);
  t.deepEqual(bench.times().slice(2), [
    [10, 4],
    [10, 5],
    [10, 6],
    [30, 1],
    [30, 3],
  ]);
  t.true(bench.network.isQuiet);
});

test('what waits is bounded; the newest are dropped', (t) => {
  const bench = new Bench({ heldCountMax: 3 });
  bench.setLink(a, b, { latencyMs: 10 });
  bench.apply({ type: 'hold', source: a, target: c });
  bench.sendMany(a, b, 2);
  bench.sendMany(a, c, 2);
  bench.send(a, b);
  bench.send(a, d);
  t.is(bench.counters(a, b)?.dropped.limit, 1);
  t.is(bench.counters(a, c)?.dropped.limit, 1);
  bench.runUntil(10);
  bench.apply({ type: 'heal' });
  t.deepEqual(bench.ids(), [6, 1, 2, 3]);
});

test('a release never drops what was held', (t) => {
  const bench = new Bench({ heldCountMax: 3 });
  bench.setLink(a, b, { latencyMs: 10 });
  bench.send(a, b);
  bench.apply({ type: 'hold', source: a, target: b });
  bench.sendMany(a, b, 2);
  bench.apply({ type: 'release', source: a, target: b });
  bench.runUntil(10);
  t.deepEqual(bench.ids(), [1, 2, 3]);
});

test('rules are bounded', (t) => {
  const bench = new Bench();
  for (let index = 0; index < RULE_COUNT_MAX; index++) {
    bench.addRule(`r${index}`, { verdict: { type: 'deliver' } });
  }
  bench.addRule('r0', { verdict: { type: 'drop' } });
  const error = t.throws(() => bench.addRule('one more', { verdict: { type: 'drop' } }));
  t.true(isRingletError(error, 'RINGLET_FAULT_SPEC'));
});

test('observers see verdicts that they ask for, and end the quiet', (t) => {
  const bench = new Bench();
  const events: VerdictEvent[] = [];
  const remove = bench.network.observe(
    { sources: [a], targets: null, kinds: [MessageKind.Ping] },
    (event) => events.push(event),
  );
  t.false(bench.network.isQuiet);
  bench.send(a, b);
  bench.send(b, a);
  bench.sendMessage(a, b, put(100));
  bench.setLink(a, b, { latencyMs: 5, duplication: 1 });
  bench.send(a, b);
  bench.apply({ type: 'block', sources: [a], targets: [c] });
  bench.send(a, c);
  bench.apply({ type: 'hold', source: a, target: d });
  bench.send(a, d);
  t.deepEqual(
    events.map((event) => [event.target, event.verdict]),
    [
      [b, { type: 'deliver' }],
      [b, { type: 'delay', delayMs: 5 }],
      [b, { type: 'duplicate' }],
      [b, { type: 'delay', delayMs: 5 }],
      [c, { type: 'drop', reason: 'partition' }],
      [d, { type: 'hold' }],
    ],
  );
  remove();
  bench.apply({ type: 'heal' });
  t.is(events.length, 6);
  bench.runUntil(10);
  t.true(bench.network.isQuiet);
});

test('standing commands put the same faults on another network', (t) => {
  const bench = new Bench();
  bench.apply({ type: 'set-default', settings: { latencyMs: 5 } });
  bench.setLink(a, b, { loss: 1 });
  bench.apply({ type: 'partition', groups: [[a, b], [c]] });
  bench.apply({ type: 'block', sources: [a, b], targets: [c] });
  bench.apply({ type: 'hold', source: b, target: a });
  bench.addRule('x', { verdict: { type: 'drop' }, probability: 0.5 });
  const commands = bench.network.standingCommands();
  t.deepEqual(commands.map(({ type }) => type).sort(), [
    'block',
    'block',
    'hold',
    'partition',
    'rule',
    'set-default',
    'set-link',
  ]);
  t.deepEqual(
    commands.find(({ type }) => type === 'partition'),
    {
      type: 'partition',
      groups: [[a, b], [c]],
    },
  );
  const other = new Bench();
  for (const command of commands) other.apply(command);
  t.deepEqual(other.network.standingCommands(), commands);

  bench.apply({ type: 'heal' });
  t.deepEqual(bench.network.standingCommands(), []);
});

test('counters are copies, by source and target', (t) => {
  const bench = new Bench();
  bench.setLink(b, a, { loss: 1 });
  bench.send(b, a);
  bench.send(a, c);
  bench.send(a, b);
  const counters = bench.network.counters();
  t.deepEqual(
    counters.map(({ source, target }) => [source, target]),
    [
      [a, b],
      [a, c],
      [b, a],
    ],
  );
  counters[2]!.dropped.loss = 99;
  t.is(bench.counters(b, a)?.dropped.loss, 1);
});

const noisy: Partial<LinkSettings> = {
  latencyMs: 5,
  jitterMs: 20,
  jitterDistribution: 'exponential',
  loss: 0.1,
  duplication: 0.1,
  reordering: 0.2,
};

/** Sends 300 pings over `c > d` and as many over `a > b`. @returns The arrivals of `c > d`. */
function arrivalsOfNoise(seed: number, settingsOfAb: Partial<LinkSettings>): [number, number][] {
  const bench = new Bench({ seed });
  bench.setLink(c, d, noisy);
  bench.setLink(a, b, settingsOfAb);
  for (let sent = 0; sent < 300; sent++) {
    bench.runUntil(sent);
    bench.send(a, b);
    bench.send(c, d);
  }
  bench.runUntil(10_000);
  const ofCd = bench.arrivals.filter(({ source }) => source === c);
  return ofCd.map(({ timeMs, id }) => [timeMs, id]);
}

test('the same seed gives the same verdicts, another one others', (t) => {
  t.deepEqual(arrivalsOfNoise(7, noisy), arrivalsOfNoise(7, noisy));
  t.notDeepEqual(arrivalsOfNoise(7, noisy), arrivalsOfNoise(8, noisy));
});

test('what happens on one link leaves the draws of another alone', (t) => {
  t.deepEqual(arrivalsOfNoise(7, {}), arrivalsOfNoise(7, noisy));
});

test('a rule that is certain leaves the draws of what it does not choose alone', (t) => {
  const idsOfPings = (hasPuts: boolean) => {
    const bench = new Bench();
    bench.setLink(a, b, { loss: 0.5 });
    bench.addRule('no-puts', { kinds: ['ReplicaPut'], verdict: { type: 'drop' } });
    for (let sent = 0; sent < 100; sent++) {
      if (hasPuts) bench.sendMessage(a, b, put(1000));
      bench.send(a, b);
    }
    return bench.ids();
  };
  t.deepEqual(idsOfPings(true), idsOfPings(false));
});

test('two links with the same settings draw differently', (t) => {
  const bench = new Bench();
  bench.apply({ type: 'set-default', settings: { latencyMs: 0, jitterMs: 100 } });
  bench.send(a, b);
  bench.send(b, a);
  bench.send(a, c);
  bench.runUntil(100);
  t.is(new Set(bench.times().map(([timeMs]) => timeMs)).size, 3);
});
