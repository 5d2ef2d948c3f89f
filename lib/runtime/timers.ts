/**
 * Timers of one node: a binary heap by due time, then by the order of scheduling, so that timers due at
 * once fire in the order in which they were set.
 *
 * Invariants:
 * 1. The first entry of the heap is never a cancelled one, so {@link Timers.dueMs} names a timer that will fire.
 * 2. At most half of the heap, and a few entries, are cancelled ones.
 */
import { assert } from '../assert.ts';
import type { Message } from '../protocol/messages.ts';
import type { TimerId } from './actor.ts';

interface Timer {
  readonly dueMs: number;
  readonly id: TimerId;
}

/** Cancelled entries that are left where they are. */
const CANCELLED_COUNT_MAX = 16;

export class Timers {
  private heap: Timer[] = [];
  /** What each timer will deliver. A timer of the heap that is not here was cancelled. */
  private readonly messages = new Map<TimerId, Message>();
  private nextId = 1;

  /** Timers that will fire. */
  get count(): number {
    return this.messages.size;
  }

  /** Timers held, those that were cancelled included: what the room is used for. */
  get entryCount(): number {
    return this.heap.length;
  }

  /** When the next timer is due, or Infinity. */
  get dueMs(): number {
    return this.heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** The timer that was set last. */
  get lastId(): TimerId {
    return (this.nextId - 1) as TimerId;
  }

  schedule(dueMs: number, message: Message): TimerId {
    const id = this.nextId++ as TimerId;
    this.messages.set(id, message);
    this.heap.push({ dueMs, id });
    this.siftUp(this.heap.length - 1);
    return id;
  }

  /** Unknown and fired timers are ignored. */
  cancel(id: TimerId): void {
    if (this.messages.delete(id)) this.dropCancelled();
  }

  /**
   * Takes the next timer's message if it is due, else `null`.
   *
   * @param lastId Timers set after this one wait, so that a turn does not run what it set itself.
   */
  takeDue(nowMs: number, lastId: TimerId): Message | null {
    const first = this.heap[0];
    if (first === undefined || first.dueMs > nowMs || first.id > lastId) return null;
    const message = this.messages.get(first.id);
    assert(message !== undefined, 'the first timer was not cancelled');
    this.messages.delete(first.id);
    this.dropCancelled();
    return message;
  }

  private dropCancelled(): void {
    while (this.heap.length > 0 && !this.messages.has(this.heap[0]!.id)) this.removeFirst();
    if (this.heap.length <= 2 * this.messages.size + CANCELLED_COUNT_MAX) return;
    // A sorted list is a heap.
    this.heap = this.heap.filter((timer) => this.messages.has(timer.id)).sort(compareTimers);
  }

  private removeFirst(): void {
    const last = this.heap.pop()!;
    if (this.heap.length === 0) return;
    this.heap[0] = last;
    this.siftDown(0);
  }

  private isBefore(a: number, b: number): boolean {
    return compareTimers(this.heap[a]!, this.heap[b]!) < 0;
  }

  private swap(a: number, b: number): void {
    [this.heap[a], this.heap[b]] = [this.heap[b]!, this.heap[a]!];
  }

  private siftUp(start: number): void {
    for (let index = start; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!this.isBefore(index, parent)) return;
      this.swap(index, parent);
      index = parent;
    }
  }

  private siftDown(start: number): void {
    for (let index = start; ; ) {
      const left = index * 2 + 1;
      const right = left + 1;
      let least = index;
      if (left < this.heap.length && this.isBefore(left, least)) least = left;
      if (right < this.heap.length && this.isBefore(right, least)) least = right;
      if (least === index) return;
      this.swap(index, least);
      index = least;
    }
  }
}

function compareTimers(a: Timer, b: Timer): number {
  return a.dueMs - b.dueMs || a.id - b.id;
}
