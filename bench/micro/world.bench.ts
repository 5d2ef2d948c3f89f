/**
 * What do a message and an idle second of a simulated world cost? The world alone, without oracle and invariants: sessions
 * in a closed loop, half reads and half writes.
 */
import { bucketPrefix, recordKey } from '../../lib/address.ts';
import { partitionOf } from '../../lib/ring/ring.ts';
import { World } from '../../lib/sim/world/world.ts';
import { measure } from './harness.ts';

const KEY_COUNT = 20;
const SESSION_COUNT = 20;
const MESSAGES_PER_STEP = 10_000;

const prefix = bucketPrefix('b');
const keys = Array.from({ length: KEY_COUNT }, (_, index) => recordKey(prefix, `k${index}`));
const value = new Uint8Array(100);

/** Five nodes on two threads, links of 1 ms and 5 ms of exponential jitter, half reads and half writes. */
function openBusyWorld(): World {
  const world = new World({ seed: 1, nodes: 5, threads: 2 });
  const jitterDistribution = 'exponential';
  const settings = { latencyMs: 1, jitterMs: 5, jitterDistribution } as const;
  world.applyNetwork({ type: 'set-default', settings });
  for (let session = 0; session < SESSION_COUNT; session++) work(world, session);
  return world;
}

/** Reads, writes, and goes on with the next key. */
function work(world: World, turn: number): void {
  const [client] = world.clients;
  const key = keys[turn % KEY_COUNT]!;
  const partition = partitionOf(world.ring, key);
  const settings = { replication: { n: 3, r: 2, w: 2 }, timeoutMs: 2000, signal: null };
  const goOn = () => work(world, turn + 7);
  if (turn % 2 === 0) {
    client!.startGet(partition, key, 'quorum', settings, goOn, goOn);
    return;
  }
  const write = { value, context: [], preferred: null, lastWriterWins: true };
  client!.startPut(partition, key, write, settings, goOn, goOn);
}

const busy = openBusyWorld();
const idle = new World({ seed: 1, nodes: 5, threads: 2 });

function carry(count: number): void {
  const end = busy.messageCount + count;
  busy.runUntil(Number.MAX_SAFE_INTEGER, () => busy.messageCount >= end);
}

await measure(
  'a message between nodes of a simulated world, with all that it causes',
  { message: () => carry(MESSAGES_PER_STEP) },
  MESSAGES_PER_STEP,
);

await measure('a simulated second of five idle nodes', {
  second: () => idle.runUntil(idle.nowMs + 1000),
});
