/**
 * Options of the command line: parsers for their values, and the ones about the cluster that all verbs share.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ClusterConfig, ClusterOptions, Durability, Replication } from '../config.ts';

/** The options that {@link addClusterOptions} adds, as commander hands them over. */
export interface ClusterArguments {
  readonly nodes: number;
  readonly threads?: number;
  readonly replication?: Replication;
  readonly durability: Durability;
  readonly data?: string;
  readonly seed?: number;
  readonly json?: boolean;
}

/** Adds the options about the cluster. */
export function addClusterOptions(command: Command): Command {
  return command
    .option('--nodes <count>', 'nodes of the cluster', whole(1, 1024), 5)
    .option(
      '--threads <count>',
      'worker threads that they share (default: one per core)',
      whole(1, 64),
    )
    .option('--replication <n,r,w>', 'copies, and quorums of reads and writes', parseReplication)
    .addOption(
      new Option('--durability <mode>', 'what a crash takes; memory: all of a node that is killed')
        .choices(['full', 'normal', 'memory'])
        .default('full'),
    )
    .option('--data <folder>', 'where the nodes keep their files (default: a temporary folder)')
    .option('--seed <number>', 'for everything random', whole(0, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print one JSON object and nothing else');
}

/** What `Cluster.open` is to get; it fills in the defaults and checks. */
export function clusterOptionsOf(given: ClusterArguments): ClusterOptions {
  return {
    nodes: given.nodes,
    durability: given.durability,
    ...(given.threads === undefined ? {} : { threads: given.threads }),
    ...(given.replication === undefined ? {} : { replication: given.replication }),
    ...(given.data === undefined ? {} : { dataDir: given.data }),
    ...(given.seed === undefined ? {} : { seed: given.seed }),
  };
}

/** The settings of a cluster that decide how it performs, for reports. */
export function describeCluster(config: ClusterConfig) {
  return {
    nodes: config.nodes.length,
    threads: config.threads,
    replication: config.replication,
    durability: config.durability,
    seed: config.seed,
  };
}

/** {@link describeCluster} as text. */
export function clusterLine(config: ClusterConfig): string {
  const { n, r, w } = config.replication;
  return (
    `${config.nodes.length} nodes on ${config.threads} threads, ` +
    `N=${n} R=${r} W=${w}, durability ${config.durability}, seed ${config.seed}`
  );
}

/** A parser for whole numbers from `min` to `max`. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** Parses `3,2,2`. The relations between the numbers are checked with all other options. */
export function parseReplication(text: string): Replication {
  const [n, r, w, ...rest] = text.split(',').map(whole(1, 16));
  if (n === undefined || r === undefined || w === undefined || rest.length > 0) {
    throw new InvalidArgumentError('Expected three numbers, such as 3,2,2.');
  }
  return { n, r, w };
}

/** Parses `50%` to 0.5, and `never` to infinity: a share that is never reached. */
export function parseShare(text: string): number {
  if (text === 'never') return Number.POSITIVE_INFINITY;
  const percent = /^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1];
  if (percent === undefined || Number(percent) > 100) {
    throw new InvalidArgumentError('Expected a percentage, such as 50%, or never.');
  }
  return Number(percent) / 100;
}

/** Gathers the values of an option that may be given more than once. */
export function collect(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}
