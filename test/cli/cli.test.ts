/** The command line as a user meets it: real processes, real clusters, small workloads. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { runCommand } from '../helpers/command.ts';

/** Without fsync, but a killed node keeps its records. */
const FAST = ['--durability', 'normal', '--threads', '2'] as const;
const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';

let folder = '';

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringlet-cli-'));
});

test.after.always(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function fileOf(name: string, lines: readonly string[]): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

function invoices(cartCount: number, linesPerCart: number): string[] {
  return Array.from({ length: cartCount * linesPerCart }, (_, index) => {
    const invoice = 536_365 + Math.floor(index / linesPerCart);
    return `${invoice},8512${index % 10}A,"A ""thing"", ${index}",${(index % 7) - 3},2010-12-01 08:26:00,2.55,17850.0,UK`;
  });
}

for (const args of [[], ['start'], ['bench'], ['replay'], ['replay', 'carts'], ['tour']]) {
  test.serial(`help of ${JSON.stringify(args.join(' '))}`, async (t) => {
    const { status, stdout, stderr } = await runCommand([...args, '--help']);
    t.is(status, 0);
    t.true(stdout.startsWith(`Usage: ringlet ${args.join(' ')}`.trimEnd()));
    t.is(stderr, '');
  });
}

const badInput: [args: string[], message: RegExp][] = [
  [['bnech'], /unknown command 'bnech'.*bench/],
  [['bench', '--clinets', '3'], /unknown option '--clinets'.*--clients/],
  [['bench', '--clients', '0'], /whole number from 1/],
  [['bench', '--nodes', '0'], /whole number from 1/],
  [['bench', '--nodes', '2', '--threads', '3'], /threads/],
  [['bench', '--replication', '3,2'], /3,2,2/],
  [['bench', '--replication', '3,4,2'], /R=4 > N=3/],
  [['bench', '--durability', 'some'], /full, normal, memory/],
  [['bench', '-P', '/nowhere/workload'], /cannot read the workload file/],
  [['bench', '-p', 'recordcount'], /name=value/],
  [['bench', '-p', 'recordcuont=5'], /`recordcuont`, did you mean `recordcount`/],
  [['bench', '-p', 'scanproportion=0.95'], /scans are not supported yet/],
  [['bench', '-P', 'workloade'], /scans are not supported yet/],
  [['bench', '--no-load'], /--no-load needs --data/],
  [['bench', '--data', '/dev/null/x'], /dev\/null/],
  [['replay', 'carts'], /missing required argument 'file'/],
  [['replay', 'carts', '/nowhere/x.csv'], /cannot read the file/],
  [['replay', 'carts', 'x.csv', '--kill-at', 'noon'], /percentage/],
  [['tour', '--seconds', 'ten'], /whole number/],
];

for (const [args, message] of badInput) {
  test.serial(`bad input: ${args.join(' ')}`, async (t) => {
    const { status, stdout, stderr } = await runCommand(args);
    t.is(status, 2);
    t.regex(stderr, message);
    t.regex(stderr, /^ringlet: [^\n]+\n$/, 'one line');
    t.is(stdout, '');
  });
}

test.serial('a Node.js that is too old gets one line', async (t) => {
  const old = "Object.defineProperty(process.versions, 'node', { value: '20.11.0' })";
  const { status, stdout, stderr } = await runCommand(['bench'], {
    nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(old)}`],
  });
  t.is(status, 1);
  t.regex(stderr, /^ringlet needs Node\.js [^\n]+ this is 20\.11\.0[^\n]+\n$/);
  t.is(stdout, '');
});

test.serial('bench: one JSON object with throughput, latencies and settings', async (t) => {
  const file = await fileOf('workload', [
    '# half reads',
    'recordcount=300',
    'operationcount=9999',
    'readproportion=0.5',
    'updateproportion=0.2',
    'insertproportion=0.1',
    'readmodifywriteproportion=0.2',
    'requestdistribution=zipfian',
  ]);
  const args = ['-P', file, '-p', 'operationcount=1000', '--clients', '8', '--seed', '5'];
  const { status, stdout } = await runCommand(['bench', ...args, ...FAST, '--json']);
  t.is(status, 0);
  const result = JSON.parse(stdout);
  t.like(result, { operations: 1000, errors: 0, notFound: 0, workload: 'workload' });
  t.true(result.opsPerSecond > 0 && result.seconds > 0);
  t.true(0 < result.p50 && result.p50 <= result.p99 && result.p99 <= result.p999);
  t.is(result.load.operations, 300);
  t.deepEqual(Object.keys(result.byOperation).sort(), [
    'INSERT',
    'READ',
    'READ-MODIFY-WRITE',
    'UPDATE',
  ]);
  t.like(result.settings, { nodes: 5, threads: 2, clients: 8, seed: 5, recordcount: 300 });
  t.like(result.settings, { workload: 'workload', source: file });
});

test.serial('bench: a standard workload needs no file, and a file of its name wins', async (t) => {
  const workingFolder = process.cwd();
  t.teardown(() => process.chdir(workingFolder));
  process.chdir(await mkdtemp(join(folder, 'empty-')));
  const args = ['-P', 'workloada', '-p', 'recordcount=200', '-p', 'operationcount=500'];
  const builtIn = await runCommand(['bench', ...args, ...FAST, '--json']);
  t.is(builtIn.status, 0, builtIn.stderr);
  const result = JSON.parse(builtIn.stdout);
  t.like(result, { operations: 500, errors: 0, notFound: 0, workload: 'workloada' });
  t.is(result.load.operations, 200);
  t.deepEqual(Object.keys(result.byOperation).sort(), ['READ', 'UPDATE']);
  t.like(result.settings, { workload: 'workloada', source: 'built-in' });

  await writeFile('workloada', 'readproportion=1\nupdateproportion=0\n');
  const own = await runCommand(['bench', ...args, ...FAST]);
  t.is(own.status, 0, own.stderr);
  const file = join(process.cwd(), 'workloada');
  t.true(own.stdout.startsWith(`workload  workloada (${file}): READ 100 %, uniform\n`), own.stdout);
});

test.serial('bench: an open loop keeps its rate, and a data folder its records', async (t) => {
  const data = ['--data', join(folder, 'bench-data'), '--threads', '2', '--json'];
  const loaded = await runCommand(['bench', '-p', 'recordcount=100', '--load-only', ...data]);
  t.is(loaded.status, 0, loaded.stderr);
  t.is(JSON.parse(loaded.stdout).load.operations, 100);
  const run = ['-p', 'recordcount=100', '-p', 'operationcount=200', '--target', '400', '--no-load'];
  const { status, stdout } = await runCommand(['bench', ...run, ...data]);
  t.is(status, 0);
  const result = JSON.parse(stdout);
  t.like(result, { operations: 200, notFound: 0, load: null });
  // 200 operations at 400 a second start over half a second, however fast the answers are.
  t.true(result.seconds >= 0.49, `${result.seconds}`);
});

test.serial('replay: faults, broken lines, and nothing missing', async (t) => {
  const lines = invoices(40, 25);
  lines.splice(500, 0, 'a,broken line', '536999,1,"not closed,1,2010,1,1,UK');
  const file = await fileOf('invoices.csv', [HEADER, ...lines]);
  const { status, stdout, stderr } = await runCommand(['replay', 'carts', file, ...FAST, '--json']);
  t.is(status, 0, stderr);
  const result = JSON.parse(stdout);
  t.like(result, { lines: 1000, carts: 40, missing: 0, invented: 0, failed: 0, brokenLines: 2 });
  t.true(result.siblingsResolved > 0);
  t.deepEqual(result.faults.map(({ what }: { what: string }) => what).sort(), [
    'links cut: a b | c d e',
    'links healed',
    'node c killed',
    'node c restarted',
  ]);
  t.is(
    stderr,
    [
      'line 502: 2 columns, expected 8; left out',
      'line 503: a quote stands where none may be; left out',
      '',
    ].join('\n'),
  );
});

test.serial('replay: --strict stops at a broken line', async (t) => {
  const file = await fileOf('strict.csv', [HEADER, ...invoices(1, 3), 'a,broken line']);
  const { status, stdout, stderr } = await runCommand([
    'replay',
    'carts',
    file,
    '--strict',
    ...FAST,
    '--json',
  ]);
  t.is(status, 2);
  t.is(stderr, 'ringlet: line 5: 2 columns, expected 8\n');
  t.is(stdout, '');
});

test.serial('replay: the start of a real shop', async (t) => {
  const dataFolder = process.env.RINGLET_DATA;
  if (dataFolder === undefined) {
    t.log('skipped: RINGLET_DATA names no folder with online-retail.csv.gz');
    return t.pass();
  }
  const file = join(dataFolder, 'online-retail.csv.gz');
  const args = ['--lines', '5000', ...FAST, '--json'];
  const { status, stdout, stderr } = await runCommand(['replay', 'carts', file, ...args]);
  t.is(status, 0, stderr);
  t.like(JSON.parse(stdout), { lines: 5000, missing: 0, invented: 0, brokenLines: 0 });
});

const script = [
  '# a script',
  'put k one',
  'get k',
  'partition a,b|c,d,e',
  'heal',
  'kill a',
  'get k',
  'restart a',
  'delete k',
  'get k',
  'quit',
  'get never',
];

test.serial('start: a script from a pipe', async (t) => {
  const { status, stdout, stderr } = await runCommand(['start', ...FAST], {
    input: script.join('\n'),
  });
  t.is(status, 0, stderr);
  t.is(stderr, '');
  t.deepEqual(stdout.trimEnd().split('\n').slice(1), [
    'stored',
    'one',
    'links cut',
    'links healed',
    'a killed',
    'one',
    'a restarted',
    'deleted',
    '(nothing)',
  ]);
});

test.serial('start: --json, and the status of a script that fails', async (t) => {
  const input = 'put k one\nget k\nkill z\nfly\n';
  const { status, stdout, stderr } = await runCommand(['start', ...FAST, '--json'], { input });
  t.is(status, 1);
  const { commands } = JSON.parse(stdout);
  t.deepEqual(commands[1], { command: 'get k', result: ['one'] });
  t.regex(commands[2].error, /no node "z"/);
  t.regex(commands[3].error, /unknown command `fly`/);
  t.is(stderr.trimEnd().split('\n').length, 2);
});

test.serial('tour: nothing acknowledged is lost', async (t) => {
  const args = ['--seconds', '3', ...FAST, '--json'];
  const { status, stdout, stderr } = await runCommand(['tour', ...args]);
  t.is(status, 0, stderr);
  const result = JSON.parse(stdout);
  t.is(result.lost, 0);
  t.true(result.acknowledged > 0 && result.siblingsResolved > 0);
  t.is(Object.keys(result.phases).length, 5);
});

test.serial('Ctrl-C closes the cluster and ends with 130', async (t) => {
  const data = join(folder, 'interrupted');
  const args = ['-p', 'recordcount=100', '-p', 'operationcount=1000000000', '--data', data];
  const interrupted = await runCommand(['bench', ...args, '--threads', '2'], {
    signalAfter: { text: 'clients', signal: 'SIGINT' },
  });
  t.is(interrupted.status, 130);
  t.is(interrupted.stderr, 'ringlet: interrupted\n');
  // The folder was released: another cluster opens it.
  const again = await runCommand(['start', '--data', data, '--threads', '2'], { input: 'get k\n' });
  t.is(again.status, 0, again.stderr);
});
