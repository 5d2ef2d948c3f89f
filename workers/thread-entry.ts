/**
 * The file that piscina loads in each thread. One long-lived task per thread: it ends when the thread is told
 * to stop. Checks the Node.js version before anything loads the native module.
 */
import { assertNodeVersion } from './assert-node-version.ts';
import type { ThreadTask } from './thread-messages.ts';

assertNodeVersion();
const { NodeThread } = await import('./node-thread.ts');

/** Runs nodes until the host stops them. */
export default function runThread(task: ThreadTask): Promise<void> {
  return new NodeThread(task).ended;
}
