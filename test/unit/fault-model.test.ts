/** The fault model: how many copies may be hurt, when that is over, and what is waived when it was too many. */
import test from 'ava';
import { nodeAddress, type PartitionId } from '../../lib/address.ts';
import { damageOf, FaultModel } from '../../lib/sim/swarm/fault-model.ts';
import { faultKinds } from '../../lib/sim/swarm/plan.ts';

const [a, b, c, d] = [0, 1, 2, 3].map(nodeAddress) as [
  ReturnType<typeof nodeAddress>,
  ReturnType<typeof nodeAddress>,
  ReturnType<typeof nodeAddress>,
  ReturnType<typeof nodeAddress>,
];
const first = 0 as PartitionId;
const second = 1 as PartitionId;

/** Partition 0 is at a, b and c; partition 1 at b, c and d. */
function createModel(writeQuorum: number, isWithinModel = true, otherQuorum = writeQuorum) {
  const beyond: PartitionId[] = [];
  const model = new FaultModel({
    isWithinModel,
    partitions: new Map([
      [first, { replicas: [a, b, c], writeQuorum }],
      [second, { replicas: [b, c, d], writeQuorum: otherQuorum }],
    ]),
    onBeyond: (partition) => beyond.push(partition),
  });
  return { model, beyond };
}

test('with W = 1 no copy may be hurt', (t) => {
  const { model } = createModel(1);
  t.deepEqual(
    [a, b, c, d].map((node) => model.mayHurt(node)),
    [false, false, false, false],
  );
});

test('W - 1 copies of each partition may be hurt, one of them as often as you like', (t) => {
  const { model, beyond } = createModel(2);
  t.true(model.mayHurt(a));
  model.noteBehind(a);
  t.true(model.mayHurt(a));
  t.false(model.mayHurt(b));
  t.false(model.mayHurt(c));
  t.true(model.mayHurt(d));
  model.noteBehind(d);
  t.false(model.mayHurt(b));
  t.deepEqual(beyond, []);
});

test('with W = 3 two copies of three may be hurt', (t) => {
  const { model, beyond } = createModel(3);
  model.noteBehind(b);
  t.true(model.mayHurt(c));
  model.noteBehind(c);
  t.false(model.mayHurt(a));
  t.false(model.mayHurt(d));
  t.deepEqual(beyond, []);
});

test('each partition goes by its own W', (t) => {
  const { model, beyond } = createModel(2, true, 1);
  t.deepEqual(
    [a, b, c, d].map((node) => model.mayHurt(node)),
    [true, false, false, false],
  );
  model.noteBehind(c);
  t.deepEqual(beyond, [second]);
});

test('a repair makes good what fell behind, but not what is damaged', (t) => {
  const { model } = createModel(2);
  model.noteBehind(a);
  model.noteDamaged(d, second);
  model.noteRepaired();
  t.true(model.mayHurt(a));
  t.false(model.mayHurt(b));
  t.true(model.mayHurt(d));
  model.noteBehind(d);
  model.noteEmptied(d);
  t.false(model.mayHurt(b));
  model.noteRepaired();
  t.true(model.mayHurt(b));
});

test('a read is regular while no copy is behind; a damaged one is no answer', (t) => {
  const { model } = createModel(2);
  model.noteDamaged(a, first);
  t.true(model.isRegular(first));
  t.false(model.isIntact(first));
  model.noteBehind(a);
  t.false(model.isRegular(first));
  t.true(model.isRegular(second));
  model.noteRepaired();
  t.true(model.isRegular(first));
  t.false(model.isIntact(first));
});

test('beyond the model all may be hurt, and each partition that is says so once', (t) => {
  const { model, beyond } = createModel(2, false);
  t.true(model.mayHurtAll);
  model.noteBehind(a);
  t.deepEqual(beyond, []);
  model.noteBehind(b);
  t.deepEqual(beyond, [first]);
  model.noteBehind(c);
  t.deepEqual(beyond, [first, second]);
  model.noteRepaired();
  model.noteBehind(b);
  model.noteBehind(c);
  t.deepEqual(beyond, [first, second]);
});

test('within the model what takes something of all copies is out of the question', (t) => {
  t.false(createModel(3).model.mayHurtAll);
  t.is(damageOf('power-loss', 'normal'), 'all copies');
  t.is(damageOf('power-loss', 'full'), 'none');
});

test('what is lost, delayed, stopped or slow takes no copy', (t) => {
  const harmful = faultKinds.filter((kind) => damageOf(kind, 'full') !== 'none');
  t.deepEqual(harmful, ['wipe', 'restore', 'rot-record', 'rot-journal', 'rot-meta']);
});
