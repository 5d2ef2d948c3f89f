/** Traces: what lines say, which a filter keeps, and that looking changes nothing. */
import test from 'ava';
import {
  bucketPrefix,
  clientAddress,
  nodeAddress,
  type PartitionId,
  type RequestId,
  recordKey,
} from '../../lib/address.ts';
import { MessageKind, ping } from '../../lib/protocol/messages.ts';
import { createTraceFilter, Trace } from '../../lib/sim/world/trace.ts';
import { World } from '../../lib/sim/world/world.ts';

const a = nodeAddress(0);
const b = nodeAddress(1);
const partition = 5 as PartitionId;
const key = recordKey(bucketPrefix('carts'), 'k1');

/** What a trace writes of `use`, without step and time. */
function linesOf(use: (trace: Trace) => void, filter = ''): string[] {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice(22));
  use(new Trace({ write, filter: createTraceFilter(filter) }));
  return lines;
}

test('a line has step, virtual milliseconds and what happened', (t) => {
  const lines: string[] = [];
  const trace = new Trace({ write: (line) => lines.push(line) });
  trace.note('before the world tells the time');
  trace.follow({ stepCount: 1234, nowMs: 56.78901 });
  trace.note('crash a');
  t.deepEqual(lines, [
    '      0        0.000  before the world tells the time',
    '   1234       56.789  crash a',
  ]);
});

test('every kind of event has its line', (t) => {
  const lines = linesOf(({ observer }) => {
    const message = ping(7 as RequestId);
    const encoded = new Uint8Array();
    observer.onMessage?.({
      source: clientAddress(0),
      target: b,
      message,
      timeMs: 1,
      step: 1,
      encoded,
    });
    const link = { timeMs: 1, source: a, target: b, kind: MessageKind.Ping };
    observer.onVerdict?.({ ...link, verdict: { type: 'deliver' } });
    observer.onVerdict?.({ ...link, verdict: { type: 'delay', delayMs: 1.5 } });
    observer.onVerdict?.({ ...link, verdict: { type: 'drop', reason: 'loss' } });
    observer.onVerdict?.({ ...link, verdict: { type: 'duplicate' } });
    observer.onVerdict?.({ ...link, verdict: { type: 'hold' } });
    observer.onTurn?.(2);
    observer.onCommitted?.(a, [{ partition, key, record: new Uint8Array([255]) }]);
    observer.onNode?.({ type: 'started', node: a, report: { status: 'opened', detail: '' } });
    observer.onNode?.({ type: 'started', node: a, report: { status: 'recovered', detail: 'x' } });
    observer.onNode?.({ type: 'stopped', node: b, reason: 'crash', isFailure: false });
    observer.onNode?.({ type: 'refused', node: b, error: new Error('another node') });
  });
  t.deepEqual(lines, [
    'client0 > b  Ping #7',
    'a > b  Ping delayed by 1.500 ms',
    'a > b  Ping dropped: loss',
    'a > b  Ping duplicated',
    'a > b  Ping held',
    'thread 2  turn',
    'a  committed p5 carts/k1 {malformed, 1 bytes}',
    'a  started, store opened',
    'a  started, store recovered: x',
    'b  stopped: crash',
    'b  not started: another node',
  ]);
});

test('a filter keeps lines with one of its texts, in upper or lower case', (t) => {
  const notes = ['crash a', 'a > b  Ping #1', 'heal', 'carts/k17'];
  const kept = (filter: string) =>
    linesOf((trace) => {
      for (const note of notes) trace.note(note);
    }, filter);
  t.deepEqual(kept(''), notes);
  t.deepEqual(kept(' , '), notes);
  t.deepEqual(kept('ping'), ['a > b  Ping #1']);
  t.deepEqual(kept('K17, Crash'), ['crash a', 'carts/k17']);
  t.deepEqual(kept('nothing'), []);
});

/** A small world with faults in its links; traced or not. */
function runWorld(trace: Trace | null) {
  const world = new World({
    seed: 11,
    nodes: 3,
    threads: 2,
    partitions: 8,
    ...(trace === null ? {} : { observer: trace.observer }),
  });
  trace?.follow(world);
  world.applyNetwork({ type: 'set-default', settings: { loss: 0.2, jitterMs: 3 } });
  const [client] = world.clients;
  const settings = { replication: { n: 3, r: 2, w: 2 }, timeoutMs: 500, signal: null };
  for (let count = 0; count < 20; count++) {
    world.at(count * 10, () => {
      const value = new Uint8Array([count]);
      const write = { value, context: [], preferred: null, lastWriterWins: false };
      client!.startPut(partition, key, write, settings, ignore, ignore);
    });
  }
  world.at(100, () => world.crash(a));
  world.runUntil(1000);
  return world.fingerprint;
}

function ignore(): void {}

test('a trace does not change the run, and equal runs have equal traces', (t) => {
  const traced = () => {
    const fingerprints: string[] = [];
    const lines = linesOf((trace) => fingerprints.push(runWorld(trace)));
    return { fingerprint: fingerprints[0], lines };
  };
  const first = traced();
  t.is(first.fingerprint, runWorld(null));
  t.deepEqual(traced(), first);
  for (const text of [
    'client0 > ',
    'ReplicaPut ',
    'dropped: loss',
    'delayed by',
    'a  stopped: crash',
  ]) {
    t.true(
      first.lines.some((line) => line.includes(text)),
      text,
    );
  }
});
