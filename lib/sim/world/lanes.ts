/**
 * The lanes that can take a step now, and who goes next: the scheduler's say.
 *
 * Invariant: a lane is in at most once.
 */
import type { Scheduler } from './scheduler.ts';

export class Lanes {
  /** In the order in which they became ready. */
  private readonly ready: number[] = [];
  private readonly scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  get isEmpty(): boolean {
    return this.ready.length === 0;
  }

  /** A lane can take a step. It must not be in already. */
  add(lane: number): void {
    this.ready.push(lane);
  }

  /** A lane can take no step after all. */
  remove(lane: number): void {
    const place = this.ready.indexOf(lane);
    if (place >= 0) this.ready.splice(place, 1);
  }

  /** Takes out the lane that goes next. There must be one. */
  take(): number {
    const place = this.ready.length === 1 ? 0 : this.scheduler.choose(this.ready);
    const lane = this.ready[place]!;
    this.ready.splice(place, 1);
    return lane;
  }
}
