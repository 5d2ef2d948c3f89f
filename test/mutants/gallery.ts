/**
 * The gallery of mutants: bugs that databases of this kind really had, and at least one for each invariant of
 * `lib/sim/swarm/invariants.ts`, as changes of the source. The simulator must find each within its number of seeds; a checker
 * that does not find the bug it was made for is itself one.
 */
import type { Plan } from '../../lib/sim/swarm/plan.ts';
import type { Change } from './loader.ts';

export interface Mutant {
  readonly id: string;
  /** What is wrong, for a person. */
  readonly bug: string;
  /** Checkers that may find it, by the first word of their names: the one that it was made for, then others to which it shows as well. */
  readonly checkers: readonly [string, ...string[]];
  readonly changes: readonly Change[];
  /** Narrows what the seeds draw to where the bug can show. */
  readonly plan?: Partial<Plan>;
  /** The bug shows only to whoever runs a seed twice. */
  readonly isRunTwice?: boolean;
  /** Faults within the model do not bring it on: this script of `test/scenario/` shows it, by printing something else. */
  readonly scenario?: string;
  /** Seeds from 1 on within which it must be found. */
  readonly seedCountMax: number;
}

const coordinator = 'actors/coordinator.ts';
const replica = 'actors/replica.ts';
const getCore = 'actors/get-core.ts';
const putCore = 'actors/put-core.ts';
const readRepair = 'actors/read-repair.ts';
const quorum = 'actors/quorum.ts';
const node = 'actors/node.ts';
const versionSet = 'lib/clock/version-set.ts';
const hybridClock = 'lib/clock/hybrid-clock.ts';
const turn = 'lib/runtime/turn.ts';
const mailbox = 'lib/runtime/mailbox.ts';
const client = 'lib/client.ts';
const opening = 'lib/store/opening.ts';
const preferenceList = 'lib/ring/preference-list.ts';

/** No read is regular, so what is lost or comes back shows only at rest. */
const weakQuorums: Partial<Plan> = { nodes: 5, n: 3, r: 1, w: 1, lastWriterWins: false };

export const gallery: readonly Mutant[] = [
  // ------------------------------------------------------------------------------- versions
  {
    id: 'write-replaces-unseen',
    bug: 'a write replaces siblings that its writer has not seen',
    checkers: ['I1'],
    changes: [
      {
        file: versionSet,
        replace: 'const kept = set.siblings.filter((other) => !covers(context, other));',
        by: 'const kept = set.siblings.filter((other) => !covers(known, other));',
      },
    ],
    plan: weakQuorums,
    seedCountMax: 100,
  },
  {
    id: 'sibling-explosion',
    bug: 'siblings have no dots: a write keeps all of them unless its context covers the whole vector',
    checkers: ['I5', 'I2'],
    changes: [
      {
        file: versionSet,
        replace: 'const kept = set.siblings.filter((other) => !covers(context, other));',
        by: 'const kept = isEqualVector(known, context) ? [] : [...set.siblings];',
      },
    ],
    seedCountMax: 100,
  },
  {
    id: 'clock-truncation',
    bug: 'a version vector is cut to its last entries, so that a descendant looks concurrent',
    checkers: ['I5', 'I2', 'I6'],
    changes: [
      {
        file: versionSet,
        replace: 'if (kept.length === 0) return { lastWriterWins, vector, siblings: [added] };',
        by: `if (kept.length === 0) {
    const first = vector.length - 2;
    const cut = vector.filter((entry, index) => entry.actor === actor || index >= first);
    return { lastWriterWins, vector: cut, siblings: [added] };
  }`,
      },
    ],
    seedCountMax: 200,
  },
  {
    id: 'merge-takes-incoming',
    bug: 'a replica overwrites its record with the one that comes, whatever it held',
    checkers: ['I1', 'I6', 'I8', 'I7'],
    changes: [
      {
        file: replica,
        replace: 'const merged = syncVersionSets(current, incoming);',
        by: 'const merged = incoming;',
      },
    ],
    seedCountMax: 100,
  },
  {
    id: 'merge-keeps-both',
    bug: 'a merge keeps versions that the other side has replaced',
    checkers: ['I5', 'I2'],
    changes: [
      {
        file: versionSet,
        replace: 'if (order < 0 && !covers(b.vector, siblingA!)) kept.push(siblingA!);',
        by: 'if (order < 0) kept.push(siblingA!);',
      },
    ],
    seedCountMax: 100,
  },
  {
    id: 'merge-drops-concurrent',
    bug: 'a merge drops what the other side alone has',
    checkers: ['I1', 'I8', 'I7'],
    changes: [
      {
        file: versionSet,
        replace: 'if (order > 0 && !covers(a.vector, siblingB!)) kept.push(siblingB!);',
        by: '',
      },
    ],
    seedCountMax: 100,
  },
  {
    id: 'tombstone-loses',
    bug: 'a merge drops a tombstone for the value that it replaced',
    checkers: ['I2', 'I1'],
    changes: [
      {
        file: versionSet,
        replace: 'const siblings = lastWriterWins ? lastWriter(a, b) : survivors(a, b);',
        by: `const isDeleted = (set: VersionSet) => set.siblings.every(({ value }) => value === null);
  const [first, second] = isDeleted(a) ? [b, a] : [a, b];
  const isLost =
    !isDeleted(first) &&
    isDeleted(second) &&
    first.siblings.every((sibling) => covers(second.vector, sibling));
  const siblings = lastWriterWins ? lastWriter(a, b) : isLost ? first.siblings : survivors(a, b);`,
      },
    ],
    plan: { ...weakQuorums, deleteShare: 0.5, keys: 12, operationsPerSecond: 20 },
    seedCountMax: 100,
  },
  {
    id: 'tombstone-forgets',
    bug: 'a key that is written again after its delete begins a new history',
    checkers: ['I6', 'I1'],
    changes: [
      {
        file: replica,
        replace:
          'stored === null ? emptyVersionSet(put.lastWriterWins) : decodeVersionSet(stored);',
        by: `stored === null || decodeVersionSet(stored).siblings.every(({ value }) => value === null)
        ? emptyVersionSet(put.lastWriterWins)
        : decodeVersionSet(stored);`,
      },
    ],
    seedCountMax: 200,
  },
  {
    id: 'reply-hides-siblings',
    bug: 'the context of a write covers siblings that the writer has not seen, and its next write replaces them',
    checkers: ['I1'],
    changes: [
      {
        file: replica,
        replace: 'context: count === 1 ? contextOf(updated) : [] };',
        by: 'context: contextOf(updated) };',
      },
    ],
    plan: weakQuorums,
    seedCountMax: 200,
  },
  {
    id: 'double-coordination',
    bug: 'a replica makes a dot of its own for a write that already has one',
    checkers: ['I3', 'I6', 'I5'],
    changes: [
      {
        file: replica,
        replace: 'const merged = syncVersionSets(current, incoming);',
        by: `const [first] = incoming.siblings;
    const merged =
      first === undefined || incoming.lastWriterWins
        ? syncVersionSets(current, incoming)
        : updateVersionSet(current, contextOf(incoming), this.actorId, { ...first, timestamp: 0 });`,
      },
    ],
    seedCountMax: 100,
  },
  {
    id: 'wall-clock-timestamps',
    bug: 'last writer wins by the wall clock alone: a write is older than the one that it replaces',
    checkers: ['I2', 'I6', 'I8', 'I7'],
    changes: [
      {
        file: hybridClock,
        replace: 'this.last = Math.max(this.last + 1, ticksOf(wallMs));',
        by: 'this.last = ticksOf(wallMs);',
      },
      {
        file: versionSet,
        replace: '? Math.max(sibling.timestamp, greatestCounter(known) + 1)',
        by: '? sibling.timestamp',
      },
      {
        file: versionSet,
        replace: 'const vector = raiseCounter(known, actor, counter);',
        by: 'const vector = joinVectors(known, [{ actor, counter }]);',
      },
    ],
    plan: { lastWriterWins: true, faults: ['clock-skew', 'clock-jump'] },
    seedCountMax: 100,
  },

  // ------------------------------------------------------------------------------- a store that forgot
  {
    id: 'incarnation-is-constant',
    bug: 'a store that begins a new life takes the name of its old one, and makes its dots again',
    checkers: ['I6'],
    changes: [
      {
        file: replica,
        replace: 'return random.uint32() * 32 + random.int(32);',
        by: 'return 7;',
      },
    ],
    plan: { faults: ['crash', 'wipe'] },
    seedCountMax: 200,
  },
  {
    id: 'rolled-back-keeps-its-name',
    bug: 'a store that is known to have lost commits keeps its incarnation, and makes their dots again',
    checkers: ['I6'],
    changes: [
      {
        file: opening,
        replace: "return status !== 'opened' && status !== 'recovered';",
        by: "return status === 'created' || status === 'quarantined';",
      },
    ],
    plan: { durability: 'normal', faults: ['power-loss', 'rot-journal'] },
    seedCountMax: 200,
  },
  {
    id: 'lost-log-is-not-missed',
    bug: 'a store whose log was cut off opens as if that had been its end',
    checkers: ['I6'],
    changes: [{ file: opening, replace: 'if (lastSeq < mark.seq) {', by: 'if (false) {' }],
    plan: { n: 3, r: 1, w: 3, faults: ['rot-journal'], faultsPerSecond: 8 },
    seedCountMax: 200,
  },
  {
    id: 'coordinator-trusts-its-memory',
    bug: 'a store that is shown a dot of its own that it does not know goes on with the next, when it coordinates',
    checkers: ['scenario'],
    changes: [
      {
        file: replica,
        replace: 'if (counterOf(put.context, this.actorId) > known) {',
        by: 'if (false) {',
      },
    ],
    scenario: 'amnesia-coordinating',
    seedCountMax: 0,
  },
  {
    id: 'siblings-without-limit',
    bug: 'a key takes as many siblings as blind writers care to write',
    checkers: ['scenario'],
    changes: [
      {
        file: replica,
        replace: 'const isFull = count > this.options.siblingCountMax;',
        by: 'const isFull = false;',
      },
    ],
    scenario: 'blind-writes',
    seedCountMax: 0,
  },
  {
    id: 'replica-trusts-its-memory',
    bug: 'a store that is shown a dot of its own that it does not know goes on with the next, when it replicates',
    checkers: ['scenario'],
    changes: [
      {
        file: replica,
        replace: 'if (claimed > 0 && claimed > counterOf(contextOf(current), this.actorId)) {',
        by: 'if (false) {',
      },
    ],
    scenario: 'amnesia-replicating',
    seedCountMax: 0,
  },
  {
    id: 'damaged-is-none',
    bug: 'a damaged record counts as none, and the next write begins a new history',
    checkers: ['I6', 'I1', 'I8', 'I7'],
    changes: [
      {
        file: replica,
        replace: `const stored = this.store.get(put.partition, put.key);
    if (stored === CORRUPT) return { status: 'corrupt' };`,
        by: `const found = this.store.get(put.partition, put.key);
    const stored = found === CORRUPT ? null : found;`,
      },
    ],
    plan: { faults: ['rot-record'] },
    seedCountMax: 200,
  },
  {
    id: 'damaged-counts-as-missing',
    bug: 'a replica whose record is damaged says that it has none',
    checkers: ['I8', 'I7'],
    changes: [
      {
        file: node,
        replace: "const status = isCorrupt ? 'corrupt' : stored === null ? 'missing' : 'found';",
        by: "const status = isCorrupt || stored === null ? 'missing' : 'found';",
      },
    ],
    plan: { faults: ['rot-record'] },
    seedCountMax: 300,
  },

  // ------------------------------------------------------------------------------- durability
  {
    id: 'reply-before-commit',
    bug: 'a turn answers before it commits',
    checkers: ['I3', 'I1', 'I6'],
    changes: [
      {
        file: turn,
        replace: `    for (const cell of active) {
      if (cell.state === 'running') this.commit(cell);
    }
    for (const cell of active) {
      if (cell.state === 'running') this.flush(cell);
    }
`,
        by: `    for (const cell of active) {
      if (cell.state === 'running') this.flush(cell);
    }
    for (const cell of active) {
      if (cell.state === 'running') this.commit(cell);
    }
`,
      },
    ],
    plan: { faults: ['io-error', 'crash'] },
    seedCountMax: 200,
  },
  {
    id: 'reply-before-sync',
    bug: 'a turn answers before what it stored survives a loss of power',
    checkers: ['I1', 'I8', 'I7', 'I6'],
    changes: [
      {
        file: turn,
        replace:
          'cell.isHeld = outboxMessages.length > 0 && store.durableNumber < store.commitNumber;',
        by: 'cell.isHeld = false;',
      },
    ],
    plan: { durability: 'full', syncMs: 5, faults: ['power-loss'] },
    seedCountMax: 200,
  },
  {
    id: 'commit-error-is-ignored',
    bug: 'a node whose commit failed goes on as if it had not',
    checkers: ['assertion', 'I3'],
    changes: [
      {
        file: turn,
        replace: `if (isRingletError(error, 'RINGLET_DISK_FULL')) this.refuseWrites(cell);
      this.fail(cell, error);`,
        by: '',
      },
    ],
    plan: { faults: ['io-error'] },
    seedCountMax: 200,
  },

  // ------------------------------------------------------------------------------- quorums
  {
    id: 'one-copy-short',
    bug: 'a write is acknowledged with W - 1 copies',
    checkers: ['I8', 'I7', 'I1'],
    changes: [
      {
        file: putCore,
        replace: 'switch (quorumOutcome(core.tally)) {',
        by: "switch (core.tally.succeeded >= core.tally.needed - 1 ? 'met' : quorumOutcome(core.tally)) {",
      },
    ],
    seedCountMax: 200,
  },
  {
    id: 'one-reply-short',
    bug: 'a read is answered with R - 1 records',
    checkers: ['I8', 'I7'],
    changes: [
      {
        file: getCore,
        replace: 'switch (quorumOutcome(core.tally)) {',
        by: "switch (core.tally.succeeded >= core.tally.needed - 1 ? 'met' : quorumOutcome(core.tally)) {",
      },
    ],
    seedCountMax: 200,
  },
  {
    id: 'reply-counts-twice',
    bug: 'a reply that the network repeats counts as the copy of one more replica',
    checkers: ['I8', 'I7', 'I1'],
    changes: [
      {
        file: quorum,
        replace: 'if ((tally.repliedMask & bit) !== 0) return false;',
        by: '',
      },
    ],
    plan: {
      nodes: 5,
      n: 5,
      r: 3,
      w: 3,
      faults: ['duplication', 'loss', 'partition'],
      duplication: 0.5,
      loss: 0.3,
    },
    seedCountMax: 300,
  },
  {
    id: 'refusal-counts-as-copy',
    bug: 'a replica that refuses a write counts among those that have it',
    checkers: ['I8', 'I7', 'I1'],
    changes: [
      {
        file: coordinator,
        replace:
          "const isFirst = addAcknowledgement(request.core, replica, message.status === 'stored');",
        by: 'const isFirst = addAcknowledgement(request.core, replica, true);',
      },
    ],
    seedCountMax: 300,
  },
  {
    id: 'refusal-counts-as-missing',
    bug: 'a replica that cannot answer a read counts as one that has no record',
    checkers: ['I8', 'I7'],
    changes: [
      {
        file: coordinator,
        replace: "const hasRecord = message.status === 'found' || message.status === 'missing';",
        by: 'const hasRecord = true;',
      },
    ],
    seedCountMax: 300,
  },
  {
    id: 'read-returns-first',
    bug: 'a read returns, and repairs with, the first record that came instead of what all merge to',
    checkers: ['I8', 'I7', 'I4'],
    changes: [
      {
        file: getCore,
        replace: 'merged = merged === null ? record : mergeRecords(merged, record);',
        by: 'merged ??= record;',
      },
    ],
    seedCountMax: 200,
  },
  {
    id: 'reply-to-an-earlier-life',
    bug: 'request ids begin anew with each start: a reply to an earlier life answers a request of this one',
    checkers: ['I3', 'I4', 'I8', 'I7'],
    changes: [
      {
        file: coordinator,
        replace: 'this.nextRequestId = 1 + context.random.int(2 ** 20) * 2 ** 32;',
        by: 'this.nextRequestId = 1;',
      },
    ],
    plan: {
      nodes: 3,
      n: 3,
      r: 2,
      w: 2,
      keys: 12,
      sessions: 40,
      operationsPerSecond: 2_000,
      faults: ['crash', 'delay'],
      faultsPerSecond: 16,
      latencyMs: 1,
      jitterMs: 100,
    },
    seedCountMax: 500,
  },

  // ------------------------------------------------------------------------------- read repair
  {
    id: 'repair-reaches-nobody',
    bug: 'read repair finds who is behind and sends nothing',
    checkers: ['I4'],
    changes: [
      {
        file: readRepair,
        replace: 'const stale = staleReplicas(core, merged);',
        by: 'const stale: number[] = [];',
      },
    ],
    seedCountMax: 50,
  },
  {
    id: 'merge-writes-again',
    bug: 'a replica writes a record that it has already',
    checkers: ['I10'],
    changes: [
      {
        file: replica,
        replace: "if (stored !== null && equalBytes(stored, record)) return 'stored';",
        by: '',
      },
      {
        file: replica,
        replace: "if (merged === current) return 'stored';",
        by: '',
      },
    ],
    seedCountMax: 50,
  },
  {
    id: 'repair-of-the-sound',
    bug: 'read repair sends the record to all replicas, and they write what they have already',
    checkers: ['I12'],
    changes: [
      {
        file: getCore,
        replace: 'if (record === null || !equalBytes(record, merged)) stale.push(replica);',
        by: 'stale.push(replica);',
      },
      {
        file: replica,
        replace: "if (stored !== null && equalBytes(stored, record)) return 'stored';",
        by: '',
      },
      {
        file: replica,
        replace: "if (merged === current) return 'stored';",
        by: '',
      },
    ],
    seedCountMax: 50,
  },

  // ------------------------------------------------------------------------------- honest ends
  {
    id: 'unmet-is-definite',
    bug: 'a write that some replicas hold is reported as one that never happened',
    checkers: ['I3', 'I18'],
    changes: [{ file: putCore, replace: "return 'quorum-unmet';", by: "return 'unavailable';" }],
    seedCountMax: 200,
  },
  {
    id: 'timeout-is-definite',
    bug: 'a write that was not answered in time is reported as one that never happened',
    checkers: ['I18', 'I3'],
    changes: [
      {
        file: client,
        replace: "no answer in time`, {\n          definite: operation === 'get',",
        by: 'no answer in time`, {\n          definite: true,',
      },
    ],
    // Nobody reads, and later writes replace what had failed: only the check at rest can know.
    plan: {
      nodes: 1,
      n: 1,
      r: 1,
      w: 1,
      keys: 1,
      readShare: 0,
      blindShare: 1,
      lastWriterWins: true,
      faults: ['pause'],
      timeoutMs: 200,
    },
    seedCountMax: 200,
  },
  {
    id: 'stop-is-definite',
    bug: 'a write whose coordinator stopped is reported as one that never happened',
    checkers: ['I3', 'I18'],
    changes: [
      {
        file: client,
        replace: "the coordinator stopped`, {\n          definite: operation === 'get',",
        by: 'the coordinator stopped`, {\n          definite: true,',
      },
    ],
    plan: { faults: ['crash', 'thread-death'] },
    seedCountMax: 200,
  },
  {
    id: 'no-deadline',
    bug: 'a client waits for an answer for ever',
    checkers: ['I13'],
    changes: [
      { file: client, replace: 'if (nowMs < deadlineMs) continue;', by: 'if (true) continue;' },
    ],
    plan: { faults: ['pause'] },
    seedCountMax: 100,
  },
  {
    id: 'never-forgotten',
    bug: 'a write that has ended stays in the table of its coordinator, and is answered again and again',
    checkers: ['I13', 'I14'],
    changes: [
      {
        file: coordinator,
        replace: `  ): void {
    this.puts.delete(requestId);`,
        by: '  ): void {',
      },
    ],
    seedCountMax: 100,
  },
  {
    id: 'mailbox-without-limit',
    bug: 'a mailbox takes all that comes',
    checkers: ['I14'],
    changes: [
      {
        file: mailbox,
        replace: 'if (isFull) {',
        by: 'if (false) {',
      },
    ],
    plan: { n: 3, mailboxCountMax: 8 },
    seedCountMax: 100,
  },

  // ------------------------------------------------------------------------------- liveness
  {
    id: 'waits-for-all',
    bug: 'a write needs all N replicas',
    checkers: ['I17'],
    changes: [
      {
        file: putCore,
        replace: 'return { tally: createTally(n, w) };',
        by: 'return { tally: createTally(n, w - w + n) };',
      },
    ],
    seedCountMax: 100,
  },
  {
    id: 'client-wants-all',
    bug: 'a client refuses a request although its quorum is up',
    checkers: ['I17'],
    changes: [
      {
        file: client,
        replace: 'if (reachable.length < quorum) return null;',
        by: 'if (reachable.length < Math.max(quorum, replicas.length)) return null;',
      },
    ],
    seedCountMax: 100,
  },
  {
    id: 'down-for-ever',
    bug: 'a member that came back stays down to a client',
    checkers: ['I17'],
    changes: [
      {
        file: client,
        replace: "const isDown = status === 'down' ? 1 : 0;",
        by: "const isDown = status === 'down' ? 1 : this.isDown[member]!;",
      },
    ],
    plan: { faults: ['crash', 'thread-death'], faultsPerSecond: 8 },
    seedCountMax: 100,
  },

  // ------------------------------------------------------------------------------- placement
  {
    id: 'copies-on-one-node',
    bug: 'the walk around the ring counts partitions instead of nodes: two copies are on one node',
    checkers: ['I15'],
    changes: [
      {
        file: preferenceList,
        replace: 'step < ring.partitionCount && nodes.size < nodeCountMax; step++) {',
        by: 'step < nodeCountMax; step++) {',
      },
    ],
    seedCountMax: 50,
  },

  // ------------------------------------------------------------------------------- determinism
  {
    id: 'chance-from-outside',
    bug: 'an actor draws from a random source that the seed does not decide',
    checkers: ['assertion'],
    changes: [
      {
        file: coordinator,
        replace: ': this.load.betterOfTwo(candidates, context.random);',
        by: ': candidates[Math.floor(Math.random() * candidates.length)]!;',
      },
    ],
    seedCountMax: 10,
  },
  {
    id: 'memory-of-another-run',
    bug: 'a module keeps state that outlives the cluster',
    checkers: ['I16'],
    changes: [
      {
        file: coordinator,
        replace: 'this.nextRequestId = 1 + context.random.int(2 ** 20) * 2 ** 32;',
        by: `globalThis.lifeCount = 1 + (globalThis.lifeCount ?? 0);
    this.nextRequestId = 1 + globalThis.lifeCount * 2 ** 32;`,
      },
    ],
    isRunTwice: true,
    seedCountMax: 10,
  },
];
