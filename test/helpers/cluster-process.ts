/** Runs a scenario of `cluster-child.ts` in a process of its own, which must end by itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const childFile = fileURLToPath(new URL('./cluster-child.ts', import.meta.url));

export interface ChildResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param nodeOptions Options of Node.js itself, which the child's threads inherit. */
export async function runChild(
  scenario: string,
  parameters: readonly string[] = [],
  nodeOptions: readonly string[] = [],
): Promise<ChildResult> {
  const command = [...nodeOptions, childFile, scenario, ...parameters];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { code, stdout, stderr };
}
