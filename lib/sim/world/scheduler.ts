/**
 * Who goes next. At every instant several lanes can take a step: a thread its turn, a pair of threads the delivery of a
 * frame. On a real machine chance decides; here the scheduler does, so that every order can be had again.
 *
 * `ordered` takes lanes in the order in which they became ready. `random` draws. `priority` gives every lane a random
 * priority, always lets the greatest go, and at a few random steps puts the one that would go next behind all others: any
 * bug that needs d such changes of order shows with a chance of one in about lanes x steps^(d-1) (probabilistic
 * concurrency testing, Burckhardt et al., ASPLOS 2010).
 */
import { unreachable } from '../../assert.ts';
import type { Prng } from '../../prng.ts';

/** Which scheduler, and how it is set. */
export type SchedulerOptions =
  | { readonly type: 'ordered' }
  | { readonly type: 'random' }
  | {
      readonly type: 'priority';
      /** How often the order changes. At least 0. */
      readonly changePoints: number;
      /** Steps that the run has, about: the changes are spread over them. At least 1. */
      readonly stepCount: number;
    };

export interface Scheduler {
  /** @param ready Numbers of the lanes that can go, at least one. @returns the index in `ready` of the one that does. */
  choose(ready: readonly number[]): number;
}

export function createScheduler(options: SchedulerOptions, random: Prng): Scheduler {
  switch (options.type) {
    case 'ordered':
      return { choose: () => 0 };
    case 'random':
      return { choose: (ready) => (ready.length === 1 ? 0 : random.int(ready.length)) };
    case 'priority':
      return new PriorityScheduler(options.changePoints, options.stepCount, random);
    default:
      return unreachable(options);
  }
}

class PriorityScheduler implements Scheduler {
  private readonly random: Prng;
  /** By lane. Greater goes first; those that were put behind are negative. */
  private readonly priorities = new Map<number, number>();
  private readonly changeSteps: Set<number>;
  private step = 0;
  private leastPriority = 0;

  constructor(changePoints: number, stepCount: number, random: Prng) {
    this.random = random;
    const steps = Array.from({ length: changePoints }, () => random.int(Math.max(1, stepCount)));
    this.changeSteps = new Set(steps);
  }

  choose(ready: readonly number[]): number {
    const first = this.greatest(ready);
    if (!this.changeSteps.has(this.step++)) return first;
    this.leastPriority--;
    this.priorities.set(ready[first]!, this.leastPriority);
    return this.greatest(ready);
  }

  private greatest(ready: readonly number[]): number {
    let best = 0;
    let bestPriority = Number.NEGATIVE_INFINITY;
    for (const [index, lane] of ready.entries()) {
      const priority = this.priorityOf(lane);
      if (priority <= bestPriority) continue;
      best = index;
      bestPriority = priority;
    }
    return best;
  }

  private priorityOf(lane: number): number {
    let priority = this.priorities.get(lane);
    if (priority === undefined) {
      priority = this.random.float();
      this.priorities.set(lane, priority);
    }
    return priority;
  }
}
