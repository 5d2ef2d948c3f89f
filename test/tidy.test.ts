/**
 * The project's own rules as tests: layers, forbidden things, comments, dependencies. Every rule first proves on a bad
 * sample that it can fail.
 */
import test from 'ava';
import {
  checkAny,
  checkComments,
  checkDocstrings,
  checkEnums,
  checkFileBlock,
  checkForbidden,
  checkLock,
  checkMachines,
  checkPackage,
  checkPathsInComments,
  checkPublicDocstrings,
  checkRanks,
  checkReferences,
  type Package,
} from './helpers/tidy-rules.ts';
import {
  isThere,
  parseSource,
  readSources,
  readText,
  readTexts,
  type SourceFile,
} from './helpers/tidy-sources.ts';

const sources = readSources();

/** A rule for single files, and files that it must refuse. */
interface FileRule {
  readonly title: string;
  readonly check: (file: SourceFile) => string[];
  /** Path and text. */
  readonly bad: readonly (readonly [path: string, text: string])[];
}

const fileRules: readonly FileRule[] = [
  {
    title: 'a file imports from its own folder or a lower rank',
    check: checkRanks,
    bad: [
      ['lib/errors.ts', "import { resolveConfig } from './config.ts';"],
      ['lib/clock/dot.ts', "import { createRing } from '../ring/ring.ts';"],
      ['lib/runtime/turn.ts', "import { Network } from '../network/network.ts';"],
      ['lib/workload/runner.ts', "import type { Turn } from '../runtime/turn.ts';"],
      ['actors/node.ts', "import { Network } from '../lib/network/network.ts';"],
      ['actors/node.ts', "import type { LinkSettings } from '../lib/network/rules.ts';"],
      ['actors/node.ts', "export { Bucket } from '../lib/bucket.ts';"],
      ['lib/sim/sim.ts', "const load = () => import('../../workers/thread-host.ts');"],
      ['workers/host.ts', "type Sim = import('../lib/sim/world/world.ts').World;"],
      ['lib/index.ts', "export { simulate } from './simulator.ts';"],
      ['lib/simulator.ts', "import { openHost } from '../workers/open-host.ts';"],
      ['lib/new.ts', 'export {};'],
    ],
  },
  {
    title:
      'below the host there is no Node.js, package, clock or chance, and nothing waits in actors',
    check: checkForbidden,
    bad: [
      ['lib/prng.ts', "import { randomInt } from 'node:crypto';"],
      ['lib/cluster.ts', "import { Piscina } from 'piscina';"],
      ['lib/client.ts', 'const nowMs = performance.now();'],
      ['lib/sim/sim.ts', 'const now = new Date();'],
      ['lib/network/network.ts', 'const draw = Math.random();'],
      ['lib/network/latency.ts', 'const delay = -Math.log(draw);'],
      ['lib/bytes.ts', 'const bytes = Buffer.alloc(1);'],
      ['actors/node.ts', 'const year = Date.UTC(2026);'],
      ['actors/node.ts', 'let reply: Promise<void>;'],
      ['actors/node.ts', 'async function receive() {}'],
      ['actors/node.ts', 'await null;'],
      ['actors/node.ts', 'setTimeout(receive, 1);'],
      ['actors/node.ts', 'const options = { process };'],
      ['actors/node.ts', 'const seen = new WeakRef(node);'],
    ],
  },
  {
    title: 'there is no any',
    check: checkAny,
    bad: [['lib/errors.ts', 'export let error: any;']],
  },
  {
    title: 'there is no enum',
    check: checkEnums,
    bad: [['lib/errors.ts', 'export enum Code { A }']],
  },
  {
    title: 'comments silence nothing and leave nothing without an owner',
    check: checkComments,
    bad: [
      ['lib/errors.ts', '// FIXME: later'],
      ['lib/errors.ts', 'const a = 1; // TODO: later'],
      ['lib/errors.ts', '/* @ts-ignore */ const a: string = 1;'],
      ['lib/errors.ts', 'function f() {\n  // @ts-expect-error\n}'],
    ],
  },
  {
    title: 'files that comments name are there',
    check: (file) => checkPathsInComments(file, isThere),
    bad: [['lib/errors.ts', '/** See `lib/no-such-file.ts`. */']],
  },
  {
    title: 'every file opens with a block that says what it is',
    check: checkFileBlock,
    bad: [['lib/errors.ts', "import { a } from './a.ts';\n/** What it is. */"]],
  },
  {
    title: 'exported functions and classes have docstrings',
    check: checkDocstrings,
    bad: [
      ['lib/errors.ts', '/** The file. */\n\n/** A. */\nexport class A {}\nexport function b() {}'],
      ['actors/node.ts', '/** A. */\nexport class A {}\nexport class B {}'],
    ],
  },
];

for (const { title, check, bad } of fileRules) {
  test(title, (t) => {
    for (const [path, text] of bad) t.not(check(parseSource(path, text)).length, 0, text);
    t.deepEqual(sources.flatMap(check), []);
  });
}

test('every file is used', (t) => {
  const unused = parseSource('lib/unused.ts', "import './index.ts';");
  t.deepEqual(checkReferences([unused]), ['lib/unused.ts: is not used']);
  t.deepEqual(checkReferences(sources), []);
});

test('all that the public entries export has a docstring', (t) => {
  const entry = parseSource('lib/index.ts', "export { type A, b as c } from './a.ts';");
  const declared = parseSource('lib/a.ts', 'export interface A {}\n/** B. */\nexport const b = 1;');
  t.deepEqual(checkPublicDocstrings(entry, [declared]), [
    'lib/index.ts:1: A has no docstring in lib/a.ts',
  ]);
  for (const name of ['lib/index.ts', 'lib/simulator.ts']) {
    const own = sources.find(({ path }) => path === name)!;
    t.deepEqual(checkPublicDocstrings(own, sources), []);
  }
});

test('no text names a folder of one machine or a registry', (t) => {
  const folder = ['', 'home', 'someone', 'ringlet'].join('/');
  const host = ['https://registry', 'npmjs.org'].join('.');
  for (const text of [folder, `in ${folder}`, host]) {
    t.is(checkMachines({ path: 'README.md', text }).length, 1, text);
  }
  t.deepEqual(readTexts().flatMap(checkMachines), []);
});

test('dependencies are few, exact and in use', (t) => {
  const names = Array.from({ length: 8 }, (_, index) => `package-${index}`);
  const bad = {
    dependencies: Object.fromEntries(names.map((name) => [name, '1.0.0'])),
    devDependencies: { ava: '^8.0.1' },
  };
  t.deepEqual(checkPackage(bad, []), [
    'ava: ^8.0.1 is not one exact version',
    ...names.map((name) => `${name}: is a runtime dependency and not imported`),
    '8 runtime dependencies',
  ]);
  t.deepEqual(checkPackage(JSON.parse(readText('package.json')) as Package, sources), []);
});

test('the lock file names no host', (t) => {
  const lock = { packages: { 'node_modules/ava': { resolved: 'https://example.org/ava.tgz' } } };
  t.is(checkLock(lock).length, 1);
  t.deepEqual(checkLock(JSON.parse(readText('package-lock.json'))), []);
});
