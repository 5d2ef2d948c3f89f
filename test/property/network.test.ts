/** Laws of the links, whatever is asked of them: conservation, causality, order, bounds. */
import { fc, testProp } from '@fast-check/ava';
import { type ActorAddress, nodeAddress, type RequestId } from '../../lib/address.ts';
import { DelayQueue } from '../../lib/network/delay-queue.ts';
import { Network } from '../../lib/network/network.ts';
import { type NetworkCommandOptions, resolveCommand } from '../../lib/network/rules.ts';
import { type Message, MessageKind, ping, pingReply } from '../../lib/protocol/messages.ts';

const NODE_COUNT = 3;

type Step =
  | {
      readonly do: 'send';
      readonly source: ActorAddress;
      readonly target: ActorAddress;
      readonly isReply: boolean;
    }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'command'; readonly command: NetworkCommandOptions };

const node = fc.integer({ min: 0, max: NODE_COUNT - 1 }).map(nodeAddress);
const nodes = fc.uniqueArray(node, { minLength: 1 });
const nodesOrAll = fc.option(nodes, { nil: null });
const link = fc
  .record({ source: node, target: node })
  .filter(({ source, target }) => source !== target);
const milliseconds = fc.integer({ min: 0, max: 20 });
const share = fc.constantFrom(0, 0.3, 1);
const ruleId = fc.constantFrom('x', 'y');

function settingsOf(reordering: fc.Arbitrary<number>) {
  return fc.record({
    latencyMs: milliseconds,
    jitterMs: milliseconds,
    jitterDistribution: fc.constantFrom('uniform' as const, 'exponential' as const),
    loss: fc.constantFrom(0, 0.2),
    duplication: share,
    reordering,
    reorderMs: milliseconds,
    bandwidthBytesPerSecond: fc.constantFrom(null, 5000),
    queueBytesMax: fc.constantFrom(100, 10_000),
  });
}

const verdict = fc.oneof(
  fc.constantFrom(
    { type: 'deliver' as const },
    { type: 'drop' as const },
    { type: 'hold' as const },
  ),
  fc.record({
    type: fc.constantFrom('delay' as const, 'duplicate' as const),
    delayMs: milliseconds,
  }),
);

const rule = fc.record({
  sources: nodesOrAll,
  targets: nodesOrAll,
  kinds: fc.constantFrom(null, [MessageKind.Ping]),
  verdict,
  probability: share,
});

/** Commands that leave the order of envelopes alone. */
const orderly: fc.Arbitrary<NetworkCommandOptions>[] = [
  fc
    .tuple(link, settingsOf(fc.constant(0)))
    .map(([ends, settings]) => ({ type: 'set-link', ...ends, settings })),
  link.map((ends) => ({ type: 'reset-link', ...ends })),
  settingsOf(fc.constant(0)).map((settings) => ({ type: 'set-default', settings })),
  fc.constant({ type: 'reset-default' }),
  nodes.map((group) => ({ type: 'partition', groups: [group] })),
  fc.constant({ type: 'partition', groups: [] }),
  fc.record({
    type: fc.constantFrom('block' as const, 'unblock' as const),
    sources: nodes,
    targets: nodes,
  }),
  link.map((ends) => ({ type: 'hold', ...ends })),
  link.map((ends) => ({ type: 'release', ...ends })),
  fc.constant({ type: 'heal' }),
];

/** Commands that may take envelopes out of their order. */
const disorderly: fc.Arbitrary<NetworkCommandOptions>[] = [
  fc
    .tuple(link, settingsOf(share))
    .map(([ends, settings]) => ({ type: 'set-link', ...ends, settings })),
  fc.tuple(ruleId, rule).map(([id, content]) => ({ type: 'rule', id, rule: content })),
  ruleId.map((id) => ({ type: 'remove-rule', id })),
];

function stepsOf(commands: fc.Arbitrary<NetworkCommandOptions>[]): fc.Arbitrary<Step[]> {
  const send = fc
    .tuple(link, fc.boolean())
    .map(([ends, isReply]): Step => ({ do: 'send', ...ends, isReply }));
  const wait = milliseconds.map((ms): Step => ({ do: 'wait', ms }));
  const command = fc.oneof(...commands).map((one): Step => ({ do: 'command', command: one }));
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: send },
      { weight: 1, arbitrary: wait },
      { weight: 1, arbitrary: command },
    ),
    { maxLength: 120, size: 'max' },
  );
}

interface Arrival {
  readonly timeMs: number;
  readonly linkId: string;
  /** Counts the envelopes of all links. */
  readonly id: number;
}

/** Runs steps and records what was sent and what arrived. */
class Run {
  readonly network: Network;
  readonly arrivals: Arrival[] = [];
  /** When and over which link each envelope was sent. */
  readonly sent: Arrival[] = [];
  readonly heldCountMax: number;
  waitingCountMax = 0;
  private nowMs = 0;

  constructor(seed: number, heldCountMax: number) {
    this.network = new Network({ seed, heldCountMax });
    this.heldCountMax = heldCountMax;
    // Ends the quiet, so that everything is counted.
    this.network.observe({ sources: null, targets: null, kinds: null }, () => {});
  }

  step(step: Step): void {
    if (step.do === 'wait') this.nowMs += step.ms;
    else if (step.do === 'command') this.apply(step.command);
    else this.send(step.source, step.target, step.isReply);
    // Waiting releases only at times, so that envelopes are also sent while others are due.
    if (step.do === 'wait' && step.ms % 2 === 0) this.network.releaseDue(this.nowMs, this.deliver);
    this.waitingCountMax = Math.max(this.waitingCountMax, this.waitingCount());
  }

  /** Heals and lets all time pass. */
  finish(): void {
    this.apply({ type: 'heal' });
    while (this.network.dueMs() < Number.POSITIVE_INFINITY) {
      this.nowMs = Math.max(this.nowMs, this.network.dueMs());
      this.network.releaseDue(this.nowMs, this.deliver);
    }
  }

  waitingCount(): number {
    return this.network.counters().reduce((sum, counters) => sum + counters.waiting, 0);
  }

  arrivalsOf(linkId: string): Arrival[] {
    return this.arrivals.filter((arrival) => arrival.linkId === linkId);
  }

  private apply(command: NetworkCommandOptions): void {
    this.network.apply(resolveCommand(command, NODE_COUNT), this.nowMs, this.deliver);
  }

  private send(source: ActorAddress, target: ActorAddress, isReply: boolean): void {
    const id = this.sent.length;
    this.sent.push({ timeMs: this.nowMs, linkId: `${source}>${target}`, id });
    const message = isReply ? pingReply(id as RequestId, 0) : ping(id as RequestId);
    this.network.admit(this.nowMs, source, target, message, this.deliver);
  }

  private readonly deliver = (source: ActorAddress, target: ActorAddress, message: Message) => {
    const id = 'requestId' in message ? message.requestId : -1;
    this.arrivals.push({ timeMs: this.nowMs, linkId: `${source}>${target}`, id });
  };
}

/** The counters of every link agree with what was seen from outside. */
function isConserved(run: Run): boolean {
  return run.network.counters().every((counters) => {
    const linkId = `${counters.source}>${counters.target}`;
    const dropped = Object.values(counters.dropped).reduce((sum, count) => sum + count, 0);
    return (
      counters.sent === run.sent.filter((sent) => sent.linkId === linkId).length &&
      counters.delivered === run.arrivalsOf(linkId).length &&
      counters.sent + counters.duplicated === counters.delivered + dropped + counters.waiting
    );
  });
}

const seed = fc.nat();
const heldCountMax = fc.constantFrom(1, 4, 1000);

testProp(
  'sent and duplicated envelopes are delivered, dropped or waiting; none arrives early or on another link',
  [seed, heldCountMax, stepsOf([...orderly, ...disorderly])],
  (t, seed, heldCountMax, steps) => {
    const run = new Run(seed, heldCountMax);
    for (const step of steps) {
      run.step(step);
      t.true(isConserved(run));
    }
    t.true(run.waitingCountMax <= heldCountMax);
    run.finish();
    t.true(isConserved(run));
    t.is(run.waitingCount(), 0);
    for (const { id, linkId, timeMs } of run.arrivals) {
      t.is(run.sent[id]?.linkId, linkId);
      t.true(timeMs >= run.sent[id]!.timeMs);
    }
  },
);

testProp(
  'without reordering and rules the envelopes of a link arrive in order',
  [seed, heldCountMax, stepsOf(orderly)],
  (t, seed, heldCountMax, steps) => {
    const run = new Run(seed, heldCountMax);
    for (const step of steps) run.step(step);
    run.finish();
    // Sorting is stable, so it only groups by link what is in order already.
    const byLink = run.arrivals.toSorted((x, y) => x.linkId.localeCompare(y.linkId));
    const inOrder = byLink.toSorted((x, y) => x.linkId.localeCompare(y.linkId) || x.id - y.id);
    t.deepEqual(byLink, inOrder);
  },
);

testProp(
  'the same seed and steps give the same arrivals',
  [seed, heldCountMax, stepsOf([...orderly, ...disorderly])],
  (t, seed, heldCountMax, steps) => {
    const [first, second] = [new Run(seed, heldCountMax), new Run(seed, heldCountMax)];
    for (const step of steps) {
      first.step(step);
      second.step(step);
    }
    t.deepEqual(first.arrivals, second.arrivals);
    t.deepEqual(first.network.counters(), second.network.counters());
  },
);

testProp(
  'a network with the standing commands of another has the same faults',
  [seed, fc.array(fc.oneof(...orderly, ...disorderly), { maxLength: 20 })],
  (t, seed, commands) => {
    const deliver = () => t.fail('nothing was sent');
    const first = new Network({ seed, heldCountMax: 1 });
    const second = new Network({ seed, heldCountMax: 1 });
    for (const command of commands) first.apply(resolveCommand(command, NODE_COUNT), 0, deliver);
    for (const command of first.standingCommands()) second.apply(command, 0, deliver);
    const byText = (network: Network) =>
      network.standingCommands().map((command) => JSON.stringify(command));
    t.deepEqual(byText(second).sort(), byText(first).sort());
    t.is(second.isQuiet, first.isQuiet);
  },
);

testProp(
  'a delay queue gives what a stable sort gives',
  [fc.array(fc.option(fc.integer({ min: 0, max: 9 })), { minLength: 1, maxLength: 200 })],
  (t, operations) => {
    const queue = new DelayQueue<number>();
    const model: { dueMs: number; item: number }[] = [];
    for (const [item, dueMs] of operations.entries()) {
      if (dueMs !== null) {
        queue.push(dueMs, item);
        model.push({ dueMs, item });
        model.sort((x, y) => x.dueMs - y.dueMs);
      } else {
        const first = model.shift();
        if (first !== undefined) t.is(queue.pop(), first.item);
      }
      t.is(queue.size, model.length);
      t.is(queue.dueMs, model[0]?.dueMs ?? Number.POSITIVE_INFINITY);
    }
  },
);
