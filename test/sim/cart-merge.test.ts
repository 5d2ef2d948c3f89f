/**
 * How to test a merge of one's own, by the example of a shopping cart (Dynamo §4.4): the simulator finds the seed that proves
 * that a merge is wrong, and none where it is right.
 */
import test from 'ava';
import { describeFailure, json, type SimulateReport, simulate } from '../../lib/simulator.ts';

/** By item, how many of it. */
type Cart = Readonly<Record<string, number>>;

type Merge = (siblings: readonly Cart[]) => Cart;

/** Wrong: takes one of the carts, however well it chooses. What is in the others alone is lost. */
const takeLargest: Merge = (siblings) =>
  siblings.reduce((largest, cart) =>
    Object.keys(cart).length > Object.keys(largest).length ? cart : largest,
  );

/** Wrong, and harder to see: keeps all items, but counts twice what two carts have in common. */
const addUp: Merge = (siblings) => combine(siblings, (a, b) => a + b);

/** Right for carts that are only filled: whichever has counted further knows more. */
const takeFurthest: Merge = (siblings) => combine(siblings, Math.max);

function combine(siblings: readonly Cart[], join: (a: number, b: number) => number): Cart {
  const merged: Record<string, number> = {};
  for (const cart of siblings) {
    for (const [item, count] of Object.entries(cart)) merged[item] = join(merged[item] ?? 0, count);
  }
  return merged;
}

/** Users fill one cart from several places while things go wrong. At the end it must hold what they were told it holds. */
function tryMerge(resolve: Merge, seeds: number): Promise<SimulateReport> {
  const options = { codec: json<Cart>(), resolve };
  return simulate({
    seeds,
    nodes: 5,
    sessions: 3,
    workload: async (_cluster, { sessions }) => {
      const sure: string[] = [];
      const tried: string[] = [];
      const fill = async ({ index, random, bucket, sleep }: (typeof sessions)[number]) => {
        const carts = bucket('carts', options);
        for (let count = 0; count < 4; count++) {
          await sleep(random.int(100));
          const item = `item ${index}.${count}`;
          tried.push(item);
          const put = (cart: Cart = {}) => ({ ...cart, [item]: 1 });
          // A write that fails may be there nevertheless: it is tried, but nothing is sure.
          await carts.update('cart:42', put).then(
            () => sure.push(item),
            () => {},
          );
        }
      };
      await Promise.all(sessions.map(fill));
      return { sure, tried };
    },
    check: async (cluster, { sure, tried }) => {
      const { value = {} } = await cluster.bucket('carts', options).get('cart:42');
      for (const item of sure) if (!(item in value)) throw new Error(`${item} is lost`);
      for (const [item, count] of Object.entries(value)) {
        if (!tried.includes(item)) throw new Error(`${item} was never put in`);
        if (count !== 1) throw new Error(`${item} was put in once and is there ${count} times`);
      }
    },
  });
}

for (const [name, merge, finding] of [
  ['that takes the largest cart', takeLargest, /is lost/],
  ['that adds up what carts have in common', addUp, /is there \d times/],
] as const) {
  test(`a seed proves that a merge is wrong ${name}`, async (t) => {
    const { failures } = await tryMerge(merge, 20);
    t.is(failures.length, 1);
    const [failure] = failures;
    t.regex(String(failure!.error), finding);
    t.is(failure!.phase, 'check');
    t.true(failure!.isReproducible);
    t.log(describeFailure(failure!));
  });
}

test('no seed says anything against a merge that is right', async (t) => {
  const report = await tryMerge(takeFurthest, 20);
  t.deepEqual(report.failures, []);
  t.is(report.seeds, 20);
  t.true(Object.keys(report.faults).length > 10, 'and not because nothing went wrong');
});
