/** A progress bar on stderr: on a terminal alone, and only for what takes longer than a second. */
import cliProgress from 'cli-progress';

const SHOW_AFTER_MS = 1000;
const INTERVAL_MS = 100;

export interface Progress {
  /** Removes the bar. */
  stop(): void;
}

/**
 * Shows how far something is until it is stopped.
 *
 * @param total What `done` reaches at the end.
 * @param done How much is done; asked about ten times a second.
 */
export function showProgress(label: string, total: number, done: () => number): Progress {
  if (process.stderr.isTTY !== true) return { stop: () => {} };
  const bar = new cliProgress.SingleBar({
    format: `${label} [{bar}] {percentage}%  {value}/{total}  {duration_formatted}`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    // Ctrl-C is ours: the cluster is to be closed first.
    gracefulExit: false,
  });
  const startMs = performance.now();
  let isShown = false;
  const timer = setInterval(() => {
    if (isShown) bar.update(done());
    else if (performance.now() - startMs > SHOW_AFTER_MS) {
      bar.start(total, done());
      isShown = true;
    }
  }, INTERVAL_MS);
  return {
    stop: () => {
      clearInterval(timer);
      if (isShown) bar.stop();
    },
  };
}
