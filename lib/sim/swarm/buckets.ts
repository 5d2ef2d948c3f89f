/**
 * The buckets of a run, and which keys are in them. The first is as the plan says. Each further one draws its own N, R and W,
 * and may keep the last writer, so that keys of different promises meet in the same partitions. Each bucket also has the
 * numbers that some of its requests give for themselves, as `RequestOptions` allow.
 *
 * Invariant: a bucket depends on the seed, its index and the plan's N, R, W, `lastWriterWins` and `ownQuorumShare` alone.
 */
import { bucketPrefix, type RecordKey, recordKey } from '../../address.ts';
import type { Replication } from '../../config.ts';
import { Prng } from '../../prng.ts';
import type { Plan } from './plan.ts';

/** How keys are stored. */
export interface PlannedBucket {
  readonly prefix: string;
  readonly replication: Replication;
  /** What a share of requests asks for instead: at most the N of the bucket, any R and W. */
  readonly ownReplication: Replication;
  /** Copies that every acknowledged write has at least. */
  readonly copyCountMin: number;
  readonly lastWriterWins: boolean;
}

export interface PlannedKey {
  readonly key: RecordKey;
  readonly bucket: PlannedBucket;
}

/** Share of further buckets that keep the last writer although the first does not. */
const LAST_WRITER_SHARE = 0.2;
/** Share of numbers that are not the bucket's. */
const OTHER_SHARE = 0.5;

/** The keys of a plan, dealt out to its buckets in turn. */
export function planKeys(plan: Plan): readonly PlannedKey[] {
  const buckets = Array.from({ length: plan.buckets }, (_, index) => createBucket(plan, index));
  return Array.from({ length: plan.keys }, (_, index) => {
    const bucket = buckets[index % buckets.length]!;
    return { key: recordKey(bucket.prefix, `k${index}`), bucket };
  });
}

function createBucket(plan: Plan, index: number): PlannedBucket {
  const random = new Prng(plan.seed).split(`bucket ${index}`);
  const { n, r, w } = plan;
  const replication = index === 0 ? { n, r, w } : drawWithin(n, random.split('replication'));
  const ownReplication = drawOwn(replication, random.split('own replication'));
  return {
    prefix: bucketPrefix(`b${index}`),
    replication,
    ownReplication,
    copyCountMin:
      plan.ownQuorumShare > 0 ? Math.min(replication.w, ownReplication.w) : replication.w,
    lastWriterWins:
      plan.lastWriterWins || (index > 0 && random.split('last').chance(LAST_WRITER_SHARE)),
  };
}

function drawWithin(nMax: number, random: Prng): Replication {
  const n = 1 + random.int(nMax);
  return { n, r: 1 + random.int(n), w: 1 + random.int(n) };
}

/** N, R and W, each of which may be the bucket's. */
function drawOwn({ n, r, w }: Replication, random: Prng): Replication {
  const other = drawWithin(n, random);
  const copies = random.chance(OTHER_SHARE) ? other.n : n;
  const pick = (own: number, others: number) =>
    Math.min(copies, random.chance(OTHER_SHARE) ? others : own);
  return { n: copies, r: pick(r, other.r), w: pick(w, other.w) };
}

/** True if a read that asks for R replies meets a copy of every write that was acknowledged before. */
export function isQuorumRead({ replication, copyCountMin }: PlannedBucket, r: number): boolean {
  return r + copyCountMin > replication.n;
}
