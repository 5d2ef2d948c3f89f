/** The random stream: reproducible, even, and split without side effects. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { Prng } from '../../lib/prng.ts';

function draws(random: Prng, count = 20): number[] {
  return Array.from({ length: count }, () => random.uint32());
}

const anySeed = fc.maxSafeInteger();

testProp('one seed, one stream', [anySeed], (t, seed) => {
  t.deepEqual(draws(new Prng(seed)), draws(new Prng(seed)));
});

testProp('another seed, another stream', [anySeed, anySeed], (t, a, b) => {
  t.is(String(draws(new Prng(a))) === String(draws(new Prng(b))), a === b);
});

test('the stream of a seed does not change: every recorded seed depends on it', (t) => {
  t.deepEqual(draws(new Prng(1), 4), [3_685_413_526, 628_251_110, 212_572_038, 1_878_899_064]);
  t.deepEqual(draws(new Prng(1).split('label'), 2), [2_148_432_355, 3_153_965_889]);
});

testProp('to split takes nothing from the stream', [anySeed, fc.string()], (t, seed, label) => {
  const random = new Prng(seed);
  const before = random.split(label);
  t.deepEqual(draws(random), draws(new Prng(seed)));
  t.deepEqual(draws(before), draws(new Prng(seed).split(label)));
});

test('streams split by label, and at other times, share nothing', (t) => {
  const random = new Prng(7);
  const streams = ['a', 'b', 'node 1', 'node 2', ''].map((label) => draws(random.split(label)));
  streams.push(draws(new Prng(7)), draws(random.split('a').split('a')));
  random.uint32();
  streams.push(draws(random.split('a')));
  const all = streams.flat();
  t.is(new Set(all).size, all.length);
});

test('a seed is a finite number', (t) => {
  for (const seed of [Number.NaN, Infinity, -Infinity]) {
    t.throws(() => new Prng(seed), { name: 'AssertionError' });
  }
});

/** Chi-squared of counts that should be equal. */
function chiSquared(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

let nextSeed = 0;

const bucketings: Record<string, (random: Prng) => number> = {
  'the top byte': (random) => random.uint32() >>> 24,
  'the low byte': (random) => random.uint32() & 0xff,
  'a draw below 256': (random) => random.int(256),
  'the first digits of a fraction': (random) => Math.floor(random.float() * 256),
  'the last digits of a fraction': (random) => Math.floor(random.float() * 2 ** 53) % 256,
  'the first draw of many streams': (random) => random.split(`${random.uint32()}`).int(256),
  'the first draw of neighbouring seeds': () => new Prng(nextSeed++).int(256),
};

for (const [title, draw] of Object.entries(bucketings)) {
  test(`even: ${title}`, (t) => {
    const random = new Prng(20_260_101);
    const counts = new Array<number>(256).fill(0);
    for (let index = 0; index < 65_536; index++) counts[draw(random)]!++;
    // 255 degrees of freedom: mean 255, standard deviation 22.6. The seed is fixed, so this holds or does not.
    const value = chiSquared(counts);
    t.true(value > 165 && value < 345, `chi-squared ${value}`);
  });
}

testProp(
  'a draw is within its limit',
  [anySeed, fc.integer({ min: 1, max: 2 ** 32 })],
  (t, seed, limit) => {
    const random = new Prng(seed);
    for (let index = 0; index < 20; index++) {
      const value = random.int(limit);
      t.true(Number.isInteger(value) && value >= 0 && value < limit);
      const fraction = random.float();
      t.true(fraction >= 0 && fraction < 1);
    }
  },
);

test('limits of a draw', (t) => {
  const random = new Prng(1);
  t.is(random.int(1), 0);
  for (const limit of [0, -1, 2 ** 32 + 1, Number.NaN]) {
    t.throws(() => random.int(limit), { name: 'AssertionError' });
  }
});

test('chances are as said', (t) => {
  const random = new Prng(5);
  const count = (probability: number) =>
    Array.from({ length: 10_000 }, () => random.chance(probability)).filter(Boolean).length;
  t.is(count(0), 0);
  t.is(count(1), 10_000);
  const third = count(0.3);
  t.true(third > 2800 && third < 3200, String(third));
});

testProp(
  'a shuffle keeps all and changes nothing',
  [anySeed, fc.array(fc.nat())],
  (t, seed, items) => {
    const before = [...items];
    const shuffled = new Prng(seed).shuffle(items);
    t.deepEqual(items, before);
    t.deepEqual(shuffled.toSorted(), items.toSorted());
  },
);

test('every order of a shuffle is as likely, and every element as likely picked', (t) => {
  const random = new Prng(11);
  const orders = new Map<string, number>();
  const picks = [0, 0, 0];
  for (let index = 0; index < 6000; index++) {
    const order = random.shuffle('abc'.split('')).join('');
    orders.set(order, (orders.get(order) ?? 0) + 1);
    picks[random.pick([0, 1, 2])]!++;
  }
  t.is(orders.size, 6);
  t.true(chiSquared([...orders.values()]) < 20.5);
  t.true(chiSquared(picks) < 13.8);
  t.throws(() => random.pick([]), { name: 'AssertionError' });
});
