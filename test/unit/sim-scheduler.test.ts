/** Schedulers: what they may choose, and that few changes of order reach every order. */
import test from 'ava';
import { Prng } from '../../lib/prng.ts';
import { createScheduler, type SchedulerOptions } from '../../lib/sim/world/scheduler.ts';

/** The orders in which a scheduler lets lanes that are all ready from the start go once each. */
function ordersOf(options: SchedulerOptions, lanes: readonly number[], seeds: number): Set<string> {
  const orders = new Set<string>();
  for (let seed = 0; seed < seeds; seed++) {
    const scheduler = createScheduler(options, new Prng(seed));
    const ready = [...lanes];
    const order: number[] = [];
    while (ready.length > 0) order.push(...ready.splice(scheduler.choose(ready), 1));
    orders.add(order.join(' '));
  }
  return orders;
}

test('ordered: lanes go as they became ready', (t) => {
  t.deepEqual([...ordersOf({ type: 'ordered' }, [3, 1, 2], 20)], ['3 1 2']);
});

test('random: every order comes up, and a seed decides which', (t) => {
  t.is(ordersOf({ type: 'random' }, [1, 2, 3, 4], 2000).size, 24);
  const draw = (seed: number) => {
    const scheduler = createScheduler({ type: 'random' }, new Prng(seed));
    return Array.from({ length: 50 }, () => scheduler.choose([1, 2, 3]));
  };
  t.deepEqual(draw(7), draw(7));
  t.notDeepEqual(draw(7), draw(8));
});

test('priority: without changes a lane that is ready again goes again', (t) => {
  const scheduler = createScheduler(
    { type: 'priority', changePoints: 0, stepCount: 100 },
    new Prng(1),
  );
  const chosen = new Set(Array.from({ length: 100 }, () => scheduler.choose([5, 6, 7])));
  t.is(chosen.size, 1);
});

test('priority: each change puts the lane that would have gone behind all others', (t) => {
  const counts = new Set<number>();
  for (let seed = 0; seed < 50; seed++) {
    const options: SchedulerOptions = { type: 'priority', changePoints: 2, stepCount: 100 };
    const scheduler = createScheduler(options, new Prng(seed));
    const order = Array.from({ length: 100 }, () => [5, 6, 7][scheduler.choose([5, 6, 7])]!);
    const changes = order.filter((lane, index) => index > 0 && lane !== order[index - 1]).length;
    t.true(changes <= 2, `seed ${seed}`);
    counts.add(changes);
  }
  t.true(counts.has(2), 'both change points are used');
});
