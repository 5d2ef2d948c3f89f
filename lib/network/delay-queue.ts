/**
 * What waits for its time: a binary heap.
 *
 * Invariant: items leave by time; items of the same time leave as they came.
 */
import { assert } from '../assert.ts';

interface Entry<T> {
  readonly dueMs: number;
  /** Breaks ties. */
  readonly sequence: number;
  readonly item: T;
}

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence);
}

/** Holds items until their time. Its user bounds its size. */
export class DelayQueue<T> {
  private readonly heap: Entry<T>[] = [];
  private sequence = 0;

  get size(): number {
    return this.heap.length;
  }

  /** When the first item is due; Infinity if there is none. */
  get dueMs(): number {
    return this.heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  push(dueMs: number, item: T): void {
    assert(Number.isFinite(dueMs), 'due time');
    const entry = { dueMs, sequence: this.sequence++, item };
    let index = this.heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(this.heap[parent]!, entry)) break;
      this.heap[index] = this.heap[parent]!;
      index = parent;
    }
    this.heap[index] = entry;
  }

  /** Takes the first item out. There must be one. */
  pop(): T {
    const first = this.heap[0];
    const last = this.heap.pop();
    assert(first !== undefined && last !== undefined, 'pop from an empty queue');
    if (first !== last) this.sink(last);
    return first.item;
  }

  /** Puts `entry` in the place of the first one, then where it belongs. */
  private sink(entry: Entry<T>): void {
    const { heap } = this;
    let index = 0;
    while (true) {
      let child = 2 * index + 1;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (child >= heap.length || isBefore(entry, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = entry;
  }
}
