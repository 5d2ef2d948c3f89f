#!/usr/bin/env node
/**
 * The command `ringlet`. Loads nothing but the version check until that has passed: on a Node.js that is too old
 * the native module of the store would end the process without a word.
 */
import { checkNodeVersion } from '../node-version.ts';

const problem = checkNodeVersion(process.versions.node);
if (problem === null) {
  const { runCommandLine } = await import('./program.ts');
  await runCommandLine(process.argv.slice(2));
} else {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
}
