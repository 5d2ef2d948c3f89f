/**
 * Read repair (Dynamo §5): once all replicas that a read asked have answered, or time is up, those that lack
 * something get the merged record.
 *
 * Invariant: when the replicas agree, nothing is sent and nothing is written.
 */
import type { ActorAddress, PartitionId, RecordKey, RequestId } from '../lib/address.ts';
import { copyBytes } from '../lib/bytes.ts';
import { replicaPut } from '../lib/protocol/messages.ts';
import type { Context } from '../lib/runtime/actor.ts';
import { type GetCore, mergedRecord, staleReplicas } from './get-core.ts';
import type { Replica } from './replica.ts';

/** A repair wants no reply: should it be lost, a later read repairs again. */
const NO_REPLY = 0 as RequestId;

export class ReadRepair {
  private readonly replica: Replica;
  /** Replicas that were sent something they lacked. */
  repairCount = 0;

  constructor(replica: Replica) {
    this.replica = replica;
  }

  repair(
    context: Context,
    replicas: readonly ActorAddress[],
    partition: PartitionId,
    key: RecordKey,
    core: GetCore,
  ): void {
    if (core.tally.succeeded < 2) return;
    const merged = mergedRecord(core);
    if (merged === null) return;
    const stale = staleReplicas(core, merged);
    if (stale.length === 0) return;
    context.probe.sometimes('read repair: a replica was behind', true);
    // The merged record may be a view of a received frame; what is sent must outlive it.
    const record = copyBytes(merged);
    for (const index of stale) {
      const node = replicas[index]!;
      this.repairCount++;
      if (node === context.self) this.replica.merge(context, partition, key, record);
      else context.send(node, replicaPut(NO_REPLY, partition, key, record));
    }
  }
}
