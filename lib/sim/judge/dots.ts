/**
 * Tells the oracle under which dot each write was committed, and when a commit was undone that nobody can have heard of.
 *
 * A turn's puts and the client writes that it took come in the same order, and each write that is not refused is one put
 * with one new dot of its coordinator. A value names its write; a tombstone does not, and is the next delete in that order.
 *
 * Invariant: a write is bound before any message that carries its dot is seen.
 */
import { type ActorAddress, isClientAddress, type RequestId } from '../../address.ts';
import { assert } from '../../assert.ts';
import { type DottedSibling, decodeVersionSet } from '../../clock/version-set.ts';
import { nodeOfActor } from '../../clock/version-vector.ts';
import { type ClientPut, MessageKind, type PutStatus } from '../../protocol/messages.ts';
import type { NodeCell } from '../../runtime/node-cell.ts';
import type { CommittedPut } from '../world/disk.ts';
import type { NodeEvent, World } from '../world/world.ts';
import type { Oracle, Write } from './oracle.ts';

/** A write of the last turn that committed, until it is known that what the turn sent has left. */
interface FreshWrite {
  readonly cell: NodeCell;
  /** The number of its commit, and the step in which it was made. */
  readonly commitNumber: number;
  readonly step: number;
  readonly write: Write;
}

/** Answers that say that nothing was stored. */
const refusals: ReadonlySet<PutStatus> = new Set([
  'unavailable',
  'unknown-dot',
  'too-many-siblings',
  'disk-full',
  'corrupt',
  'overloaded',
]);

export class DotBinder {
  private readonly oracle: Oracle;
  /** By client, then by request. */
  private readonly requests = new Map<ActorAddress, Map<RequestId, Write>>();
  /** By node. A turn begins only when what the one before it sent has left. */
  private readonly fresh = new Map<ActorAddress, FreshWrite[]>();

  constructor(oracle: Oracle) {
    this.oracle = oracle;
  }

  /** A client has sent a write. */
  noteRequest(client: ActorAddress, requestId: RequestId, write: Write): void {
    let requests = this.requests.get(client);
    if (requests === undefined) {
      requests = new Map();
      this.requests.set(client, requests);
    }
    requests.set(requestId, write);
  }

  /** A node has committed a turn, and has not sent anything of it. */
  onCommitted(world: World, node: ActorAddress, puts: readonly CommittedPut[]): void {
    const cell = world.cell(node);
    const writes = this.writesOf(cell);
    this.fresh.delete(node);
    if (writes.length === 0) return;
    const { commitNumber } = cell.store;
    const fresh: FreshWrite[] = [];
    for (const { key, record } of puts) {
      const waiting = writes.filter((write) => write.key === key && write.dot === null);
      if (waiting.length === 0) continue;
      const found = findWrite(waiting, decodeVersionSet(record).siblings, node);
      if (found === null) continue;
      const { write, sibling } = found;
      this.oracle.bindDot(write, sibling.actor, sibling.counter, world.nowMs);
      fresh.push({ cell, commitNumber, step: world.stepCount, write });
    }
    this.fresh.set(node, fresh);
  }

  /** The writes that a turn took and did not refuse, in order. */
  private writesOf(cell: NodeCell): Write[] {
    const writes: Write[] = [];
    const { takenMessages, takenSources } = cell;
    for (let index = 0; index < takenMessages.length; index++) {
      const message = takenMessages[index]!;
      if (message.kind !== MessageKind.ClientPut) continue;
      const write = this.requests.get(takenSources[index]!)?.get(message.requestId);
      assert(write !== undefined, 'the write is known');
      if (message.value !== null || !isRefused(cell, takenSources[index]!, message)) {
        writes.push(write);
      }
    }
    return writes;
  }

  /**
   * When a node stops, what its last turn sent has left or never will; when it starts, that turn's commit is there or is not.
   */
  onNode(world: World | null, event: NodeEvent): void {
    const fresh = this.fresh.get(event.node);
    if (world === null || fresh === undefined || event.type === 'refused') return;
    if (event.type === 'stopped') {
      // A node that fails in the step of its commit fails before it sends.
      const failedStep = event.isFailure ? world.stepCount : -1;
      const isLost = fresh.some(({ cell, step }) => cell.isHeld || step === failedStep);
      if (!isLost) this.fresh.delete(event.node);
      return;
    }
    this.fresh.delete(event.node);
    const { commitCount } = world.disk(event.node);
    for (const { write, commitNumber } of fresh) {
      if (commitNumber > commitCount) this.oracle.unbindDot(write, world.nowMs);
    }
  }
}

function isRefused(cell: NodeCell, client: ActorAddress, { requestId }: ClientPut): boolean {
  assert(isClientAddress(client), 'a client puts');
  return cell.outboxMessages.some(
    (reply, index) =>
      reply.kind === MessageKind.ClientPutReply &&
      reply.requestId === requestId &&
      cell.outboxTargets[index] === client &&
      refusals.has(reply.status),
  );
}

/** The write that a put added to a record, and its sibling. `null` if it added none: it merged, then. */
function findWrite(
  waiting: readonly Write[],
  siblings: readonly DottedSibling[],
  node: ActorAddress,
): { write: Write; sibling: DottedSibling } | null {
  const { history } = waiting[0]!;
  const own = siblings.filter(({ actor }) => nodeOfActor(actor) === node);
  const free = own.filter((sibling) => history.writeOf(sibling) === undefined);
  // A dot whose write wrote something else was given out twice; if it wrote this, the sibling is that write's own.
  const reused = own.filter(
    (sibling) => history.writeOf(sibling)?.hasWritten(sibling.value) === false,
  );
  for (const sibling of [...free, ...reused]) {
    const write = waiting.find((candidate) => candidate.hasWritten(sibling.value));
    if (write !== undefined) return { write, sibling };
  }
  return null;
}
