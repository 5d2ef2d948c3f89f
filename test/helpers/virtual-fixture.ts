/** A cluster under the virtual clock, with a record of its messages and a look into its stores. */
import { type ActorAddress, bucketPrefix, recordKey } from '../../lib/address.ts';
import type { Bucket } from '../../lib/bucket.ts';
import { decodeVersionSet, siblingsOf, type VersionSet } from '../../lib/clock/version-set.ts';
import { string } from '../../lib/codec.ts';
import type { ClusterOptions } from '../../lib/config.ts';
import { isRingletError, type RingletError } from '../../lib/errors.ts';
import { MessageKind, type MessageKindName } from '../../lib/protocol/messages.ts';
import { partitionOf } from '../../lib/ring/ring.ts';
import { SimulatedCluster } from '../../lib/sim/simulated-cluster.ts';
import type { ObservedEnvelope, World } from '../../lib/sim/world/world.ts';
import { CORRUPT } from '../../lib/store/contract.ts';

/** The bucket that all tests use. */
const BUCKET = 'b';

const decoder = new TextDecoder();

export interface FixtureOptions extends ClusterOptions {
  readonly seed: number;
  /** Of the bucket. @default false */
  readonly lastWriterWins?: boolean;
}

export class VirtualFixture {
  readonly cluster: SimulatedCluster;
  readonly world: World;
  readonly bucket: Bucket<string>;
  /** What was sent since the start or since the last {@link forget}. */
  readonly sent: ObservedEnvelope[] = [];

  /** Reads ask no replica at random unless a test says so. */
  constructor({ lastWriterWins = false, ...options }: FixtureOptions) {
    this.cluster = SimulatedCluster.open({
      readRepairSample: 0,
      scheduler: { type: 'ordered' },
      ...options,
      observer: { onMessage: (envelope) => this.sent.push(envelope) },
    });
    this.world = this.cluster.world;
    this.bucket = this.cluster.bucket(BUCKET, { codec: string, lastWriterWins });
  }

  get nodes(): ActorAddress[] {
    return [...this.world.nodes];
  }

  settle<T>(request: Promise<T>): Promise<T> {
    return this.cluster.settle(request);
  }

  /** The error that a request ends with. */
  async errorOf(request: Promise<unknown>): Promise<RingletError> {
    try {
      await this.settle(request);
    } catch (error) {
      if (isRingletError(error)) return error;
      throw error;
    }
    throw new Error('the request did not fail');
  }

  /** Writes and lets the write reach all replicas. */
  async putEverywhere(key: string, value: string, context?: string): Promise<void> {
    await this.settle(this.bucket.put(key, value, context === undefined ? {} : { context }));
    await this.cluster.run(1_000);
  }

  forget(): void {
    this.sent.length = 0;
  }

  /** Messages of one kind since the last {@link forget}. */
  sentOf(kind: MessageKindName): ObservedEnvelope[] {
    return this.sent.filter(({ message }) => message.kind === MessageKind[kind]);
  }

  /** The node that the client sent its last request of a kind to. */
  lastCoordinator(kind: 'ClientGet' | 'ClientPut'): ActorAddress {
    return this.sentOf(kind).at(-1)!.target;
  }

  locate(key: string) {
    const full = recordKey(bucketPrefix(BUCKET), key);
    return { key: full, partition: partitionOf(this.world.ring, full) };
  }

  /** The first N nodes of a key's preference list. */
  replicasOf(key: string, n = this.cluster.config.replication.n): readonly ActorAddress[] {
    return this.world.preferenceLists.of(this.locate(key).partition, n);
  }

  /** What a node's store holds, as bytes. */
  recordAt(node: ActorAddress, key: string): Uint8Array | null {
    const located = this.locate(key);
    const record = this.world.cell(node).store.get(located.partition, located.key);
    if (record === CORRUPT) throw new Error('the record is corrupt');
    return record;
  }

  setAt(node: ActorAddress, key: string): VersionSet | null {
    const record = this.recordAt(node, key);
    return record === null ? null : decodeVersionSet(record);
  }

  /** The values of a key at one node, tombstones as `null`. `undefined` if it holds nothing. */
  valuesAt(node: ActorAddress, key: string): (string | null)[] | undefined {
    const set = this.setAt(node, key);
    if (set === null) return undefined;
    const values = siblingsOf(set).map(({ value }) => value && decoder.decode(value));
    return values.sort();
  }

  /** {@link valuesAt} for the replicas of a key, in the order of the preference list. */
  valuesEverywhere(key: string, n?: number): ((string | null)[] | undefined)[] {
    return this.replicasOf(key, n).map((node) => this.valuesAt(node, key));
  }

  /** Commits of all stores that had something to commit. */
  get commitCount(): number {
    return this.nodes.reduce(
      (sum, node) => sum + this.world.cell(node).store.stats().commitCount,
      0,
    );
  }
}
