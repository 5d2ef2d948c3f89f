/** The control surface over a bare message channel: every call ends, and errors keep what they say. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { isRingletError, RingletError } from '../../lib/errors.ts';
import { Control, exposeControl } from '../../workers/control.ts';

interface Api {
  add(a: number, b: number): number;
  /** Adds, and keeps the thread busy meanwhile. */
  addSlowly(a: number, b: number, durationMs: number): number;
  later(value: string): Promise<string>;
  refuse(): void;
  fail(): void;
  never(): Promise<void>;
  portOf(port: MessagePort): void;
}

function openControl(t: ExecutionContext, timeoutMs = 60_000) {
  const { port1, port2 } = new MessageChannel();
  const order: string[] = [];
  const silences: RingletError[] = [];
  const api: Api = {
    add: (a, b) => a + b,
    addSlowly(a, b, durationMs) {
      const endMs = performance.now() + durationMs;
      while (performance.now() < endMs);
      return a + b;
    },
    async later(value) {
      order.push(value);
      return value;
    },
    refuse() {
      throw new RingletError('RINGLET_DISK_FULL', 'no room', { definite: true });
    },
    fail() {
      throw Object.assign(new TypeError('a bug'), { code: 'ERR_BUG' });
    },
    never: () => new Promise(() => {}),
    portOf: (port) => port.postMessage('through'),
  };
  exposeControl<Api>(api, port2);
  const control = new Control<Api>(port1, timeoutMs, (error) => silences.push(error));
  t.teardown(() => control.close());
  return { control, order, silences, remotePort: port2 };
}

test('a call returns what the method returns', async (t) => {
  const { control, order } = openControl(t);
  t.is(await control.call('add', 2, 3), 5);
  const calls = ['a', 'b', 'c'].map((name) => control.call('later', name));
  t.deepEqual(await Promise.all(calls), ['a', 'b', 'c']);
  t.deepEqual(order, ['a', 'b', 'c']);
});

test("a method's error keeps its code, certainty and message", async (t) => {
  const { control } = openControl(t);
  const refusal = await t.throwsAsync(control.call('refuse'));
  t.true(isRingletError(refusal, 'RINGLET_DISK_FULL') && refusal.definite);
  t.regex(refusal.message, /^no room/);
  const bug = await t.throwsAsync(control.call('fail'), { name: 'TypeError', message: 'a bug' });
  t.is((bug as Error & { code?: string }).code, 'ERR_BUG');
  t.true(bug.stack?.includes('control.test.ts'), 'the stack is that of the other side');
});

test('ports in the parameters are handed over', async (t) => {
  const { control } = openControl(t);
  const { port1, port2 } = new MessageChannel();
  const received = new Promise((resolve) => port2.once('message', resolve));
  await control.transferCall('portOf', [port1], port1);
  t.is(await received, 'through');
  port2.close();
});

test('a call that does not return is rejected at its deadline, and someone is told', async (t) => {
  const { control, silences } = openControl(t, 20);
  const error = await t.throwsAsync(control.call('never'));
  t.true(isRingletError(error, 'RINGLET_TIMEOUT'));
  t.deepEqual(silences, [error]);
});

test('an answer that came while this thread was busy counts, though its deadline has passed', async (t) => {
  const { control, silences } = openControl(t, 20);
  t.is(await control.call('addSlowly', 1, 1, 60), 2);
  t.deepEqual(silences, []);
});

test('calls end when the other side closes, and later ones are refused', async (t) => {
  const { control, remotePort, silences } = openControl(t);
  const calls = [control.call('never'), control.call('never')];
  remotePort.close();
  for (const call of calls) {
    t.true(isRingletError(await t.throwsAsync(call), 'RINGLET_NODE_STOPPED'));
  }
  const late = await t.throwsAsync(control.call('add', 1, 1));
  t.true(isRingletError(late, 'RINGLET_NODE_STOPPED'));
  t.deepEqual(silences, []);
});

test('calls end when this side closes', async (t) => {
  const { control } = openControl(t);
  const call = t.throwsAsync(control.call('never'));
  control.close();
  t.true(isRingletError(await call, 'RINGLET_NODE_STOPPED'));
});

test('a parameter that cannot be sent rejects the call, whose deadline then means nothing', async (t) => {
  const { control, silences } = openControl(t, 20);
  const unsendable = (() => {}) as unknown as string;
  await t.throwsAsync(control.call('later', unsendable), { name: 'DataCloneError' });
  await t.throwsAsync(control.call('never'));
  t.is(silences.length, 1, 'the deadline of the second call alone');
});
