/**
 * How the command ends: exit statuses, which errors are the caller's, and Ctrl-C.
 *
 * Invariant: whatever ends a run, the cluster is closed first, and bad input is one line on stderr.
 */
import { type ErrorCode, isRingletError, messageOf, RingletError } from '../errors.ts';

/** What the shell sees. */
export const ExitStatus = { Ok: 0, Failed: 1, BadInput: 2, Interrupted: 130 } as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** What the caller gave cannot be used. Its message is the one line that they read. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** The run was ended from outside: see {@link listenForInterrupts}. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';

  constructor() {
    super('interrupted');
  }
}

/** Errors of the library that say that an argument or a folder cannot be used, and not that a run failed. */
const inputCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'RINGLET_OPTION_INVALID',
  'RINGLET_OPTION_UNKNOWN',
  'RINGLET_OPTION_N',
  'RINGLET_OPTION_DEADLINE',
  'RINGLET_QUORUM_IMPOSSIBLE',
  'RINGLET_RING_SIZE',
  'RINGLET_NODE_ID',
  'RINGLET_NODE_UNKNOWN',
  'RINGLET_FAULT_SPEC',
  'RINGLET_DATADIR',
  'RINGLET_DATADIR_NAME',
  'RINGLET_DATADIR_LINK',
  'RINGLET_DATADIR_LOCKED',
  'RINGLET_DATADIR_FOREIGN',
  'RINGLET_FORMAT_NEWER',
]);

/** The status for an error that ended a run. */
export function statusOf(error: unknown): ExitStatus {
  if (error instanceof InterruptedError) return ExitStatus.Interrupted;
  if (error instanceof InputError) return ExitStatus.BadInput;
  if (error instanceof RingletError && inputCodes.has(error.code)) return ExitStatus.BadInput;
  return ExitStatus.Failed;
}

/** An error as one line. */
export function lineOf(error: unknown): string {
  const code = isRingletError(error) ? ` [${error.code}]` : '';
  return `ringlet: ${messageOf(error).replace(/\s*\n\s*/g, ' ')}${code}`;
}

/** What Ctrl-C, a supervisor and a terminal that goes away send. */
const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A terminal and a parent such as npm may both pass the same Ctrl-C on. */
const SAME_INTERRUPT_MS = 1000;

/**
 * A signal that aborts on Ctrl-C, on SIGTERM, when the terminal goes away, and when nobody reads what is printed any more.
 * A second one of these, later, ends the process at once.
 */
export function listenForInterrupts(): AbortSignal {
  const controller = new AbortController();
  let firstMs = Number.POSITIVE_INFINITY;
  const onSignal = (): void => {
    if (performance.now() > firstMs + SAME_INTERRUPT_MS) process.exit(ExitStatus.Interrupted);
    firstMs = Math.min(firstMs, performance.now());
    controller.abort(new InterruptedError());
  };
  for (const name of INTERRUPTS) process.on(name, onSignal);
  // A reader such as `head` may go away early.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    controller.abort(new InterruptedError());
  });
  return controller.signal;
}

/** From now on an interrupt ends the process where it is: for long work on this thread, during which no listener is called. */
export function endAtInterrupts(): void {
  for (const name of INTERRUPTS) process.removeAllListeners(name);
}

/** Settles as `work` does, or rejects with the signal's reason as soon as it aborts. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
  try {
    // When the signal wins, the outcome of the work no longer matters: the race has handled its rejection.
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
