/** Runs the command line from the sources, as a user does. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url));

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** What the command reads from stdin. */
  readonly input?: string;
  /** Options of Node.js itself. */
  readonly nodeOptions?: readonly string[];
  /** A signal to send once stdout holds the text. */
  readonly signalAfter?: { readonly text: string; readonly signal: NodeJS.Signals };
}

/** Runs `ringlet` with arguments until it ends. */
export function runCommand(
  args: readonly string[],
  { input = '', nodeOptions = [], signalAfter }: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [...nodeOptions, main, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  let isSignalled = signalAfter === undefined;
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    if (isSignalled || !stdout.includes(signalAfter!.text)) return;
    isSignalled = true;
    child.kill(signalAfter!.signal);
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  // A command that ends early need not read its input.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}
