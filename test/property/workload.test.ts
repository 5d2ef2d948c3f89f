/** Distributions of the workload generators against theory, and laws of their arithmetic. Seeds are fixed: the bounds hold for them. */
import test from 'ava';
import fc from 'fast-check';
import { Prng } from '../../lib/prng.ts';
import { fnv64, fnvDecimal, fnvModulo } from '../../lib/workload/fnv.ts';
import {
  ExponentialGenerator,
  HotspotGenerator,
  LatestGenerator,
  type NumberGenerator,
  ScrambledZipfianGenerator,
  SequentialGenerator,
  UniformGenerator,
  ZIPFIAN_CONSTANT,
  ZipfianGenerator,
  zeta,
} from '../../lib/workload/generators.ts';
import { parseProperties } from '../../lib/workload/properties.ts';

const DRAWS = 200_000;

/** How often each number from 0 to `count - 1` was drawn, as shares. Fails on a number outside. */
function shares(generator: NumberGenerator, count: number): Float64Array {
  const drawn = new Float64Array(count);
  for (let draw = 0; draw < DRAWS; draw++) {
    const number = generator.next();
    if (!Number.isInteger(number) || number < 0 || number >= count) {
      throw new Error(`drew ${number}, expected 0 to ${count - 1}`);
    }
    drawn[number] = drawn[number]! + 1 / DRAWS;
  }
  return drawn;
}

const numbers = fc.nat({ max: Number.MAX_SAFE_INTEGER });

/** The 64-bit hash as arithmetic on big integers has it: the oracle. */
function slowFnv64(value: number): bigint {
  let hash = 0xcbf29ce484222325n;
  let rest = BigInt(value);
  for (let octet = 0; octet < 8; octet++) {
    hash = BigInt.asUintN(64, (hash ^ (rest & 0xffn)) * 1099511628211n);
    rest >>= 8n;
  }
  const signed = BigInt.asIntN(64, hash);
  return signed < 0n ? -signed : signed;
}

test('the hash, its remainders and its digits agree with big integers', (t) => {
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 2 ** 36 }), (value, divisor) => {
      const expected = slowFnv64(value);
      const hash = fnv64(value);
      return (
        ((BigInt(hash.high) << 32n) | BigInt(hash.low)) === expected &&
        fnvDecimal(hash) === String(expected) &&
        BigInt(fnvModulo(hash, divisor)) === expected % BigInt(divisor)
      );
    }),
    { numRuns: 5000 },
  );
  t.pass();
});

test('decimal digits of small and extreme hashes', (t) => {
  const halves = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(fc.oneof(fc.constant(0), halves), halves, (high, low) => {
      return fnvDecimal({ high, low }) === String((BigInt(high) << 32n) | BigInt(low));
    }),
  );
  t.pass();
});

test('zipfian: the head has the share that theory gives it', (t) => {
  const count = 1000;
  const sum = zeta(ZIPFIAN_CONSTANT, 0, count);
  const drawn = shares(new ZipfianGenerator(new Prng(11), count), count);
  // The first two items are exact in Gray's method, the rest an approximation of the tail.
  for (const item of [0, 1]) {
    const expected = 1 / (item + 1) ** ZIPFIAN_CONSTANT / sum;
    t.true(Math.abs(drawn[item]! / expected - 1) < 0.03, `item ${item}: ${drawn[item]}`);
  }
  const head = drawn.slice(0, 100).reduce((a, b) => a + b);
  const headExpected = zeta(ZIPFIAN_CONSTANT, 0, 100) / sum;
  t.true(Math.abs(head - headExpected) < 0.03, `the first 100: ${head}, expected ${headExpected}`);
  t.true(drawn.every((share) => share > 0));
});

test('zipfian: one and two items', (t) => {
  t.is(shares(new ZipfianGenerator(new Prng(1), 1), 1)[0]!.toFixed(3), '1.000');
  const two = shares(new ZipfianGenerator(new Prng(1), 2), 2);
  t.true(Math.abs(two[0]! - 1 / (1 + 0.5 ** ZIPFIAN_CONSTANT)) < 0.01);
});

test('zipfian: a range that grew draws the same as one made that large', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 5 }),
      (count, growths) => {
        const grown = new ZipfianGenerator(new Prng(4), count);
        for (const growth of growths) grown.grow(growth);
        const large = new ZipfianGenerator(new Prng(4), Math.max(count, ...growths));
        return Array.from({ length: 50 }).every(() => grown.next() === large.next());
      },
    ),
  );
  t.pass();
});

test('scrambled zipfian: skewed as zipfian, but spread over the whole range', (t) => {
  const count = 1000;
  const drawn = shares(new ScrambledZipfianGenerator(new Prng(12), 0, count), count);
  // The most popular of 10^10 items has 1 / zeta of the draws; its place is decided by its hash.
  const top = drawn.indexOf(Math.max(...drawn));
  t.is(top, fnvModulo(fnv64(0), count));
  t.true(Math.abs(drawn[top]! - 1 / 26.469) < 0.004, `${drawn[top]}`);
  t.true(drawn.every((share) => share > 0));
  const byTenth = Array.from({ length: 10 }, (_, tenth) =>
    drawn.slice(tenth * 100, tenth * 100 + 100).reduce((a, b) => a + b),
  );
  t.true(Math.max(...byTenth) < 0.2 && Math.min(...byTenth) > 0.05, byTenth.join(' '));
});

test('latest: the newest item leads, also after the range grew', (t) => {
  let newest = 499;
  const generator = new LatestGenerator(new Prng(13), () => newest);
  newest = 999;
  const drawn = shares(generator, 1000);
  t.is(drawn.indexOf(Math.max(...drawn)), 999);
  t.true(drawn.slice(900).reduce((a, b) => a + b) > 0.6);
  t.true(drawn[999]! > drawn[998]! && drawn[998]! > drawn[900]!);
});

test('uniform: every item has about the same share', (t) => {
  const drawn = shares(new UniformGenerator(new Prng(14), 0, 100), 100);
  t.true(Math.max(...drawn) < 0.012 && Math.min(...drawn) > 0.008);
});

test('hotspot: the hot set has its share of the draws', (t) => {
  const drawn = shares(new HotspotGenerator(new Prng(15), 0, 100, 0.2, 0.8), 100);
  const hot = drawn.slice(0, 20).reduce((a, b) => a + b);
  t.true(Math.abs(hot - 0.8) < 0.01, `${hot}`);
  t.true(drawn.every((share) => share > 0));
  const allHot = shares(new HotspotGenerator(new Prng(15), 0, 10, 1, 0.5), 10);
  t.true(Math.max(...allHot) < 0.12, 'without a cold set all items are equal');
});

test('exponential: the percentile falls on the range', (t) => {
  const generator = new ExponentialGenerator(new Prng(16), 95, 1000);
  let within = 0;
  for (let draw = 0; draw < DRAWS; draw++) if (generator.next() < 1000) within += 1;
  t.true(Math.abs(within / DRAWS - 0.95) < 0.005, `${within / DRAWS}`);
});

test('sequential: all items in turn', (t) => {
  const generator = new SequentialGenerator(5, 3);
  t.deepEqual(
    Array.from({ length: 7 }, () => generator.next()),
    [5, 6, 7, 5, 6, 7, 5],
  );
});

test('property files: what was escaped comes back', (t) => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
  const escaped = (plain: string) =>
    [...plain]
      .map((character) =>
        character === '\n' ? '\\n' : character === '\r' ? '\\r' : `\\${character}`,
      )
      // A backslash before one of these letters would make it another character.
      .map((pair) => (/^\\[tnrfu]$/.test(pair) && !['\\n', '\\r'].includes(pair) ? pair[1]! : pair))
      .join('');
  const plain = text.filter((value) => !/[nr]/.test(value));
  fc.assert(
    fc.property(plain, plain, (name, value) => {
      const parsed = parseProperties(`${escaped(name)}=${escaped(value)}\n`, 'w');
      return parsed.size === 1 && parsed.get(name) === value;
    }),
  );
  t.pass();
});
