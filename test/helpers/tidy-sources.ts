/**
 * The project's sources as the rules of `test/tidy.test.ts` see them: text, syntax tree and imports. Paths are relative
 * to the project's folder, with slashes.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The project's folder. */
export const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

/** One import or re-export, static or dynamic. */
export interface Import {
  readonly specifier: string;
  /** The file it leads to; `null` for a package or a module of Node.js. */
  readonly path: string | null;
  /** It is erased: `import type`, `export type`, or `import('…')` in a type. */
  readonly isTypeOnly: boolean;
  readonly line: number;
}

/** A comment and where it begins. */
export interface Comment {
  readonly text: string;
  readonly line: number;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

/** All TypeScript files of the project. */
export function readSources(): SourceFile[] {
  return ['lib', 'actors', 'workers', 'bench', 'test']
    .flatMap((folder) => listFiles(folder))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => parseSource(file, readText(file)));
}

/** All text files of the project, those that tools write left out. */
export function readTexts(): { path: string; text: string }[] {
  const folders = ['.ci', 'lib', 'actors', 'workers', 'bench', 'test'];
  const own = fs.readdirSync(projectFolder).filter((name) => /\.(md|json|ts)$/.test(name));
  return [...own, ...folders.flatMap((folder) => listFiles(folder))].map((file) => ({
    path: file,
    text: readText(file),
  }));
}

/** A file of the project as text. */
export function readText(file: string): string {
  return fs.readFileSync(path.join(projectFolder, file), 'utf8');
}

/** True if the project has this file or folder. */
export function isThere(file: string): boolean {
  return fs.existsSync(path.join(projectFolder, file));
}

function listFiles(folder: string): string[] {
  if (!isThere(folder)) return [];
  return fs
    .readdirSync(path.join(projectFolder, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(projectFolder, path.join(entry.parentPath, entry.name)))
    .map((file) => file.replaceAll('\\', '/'))
    .sort();
}

/** Parses a file, or a text that claims to be one. */
export function parseSource(file: string, text: string): SourceFile {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  return { path: file, text, tree, imports: importsOf(file, tree) };
}

/** Calls `visit` for every node below `node`. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  ts.forEachChild(node, (child) => {
    visit(child);
    walk(child, visit);
  });
}

/** The line of a node, counted from 1. */
export function lineOf(node: ts.Node): number {
  const tree = node.getSourceFile();
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

/** All comments of a file, in order. */
export function commentsOf({ tree, text }: SourceFile): Comment[] {
  const ends = new Map<number, number>();
  const visit = (node: ts.Node): void => {
    const ranges = [
      ...(ts.getLeadingCommentRanges(text, node.pos) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.pos) ?? []),
    ];
    for (const { pos, end } of ranges) ends.set(pos, end);
    for (const child of node.getChildren(tree)) visit(child);
  };
  visit(tree);
  return [...ends].map(([pos, end]) => ({
    text: text.slice(pos, end),
    line: tree.getLineAndCharacterOfPosition(pos).line + 1,
  }));
}

function importsOf(file: string, tree: ts.SourceFile): Import[] {
  const imports: Import[] = [];
  const add = (node: ts.Node | undefined, isTypeOnly: boolean): void => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return;
    const isOwn = node.text.startsWith('.');
    const target = isOwn ? path.posix.join(path.posix.dirname(file), node.text) : null;
    imports.push({ specifier: node.text, path: target, isTypeOnly, line: lineOf(node) });
  };
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    }
  });
  return imports;
}
