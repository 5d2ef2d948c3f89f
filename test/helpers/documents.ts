/**
 * The parts of the documents that are made from the sources: tables of messages, error codes, options, limits and
 * layers. A part stands between `<!-- begin: name -->` and `<!-- end: name -->`.
 */
import ts from 'typescript';
import { errorCodes } from '../../lib/errors.ts';
import { MessageKind, messageTraits } from '../../lib/protocol/messages.ts';
import { layerTable } from './tidy-layers.ts';
import { parseSource, readText } from './tidy-sources.ts';

/** Documents with parts that are made from the sources. */
export const generatedDocuments: readonly string[] = ['README.md', 'ARCHITECTURE.md'];

const parts: Readonly<Record<string, () => string>> = {
  errors: errorTable,
  layers: layerTable,
  limits: () => memberTable('limit', 'Limits'),
  messages: messageTable,
  options: () => memberTable('option', 'ClusterOptions'),
};

/**
 * A document with all its made parts made anew.
 *
 * @throws {Error} if it asks for a part that does not exist, or a part has no end
 */
export function regenerate(document: string): string {
  const pattern = /(<!-- begin: (\w+) -->\n)(?:(?!<!-- begin)[\s\S])*?(<!-- end: \2 -->)/g;
  const openings = document.match(/<!-- begin: /g)?.length ?? 0;
  let replaced = 0;
  const result = document.replace(pattern, (_, begin: string, name: string, end: string) => {
    const make = parts[name];
    if (make === undefined) throw new Error(`there is no part ${name}`);
    replaced++;
    return `${begin}\n${make()}\n\n${end}`;
  });
  if (replaced !== openings) throw new Error('a part has no end');
  return result;
}

function messageTable(): string {
  const rows = Object.values(MessageKind).map((kind) => {
    const { name, source, target, reply, lane, effect } = messageTraits[kind];
    return [
      String(kind),
      code(name),
      source,
      target,
      reply === null ? '' : code(reply),
      lane,
      effect,
    ];
  });
  return table(['kind', 'message', 'from', 'to', 'answered by', 'lane', 'store'], rows);
}

function errorTable(): string {
  const rows = Object.entries(errorCodes).map(([name, { definite, advice }]) => {
    const certainty = definite === 'reads' ? 'reads only' : definite ? 'yes' : 'no';
    return [code(name), certainty, advice];
  });
  return table(['code', 'definite', 'what to do'], rows);
}

/** The members of an interface of `lib/config.ts`, from their docstrings or those of their types. */
function memberTable(head: string, interfaceName: string): string {
  const rows = configMembers(interfaceName).map(({ name, byDefault, meaning }) => [
    code(name),
    byDefault,
    meaning,
  ]);
  return table([head, 'default', 'meaning'], rows);
}

/** A member of an interface of `lib/config.ts` as its docstring has it. */
export interface ConfigMember {
  readonly name: string;
  /** Empty if it says none. */
  readonly byDefault: string;
  readonly meaning: string;
}

/** The members of an interface of `lib/config.ts`, in order. */
export function configMembers(interfaceName: string): ConfigMember[] {
  const { tree } = parseSource('lib/config.ts', readText('lib/config.ts'));
  const types = tree.statements.filter(
    (node) => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node),
  );
  const declared = types.find(({ name }) => name.text === interfaceName);
  if (declared === undefined || !ts.isInterfaceDeclaration(declared)) {
    throw new Error(`lib/config.ts has no interface ${interfaceName}`);
  }
  return declared.members.filter(ts.isPropertySignature).map((member) => {
    const typeText = member.type?.getText() ?? '';
    const type = types.find(({ name }) => [name.text, `Partial<${name.text}>`].includes(typeText));
    const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default');
    const own = docOf(member);
    return {
      name: member.name.getText(),
      byDefault: textOf(tag?.comment),
      meaning: own === '' && type !== undefined ? docOf(type) : own,
    };
  });
}

function docOf(node: ts.Node): string {
  const [doc] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  return textOf(doc?.comment);
}

function textOf(comment: ts.JSDoc['comment']): string {
  return ts.getTextOfJSDocComment(comment)?.replace(/\s+/g, ' ') ?? '';
}

function code(name: string): string {
  return `\`${name}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The TypeScript in a document's code blocks, in order. */
export function codeBlocks(document: string): string[] {
  return [...document.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);
}

/**
 * A document's code blocks as one program: the first as it is, each other one in braces behind it, so that they may use what
 * the first declared. Imports of the package become imports of `entries`, by what they are called in the documents.
 */
export function programOf(
  blocks: readonly string[],
  entries: Readonly<Record<string, string>>,
): string {
  const imports: string[] = [];
  const bodies = blocks.map((block) =>
    block.replace(/^import [^;]*;\n/gm, (text) => {
      imports.push(text.replace(/'(ringlet[^']*)'/, (_, name: string) => `'${entries[name]}'`));
      return '';
    }),
  );
  const [first = '', ...others] = bodies;
  return [...imports, first, ...others.map((body) => `{\n${body}}\n`)].join('');
}
