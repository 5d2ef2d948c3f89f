/**
 * `ringlet start`: a cluster and a prompt to play with it. Commands also come from a pipe, one per line, as a script;
 * with `--json` their results are printed together at the end.
 */
import { createInterface } from 'node:readline';
import { string } from '../codec.ts';
import { messageOf } from '../errors.ts';
import { ExitStatus } from './exit.ts';
import { type ClusterArguments, clusterLine, clusterOptionsOf } from './options.ts';
import type { Output } from './output.ts';
import { type Session, withCluster } from './session.ts';
import { createShell, type Shell, type ShellTarget } from './shell.ts';

/** What commander hands over. */
export type StartArguments = ClusterArguments;

/** What a command came to, for `--json`. */
interface CommandRecord {
  readonly command: string;
  readonly result?: unknown;
  readonly error?: string;
}

/** Runs the verb. */
export async function start(given: StartArguments, session: Session): Promise<ExitStatus> {
  return withCluster(clusterOptionsOf(given), session, async (cluster) => {
    const { output } = session;
    const entries = cluster.bucket('entries', { codec: string });
    const target: ShellTarget = {
      entries,
      nodeIds: cluster.nodeIds,
      network: cluster.network,
      node: (id) => cluster.node(id),
      stats: () => cluster.stats(),
    };
    output.say(`${clusterLine(cluster.config)}; files in ${cluster.dataDir}`);
    if (process.stdin.isTTY === true) output.say('`help` lists the commands, `quit` ends.');
    const records = await readCommands(createShell(target), session);
    output.result({ commands: records });
    const hasFailed = records.some((record) => record.error !== undefined);
    // At a prompt a mistake was seen and corrected; in a script it is a failure.
    return hasFailed && process.stdin.isTTY !== true ? ExitStatus.Failed : ExitStatus.Ok;
  });
}

/** Carries out commands one after the other until the input ends or says so. */
async function readCommands(shell: Shell, { output, signal }: Session): Promise<CommandRecord[]> {
  const isPrompt = process.stdin.isTTY === true && !output.isJson;
  const lines = createInterface({
    input: process.stdin,
    ...(isPrompt ? { output: process.stdout, prompt: 'ringlet> ' } : {}),
  });
  // At a prompt, readline takes Ctrl-C for itself.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  signal.addEventListener('abort', () => lines.close());
  const records: CommandRecord[] = [];
  if (isPrompt) lines.prompt();
  for await (const line of lines) {
    const command = line.trim();
    if (command === 'quit' || command === 'exit') break;
    if (command !== '' && !command.startsWith('#')) {
      const record = await carryOut(shell, command, output);
      if (output.isJson || record.error !== undefined) records.push(record);
    }
    if (isPrompt) lines.prompt();
  }
  lines.close();
  return records;
}

async function carryOut(shell: Shell, command: string, output: Output): Promise<CommandRecord> {
  try {
    const { text, result } = await shell.execute(command);
    for (const line of text) output.say(line);
    return { command, result };
  } catch (error) {
    output.remark(`${command}: ${messageOf(error)}`);
    return { command, error: messageOf(error) };
  }
}
