/** The fingerprint: what it depends on, and a fixed value, so that every engine and platform must agree on it. */
import test from 'ava';
import { Fingerprint } from '../../lib/sim/world/fingerprint.ts';

function fingerprintOf(fold: (fingerprint: Fingerprint) => void): string {
  const fingerprint = new Fingerprint();
  fold(fingerprint);
  return fingerprint.toString();
}

function numbers(...values: number[]): string {
  return fingerprintOf((fingerprint) => {
    for (const value of values) fingerprint.number(value);
  });
}

test('it depends on every value and on their order', (t) => {
  const all = [
    fingerprintOf(() => {}),
    fingerprintOf((f) => f.number(0)),
    fingerprintOf((f) => f.number(1)),
    fingerprintOf((f) => f.number(-1)),
    fingerprintOf((f) => f.number(0.001)),
    fingerprintOf((f) => f.number(2 ** 40)),
    numbers(1, 2),
    numbers(2, 1),
    fingerprintOf((f) => f.bytes(new Uint8Array([1]))),
    fingerprintOf((f) => f.bytes(new Uint8Array([1, 0]))),
    fingerprintOf((f) => {
      f.bytes(new Uint8Array([1]));
      f.bytes(new Uint8Array(0));
    }),
  ];
  t.is(new Set(all).size, all.length);
  t.is(
    fingerprintOf((f) => f.number(5)),
    fingerprintOf((f) => f.number(5)),
  );
});

test('its value is the same everywhere', (t) => {
  const value = fingerprintOf((f) => {
    for (let count = 0; count < 100; count++) f.number(count * 1.5);
    f.bytes(Uint8Array.from({ length: 300 }, (_, index) => index));
  });
  t.regex(value, /^[0-9a-f]{16}$/);
  t.is(value, 'd4a8200c8ee05d86');
});

test('short inputs rarely collide', (t) => {
  const seen = new Set<string>();
  for (let a = 0; a < 300; a++) {
    for (let b = 0; b < 300; b++) seen.add(numbers(a, b));
  }
  t.is(seen.size, 90_000);
});
