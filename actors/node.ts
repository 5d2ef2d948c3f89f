/**
 * The node: composition root of the protocol. One store, one replica, one coordinator; messages in,
 * messages out (Dynamo §5: request coordination, membership and a persistence engine).
 */
import type { ActorAddress } from '../lib/address.ts';
import { assert, unreachable } from '../lib/assert.ts';
import type { ClusterConfig } from '../lib/config.ts';
import {
  type Message,
  MessageKind,
  pingReply,
  type ReplicaGet,
  type ReplicaPut,
  replicaGetReply,
  replicaPutReply,
} from '../lib/protocol/messages.ts';
import type { PreferenceLists } from '../lib/ring/preference-list.ts';
import type { Actor, Context } from '../lib/runtime/actor.ts';
import { CORRUPT, type PartitionStore } from '../lib/store/contract.ts';
import { Coordinator, type CoordinatorCounters } from './coordinator.ts';
import { ReadRepair } from './read-repair.ts';
import { Replica, type ReplicaCounters } from './replica.ts';

export interface NodeOptions {
  readonly address: ActorAddress;
  readonly config: ClusterConfig;
  readonly preferenceLists: PreferenceLists;
  readonly store: PartitionStore;
  /** Members that are down when the node starts. */
  readonly down: readonly ActorAddress[];
}

/** Counters since the node started. */
export interface NodeCounters extends CoordinatorCounters, ReplicaCounters {
  readonly repairCount: number;
}

/** How far another node's clock may be ahead before its last-writer-wins timestamps are not followed. */
const CLOCK_SKEW_MS_MAX = 60_000;

export class Node implements Actor {
  private readonly replica: Replica;
  private readonly readRepair: ReadRepair;
  private readonly coordinator: Coordinator;

  constructor(options: NodeOptions) {
    const { address, config, store } = options;
    this.replica = new Replica({
      address,
      store,
      siblingCountMax: config.limits.siblingCountMax,
      clockSkewMsMax: CLOCK_SKEW_MS_MAX,
    });
    this.readRepair = new ReadRepair(this.replica);
    this.coordinator = new Coordinator({
      self: address,
      preferenceLists: options.preferenceLists,
      nodeCount: config.nodes.length,
      replica: this.replica,
      readRepair: this.readRepair,
      coordinatorCountMax: config.limits.coordinatorCountMax,
      readRepairSample: config.readRepairSample,
      hedgeAfterMs: config.hedgeAfterMs,
    });
    for (const member of options.down) this.coordinator.markDown(member);
  }

  get queueDepth(): number {
    return this.coordinator.queueDepth;
  }

  get counters(): NodeCounters {
    return {
      ...this.coordinator.counters,
      ...this.replica.counters,
      repairCount: this.readRepair.repairCount,
    };
  }

  start(context: Context): void {
    this.coordinator.start(context);
  }

  receive(context: Context, source: ActorAddress, message: Message): void {
    switch (message.kind) {
      case MessageKind.ClientGet:
        return this.coordinator.onClientGet(context, source, message);
      case MessageKind.ClientPut:
        return this.coordinator.onClientPut(context, source, message);
      case MessageKind.ReplicaGet:
        return this.onReplicaGet(context, source, message);
      case MessageKind.ReplicaGetReply:
        return this.coordinator.onReplicaGetReply(context, source, message);
      case MessageKind.ReplicaPut:
        return this.onReplicaPut(context, source, message);
      case MessageKind.ReplicaPutReply:
        return this.coordinator.onReplicaPutReply(context, source, message);
      case MessageKind.MemberStatus:
        return this.coordinator.onMemberStatus(context, message.member, message.status);
      case MessageKind.Ping:
        return context.send(source, pingReply(message.requestId, this.queueDepth));
      case MessageKind.CoordinatorTimeout:
        return this.coordinator.onCoordinatorTimeout(context);
      case MessageKind.ClientGetReply:
      case MessageKind.ClientPutReply:
      case MessageKind.PingReply:
        return assert(false, 'a node was sent what only clients receive');
      default:
        return unreachable(message);
    }
  }

  private onReplicaGet(context: Context, source: ActorAddress, message: ReplicaGet): void {
    const stored = this.replica.read(message.partition, message.key);
    const isCorrupt = stored === CORRUPT;
    const status = isCorrupt ? 'corrupt' : stored === null ? 'missing' : 'found';
    const record = isCorrupt ? null : stored;
    context.send(source, replicaGetReply(message.requestId, status, record, this.queueDepth));
  }

  private onReplicaPut(context: Context, source: ActorAddress, message: ReplicaPut): void {
    const { requestId, partition, key, record } = message;
    const status = context.probe.buggify('node: refuse a write of another')
      ? 'overloaded'
      : this.replica.merge(context, partition, key, record);
    if (requestId !== 0) context.send(source, replicaPutReply(requestId, status, this.queueDepth));
  }
}
