/**
 * Timers of one node: a binary heap by due time, then by the order of scheduling, so that timers due at
 * once fire in the order in which they were set.
 */
import type { Message } from '../protocol/messages.ts';
import type { TimerId } from './actor.ts';

interface Timer {
  readonly dueMs: number;
  readonly id: TimerId;
  /** `null` once cancelled. */
  message: Message | null;
}

export class Timers {
  private readonly heap: Timer[] = [];
  private nextId = 1;

  schedule(dueMs: number, message: Message): TimerId {
    const timer: Timer = { dueMs, id: this.nextId++ as TimerId, message };
    this.heap.push(timer);
    this.siftUp(this.heap.length - 1);
    return timer.id;
  }

  cancel(id: TimerId): void {
    const timer = this.heap.find((candidate) => candidate.id === id);
    if (timer !== undefined) timer.message = null;
  }

  /** When the next timer is due, or Infinity. A cancelled one may still be named. */
  get dueMs(): number {
    return this.heap.length === 0 ? Number.POSITIVE_INFINITY : this.heap[0]!.dueMs;
  }

  /** Takes the next timer's message if it is due, else `null`. */
  takeDue(nowMs: number): Message | null {
    while (this.heap.length > 0 && this.heap[0]!.dueMs <= nowMs) {
      const { message } = this.removeFirst();
      if (message !== null) return message;
    }
    return null;
  }

  private removeFirst(): Timer {
    const first = this.heap[0]!;
    const last = this.heap.pop()!;
    if (this.heap.length > 0) {
      this.heap[0] = last;
      this.siftDown(0);
    }
    return first;
  }

  private isBefore(a: number, b: number): boolean {
    const left = this.heap[a]!;
    const right = this.heap[b]!;
    return left.dueMs < right.dueMs || (left.dueMs === right.dueMs && left.id < right.id);
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
