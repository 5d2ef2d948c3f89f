/**
 * What a sweep over many seeds must have seen. A simulator that never takes a branch says nothing about it; so code counts
 * with `probe.sometimes(id, condition)` that a rare state was reached, and a full sweep in which one never was has failed.
 *
 * Invariant: sorted, no id twice, and each id is counted somewhere in `actors/` or `lib/`.
 */

/** Seeds of a full sweep: in so many every id of {@link requiredSometimes} must have been hit. */
export const FULL_SWEEP_SEED_COUNT = 2000;

/** The ids that must be hit. */
export const requiredSometimes: readonly string[] = [
  'coordinator: a read goes on without a member that stopped',
  'coordinator: a read is hedged',
  'coordinator: a read is overdue',
  'coordinator: a reply came late',
  'coordinator: a reply to a read came twice',
  'coordinator: a reply to a write came twice',
  'coordinator: a write goes on without a member that stopped',
  'coordinator: a write is overdue',
  'coordinator: a write is short of copies although enough members are up',
  'coordinator: its own copy is damaged',
  'coordinator: the oldest late read gives way',
  'invariants: a write to a replica was repeated',
  'invariants: replicas differed at rest',
  'liveness: a core goes on in the middle of things',
  'liveness: a core served keys while others were dead',
  'read repair: a replica was behind',
  'replica: a context is from too far in the future',
  'replica: a key has too many siblings',
  "replica: another's clock is too far ahead",
  'replica: both sides of a merge had news',
  'sessions: a read returned siblings',
  'sessions: a write lost its coordinator',
  'sessions: a write met a damaged record',
  'sessions: a write met a full disk',
  'sessions: a write met too few nodes',
  'sessions: a write met too much load',
  'sessions: an indefinite write was not stored',
  'sessions: an indefinite write was stored',
  'world: a store is recovered',
  'world: a store is rolled back',
  'world: a store is set aside',
];
