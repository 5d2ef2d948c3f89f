/** The operations of a workload, and how they are carried out. */
import test from 'ava';
import { RingletError } from '../../lib/errors.ts';
import { Prng } from '../../lib/prng.ts';
import { CoreWorkload, type Operation } from '../../lib/workload/core-workload.ts';
import { createValuePool, decodeValue, recordName } from '../../lib/workload/records.ts';
import { type RunnerClock, runOperations } from '../../lib/workload/runner.ts';
import { OpenLoopSchedule } from '../../lib/workload/schedule.ts';
import { resolveWorkload, type WorkloadSettings } from '../../lib/workload/settings.ts';

function settingsOf(properties: Record<string, string>): WorkloadSettings {
  return resolveWorkload(new Map(Object.entries(properties)));
}

test('key names are those of YCSB', (t) => {
  const hashed = settingsOf({});
  t.is(recordName(hashed, 0), 'user6284781860667377211');
  t.is(recordName(hashed, 1), 'user8517097267634966620');
  t.is(recordName(hashed, 2), 'user1820151046732198393');
  t.is(recordName(settingsOf({ insertorder: 'ordered' }), 12), 'user12');
  t.is(recordName(settingsOf({ insertorder: 'ordered', zeropadding: '5' }), 12), 'user00012');
});

test('a value holds every field with its length', (t) => {
  const pool = createValuePool(settingsOf({ fieldcount: '3', fieldlength: '7' }), new Prng(1));
  const fields = decodeValue(pool[0]!);
  t.deepEqual([...fields.keys()], ['field0', 'field1', 'field2']);
  t.true([...fields.values()].every((field) => field.length === 7));
});

test('field lengths stay within their range in every distribution', (t) => {
  for (const distribution of ['uniform', 'zipfian']) {
    const settings = settingsOf({
      fieldlength: '9',
      minfieldlength: '4',
      fieldlengthdistribution: distribution,
    });
    const values = createValuePool(settings, new Prng(2));
    const lengths = values.flatMap((value) =>
      [...decodeValue(value).values()].map((f) => f.length),
    );
    t.is(Math.min(...lengths), 4, distribution);
    t.is(Math.max(...lengths), 9, distribution);
  }
});

test('a pool of large values stays small', (t) => {
  const settings = settingsOf({ fieldcount: '4', fieldlength: '1000000' });
  t.is(createValuePool(settings, new Prng(3)).length, 1);
});

function drain(next: () => Operation | null): Operation[] {
  const operations: Operation[] = [];
  for (let operation = next(); operation !== null; operation = next()) operations.push(operation);
  return operations;
}

test('a load phase inserts each record once', (t) => {
  const workload = new CoreWorkload(settingsOf({ recordcount: '50', insertstart: '20' }), 1);
  const loaded = drain(() => workload.nextLoad());
  t.deepEqual(
    loaded.map((operation) => operation.record),
    Array.from({ length: 30 }, (_, index) => 20 + index),
  );
});

test('a run phase has exactly the operations asked for, in their proportions', (t) => {
  const settings = settingsOf({
    operationcount: '20000',
    readproportion: '0.5',
    updateproportion: '0.2',
    insertproportion: '0.1',
    readmodifywriteproportion: '0.2',
  });
  const workload = new CoreWorkload(settings, 7);
  const operations = drain(() => workload.nextOperation());
  t.is(operations.length, 20_000);
  for (const [kind, share] of Object.entries(settings.proportions)) {
    const count = operations.filter((operation) => operation.kind === kind).length;
    t.true(Math.abs(count / 20_000 - share) < 0.015, `${kind}: ${count}`);
  }
});

test('a record is asked for only after its insert finished', (t) => {
  const settings = settingsOf({
    recordcount: '10',
    operationcount: '5000',
    readproportion: '0.5',
    updateproportion: '0',
    insertproportion: '0.5',
    requestdistribution: 'latest',
  });
  const workload = new CoreWorkload(settings, 3);
  const finished = new Set(Array.from({ length: 10 }, (_, index) => index));
  const underWay: Operation[] = [];
  let newestRead = 0;
  for (let op = workload.nextOperation(); op !== null; op = workload.nextOperation()) {
    if (op.kind === 'INSERT') underWay.push(op);
    else {
      t.true(finished.has(op.record));
      newestRead = Math.max(newestRead, op.record);
    }
    // Inserts end out of order, eight of them late.
    if (underWay.length > 8) {
      const done = underWay.splice(op.record % underWay.length, 1)[0]!;
      finished.add(done.record);
      workload.finishInsert(done);
    }
  }
  t.true(newestRead > 1000, 'new records are read too');
});

test('the same seed gives the same operations', (t) => {
  const settings = settingsOf({ requestdistribution: 'zipfian', readproportion: '0.5' });
  const sequence = (seed: number) => {
    const workload = new CoreWorkload(settings, seed);
    return drain(() => workload.nextOperation()).map((op) => `${op.kind} ${op.key}`);
  };
  t.deepEqual(sequence(5), sequence(5));
  t.notDeepEqual(sequence(5), sequence(6));
});

test('a workload whose new records never get finished still ends', (t) => {
  const settings = settingsOf({
    recordcount: '2',
    operationcount: '1000000000',
    insertproportion: '1',
    requestdistribution: 'zipfian',
  });
  const workload = new CoreWorkload(settings, 1);
  for (let index = 0; index < 20; index++) {
    const operation = workload.nextOperation()!;
    if (operation.kind !== 'INSERT') t.true(operation.record < 2);
  }
  t.pass();
});

/** A clock that jumps to the next sleeper's time once everything else has come to rest. */
class FakeClock implements RunnerClock {
  private timeMs = 1000;
  private sleepers: { readonly timeMs: number; readonly wake: () => void }[] = [];
  readonly waits: number[] = [];

  nowMs(): number {
    return this.timeMs;
  }

  waitUntil(timeMs: number): Promise<void> {
    this.waits.push(timeMs);
    return this.sleep(timeMs - this.timeMs);
  }

  sleep(durationMs: number): Promise<void> {
    if (durationMs <= 0) return Promise.resolve();
    return new Promise((wake) => {
      if (this.sleepers.length === 0) setImmediate(() => this.advance());
      this.sleepers.push({ timeMs: this.timeMs + durationMs, wake });
    });
  }

  private advance(): void {
    const next = this.sleepers.reduce((a, b) => (b.timeMs < a.timeMs ? b : a));
    this.timeMs = next.timeMs;
    this.sleepers = this.sleepers.filter((sleeper) => sleeper !== next);
    next.wake();
    if (this.sleepers.length > 0) setImmediate(() => this.advance());
  }
}

function counter(count: number): () => number | null {
  let next = 0;
  return () => (next < count ? next++ : null);
}

test('an open-loop schedule is fixed and does not drift', (t) => {
  const schedule = new OpenLoopSchedule(100, 3);
  t.is(schedule.intendedMs(0), 100);
  t.is(schedule.intendedMs(3_000_000), 1_000_000_100);
});

test('an open loop charges a stall to every operation that should have started meanwhile', async (t) => {
  const clock = new FakeClock();
  const latencies: number[] = [];
  await runOperations<number>({
    clock,
    clients: 1,
    targetPerSecond: 100,
    next: counter(6),
    // Operation 1 stalls for 35 ms, the others take 1 ms.
    perform: (index) => clock.sleep(index === 1 ? 35 : 1),
    finish: (_, latencyMs) => latencies.push(latencyMs),
    isStopped: () => false,
  });
  t.deepEqual(latencies, [1, 35, 26, 17, 8, 1]);
  t.deepEqual(clock.waits, [1000, 1010, 1020, 1030, 1040, 1050, 1060]);
});

test('a closed loop measures from the actual start', async (t) => {
  const clock = new FakeClock();
  const latencies: number[] = [];
  await runOperations<number>({
    clock,
    clients: 1,
    targetPerSecond: null,
    next: counter(3),
    perform: (index) => clock.sleep(index === 1 ? 35 : 1),
    finish: (_, latencyMs) => latencies.push(latencyMs),
    isStopped: () => false,
  });
  t.deepEqual(latencies, [1, 35, 1]);
});

for (const targetPerSecond of [null, 1000]) {
  const loop = targetPerSecond === null ? 'closed' : 'open';

  test(`a ${loop} loop performs every operation once, at most \`clients\` at a time`, async (t) => {
    const finished: number[] = [];
    let underWay = 0;
    let underWayMax = 0;
    const clock = new FakeClock();
    await runOperations<number>({
      clock,
      clients: 4,
      targetPerSecond,
      next: counter(100),
      perform: async () => {
        underWay += 1;
        underWayMax = Math.max(underWayMax, underWay);
        await clock.sleep(20);
        underWay -= 1;
      },
      finish: (operation) => finished.push(operation),
      isStopped: () => false,
    });
    t.deepEqual(
      finished.toSorted((a, b) => a - b),
      Array.from({ length: 100 }, (_, index) => index),
    );
    t.is(underWayMax, 4);
  });

  test(`a ${loop} loop reports failed operations and goes on`, async (t) => {
    const failed: number[] = [];
    await runOperations<number>({
      clock: new FakeClock(),
      clients: 2,
      targetPerSecond,
      next: counter(10),
      perform: async (index) => {
        if (index % 3 === 0) throw new RingletError('RINGLET_TIMEOUT', 'late');
      },
      finish: (operation, _, error) => {
        if (error !== null) failed.push(operation);
      },
      isStopped: () => false,
    });
    t.deepEqual(failed, [0, 3, 6, 9]);
  });

  test(`a ${loop} loop ends with what finish throws, and leaves nothing under way`, async (t) => {
    let underWay = 0;
    const run = runOperations<number>({
      clock: new FakeClock(),
      clients: 3,
      targetPerSecond,
      next: counter(1000),
      perform: async () => {
        underWay += 1;
        await new Promise(setImmediate);
        underWay -= 1;
      },
      finish: (operation) => {
        if (operation === 10) throw new Error('broken');
      },
      isStopped: () => false,
    });
    await t.throwsAsync(run, { message: 'broken' });
    t.is(underWay, 0);
  });

  test(`a ${loop} loop that is stopped takes no more operations`, async (t) => {
    let finishedCount = 0;
    await runOperations<number>({
      clock: new FakeClock(),
      clients: 2,
      targetPerSecond,
      next: counter(1000),
      perform: () => new Promise(setImmediate),
      finish: () => {
        finishedCount += 1;
      },
      isStopped: () => finishedCount >= 10,
    });
    t.true(finishedCount >= 10 && finishedCount <= 12);
  });
}
