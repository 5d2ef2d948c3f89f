/** The keys that a world's nodes hold, and whether their copies are equal. */
import { type PartitionId, type RecordKey, splitRecordKey } from '../address.ts';
import { equalBytes } from '../bytes.ts';
import { publicKey } from '../key.ts';
import { CORRUPT, type StoredRecord } from '../store/contract.ts';
import type { World } from './world/world.ts';

/** A key that some node holds. */
export interface StoredKey {
  readonly partition: PartitionId;
  readonly key: RecordKey;
  /** How many nodes should. */
  readonly n: number;
}

/** Every key that a node holds that is up. @param copyCounts N by name of the bucket, where it is not the cluster's. */
export function storedKeys(world: World, copyCounts: ReadonlyMap<string, number>): StoredKey[] {
  const keys = new Map<RecordKey, StoredKey>();
  for (const address of world.nodes) {
    if (!world.isUp(address)) continue;
    for (const { partition, key } of world.store(address).all()) {
      const bucket = publicKey(splitRecordKey(key).bucket);
      const known = typeof bucket === 'string' ? copyCounts.get(bucket) : undefined;
      keys.set(key, { partition, key, n: known ?? world.config.replication.n });
    }
  }
  return [...keys.values()];
}

/** True if all replicas of a key that are up and sound hold the same. */
export function isEqualEverywhere(world: World, { partition, key, n }: StoredKey): boolean {
  const replicas = world.preferenceLists.of(partition, n);
  const copies = world.recordsOf(partition, key).filter(({ node }) => replicas.includes(node));
  return areEqualCopies(copies.map(({ record }) => record));
}

/** True if all records that are not damaged are the same, or none. */
export function areEqualCopies(records: readonly StoredRecord[]): boolean {
  const [first, ...others] = records.filter((record) => record !== CORRUPT);
  if (first === undefined) return true;
  return others.every((record) =>
    first === null || record === null ? first === record : equalBytes(first, record),
  );
}
