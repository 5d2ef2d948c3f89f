/**
 * Refuses a Node.js that is too old. To be called before the native module is loaded: on an old Node.js
 * that ends the process without a word.
 */
import { RingletError } from '../lib/errors.ts';
import { checkNodeVersion } from '../lib/node-version.ts';

/** @throws {RingletError} RINGLET_NODE_VERSION */
export function assertNodeVersion(): void {
  const problem = checkNodeVersion(process.versions.node);
  if (problem !== null) throw new RingletError('RINGLET_NODE_VERSION', problem);
}
