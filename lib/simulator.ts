/**
 * The entry `ringlet/simulator`: clusters in virtual time, for tests of one's own code. Needs nothing of Node.js, so it runs
 * in a browser as well.
 */

export { Bucket, type BucketOptions, Entry, type GetOptions, type PutOptions } from './bucket.ts';
export type { ClusterEvent, ClusterNetwork, LinkControl, MessageFilter } from './cluster.ts';
export { bytes, type Codec, json, string } from './codec.ts';
export type {
  ClusterConfig,
  ClusterOptions,
  Durability,
  Limits,
  NodeOptions,
  Replication,
} from './config.ts';
export { type ErrorCode, errorCodes, isRingletError, RingletError } from './errors.ts';
export type { Key } from './key.ts';
export type { LinkSettings, RuleVerdict } from './network/rules.ts';
export { Prng } from './prng.ts';
export type { ReplicaView, SiblingView } from './sim/replica-view.ts';
export {
  describeFailure,
  type SimulatedSession,
  type SimulateFailure,
  type SimulateOptions,
  type SimulateReport,
  type SimulateScope,
  simulate,
} from './sim/simulate.ts';
export {
  type SimulatedClient,
  SimulatedCluster,
  type SimulatedClusterHooks,
  type SimulatedClusterOptions,
} from './sim/simulated-cluster.ts';
export type { SimulatedImage, SimulatedNode, SimulatedNodeStats } from './sim/simulated-node.ts';
export { drawPlan, type FaultKind, faultKinds, type Plan } from './sim/swarm/plan.ts';
export { type RunHooks, runSeed, type SeedReport, type Violation } from './sim/swarm/run-seed.ts';
export type { SchedulerOptions } from './sim/world/scheduler.ts';
export type { World, WorldObserver } from './sim/world/world.ts';
