/**
 * The rules of `test/tidy.test.ts`. Each takes files and names what breaks it, one line each; a rule that finds nothing
 * returns an empty list.
 */
import path from 'node:path';
import ts from 'typescript';
import { HOST_RANK, hostNames, isWithin, placeOf, typeFriends } from './tidy-layers.ts';
import { commentsOf, type Import, lineOf, type SourceFile, walk } from './tidy-sources.ts';

/** Files that something other than an import loads: who does, for each. */
export const entries: Readonly<Record<string, string>> = {
  'lib/index.ts': 'package.json',
  'lib/simulator.ts': 'package.json',
  'lib/cli/main.ts': 'package.json',
  'bench/main.ts': 'package.json',
  'bench/micro/main.ts': 'a person',
  'test/mutants/main.ts': 'package.json',
  'workers/thread-entry.ts': 'workers/thread-host.ts, by an address that it puts together',
  'test/helpers/update-documents.ts': 'a person',
};

/** Runtime dependencies that the project allows itself. */
export const DEPENDENCY_COUNT_MAX = 7;

function at(file: SourceFile, line: number, problem: string): string {
  return `${file.path}:${line}: ${problem}`;
}

// ------------------------------------------------------------------------------------------- layers

/** A file imports from its own folder or from a strictly lower rank. */
export function checkRanks(file: SourceFile): string[] {
  const place = placeOf(file.path);
  if (place === null) return [at(file, 1, 'has no place in test/helpers/tidy-layers.ts')];
  return file.imports
    .filter((imported) => imported.path !== null && !mayImport(file.path, imported))
    .map(({ line, specifier }) => at(file, line, `rank ${place.layer.rank} imports ${specifier}`));
}

function mayImport(file: string, imported: Import): boolean {
  const from = placeOf(file)!;
  const to = placeOf(imported.path!);
  if (to === null) return false;
  if (from.layer.forbiddenImports.some((member) => isWithin(imported.path!, member))) return false;
  if (to.layer.rank < from.layer.rank) return true;
  if (to.layer !== from.layer) return false;
  const isOwnFolder = path.posix.dirname(file) === path.posix.dirname(imported.path!);
  const areFriends = typeFriends.includes(from.member) && typeFriends.includes(to.member);
  return isOwnFolder || to.member === from.member || (areFriends && imported.isTypeOnly);
}

/** Below the host's rank there is nothing of Node.js, no package, no clock and no chance; less still in `actors`. */
export function checkForbidden(file: SourceFile): string[] {
  const place = placeOf(file.path);
  if (place === null) return [];
  const { rank, forbiddenNames } = place.layer;
  const isHost = rank >= HOST_RANK;
  const names = isHost ? forbiddenNames : [...hostNames, ...forbiddenNames];
  const foreign = isHost ? [] : file.imports.filter(({ path }) => path === null);
  return [
    ...foreign.map(({ line, specifier }) => at(file, line, `rank ${rank} imports ${specifier}`)),
    ...namesUsed(file)
      .filter(({ name }) => names.includes(name))
      .map(({ name, line }) => at(file, line, `rank ${rank} uses ${name}`)),
  ];
}

/** Names that a file refers to, as `name`, `object.name` and `new Name`; and `async` and `await`. */
function namesUsed(file: SourceFile): { name: string; line: number }[] {
  const used: { name: string; line: number }[] = [];
  const add = (name: string, node: ts.Node): void => {
    used.push({ name, line: lineOf(node) });
  };
  walk(file.tree, (node) => {
    if (ts.isIdentifier(node) && isReference(node)) add(node.text, node);
    else if (ts.isPropertyAccessExpression(node)) add(node.getText(file.tree), node);
    else if (ts.isNewExpression(node)) add(`new ${node.expression.getText(file.tree)}`, node);
    else if (node.kind === ts.SyntaxKind.AsyncKeyword) add('async', node);
    else if (ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AwaitKeyword) {
      add('await', node);
    }
  });
  return used;
}

/** False for the name of a property, of which anyone may have one called `process`. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  return !('name' in parent && parent.name === node) || ts.isShorthandPropertyAssignment(parent);
}

// ----------------------------------------------------------------------------------------- references

/** Every file is reached from an entry, a test or a micro benchmark. */
export function checkReferences(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const waiting = files
    .map((file) => file.path)
    .filter((name) => name in entries || /\.(?:test|bench)\.ts$/.test(name));
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const file = byPath.get(name);
    if (file === undefined || reached.has(name)) continue;
    reached.add(name);
    waiting.push(...referencesOf(file));
  }
  return files.filter(({ path }) => !reached.has(path)).map(({ path }) => `${path}: is not used`);
}

/** What a file imports, and files that it names as text, for a child process or a worker. */
function referencesOf(file: SourceFile): string[] {
  const folder = path.posix.dirname(file.path);
  const references = file.imports.flatMap(({ path }) => (path === null ? [] : [path]));
  walk(file.tree, (node) => {
    if (!ts.isStringLiteralLike(node) || !node.text.endsWith('.ts')) return;
    references.push(path.posix.join(folder, node.text), path.posix.normalize(node.text));
  });
  return references;
}

// -------------------------------------------------------------------------------------------- syntax

/** No `any`: where a type cannot be named there is `unknown`. biome has the exceptions, each with its reason. */
export function checkAny(file: SourceFile): string[] {
  const lines = file.text.split('\n');
  const problems: string[] = [];
  walk(file.tree, (node) => {
    if (node.kind !== ts.SyntaxKind.AnyKeyword) return;
    const line = lineOf(node);
    const isExcused = /biome-ignore lint\/suspicious\/noExplicitAny: \S/.test(
      lines[line - 2] ?? '',
    );
    if (!isExcused) problems.push(at(file, line, 'any'));
  });
  return problems;
}

/** No `enum`: tags are objects of constants, which Node.js can run without a compiler. */
export function checkEnums(file: SourceFile): string[] {
  const problems: string[] = [];
  walk(file.tree, (node) => {
    if (ts.isEnumDeclaration(node)) problems.push(at(file, lineOf(node), 'enum'));
  });
  return problems;
}

// ------------------------------------------------------------------------------------------- comments

/** Comments silence no type error, and what is left to do has an owner: `TODO(name):`. */
export function checkComments(file: SourceFile): string[] {
  return commentsOf(file).flatMap(({ text, line }) => {
    const problems = [];
    if (/@ts-(?:ignore|nocheck|expect-error)\b/.test(text)) problems.push('silences the compiler');
    if (/\bFIXME\b/.test(text)) problems.push('FIXME');
    if (/\bTODO\b(?!\([a-z][\w-]*\):)/.test(text)) problems.push('TODO without an owner');
    return problems.map((problem) => at(file, line, problem));
  });
}

/** Files that comments send the reader to are there. */
export function checkPathsInComments(
  file: SourceFile,
  isThere: (file: string) => boolean,
): string[] {
  return commentsOf(file).flatMap(({ text, line }) =>
    pathsIn(text)
      .filter((name) => !isThere(name))
      .map((name) => at(file, line, `there is no ${name}`)),
  );
}

/** Paths of the project in a text. */
export function pathsIn(text: string): string[] {
  const pattern = /(?<![\w./-])(?:lib|actors|workers|test|bench)\/[\w./-]*\w\.(?:ts|js|json|md)\b/g;
  return text.match(pattern) ?? [];
}

/** Every file opens with a block that says what it is. */
export function checkFileBlock(file: SourceFile): string[] {
  const text = file.text.replace(/^#!.*\n/, '');
  return /^\/\*\*(?!\/)/.test(text) ? [] : [at(file, 1, 'does not open with a block comment')];
}

/**
 * Exported functions and classes say what they guarantee. Two need not: the only class of a file, which the file's block is
 * about, and a factory that only makes what its name says (`clientGet` a `ClientGet`, `createTally` a `Tally`).
 */
export function checkDocstrings(file: SourceFile): string[] {
  if (/^(?:test|bench)\//.test(file.path)) return [];
  const exported = file.tree.statements
    .filter((node) => ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node))
    .filter(isExported);
  const classCount = exported.filter(ts.isClassDeclaration).length;
  return exported
    .filter((node) => !hasDocstring(node))
    .filter((node) => (ts.isClassDeclaration(node) ? classCount > 1 : !isFactory(node)))
    .map((node) => at(file, lineOf(node), `${node.name?.text ?? 'default'} has no docstring`));
}

function isFactory({ name, type }: ts.FunctionDeclaration): boolean {
  const made = name?.text.replace(/^create/, '').toLowerCase();
  return made === type?.getText().toLowerCase();
}

/** All that the public entry exports has a docstring, wherever it is declared. */
export function checkPublicDocstrings(entry: SourceFile, files: readonly SourceFile[]): string[] {
  return entry.tree.statements
    .filter((node) => ts.isExportDeclaration(node))
    .flatMap((node) => {
      const specifier = node.moduleSpecifier as ts.StringLiteral;
      const target = path.posix.join(path.posix.dirname(entry.path), specifier.text);
      const file = files.find((candidate) => candidate.path === target);
      const { elements } = node.exportClause as ts.NamedExports;
      return elements
        .map((element) => (element.propertyName ?? element.name).text)
        .filter((name) => file === undefined || !isDocumented(file, name))
        .map((name) => at(entry, lineOf(node), `${name} has no docstring in ${target}`));
    });
}

function isDocumented(file: SourceFile, name: string): boolean {
  return file.tree.statements.some((node) => {
    if (!isExported(node) || !hasDocstring(node)) return false;
    if (ts.isVariableStatement(node)) {
      return node.declarationList.declarations.some(({ name: own }) => own.getText() === name);
    }
    return 'name' in node && (node.name as ts.Identifier).text === name;
  });
}

function isExported(node: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(node) &&
    ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
  );
}

function hasDocstring(node: ts.Node): boolean {
  return ts.getJSDocCommentsAndTags(node).length > 0;
}

// -------------------------------------------------------------------------------- texts and the package

/** No folder of one machine, no host of one network. */
export function checkMachines(file: { path: string; text: string }): string[] {
  const pattern =
    /(?<![\w.])(?:\/(?:home|Users|root|work|mnt)\/|[A-Z]:\\\\?Users)|\bregistry\.[a-z]/;
  return file.text
    .split('\n')
    .flatMap((line, index) =>
      pattern.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : [],
    );
}

/** What of package.json the rules look at. */
export interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** Few dependencies, each at one exact version, each in use. */
export function checkPackage(
  { dependencies, devDependencies }: Package,
  files: readonly SourceFile[],
): string[] {
  const names = Object.keys(dependencies);
  const used = new Set(
    files
      .filter(({ path }) => /^(?:lib|actors|workers)\//.test(path))
      .flatMap(({ imports }) => imports.map(({ specifier }) => specifier)),
  );
  const loose = Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    .map(([name, version]) => `${name}: ${version} is not one exact version`);
  const unused = names
    .filter((name) => !used.has(name))
    .map((name) => `${name}: is a runtime dependency and not imported`);
  const tooMany =
    names.length > DEPENDENCY_COUNT_MAX ? [`${names.length} runtime dependencies`] : [];
  return [...loose, ...unused, ...tooMany];
}

/** The lock file names no place to download from, so it serves every registry. */
export function checkLock(lock: unknown): string[] {
  const { packages } = lock as { packages: Record<string, { resolved?: string }> };
  return Object.entries(packages)
    .filter(([, { resolved }]) => resolved !== undefined)
    .map(([name, { resolved }]) => `${name}: resolved to ${resolved}`);
}
