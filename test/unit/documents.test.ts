/**
 * The documents against the sources: what is made from them is up to date, examples compile and run, and paths and
 * dependencies that are named are there.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import ts from 'typescript';
import { defaultLimits } from '../../lib/config.ts';
import {
  codeBlocks,
  configMembers,
  generatedDocuments,
  programOf,
  regenerate,
} from '../helpers/documents.ts';
import { pathsIn } from '../helpers/tidy-rules.ts';
import { isThere, projectFolder, readText } from '../helpers/tidy-sources.ts';

const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];

test('tables that are made from the sources are up to date', (t) => {
  const stale = '<!-- begin: layers -->\nold\n<!-- end: layers -->';
  t.not(regenerate(stale), stale);
  t.throws(() => regenerate('<!-- begin: layers -->'));
  for (const name of generatedDocuments) {
    const isCurrent = regenerate(readText(name)) === readText(name);
    t.true(isCurrent, `${name}: run \`npx node test/helpers/update-documents.ts\``);
  }
});

test('the defaults that docstrings name are those of the code', (t) => {
  const named = configMembers('Limits').map(({ name, byDefault }) => [
    name,
    Number.parseInt(byDefault, 10),
  ]);
  t.deepEqual(Object.fromEntries(named), { ...defaultLimits });
});

const readme = codeBlocks(readText('README.md'));

/** The package's entries, as its exports call them, in a folder of sources. */
function entriesIn(folder: string): Record<string, string> {
  return { ringlet: `${folder}/lib/index.ts`, 'ringlet/simulator': `${folder}/lib/simulator.ts` };
}

test('the examples of the README compile', (t) => {
  const entries = entriesIn('.');
  for (const name of Object.keys(entries)) {
    t.not(compile(programOf([`import { nothing } from '${name}';\n`], entries)).length, 0);
  }
  t.deepEqual(compile(programOf(readme, entries)), []);
});

/** Compiles a program as if it lay in the project's folder. @returns what is wrong with it */
function compile(text: string): string[] {
  const file = path.join(projectFolder, 'example.ts');
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path.join(projectFolder, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    projectFolder,
  );
  const options = { ...config.options, noUnusedLocals: false };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, text, rest[0]) : getSourceFile(name, ...rest);
  const program = ts.createProgram([file], options, host);
  return ts
    .getPreEmitDiagnostics(program, program.getSourceFile(file))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

test('the examples of the README run', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ringlet-readme-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }));
  const entries = entriesIn(pathToFileURL(projectFolder).href.replace(/\/$/, ''));
  const file = path.join(folder, 'example.ts');
  fs.writeFileSync(file, programOf(readme, entries));
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder });
  // What the comments behind `console.log` promise.
  t.deepEqual(stdout.split('\n').slice(0, 3), ["{ items: [ 'book', 'pen' ] }", '2', 'bread, milk']);
  t.regex(stdout, /^2\n3\nFAIL {2}check {2}seed=\d+ .*\n {6}Error: item \d is lost$/m);
});

test('files that the documents name are there', (t) => {
  t.deepEqual(
    pathsIn('see `lib/no-such-file.ts`.').filter((name) => !isThere(name)),
    ['lib/no-such-file.ts'],
  );
  for (const name of documents) {
    t.deepEqual(
      pathsIn(readText(name)).filter((file) => !isThere(file)),
      [],
      name,
    );
  }
});

test('links between the documents lead somewhere', (t) => {
  for (const name of documents) {
    for (const [, target = ''] of readText(name).matchAll(/\]\(((?!https?:)[^)#]+)/g)) {
      t.true(isThere(target), `${name}: ${target}`);
    }
  }
});

test('every dependency has its reason', (t) => {
  const { dependencies, devDependencies } = JSON.parse(readText('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  const [, section = ''] = readText('ARCHITECTURE.md').split('\n## Dependencies\n');
  const [own = ''] = section.split('\n## ');
  const named = [...own.matchAll(/^\| `([^`]+)` \| \S/gm)].map(([, name]) => name!);
  t.deepEqual(named.sort(), Object.keys({ ...dependencies, ...devDependencies }).sort());
});

test('the changelog has an entry for the version', (t) => {
  const { version } = JSON.parse(readText('package.json')) as { version: string };
  t.true(readText('CHANGELOG.md').includes(`\n## ${version}\n`), version);
});
