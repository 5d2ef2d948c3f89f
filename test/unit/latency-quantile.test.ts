/** The running quantile that says when a read is hedged. */
import test from 'ava';
import { LatencyQuantile } from '../../actors/latency-quantile.ts';
import { AssertionError } from '../../lib/assert.ts';
import { Prng } from '../../lib/prng.ts';

test('settles near the true quantile of a steady distribution', (t) => {
  const quantile = new LatencyQuantile(0.95, 5);
  const random = new Prng(1);
  let sum = 0;
  for (let count = 0; count < 20_000; count++) {
    quantile.add(random.float() * 100);
    if (count >= 10_000) sum += quantile.value;
  }
  const mean = sum / 10_000;
  t.true(mean > 90 && mean < 99, `${mean} is not near 95`);
});

test('follows when everything becomes slower, and faster again', (t) => {
  const quantile = new LatencyQuantile(0.95, 5);
  for (let count = 0; count < 500; count++) quantile.add(200);
  t.true(quantile.value > 190);
  for (let count = 0; count < 5_000; count++) quantile.add(1);
  t.true(quantile.value < 3);
});

test('one outlier moves it little', (t) => {
  const quantile = new LatencyQuantile(0.95, 10);
  quantile.add(1_000_000);
  t.true(quantile.value < 10.5);
});

test('stays above zero, so that it can grow again', (t) => {
  const quantile = new LatencyQuantile(0.95, 5);
  for (let count = 0; count < 100_000; count++) quantile.add(0);
  t.true(quantile.value > 0);
  for (let count = 0; count < 1_000; count++) quantile.add(10);
  t.true(quantile.value > 9);
});

test('refuses what is no quantile', (t) => {
  for (const [quantile, startMs] of [
    [0, 1],
    [1, 1],
    [0.5, 0],
  ] as const) {
    t.throws(() => new LatencyQuantile(quantile, startMs), { instanceOf: AssertionError });
  }
});
