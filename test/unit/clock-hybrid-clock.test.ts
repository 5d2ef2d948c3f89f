/** The hybrid clock: near real time, always ahead of what it has seen, never pulled too far. */
import test from 'ava';
import { AssertionError } from '../../lib/assert.ts';
import { HybridClock } from '../../lib/clock/hybrid-clock.ts';

const WALL_MS = Date.UTC(2026, 6, 1);

function timestampMs(timestamp: number): number {
  return Math.floor(timestamp / 2048);
}

test('timestamps follow the wall clock', (t) => {
  const clock = new HybridClock(1000);
  t.is(timestampMs(clock.now(WALL_MS)), WALL_MS);
  t.is(timestampMs(clock.now(WALL_MS + 5.75)), WALL_MS + 5);
});

test('timestamps increase though the wall clock stands still, jumps back or is before 1970', (t) => {
  const clock = new HybridClock(1000);
  let previous = 0;
  for (const wallMs of [-5000, -5000, 0, WALL_MS, WALL_MS, WALL_MS - 3_600_000, 0, WALL_MS + 1]) {
    const timestamp = clock.now(wallMs);
    t.true(timestamp > previous, `at ${wallMs}`);
    previous = timestamp;
  }
  t.is(timestampMs(previous), WALL_MS + 1);
});

test('more timestamps than a millisecond has carry into the next', (t) => {
  const clock = new HybridClock(1000);
  for (let index = 0; index < 2048; index++) t.is(timestampMs(clock.now(WALL_MS)), WALL_MS);
  t.is(timestampMs(clock.now(WALL_MS)), WALL_MS + 1);
});

test('an observed timestamp orders later ones after it', (t) => {
  const ahead = new HybridClock(1000).now(WALL_MS + 1000);
  const clock = new HybridClock(1000);
  t.is(clock.observe(ahead, WALL_MS), 'accepted');
  t.is(clock.now(WALL_MS), ahead + 1);
  t.is(clock.observe(ahead - 5, WALL_MS), 'accepted');
  t.is(clock.now(WALL_MS), ahead + 2);
});

test('a timestamp further ahead than the permitted skew is not learnt', (t) => {
  const clock = new HybridClock(1000);
  const tooFar = new HybridClock(1000).now(WALL_MS + 1001);
  t.is(clock.observe(tooFar, WALL_MS), 'too-far-ahead');
  t.is(clock.observe(Number.MAX_SAFE_INTEGER, WALL_MS), 'too-far-ahead');
  t.is(timestampMs(clock.now(WALL_MS)), WALL_MS);
});

test('a time that no timestamp can hold is refused', (t) => {
  t.throws(() => new HybridClock(1000).now(2 ** 42), { instanceOf: AssertionError });
  t.throws(() => new HybridClock(1000).now(Number.NaN), { instanceOf: AssertionError });
  t.throws(() => new HybridClock(-1), { instanceOf: AssertionError });
});
