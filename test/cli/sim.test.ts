/** `ringlet sim` as a user meets it: real processes, real threads, a few seeds. */
import test from 'ava';
import { faultKinds } from '../../lib/sim/swarm/plan.ts';
import { requiredSometimes } from '../../lib/sim/swarm/sometimes.ts';
import { runCommand } from '../helpers/command.ts';

/** Plans that are quick to run, with faults. */
const QUICK = [
  ...['--set', 'nodes=5', '--set', 'n=3', '--set', 'rounds=1', '--set', 'durationMs=1000'],
  ...['--set', 'operationsPerSecond=200', '--set', 'faults=loss,delay,crash'],
] as const;

test('help says what every option does, which faults and fields there are, what numbers mean', async (t) => {
  const { status, stdout, stderr } = await runCommand(['sim', '--help']);
  t.is(status, 0);
  t.is(stderr, '');
  for (const name of ['seeds', 'from', 'jobs', 'last-writer-wins', 'seed', 'trace', 'shrink']) {
    t.regex(stdout, new RegExp(`^ +--${name}\\b.* \\w`, 'm'), name);
  }
  for (const name of ['break-at-step', 'off', 'set', 'json', ...faultKinds, 'scheduler']) {
    t.true(stdout.includes(name), name);
  }
  t.regex(stdout, /messagesPerSecond +of one core/);
});

test.serial('a sweep: one JSON object; a seed of it alone comes to the same', async (t) => {
  const swept = await runCommand(['sim', '--seeds', '6', '--from', '3', '--json', ...QUICK]);
  t.is(swept.status, 0, swept.stderr);
  const sum = JSON.parse(swept.stdout);
  t.like(sum, { seeds: 6, failures: 0, lostWrites: 0, failed: [] });
  t.true(sum.acknowledgedWrites > 0 && sum.reads > 0 && sum.messages > 0);
  t.true(sum.messagesPerSecond > 0 && sum.simulatedSeconds > 6 && sum.wallSeconds > 0);
  t.true(sum.faults.loss > 0 && sum.faults.crash > 0);
  t.true(requiredSometimes.every((id) => sum.sometimes[id] >= 0));
  t.true(sum.neverSeen.every((id: string) => requiredSometimes.includes(id)));

  const one = await runCommand(['sim', '--seeds', '1', '--from', '4', '--json', ...QUICK]);
  const replayed = await runCommand(['sim', '--seed', '4', '--json', ...QUICK]);
  t.is(replayed.status, 0, replayed.stderr);
  const [inSweep, alone] = [JSON.parse(one.stdout), JSON.parse(replayed.stdout)];
  t.like(alone, { plan: { seed: 4, nodes: 5, faults: ['loss', 'delay', 'crash'] }, failure: null });
  for (const name of ['fingerprint', 'messages', 'acknowledgedWrites', 'reads', 'faults']) {
    t.deepEqual(alone[name], inSweep[name], name);
  }
});

test.serial('the number of threads decides nothing', async (t) => {
  const run = async (jobs: string) => {
    const { stdout } = await runCommand([
      'sim',
      '--seeds',
      '5',
      '--jobs',
      jobs,
      '--json',
      ...QUICK,
    ]);
    const { wallSeconds: _, messagesPerSecond: __, ...result } = JSON.parse(stdout);
    return result;
  };
  t.deepEqual(await run('1'), await run('3'));
});

test.serial('a sweep for people: a table, and what was never seen', async (t) => {
  const { status, stdout } = await runCommand(['sim', '--seeds', '2', '--jobs', '1', ...QUICK]);
  t.is(status, 0);
  t.true(stdout.startsWith('seeds     0 to 1, on 1 thread\n'));
  t.regex(stdout, /^failures +0$/m);
  t.regex(stdout, /^messages per second and core +[\d,]+$/m);
  t.regex(stdout, /^ {2}loss [\d,]+ {2}delay [\d,]+/m);
});

test.serial('last writer wins: losses beside none', async (t) => {
  const args = ['--set', 'blindShare=0.5', '--set', 'keys=1', '--set', 'isWithinModel=true'];
  const { status, stdout, stderr } = await runCommand([
    ...['sim', '--seeds', '4', '--last-writer-wins', '--json', ...QUICK, ...args],
  ]);
  t.is(status, 0, stderr);
  const result = JSON.parse(stdout);
  t.like(result, { seeds: 4, failures: 0, lostWrites: 0 });
  t.true(result.lastWriterWins.acknowledgedWrites > 0);
  t.true(result.lastWriterWins.lostWrites > 0);
  t.true(result.lastWriterWins.faults['clock-skew'] > 0);
});

test.serial('a trace changes nothing, and a filter thins it', async (t) => {
  const plain = await runCommand(['sim', '--seed', '5', ...QUICK]);
  const traced = await runCommand(['sim', '--seed', '5', '--trace', ...QUICK]);
  const filtered = await runCommand(['sim', '--seed', '5', '--trace', 'crash,dropped', ...QUICK]);
  const fingerprintOf = (text: string) => /^fingerprint ([0-9a-f]{16})$/m.exec(text)?.[1];
  t.truthy(fingerprintOf(plain.stdout));
  for (const { stdout } of [traced, filtered]) {
    t.is(fingerprintOf(stdout), fingerprintOf(plain.stdout));
  }
  const eventsOf = (text: string) => text.match(/^ *\d+ +\d+\.\d{3} {2}.*$/gm) ?? [];
  const all = eventsOf(traced.stdout);
  for (const what of ['client0 > ', 'ReplicaPut #', 'thread 0  turn', 'dropped: loss', 'crash']) {
    t.true(
      all.some((line) => line.includes(what)),
      what,
    );
  }
  t.deepEqual(
    eventsOf(filtered.stdout),
    all.filter((line) => /crash|dropped/i.test(line)),
  );
  t.is(eventsOf(plain.stdout).length, 0);
});

test.serial('with --json a trace goes to stderr', async (t) => {
  const { stdout, stderr } = await runCommand([
    ...['sim', '--seed', '5', '--trace', 'crash', '--json', ...QUICK],
  ]);
  t.is(JSON.parse(stdout).plan.seed, 5);
  t.regex(stderr, /^ *\d+ +\d+\.\d{3} {2}.*crash/m);
});

test.serial('a break shows every node before the step, and ends there', async (t) => {
  const { status, stdout } = await runCommand([
    ...['sim', '--seed', '5', '--break-at-step', '200', ...QUICK],
  ]);
  t.is(status, 0);
  t.regex(stdout, /^before step 200, at \d+\.\d{3} ms$/m);
  t.is(stdout.match(/^[a-e] +(up|down|paused|syncing)\b/gm)?.length, 5);
  t.regex(stdout, /^p\d+ b0\/k\d+$/m);
  t.regex(stdout, /^ {2}[a-e] {2}\{/m);
  t.regex(stdout, /^steps +199$/m);
  const late = await runCommand([
    ...['sim', '--seed', '5', '--break-at-step', '1000000000', ...QUICK],
  ]);
  t.regex(late.stdout, /^the run ended before step 1000000000$/m);
});

test.serial('--off takes faults out one by one', async (t) => {
  const { stdout } = await runCommand(['sim', '--seed', '5', '--off', 'loss', '--json', ...QUICK]);
  const { plan, faults } = JSON.parse(stdout);
  t.deepEqual(plan.faults, ['delay', 'crash']);
  t.is(faults.loss, 0);
});

test.serial('where nothing fails there is nothing to shrink', async (t) => {
  const { status, stdout } = await runCommand(['sim', '--seed', '5', '--shrink', ...QUICK]);
  t.is(status, 0);
  t.regex(stdout, /^nothing failed: there is nothing to shrink$/m);
});

const badInput: [args: string[], message: RegExp][] = [
  [[], /--seeds .* --seed/],
  [['--seed', 'x'], /--seed.*whole number from 0/],
  [['--seed', '-1'], /whole number from 0/],
  [['--seeds', '0'], /whole number from 1/],
  [['--seeds', '5', '--seed', '5'], /--seed and --seeds/],
  [['--seeds', '5', '--jobs', '0'], /whole number from 1/],
  [['--seeds', '3', '--from', '9007199254740990'], /last seed is 9007199254740991/],
  [['--seeds', '5', '--trace'], /--trace goes with --seed$/m],
  [['--seeds', '5', '--break-at-step', '3'], /--break-at-step goes with --seed$/m],
  [['--seeds', '5', '--shrink'], /--shrink goes with --seed$/m],
  [['--seed', '5', '--jobs', '2'], /--jobs goes with --seeds$/m],
  [['--seed', '5', '--from', '2'], /--from goes with --seeds$/m],
  [['--seed', '5', '--last-writer-wins'], /--last-writer-wins goes with --seeds$/m],
  [['--seed', '5', '--break-at-step', '0'], /whole number from 1/],
  [['--seed', '5', '--off', 'los'], /there is no fault "los", did you mean loss\?/],
  [['--seed', '5', '--set', 'nodes=0'], /nodes: got 0.*RINGLET_OPTION_INVALID/],
  [['--seed', '5', '--set', 'nods=3'], /did you mean `nodes`.*RINGLET_OPTION_UNKNOWN/],
  [['--seed', '5', '--set', 'nodes'], /expected name=value/],
  [['--seed', '5', '--set', 'keys=some'], /expected a number/],
  [['--seed', '5', '--set', 'n=2', '--set', 'w=3'], /W=3 > N=2.*RINGLET_QUORUM_IMPOSSIBLE/],
  [['--sed', '5'], /unknown option '--sed'.*--seed/],
];

for (const [args, message] of badInput) {
  test.serial(`bad input: ${args.join(' ')}`, async (t) => {
    const { status, stdout, stderr } = await runCommand(['sim', ...args]);
    t.is(status, 2);
    t.regex(stderr, message);
    t.regex(stderr, /^ringlet: [^\n]+\n$/, 'one line');
    t.is(stdout, '');
  });
}

test.serial('Ctrl-C ends a sweep with what was done so far', async (t) => {
  const { status, stdout, stderr } = await runCommand(['sim', '--seeds', '1000000', ...QUICK], {
    signalAfter: { text: 'seeds', signal: 'SIGINT' },
  });
  t.is(status, 130);
  t.regex(stdout, /^failures +0$/m);
  t.is(stderr, 'ringlet: interrupted\n');
});

test.serial('Ctrl-C ends a replay at once', async (t) => {
  const args = ['sim', '--seed', '5', ...QUICK, '--set', 'durationMs=3600000'];
  const { status, stdout } = await runCommand(args, {
    signalAfter: { text: 'seed', signal: 'SIGINT' },
  });
  // It is not caught: the shell reports 130.
  t.is(status, null);
  t.notRegex(stdout, /^fingerprint/m);
});
