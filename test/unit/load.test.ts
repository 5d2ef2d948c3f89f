/** Load estimates and the better of two random choices. */
import test from 'ava';
import { type ActorAddress, nodeAddress } from '../../lib/address.ts';
import { AssertionError } from '../../lib/assert.ts';
import { LoadEstimates } from '../../lib/load.ts';
import { Prng } from '../../lib/prng.ts';

const [a, b, c] = [nodeAddress(0), nodeAddress(1), nodeAddress(2)];

test('an estimate is the last report and what was sent since', (t) => {
  const load = new LoadEstimates(3);
  load.onSent(a);
  load.onSent(a);
  t.is(load.of(a), 2);
  load.onReply(a, 7);
  t.is(load.of(a), 7);
  load.onSent(a);
  t.is(load.of(a), 8);
  t.is(load.of(b), 0);
  load.reset(a);
  t.is(load.of(a), 0);
});

test('a node that does not reply is chosen less and less', (t) => {
  const load = new LoadEstimates(3);
  const random = new Prng(1);
  const counts = [0, 0, 0];
  for (let count = 0; count < 3_000; count++) {
    const node = load.betterOfTwo([a, b, c], random);
    counts[node]!++;
    load.onSent(node);
    if (node !== c) load.onReply(node, 0);
  }
  // The silent node is taken only when both draws name it: one time in nine.
  t.true(counts[c]! < 3_000 / 6);
  t.true(Math.min(counts[a]!, counts[b]!) > 3_000 / 3);
});

test('equal nodes share the load evenly', (t) => {
  const load = new LoadEstimates(3);
  const random = new Prng(2);
  const counts = [0, 0, 0];
  for (let count = 0; count < 3_000; count++) counts[load.betterOfTwo([a, b, c], random)]!++;
  t.true(Math.min(...counts) > 850);
});

test('one node is always chosen from a list of one, and an empty list is a bug', (t) => {
  const load = new LoadEstimates(3);
  const random = new Prng(3);
  load.onReply(b, 1_000);
  t.is(load.betterOfTwo([b], random), b);
  const none: ActorAddress[] = [];
  t.throws(() => load.betterOfTwo(none, random), { instanceOf: AssertionError });
});
