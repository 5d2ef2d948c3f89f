/** While a world runs, what the seed does not decide is out of reach; afterwards everything is back. */
import test from 'ava';
import { AssertionError } from '../../lib/assert.ts';
import { withPoisonedGlobals } from '../../lib/sim/world/poison.ts';

const CapturedDate = Date;

const touches: Record<string, () => unknown> = {
  'Date.now of a captured Date': () => CapturedDate.now(),
  'performance.timeOrigin': () => performance.timeOrigin,
  'process.uptime': () => process.uptime(),
  'process.memoryUsage': () => process.memoryUsage(),
  'process.nextTick': () => process.nextTick(() => {}),
  'crypto.subtle': () => crypto.subtle,
  'AbortSignal.timeout': () => AbortSignal.timeout(1),
  'Atomics.wait': () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0),
  MessageChannel: () => new MessageChannel(),
  'BigInt.prototype.toLocaleString': () => 5n.toLocaleString(),
  'Math.random': () => Math.random(),
  'Date.now': () => Date.now(),
  'new Date': () => new Date(),
  Date: () => Date(),
  'performance.now': () => performance.now(),
  'process.hrtime': () => process.hrtime(),
  setTimeout: () => setTimeout(() => {}, 0),
  setInterval: () => setInterval(() => {}, 1),
  setImmediate: () => setImmediate(() => {}),
  queueMicrotask: () => queueMicrotask(() => {}),
  'crypto.randomUUID': () => crypto.randomUUID(),
  'crypto.getRandomValues': () => crypto.getRandomValues(new Uint8Array(1)),
  fetch: () => fetch('http://127.0.0.1:1/'),
  WeakRef: () => new WeakRef({}),
  FinalizationRegistry: () => new FinalizationRegistry(() => {}),
  Intl: () => Intl.DateTimeFormat(),
  localeCompare: () => 'a'.localeCompare('b'),
  toLocaleString: () => (1000).toLocaleString(),
};

// One test: the globals belong to all tests of this file, and theirs to it.
test('every source of chance and time is poisoned while the work runs, and back afterwards', (t) => {
  for (const [name, touch] of Object.entries(touches)) {
    const error = t.throws(() => withPoisonedGlobals(touch), undefined, name);
    t.true(error instanceof AssertionError, name);
  }
  t.true(Math.random() < 1);
  t.true(Date.now() > 0);
  t.true(new Date() instanceof Date);
  t.true(performance.now() > 0);
  t.is('a'.localeCompare('b'), -1);
  clearTimeout(setTimeout(() => {}, 0));
});

test('runs may be nested, and what they return and throw passes through', (t) => {
  const nested = withPoisonedGlobals(() => {
    const inner = withPoisonedGlobals(() => 5);
    t.throws(() => Math.random(), { instanceOf: AssertionError });
    return inner;
  });
  t.is(nested, 5);
  t.throws(
    () =>
      withPoisonedGlobals(() => {
        throw new TypeError('own');
      }),
    { instanceOf: TypeError },
  );
  t.true(Math.random() < 1);
});
