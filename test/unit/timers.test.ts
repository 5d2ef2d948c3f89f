/** Timers: order, ties, cancelling, bounds. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import type { RequestId } from '../../lib/address.ts';
import { type Message, ping } from '../../lib/protocol/messages.ts';
import type { TimerId } from '../../lib/runtime/actor.ts';
import { Timers } from '../../lib/runtime/timers.ts';

function message(id: number): Message {
  return ping(id as RequestId);
}

/** Takes all that is due. */
function takeAll(timers: Timers, nowMs: number): Message[] {
  const taken: Message[] = [];
  const { lastId } = timers;
  for (let next = timers.takeDue(nowMs, lastId); next !== null; ) {
    taken.push(next);
    next = timers.takeDue(nowMs, lastId);
  }
  return taken;
}

test('timers fire when due, the earliest first', (t) => {
  const timers = new Timers();
  timers.schedule(30, message(3));
  timers.schedule(10, message(1));
  timers.schedule(20, message(2));
  t.is(timers.dueMs, 10);
  t.deepEqual(takeAll(timers, 9.9), []);
  t.deepEqual(takeAll(timers, 20), [message(1), message(2)]);
  t.is(timers.dueMs, 30);
  t.deepEqual(takeAll(timers, 1_000), [message(3)]);
  t.is(timers.dueMs, Number.POSITIVE_INFINITY);
});

test('timers due at once fire in the order in which they were set', (t) => {
  const timers = new Timers();
  for (let id = 0; id < 20; id++) timers.schedule(5, message(id));
  t.deepEqual(
    takeAll(timers, 5),
    Array.from({ length: 20 }, (_, id) => message(id)),
  );
});

test('a timer set after the named one waits, even if it is due', (t) => {
  const timers = new Timers();
  const last = timers.schedule(5, message(1));
  timers.schedule(5, message(2));
  t.deepEqual(timers.takeDue(5, last), message(1));
  t.is(timers.takeDue(5, last), null);
  t.deepEqual(takeAll(timers, 5), [message(2)]);
});

test('a cancelled timer neither fires nor is named as the next', (t) => {
  const timers = new Timers();
  const first = timers.schedule(1, message(1));
  const second = timers.schedule(2, message(2));
  timers.cancel(first);
  t.is(timers.dueMs, 2);
  timers.cancel(first);
  timers.cancel(999 as TimerId);
  t.deepEqual(takeAll(timers, 10), [message(2)]);
  timers.cancel(second);
  t.is(timers.count, 0);
  t.is(timers.dueMs, Number.POSITIVE_INFINITY);
});

test('timers that are set and cancelled for ever take no room', (t) => {
  const timers = new Timers();
  timers.schedule(1, message(0));
  for (let id = 1; id < 10_000; id++) timers.cancel(timers.schedule(1_000 + id, message(id)));
  t.is(timers.count, 1);
  t.true(timers.entryCount < 100);
});

const step = fc.oneof(
  fc.record({ do: fc.constant('set' as const), delayMs: fc.nat(20) }),
  fc.record({ do: fc.constant('cancel' as const), index: fc.nat(60) }),
  fc.record({ do: fc.constant('wait' as const), delayMs: fc.nat(10) }),
);

testProp('timers fire as in a sorted list', [fc.array(step, { maxLength: 120 })], (t, steps) => {
  const timers = new Timers();
  t.is(timers.count, 0);
  const ids: TimerId[] = [];
  let model: { dueMs: number; id: TimerId; message: Message }[] = [];
  let nowMs = 0;
  for (const [index, each] of steps.entries()) {
    if (each.do === 'set') {
      const dueMs = nowMs + each.delayMs;
      const id = timers.schedule(dueMs, message(index));
      ids.push(id);
      model.push({ dueMs, id, message: message(index) });
    } else if (each.do === 'cancel') {
      const id = ids[each.index];
      if (id !== undefined) timers.cancel(id);
      model = model.filter((timer) => timer.id !== id);
    } else {
      nowMs += each.delayMs;
      const due = model.filter(({ dueMs }) => dueMs <= nowMs);
      model = model.filter(({ dueMs }) => dueMs > nowMs);
      due.sort((a, b) => a.dueMs - b.dueMs || a.id - b.id);
      t.deepEqual(
        takeAll(timers, nowMs),
        due.map((timer) => timer.message),
      );
    }
    t.is(timers.count, model.length);
    t.is(timers.dueMs, Math.min(...model.map(({ dueMs }) => dueMs)));
  }
});
