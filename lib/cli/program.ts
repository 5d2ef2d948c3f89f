/** The verbs of the command line and their options. Each verb is a file of its own, loaded when it is called. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { isRingletError } from '../errors.ts';
import type { BenchArguments } from './bench.ts';
import { ExitStatus, lineOf, listenForInterrupts, statusOf } from './exit.ts';
import { addClusterOptions, collect, parseShare, whole } from './options.ts';
import { createOutput } from './output.ts';
import type { ReplayArguments } from './replay.ts';
import type { Session } from './session.ts';
import type { SimArguments } from './sim.ts';
import { simHelp } from './sim-help.ts';
import type { StartArguments } from './start.ts';
import type { TourArguments } from './tour.ts';

/**
 * Runs a command line and sets the exit status of the process.
 *
 * @param args What stands after the name of the command.
 */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  const signal = listenForInterrupts();
  let status: ExitStatus = ExitStatus.Ok;
  const program = createProgram(signal, (result) => {
    status = result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    status = statusAfter(error);
  }
  process.exitCode = status;
  // What was interrupted may still hold timers.
  if (status === ExitStatus.Interrupted) process.exit(status);
}

/** Says what ended the run, unless commander did so already. */
function statusAfter(error: unknown): ExitStatus {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? ExitStatus.Ok : ExitStatus.BadInput;
  }
  process.stderr.write(`${lineOf(error)}\n`);
  const status = statusOf(error);
  // Anything but an answer of the library is a bug: say where.
  const isBug = status === ExitStatus.Failed && !isRingletError(error);
  if (isBug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return status;
}

const SEED_MAX = Number.MAX_SAFE_INTEGER;

type Verb<T> = (given: T, session: Session) => Promise<ExitStatus>;

function createProgram(signal: AbortSignal, onStatus: (status: ExitStatus) => void): Command {
  /** Runs a verb with its options, and notes its status. */
  const run = async <T extends { readonly json?: boolean }>(
    given: T,
    verb: Verb<T>,
  ): Promise<void> => {
    onStatus(await verb(given, { output: createOutput(given.json ?? false), signal }));
  };
  const program = new Command('ringlet')
    .description("Amazon's Dynamo in one process: a replicated key-value cluster.")
    .version(readVersion(), '--version')
    .configureOutput({
      outputError: (text, write) => write(`ringlet: ${text.trim().replace(/\s*\n\s*/g, ' ')}\n`),
    })
    .exitOverride();

  addClusterOptions(program.command('start'))
    .description('Open a cluster and a prompt; commands may also come from a pipe.')
    .action((given: StartArguments) =>
      run(given, async (...rest) => (await import('./start.ts')).start(...rest)),
    );

  addClusterOptions(program.command('bench'))
    .description('Run a YCSB core workload: A, B, C, D or F.')
    .option(
      '-P, --properties <workload>',
      'property file, or workloada, workloadb, workloadc, workloadd or workloadf; may be repeated',
      collect,
      [],
    )
    .option('-p, --property <name=value>', 'overrides the workload; may be repeated', collect, [])
    .option(
      '--clients <count>',
      'operations under way (default: threadcount, or 64)',
      whole(1, 65_536),
    )
    .option('--target <rate>', 'open loop at so many operations per second', whole(1, 1e9))
    .option('--no-load', 'leave out loading; the records are in --data already')
    .option('--load-only', 'load the records and stop')
    .option('--versioned', 'keep siblings instead of the last write; an update then reads first')
    .action((given: BenchArguments) =>
      run(given, async (...rest) => (await import('./bench.ts')).bench(...rest)),
    );

  const replay = program
    .command('replay')
    .description('Replay real data through a cluster with faults on the way.');
  addClusterOptions(replay.command('carts'))
    .description(
      "Replay a shop's invoices (a CSV file, packed with gzip or not) as shopping carts.",
    )
    .argument('<file>', 'a file with the columns of the UCI data set "Online Retail"')
    .addOption(
      new Option('--kill-at <share>', 'kill a node after this share of the lines, or never')
        .argParser(parseShare)
        .default(0.5, '50%'),
    )
    .addOption(
      new Option('--partition-at <share>', 'cut links after this share of the lines, or never')
        .argParser(parseShare)
        .default(0.25, '25%'),
    )
    .option('--clients <count>', 'clients that fill the carts', whole(1, 1024), 8)
    .option('--lines <count>', 'stop after so many lines', whole(1, Number.MAX_SAFE_INTEGER))
    .option('--strict', 'stop at a broken line instead of leaving it out')
    .action((file: string, given: ReplayArguments) =>
      run(given, async (...rest) => (await import('./replay.ts')).replayCarts(file, ...rest)),
    );

  addClusterOptions(program.command('tour'))
    .description('See a cluster lose links and a node, and no acknowledged write.')
    .option('--seconds <count>', 'how long the clients work', whole(1, 3600), 18)
    .option('--clients <count>', 'clients', whole(1, 1024), 32)
    .action((given: TourArguments) =>
      run(given, async (...rest) => (await import('./tour.ts')).tour(...rest)),
    );

  program
    .command('sim')
    .description('Run simulated clusters, with faults, and check what they promise.')
    .option('--seeds <count>', 'run so many seeds, on all cores', whole(1, SEED_MAX))
    .option('--from <seed>', 'the first of them (default: 0)', whole(0, SEED_MAX))
    .option('--jobs <count>', 'threads (default: one per core)', whole(1, 256))
    .option(
      '--last-writer-wins',
      'run each seed twice: keeping siblings, and keeping the last write under clocks that are off',
    )
    .option('--seed <number>', 'run one seed and print its plan and report', whole(0, SEED_MAX))
    .option(
      '--trace [filter]',
      'print every message, turn, fault and request, or those with a text, or one of a,b,c',
    )
    .option(
      '--break-at-step <number>',
      'stop before a step, print the state of every node, and stop in an attached debugger',
      whole(1, SEED_MAX),
    )
    .option('--shrink', 'look for the smallest options with which the seed fails in the same way')
    .option(
      '--off <kinds>',
      'leave out these faults, such as loss,crash; may be repeated',
      collect,
      [],
    )
    .option(
      '--set <name=value>',
      'overrides what the seed draws, such as nodes=3; may be repeated',
      collect,
      [],
    )
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', () => simHelp())
    .action((given: SimArguments) =>
      run(given, async (...rest) => (await import('./sim.ts')).sim(...rest)),
    );

  return program;
}

function readVersion(): string {
  // The sources lie two folders below package.json, what is built from them three.
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), 'utf8');
      return String((JSON.parse(text) as { version: unknown }).version);
    } catch {
      // The next one.
    }
  }
  return 'unknown';
}
