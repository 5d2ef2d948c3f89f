/**
 * A limit on what is under way: whoever starts something takes a slot first and gives it back at the end.
 *
 * Invariant: never more slots are taken than there are. One caller at a time may wait.
 */
import { assert } from '../assert.ts';

/** A counter of slots, and the one who waits for them. */
export class Slots {
  private readonly count: number;
  private takenCount = 0;
  private wake: (() => void) | null = null;

  /** @param count Slots, from 1. */
  constructor(count: number) {
    assert(count >= 1, 'number of slots');
    this.count = count;
  }

  /** Takes a slot, once there is one. */
  async take(): Promise<void> {
    while (this.takenCount === this.count) await this.change();
    this.takenCount += 1;
  }

  /** Returns a slot that was taken. */
  giveBack(): void {
    assert(this.takenCount > 0, 'a slot that was taken');
    this.takenCount -= 1;
    this.wake?.();
    this.wake = null;
  }

  /** Settles when no slot is taken. */
  async allFree(): Promise<void> {
    while (this.takenCount > 0) await this.change();
  }

  private change(): Promise<void> {
    assert(this.wake === null, 'one caller waits at a time');
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
