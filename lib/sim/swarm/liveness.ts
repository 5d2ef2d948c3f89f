/**
 * The liveness phase (I17): some nodes are sound, all others are dead for ever. Keys that have as many sound replicas among
 * the living as a read and a write need can be read and written within a bound, whatever happened before.
 */
import type { ActorAddress } from '../../address.ts';
import type { RequestSettings } from '../../client.ts';
import type { RingletError } from '../../errors.ts';
import type { Prng } from '../../prng.ts';
import { describeAddress, describeKey } from '../../protocol/describe.ts';
import { CORRUPT } from '../../store/contract.ts';
import type { World } from '../world/world.ts';
import type { LocatedKey, Workload } from './sessions.ts';

/** Virtual milliseconds within which a key must have been read and written. */
const BOUND_MS = 10_000;
const TIMEOUT_MS = 1_000;
/** Pause after a request that failed. */
const RETRY_MS = 50;

export interface LivenessOptions {
  readonly world: World;
  readonly keys: readonly LocatedKey[];
  readonly workload: Workload;
  readonly random: Prng;
  /** Starts nodes of the core that stopped: what was under way when all was healed may still fail. */
  readonly revive: () => void;
  /** Ends nodes for ever. */
  readonly kill: (nodes: readonly ActorAddress[]) => void;
  readonly note: (line: string) => void;
  readonly report: (checker: string, message: string) => void;
  readonly sometimes: (id: string, condition: boolean) => void;
  readonly isOver: () => boolean;
}

/** Kills all but a core, and then writes to every key that the core can serve. */
export function checkLiveness(options: LivenessOptions): void {
  const { world, keys, random, kill, note, isOver, sometimes } = options;
  const served = (nodes: readonly ActorAddress[]) =>
    keys.filter((place) => soundReplicas(world, place, nodes).length >= quorumOf(place));
  const candidates = served(world.nodes);
  if (candidates.length === 0) return;
  const chosen = random.pick(candidates);
  const sound = soundReplicas(world, chosen, world.nodes);
  const core = new Set(random.shuffle(sound).slice(0, quorumOf(chosen)));
  for (const node of world.nodes) if (random.chance(0.1)) core.add(node);
  const dead = world.nodes.filter((node) => !core.has(node));
  note(`liveness: ${[...core].map(describeAddress).join(' ')} live on`);
  kill(dead);
  const places = served([...core]);
  sometimes('liveness: a core served keys while others were dead', dead.length > 0);
  for (const place of places) {
    if (!isOver()) checkServed(options, place);
  }
}

/** Replicas that a read and then a write need. */
function quorumOf({ bucket }: LocatedKey): number {
  return Math.max(bucket.replication.r, bucket.replication.w);
}

function soundReplicas(
  world: World,
  { key, partition, bucket }: LocatedKey,
  nodes: readonly ActorAddress[],
): ActorAddress[] {
  const replicas = world.preferenceLists.of(partition, bucket.replication.n);
  return replicas.filter(
    (node) =>
      nodes.includes(node) && world.isUp(node) && world.store(node).get(partition, key) !== CORRUPT,
  );
}

function checkServed(
  { world, workload, report, revive, isOver }: LivenessOptions,
  place: LocatedKey,
): void {
  const { replication } = place.bucket;
  const settings: RequestSettings = { replication, timeoutMs: TIMEOUT_MS, signal: null };
  const endMs = world.nowMs + BOUND_MS;
  let last: RingletError | null = null;
  let isServed = false;
  const attempt = () => {
    revive();
    workload.update(place, settings, (error) => {
      last = error;
      isServed = error === null;
      if (!isServed) world.at(world.nowMs + RETRY_MS, attempt);
    });
  };
  attempt();
  world.runUntil(endMs, () => isServed || isOver());
  if (isServed || isOver()) return;
  const problem = last === null ? 'no answer' : (last as RingletError).message;
  report(
    'I17 liveness',
    `${describeKey(place.key)} is not served within ${BOUND_MS} ms: ${problem}`,
  );
}
