/**
 * The layers of the project: which file belongs to which rank, and what it must not use. The table in ARCHITECTURE.md is
 * made from this one.
 *
 * A file imports from its own folder or from a strictly lower rank.
 */

export interface Layer {
  readonly rank: number;
  /** Files, and folders with a slash at the end. */
  readonly members: readonly string[];
  /** What belongs here, in words. */
  readonly what: string;
  /** Files and folders of lower ranks that are refused. */
  readonly forbiddenImports: readonly string[];
  /** Names that are refused besides {@link hostNames}. */
  readonly forbiddenNames: readonly string[];
}

/** Below this rank there are no threads, files, clocks and packages: see {@link hostNames}. */
export const HOST_RANK = 6;

/** What only the host may use. Below {@link HOST_RANK} modules of Node.js and packages are refused too. */
export const hostNames: readonly string[] = [
  'process',
  'Buffer',
  'performance',
  'Date.now',
  'new Date',
  'Math.random',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'WeakRef',
  'FinalizationRegistry',
];

/** Engines may differ in the last bits of these, and a seed must give the same run in all of them. */
const inexactNames = [
  'log',
  'log2',
  'log10',
  'log1p',
  'exp',
  'expm1',
  'pow',
  'sin',
  'cos',
  'tan',
].map((name) => `Math.${name}`);

/** Folders of one rank that may import each other's types. */
export const typeFriends: readonly string[] = ['lib/runtime/', 'lib/network/', 'lib/store/'];

const basics = ['address', 'assert', 'bytes', 'codec', 'errors', 'hash', 'key', 'load'];

export const layers: readonly Layer[] = [
  layer(
    0,
    [...basics, 'node-version', 'prng'].map((name) => `lib/${name}.ts`),
    'names, errors, bytes, hashes, randomness',
  ),
  layer(1, ['lib/clock/', 'lib/ring/'], 'versions; placement'),
  layer(2, ['lib/config.ts', 'lib/protocol/'], 'options and limits; messages and frames'),
  layer(3, typeFriends, 'the turn; the links; the store contract', { names: inexactNames }),
  layer(3, ['lib/workload/'], 'standard workloads'),
  layer(4, ['actors/'], 'the protocol of a node', {
    imports: ['lib/network/'],
    names: ['Date', 'Promise', 'queueMicrotask', 'async', 'await', ...inexactNames],
  }),
  layer(
    4,
    ['lib/client.ts', 'lib/bucket.ts', 'lib/cluster.ts'],
    'the client, what an application writes through, the cluster on any host',
  ),
  layer(5, ['lib/sim/'], 'the host with a virtual clock, faults, and what judges a run', {
    names: inexactNames,
  }),
  layer(HOST_RANK, ['workers/'], 'threads, ports, files, SQLite', { imports: ['lib/sim/'] }),
  layer(7, ['lib/index.ts'], 'the public entry', { imports: ['lib/sim/'] }),
  layer(7, ['lib/simulator.ts'], 'the entry of the simulator', { imports: ['workers/'] }),
  layer(8, ['lib/cli/'], 'the command line'),
  layer(9, ['bench/'], 'measurements'),
  layer(10, ['test/'], 'tests'),
];

function layer(
  rank: number,
  members: readonly string[],
  what: string,
  forbidden: { imports?: readonly string[]; names?: readonly string[] } = {},
): Layer {
  const { imports = [], names = [] } = forbidden;
  return { rank, members, what, forbiddenImports: imports, forbiddenNames: names };
}

/** A file's layer, and the member of it that the file belongs to; `null` if it has none. */
export function placeOf(file: string): { layer: Layer; member: string } | null {
  for (const candidate of layers) {
    const member = candidate.members.find((name) => isWithin(file, name));
    if (member !== undefined) return { layer: candidate, member };
  }
  return null;
}

/** True if `file` is `member`, or lies in it. */
export function isWithin(file: string, member: string): boolean {
  return member.endsWith('/') ? file.startsWith(member) : file === member;
}

/** The layers as a table in Markdown. */
export function layerTable(): string {
  const rows = layers.map(({ rank, members, what, forbiddenImports, forbiddenNames }) => {
    const isInexactRefused = forbiddenNames.some((name) => inexactNames.includes(name));
    const groups = [
      ...(rank < HOST_RANK ? ['Node.js'] : []),
      ...(isInexactRefused ? ['inexact functions'] : []),
    ];
    const names = forbiddenNames.filter((name) => !inexactNames.includes(name));
    const refused = [...groups, ...[...forbiddenImports, ...names].map(code)];
    return `| ${rank} | ${members.map(code).join(' ')} | ${what} | ${refused.join(', ')} |`;
  });
  return [
    '| rank | files | what | must not use |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    `"Node.js" means its modules, every package, and ${hostNames.map(code).join(', ')}.`,
    `"Inexact functions" are those in which engines may differ: ${inexactNames.map(code).join(', ')}.`,
    `${typeFriends.map(code).join(', ')} may import each other's types.`,
  ].join('\n');
}

function code(name: string): string {
  return `\`${name}\``;
}
