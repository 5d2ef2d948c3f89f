/** The parts of the command line, without a cluster. */
import test from 'ava';
import { runPhase } from '../../lib/cli/bench.ts';
import { type Cart, type CartLine, cartCodec, mergeCarts, withLine } from '../../lib/cli/cart.ts';
import { CartReplay } from '../../lib/cli/cart-replay.ts';
import {
  ExitStatus,
  InputError,
  InterruptedError,
  lineOf,
  statusOf,
  untilAborted,
} from '../../lib/cli/exit.ts';
import { Faults, partitionGroups } from '../../lib/cli/faults.ts';
import { Latencies } from '../../lib/cli/latencies.ts';
import { parseReplication, parseShare, whole } from '../../lib/cli/options.ts';
import { formatTable } from '../../lib/cli/output.ts';
import { createShell, type ShellTarget } from '../../lib/cli/shell.ts';
import { type Basket, basketCodec, mergeBaskets, Shoppers } from '../../lib/cli/tour.ts';
import { RingletError } from '../../lib/errors.ts';
import { checkNodeVersion } from '../../lib/node-version.ts';
import { CoreWorkload } from '../../lib/workload/core-workload.ts';
import { resolveWorkload } from '../../lib/workload/settings.ts';
import { SiblingStore } from '../helpers/sibling-store.ts';

const never = new AbortController().signal;

test('a Node.js that is too old is refused', (t) => {
  for (const version of ['20.20.2', '22.19.9', '0.12.0', '', 'x.y']) {
    t.regex(checkNodeVersion(version) ?? '', /needs Node\.js 22\.20 or newer/, version);
  }
  for (const version of ['22.20.0', '22.21.1', '24.0.0', '100.0.0-nightly']) {
    t.is(checkNodeVersion(version), null, version);
  }
});

test('errors become statuses and single lines', (t) => {
  t.is(statusOf(new InputError('x')), ExitStatus.BadInput);
  t.is(statusOf(new RingletError('RINGLET_OPTION_INVALID', 'x')), ExitStatus.BadInput);
  t.is(statusOf(new RingletError('RINGLET_DATADIR_LOCKED', 'x')), ExitStatus.BadInput);
  t.is(statusOf(new RingletError('RINGLET_TIMEOUT', 'x')), ExitStatus.Failed);
  t.is(statusOf(new InterruptedError()), ExitStatus.Interrupted);
  t.is(lineOf(new Error('a\n  b')), 'ringlet: a b');
});

test('work is left behind when the signal aborts', async (t) => {
  const controller = new AbortController();
  const work = untilAborted(new Promise(() => {}), controller.signal);
  controller.abort(new InterruptedError());
  await t.throwsAsync(work, { instanceOf: InterruptedError });
  t.is(await untilAborted(Promise.resolve(1), never), 1);
});

test('option values', (t) => {
  t.is(whole(1, 5)('5'), 5);
  for (const text of ['', ' ', '0', '6', '1.5', 'x']) t.throws(() => whole(1, 5)(text));
  t.deepEqual(parseReplication('3,2,1'), { n: 3, r: 2, w: 1 });
  for (const text of ['3', '3,2', '3,2,2,2', '3,2,x']) t.throws(() => parseReplication(text));
  t.is(parseShare('50%'), 0.5);
  t.is(parseShare('12.5'), 0.125);
  t.is(parseShare('never'), Number.POSITIVE_INFINITY);
  for (const text of ['', '101%', '-1', 'half']) t.throws(() => parseShare(text));
});

test('tables line up', (t) => {
  t.deepEqual(
    formatTable([
      ['', 'ab'],
      ['long', '1'],
      ['x', ''],
    ]),
    ['      ab', 'long   1', 'x'],
  );
});

test('latencies: percentiles by kind and over all, in milliseconds', (t) => {
  const latencies = new Latencies();
  for (let ms = 1; ms <= 1000; ms++) latencies.record(ms <= 500 ? 'READ' : 'UPDATE', ms, null);
  latencies.record('UPDATE', 5000, new RingletError('RINGLET_TIMEOUT', 'x'));
  const total = latencies.total(10);
  t.is(total.operations, 1001);
  t.is(total.errors, 1);
  t.is(total.opsPerSecond, 100);
  t.true(Math.abs(total.p50 - 500) < 2 && Math.abs(total.p99 - 991) < 3);
  t.true(Math.abs(latencies.byKind(10).READ!.p50 - 250) < 1);
  t.deepEqual(latencies.errorsByCode(), { RINGLET_TIMEOUT: 1 });
  t.throws(() => latencies.record('READ', 1, new TypeError('a bug')), { instanceOf: TypeError });
});

function line(id: number, stockCode = `s${id}`, quantity = id): CartLine {
  return { id, stockCode, quantity, priceThousandths: -id };
}

test('carts come back from their bytes', (t) => {
  const carts: Cart[] = [
    [],
    [line(1)],
    [line(3, 'é☃'), line(400_000, ''), line(400_001, 'x', -80_995), line(2 ** 40)],
  ];
  for (const cart of carts) t.deepEqual(cartCodec.decode(cartCodec.encode(cart)), cart);
  const bytes = cartCodec.encode([line(1), line(2)]);
  for (let end = 1; end < bytes.length; end++) {
    if (end !== bytes.length / 2) t.throws(() => cartCodec.decode(bytes.subarray(0, end)));
  }
});

test('a union of carts has every line once, in order', (t) => {
  const [a, b, c] = [[line(1), line(4)], [line(2), line(4), line(9)], [line(3)]];
  const ids = (cart: Cart) => cart.map(({ id }) => id);
  t.deepEqual(ids(mergeCarts([a, b, c])), [1, 2, 3, 4, 9]);
  t.deepEqual(mergeCarts([a, b, c]), mergeCarts([c, b, a]));
  t.deepEqual(ids(withLine(a, line(2))), [1, 2, 4]);
  t.deepEqual(ids(withLine(a, line(5))), [1, 4, 5]);
  t.is(withLine(a, line(4)), a);
});

function invoiceLines(cartCount: number, linesPerCart: number) {
  return Array.from({ length: cartCount * linesPerCart }, (_, index) => ({
    invoice: `i${Math.floor(index / linesPerCart)}`,
    cartLine: line(index + 2),
  }));
}

test('replay: stale contexts make siblings, and no line is lost', async (t) => {
  const store = new SiblingStore<Cart>({ resolve: mergeCarts });
  const replay = new CartReplay(store, 8, never);
  for (const item of invoiceLines(20, 30)) await replay.add(item);
  await replay.drain();
  let checkedCount = 0;
  const check = await replay.check(() => {
    checkedCount += 1;
  });
  t.like(check, { missing: 0, invented: 0 });
  t.is(checkedCount, 20);
  t.is(replay.doneCount, 600);
  t.true(replay.counters.siblingsResolved > 100, `${replay.counters.siblingsResolved}`);
  t.true(store.siblingCountMax <= 3, 'one stale write per client of a cart');
});

test('replay: whatever fails is tried again', async (t) => {
  const store = new SiblingStore<Cart>({
    resolve: mergeCarts,
    fail: (request) => {
      if (request % 3 !== 0) return null;
      const isApplied = request % 2 === 0;
      return { error: new RingletError('RINGLET_TIMEOUT', 'late', { definite: false }), isApplied };
    },
  });
  const replay = new CartReplay(store, 4, never);
  for (const item of invoiceLines(5, 8)) await replay.add(item);
  await replay.drain();
  t.like(await replay.check(() => {}), { missing: 0, invented: 0 });
  t.true(replay.counters.retries > 10 && replay.counters.indefinite > 10);
  t.deepEqual(replay.failures, []);
});

test('replay: the check finds what is missing, invented and changed', async (t) => {
  const store = new SiblingStore<Cart>({ resolve: mergeCarts });
  const replay = new CartReplay(store, 1, never);
  for (const item of invoiceLines(1, 4)) await replay.add(item);
  await replay.drain();
  store.versions.set('cart:i0', [
    { dot: 99, value: [line(2), line(3), line(4, 'other'), line(77)] },
  ]);
  const check = await replay.check(() => {});
  t.is(check.missing, 2);
  t.is(check.invented, 2);
  t.deepEqual(check.differences.toSorted(), [
    'cart i0 has line 77',
    'cart i0 has other contents for line 4',
    'line 4 is not as it was in cart i0',
    'line 5 is not in cart i0',
  ]);
});

test('replay: a line that cannot be added is reported', async (t) => {
  const store = new SiblingStore<Cart>({
    resolve: mergeCarts,
    fail: () => ({ error: new RingletError('RINGLET_CLOSED', 'closed'), isApplied: false }),
  });
  const replay = new CartReplay(store, 2, never);
  for (const item of invoiceLines(1, 2)) await replay.add(item);
  await replay.drain();
  t.is(replay.failures.length, 2);
  t.regex(replay.failures[0]!, /^line 2: closed/);
});

function faultTarget(log: string[], nodeIds = ['a', 'b', 'c', 'd', 'e']) {
  const note = (text: string) => async () => {
    log.push(text);
  };
  return {
    nodeIds,
    network: {
      partition: async (groups: readonly (readonly string[])[]) => {
        log.push(`cut ${groups.map((group) => group.join('')).join('|')}`);
      },
      heal: note('heal'),
    },
    node: (id: string) => ({ kill: note(`kill ${id}`), restart: note(`restart ${id}`) }),
  };
}

test('faults: each is ended once, at the latest at the end', async (t) => {
  const log: string[] = [];
  const faults = new Faults(faultTarget(log), () => {});
  await faults.cut(60_000);
  await faults.cut(60_000);
  await faults.heal();
  await faults.heal();
  await faults.kill(60_000);
  await faults.end();
  await faults.end();
  t.deepEqual(log, ['cut ab|cde', 'heal', 'kill c', 'restart c']);
});

test('faults: a fault ends by time too', async (t) => {
  const log: string[] = [];
  const healed = new Promise<void>((resolve) => {
    const faults = new Faults(faultTarget(log), (event) => {
      if (event === 'links healed') resolve();
    });
    faults.cut(1);
  });
  await healed;
  t.deepEqual(log, ['cut ab|cde', 'heal']);
});

test('faults: a single node has no links to cut', async (t) => {
  t.is(partitionGroups(['a']), null);
  t.deepEqual(partitionGroups(['a', 'b']), [['a'], ['b']]);
  const log: string[] = [];
  await new Faults(faultTarget(log, ['a']), () => {}).cut(1);
  t.deepEqual(log, []);
});

test('bench: operations become requests, and reads that find nothing are counted', async (t) => {
  const settings = resolveWorkload(
    new Map(
      Object.entries({
        recordcount: '20',
        operationcount: '400',
        readproportion: '0.4',
        updateproportion: '0.2',
        insertproportion: '0.2',
        readmodifywriteproportion: '0.2',
      }),
    ),
  );
  const workload = new CoreWorkload(settings, 1);
  const store = new SiblingStore<Uint8Array>({ resolve: (siblings) => siblings[0]! });
  const plan = { clients: 4, targetPerSecond: null, isVersioned: true };
  const session = { signal: never };
  const next = () => workload.nextLoad();
  const load = await runPhase(plan, { label: 'load', count: 20, next }, store, session);
  t.is(load.operations, 20);
  t.is(store.versions.size, 20);
  const run = await runPhase(
    plan,
    {
      label: 'run',
      count: 400,
      next: () => workload.nextOperation(),
      onInserted: (operation) => workload.finishInsert(operation),
    },
    store,
    session,
  );
  t.is(run.operations, 400);
  t.is(run.errors, 0);
  t.is(run.notFound, 0);
  t.is(store.versions.size, 20 + run.byOperation.INSERT!.operations);
  const kinds = Object.values(run.byOperation).map(({ operations }) => operations);
  t.is(
    kinds.reduce((a, b) => a + b),
    400,
  );

  const empty = new SiblingStore<Uint8Array>({ resolve: (siblings) => siblings[0]! });
  const reads = new CoreWorkload(resolveWorkload(new Map([['updateproportion', '0']])), 1);
  const phase = { label: 'run', count: 1000, next: () => reads.nextOperation() };
  t.is((await runPhase(plan, phase, empty, session)).notFound, 1000);
});

test('tour: baskets come back from their bytes', (t) => {
  const basket: Basket = new Set([0, 5, 300, 2 ** 40]);
  t.deepEqual(basketCodec.decode(basketCodec.encode(basket)), basket);
});

test('tour: shoppers meet siblings, and a lost write is found', async (t) => {
  let requests = 0;
  const store = new SiblingStore<Basket>({
    resolve: mergeBaskets,
    fail: () => {
      requests += 1;
      if (requests === 4000) shoppers.stop();
      return null;
    },
  });
  const shoppers = new Shoppers(store, 1, never);
  await shoppers.shop(32);
  t.true(shoppers.acknowledgedCount > 500);
  t.true(shoppers.siblingsResolved > 0);
  t.is(await shoppers.countLost(), 0);

  const [key, versions] = [...store.versions][0]!;
  const size = mergeBaskets(versions.map(({ value }) => value)).size;
  store.versions.delete(key);
  t.is(await shoppers.countLost(), size);
});

function openEntries() {
  return new SiblingStore<string>({ resolve: (siblings) => siblings.join() });
}

function shellOn(log: string[], store = openEntries()) {
  const faults = faultTarget(log);
  const node = (id: string) => ({
    ...faults.node(id),
    isUp: id !== 'b',
    pause: async () => {},
    resume: async () => {},
    stats: async () => ({ state: 'running' }),
  });
  const target: ShellTarget = {
    entries: store,
    nodeIds: faults.nodeIds,
    network: {
      ...faults.network,
      link: (from, to) => ({
        set: async (settings) => {
          log.push(`${from}>${to} ${JSON.stringify(settings)}`);
        },
      }),
      counters: async () => [],
    },
    node,
    stats: async () => ({ nodes: 5 }),
  };
  const shell = createShell(target);
  return async (command: string) => (await shell.execute(command)).text;
}

test('prompt: put, get and siblings', async (t) => {
  const run = shellOn([]);
  t.deepEqual(await run('get k'), ['(nothing)']);
  t.deepEqual(await run('put k one  and two'), ['stored']);
  t.deepEqual(await run('get k'), ['one  and two']);
  t.deepEqual(await run('put k three'), ['stored']);
  t.deepEqual(await run('get k'), ['three']);
  t.deepEqual(await run('delete k'), ['deleted']);
  t.deepEqual(await run('get k'), ['(nothing)']);
});

test('prompt: a put without a read leaves a sibling', async (t) => {
  const store = openEntries();
  const [one, other] = [shellOn([], store), shellOn([], store)];
  await one('put k mine');
  t.deepEqual(await other('put k theirs'), ['stored; there are siblings that were not read here']);
  t.deepEqual(await one('get k'), ['mine', 'theirs']);
  t.deepEqual(await one('put k both'), ['stored']);
  t.deepEqual(await other('get k'), ['both']);
});

test('prompt: faults', async (t) => {
  const log: string[] = [];
  const run = shellOn(log);
  await run('partition a,b|c, d,e');
  await run('heal');
  await run('kill a');
  await run('restart a');
  await run('link a b latencyMs=40 loss=0.5 ordered=true');
  t.deepEqual(log, [
    'cut ab|cde',
    'heal',
    'kill a',
    'restart a',
    'a>b {"latencyMs":40,"loss":0.5,"ordered":true}',
  ]);
  t.deepEqual((await run('status')).slice(0, 2), ['a  running', 'b     down']);
});

test('prompt: what is wrong with a command is said', async (t) => {
  const run = shellOn([]);
  await t.throwsAsync(run('gte k'), { message: /did you mean `get`/ });
  await t.throwsAsync(run('constructor'), { message: /unknown command/ });
  await t.throwsAsync(run('put k'), { message: 'usage: put KEY VALUE' });
  await t.throwsAsync(run('heal now'), { message: 'usage: heal' });
  await t.throwsAsync(run('link a b fast'), { message: /latencyMs=40/ });
  t.true((await run('help')).some((text) => text.startsWith('partition a,b|c,d ')));
});
