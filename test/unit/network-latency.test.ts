/** Delays and sizes: the draws have the distributions that they claim, and sizes follow the payload. */
import test from 'ava';
import type { PartitionId, RecordKey, RequestId } from '../../lib/address.ts';
import type { ActorId } from '../../lib/clock/version-vector.ts';
import { drawExponential, drawLatencyMs } from '../../lib/network/latency.ts';
import { resolveLinkSettings } from '../../lib/network/rules.ts';
import { messageBytes } from '../../lib/network/size.ts';
import { Prng } from '../../lib/prng.ts';
import { clientPut, ping, replicaGet, replicaPut } from '../../lib/protocol/messages.ts';

const DRAW_COUNT = 50_000;

test('exponential draws have the quantiles of the exponential distribution', (t) => {
  const random = new Prng(42);
  const draws = Array.from({ length: DRAW_COUNT }, () => drawExponential(random));
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / DRAW_COUNT;
  t.true(Math.abs(mean - 1) < 0.03, `mean ${mean}`);
  for (const limit of [0.1, 0.5, 1, 1.5, 2, 3, 5]) {
    const share = draws.filter((draw) => draw > limit).length / DRAW_COUNT;
    t.true(Math.abs(share - Math.exp(-limit)) < 0.01, `P(x > ${limit}) = ${share}`);
  }
});

test('uniform jitter fills its range evenly', (t) => {
  const settings = resolveLinkSettings({ latencyMs: 10, jitterMs: 8 });
  const random = new Prng(42);
  const draws = Array.from({ length: DRAW_COUNT }, () => drawLatencyMs(settings, random));
  t.true(draws.every((draw) => draw >= 10 && draw < 18));
  for (const quarter of [0, 1, 2, 3]) {
    const low = 10 + 2 * quarter;
    const share = draws.filter((draw) => draw >= low && draw < low + 2).length / DRAW_COUNT;
    t.true(Math.abs(share - 0.25) < 0.01, `quarter ${quarter}: ${share}`);
  }
});

test('without jitter the latency is constant and nothing is drawn', (t) => {
  const settings = resolveLinkSettings({ latencyMs: 10, jitterDistribution: 'exponential' });
  const random = new Prng(42);
  t.is(drawLatencyMs(settings, random), 10);
  t.is(random.uint32(), new Prng(42).uint32());
});

test('the size of a message follows its key, its value and its context', (t) => {
  const id = 1 as RequestId;
  const partition = 0 as PartitionId;
  const key = 'twelve bytes' as RecordKey;
  const header = messageBytes(ping(id));
  t.true(header > 0);
  t.is(messageBytes(replicaGet(id, partition, key)), header + 12);
  t.is(messageBytes(replicaPut(id, partition, key, new Uint8Array(100))), header + 112);
  const put = (context: { actor: ActorId; counter: number }[], value: Uint8Array | null) =>
    messageBytes(clientPut(id, partition, key, 3, 2, false, context, value, 1000));
  t.is(put([], null), header + 12);
  t.is(put([], new Uint8Array(7)), header + 19);
  t.true(put([{ actor: 1 as ActorId, counter: 1 }], null) > header + 12);
});
