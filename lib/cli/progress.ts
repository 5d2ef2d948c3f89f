/** A progress bar on stderr: on a terminal alone, and only for what takes longer than a second. */
import cliProgress from 'cli-progress';

const SHOW_AFTER_MS = 1000;
const INTERVAL_MS = 100;

export interface Progress {
  /** Removes the bar. */
  stop(): void;
}

/** Columns of the bar itself, alone and beside details. */
const BAR_COLUMNS = 40;
const SHORT_BAR_COLUMNS = 10;

/** Columns of the format below besides label, bar, total and details. */
const FIXED_COLUMNS = 22;

/**
 * Shows how far something is until it is stopped.
 *
 * @param total What `done` reaches at the end.
 * @param done How much is done; asked about ten times a second.
 * @param details What else there is to say, the most important first; what does not fit the terminal is left out.
 */
export function showProgress(
  label: string,
  total: number,
  done: () => number,
  details: (() => readonly string[]) | null = null,
): Progress {
  if (process.stderr.isTTY !== true) return { stop: () => {} };
  const barsize = details === null ? BAR_COLUMNS : SHORT_BAR_COLUMNS;
  const usedColumns = FIXED_COLUMNS + label.length + barsize + 2 * String(total).length;
  const payload = () => {
    const columns = (process.stderr.columns ?? 80) - usedColumns;
    return { details: details === null ? '' : fitParts(details(), columns) };
  };
  const bar = new cliProgress.SingleBar({
    format: `${label} [{bar}] {percentage}%  {value}/{total}  {duration_formatted}{details}`,
    barsize,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    // Ctrl-C is ours: the cluster is to be closed first.
    gracefulExit: false,
  });
  const startMs = performance.now();
  let isShown = false;
  const timer = setInterval(() => {
    if (isShown) bar.update(done(), payload());
    else if (performance.now() - startMs > SHOW_AFTER_MS) {
      bar.start(total, done(), payload());
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

/** As many of the parts as fit, each after two blanks. */
export function fitParts(parts: readonly string[], columns: number): string {
  let text = '';
  for (const part of parts) {
    if (text.length + 2 + part.length > columns) break;
    text += `  ${part}`;
  }
  return text;
}
