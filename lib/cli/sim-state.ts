/** A simulated world at a glance: what each node is doing, and what each holds of some keys. */
import type { ActorAddress, PartitionId, RecordKey } from '../address.ts';
import { describeAddress, describeKey, describeRecord } from '../protocol/describe.ts';
import type { ObservedEnvelope, World, WorldObserver } from '../sim/world/world.ts';
import { CORRUPT, type StoredRecord } from '../store/contract.ts';
import { formatTable } from './output.ts';

/** A key and where it lies. */
export interface KeyPlace {
  readonly partition: PartitionId;
  readonly key: RecordKey;
}

/** Keys that are shown. */
const KEY_COUNT_MAX = 8;

/** The keys that messages were last about. */
export class RecentKeys {
  /** The newest last. */
  private readonly places = new Map<RecordKey, KeyPlace>();
  readonly observer: WorldObserver = { onMessage: (envelope) => this.note(envelope) };

  private note({ message }: ObservedEnvelope): void {
    if (!('key' in message)) return;
    const { partition, key } = message;
    this.places.delete(key);
    this.places.set(key, { partition, key });
    const [oldest] = this.places.keys();
    if (this.places.size > KEY_COUNT_MAX) this.places.delete(oldest!);
  }

  /** The newest first. */
  list(): KeyPlace[] {
    return [...this.places.values()].reverse();
  }
}

/** The state of every node, then of every key at every node that is up and has it. */
export function describeWorld(world: World, keys: readonly KeyPlace[]): string[] {
  const head = ['node', 'state', 'mailbox', 'requests', 'commits', 'durable', 'clock'];
  const nodes = world.nodes.map((node) => describeNode(world, node));
  return [
    ...formatTable([head, ...nodes]),
    ...keys.flatMap((place) => describePlace(world, place)),
  ];
}

function describeNode(world: World, node: ActorAddress): string[] {
  const name = describeAddress(node);
  if (!world.isUp(node)) return [name, 'down'];
  const cell = world.cell(node);
  const { commitNumber, durableNumber } = cell.store;
  return [
    name,
    world.isPaused(node) ? 'paused' : cell.isHeld ? 'syncing' : 'up',
    String(cell.mailbox.count),
    String(world.node(node).queueDepth),
    String(commitNumber),
    String(durableNumber),
    `${cell.wallSkewMs >= 0 ? '+' : ''}${cell.wallSkewMs.toFixed(0)} ms`,
  ];
}

function describePlace(world: World, { partition, key }: KeyPlace): string[] {
  const holders = world
    .recordsOf(partition, key)
    .filter(({ record }) => record !== null)
    .map(({ node, record }) => `  ${describeAddress(node)}  ${describeStored(record)}`);
  return [`p${partition} ${describeKey(key)}`, ...holders];
}

function describeStored(record: StoredRecord): string {
  return record === CORRUPT ? 'damaged' : describeRecord(record);
}
