/**
 * `ringlet replay carts`: a shop's history as shopping carts, with faults on the way, and a check of every cart at
 * the end. Each invoice is a cart, each of its lines one update.
 */
import type { ClusterConfig } from '../config.ts';
import { cartCodec, mergeCarts } from './cart.ts';
import { type CartCheck, CartReplay } from './cart-replay.ts';
import { ExitStatus, InputError } from './exit.ts';
import { Faults, type FaultTarget } from './faults.ts';
import { countLines, readInvoices } from './invoices.ts';
import {
  type ClusterArguments,
  clusterLine,
  clusterOptionsOf,
  describeCluster,
} from './options.ts';
import { formatCount, formatTable, type Output, plural, round } from './output.ts';
import { showProgress } from './progress.ts';
import { type Session, withCluster } from './session.ts';

/** What commander hands over. */
export interface ReplayArguments extends ClusterArguments {
  readonly clients: number;
  /** Share of the lines after which a node is killed; infinity is never. */
  readonly killAt: number;
  /** Share of the lines after which links are cut; infinity is never. */
  readonly partitionAt: number;
  readonly strict?: boolean;
  readonly lines?: number;
}

/** Milliseconds that a request may take: short, so that one caught behind a cut is tried elsewhere soon. */
const REQUEST_TIMEOUT_MS = 1000;

/** Share of the lines during which links are cut, and milliseconds at most. */
const CUT_SHARE = 0.02;
const CUT_MS_MAX = 3000;

/** Milliseconds that a node is down at most. It is restarted half-way between the kill and the end of the file. */
const DOWN_MS_MAX = 30_000;

/** Broken lines that are named one by one. */
const BROKEN_LINES_NAMED = 20;

interface FaultEvent {
  readonly line: number;
  readonly second: number;
  readonly what: string;
}

/** What adding all lines came to. */
interface Replayed {
  readonly lines: number;
  readonly brokenLines: number;
  readonly seconds: number;
}

/** Runs the verb. */
export async function replayCarts(
  file: string,
  given: ReplayArguments,
  session: Session,
): Promise<ExitStatus> {
  const { output, signal } = session;
  const options = { ...clusterOptionsOf(given), requestTimeoutMs: REQUEST_TIMEOUT_MS };
  // The header is no line of an invoice.
  const linesInFile = Math.max(0, (await countLines(file, signal)) - 1);
  const lineCount = Math.min(linesInFile, given.lines ?? linesInFile);
  return withCluster(options, session, async (cluster) => {
    output.say(`file      ${file}, ${plural(lineCount, 'line')}`);
    output.say(`cluster   ${clusterLine(cluster.config)}`);
    output.say(`clients   ${given.clients}`);
    output.say();

    const carts = cluster.bucket('carts', { codec: cartCodec, resolve: mergeCarts });
    const replay = new CartReplay(carts, given.clients, signal);
    const events: FaultEvent[] = [];
    const replayed = await addLines(file, lineCount, given, replay, cluster, events, session);
    const checkStartMs = performance.now();
    let checkedCount = 0;
    const progress = showProgress('check', replay.cartCount, () => checkedCount);
    const check = await replay
      .check(() => {
        checkedCount += 1;
      })
      .finally(() => progress.stop());
    const checkSeconds = (performance.now() - checkStartMs) / 1000;
    report(cluster.config, given, { replay, replayed, check, checkSeconds, events }, output);
    const isSound = check.missing === 0 && check.invented === 0 && replay.failures.length === 0;
    return isSound ? ExitStatus.Ok : ExitStatus.Failed;
  });
}

/** Streams the file into the carts, with faults at their places. */
async function addLines(
  file: string,
  lineCount: number,
  given: ReplayArguments,
  replay: CartReplay,
  target: FaultTarget,
  events: FaultEvent[],
  { output, signal }: Session,
): Promise<Replayed> {
  const startMs = performance.now();
  const faults = new Faults(target, (what) => {
    const second = round((performance.now() - startMs) / 1000, 1);
    events.push({ line: replay.doneCount, second, what });
    output.say(`${second.toFixed(1).padStart(6)} s  ${what}`);
  });
  const script = faultScript(faults, given, lineCount);
  const progress = showProgress('replay', lineCount, () => replay.doneCount);
  let takenCount = 0;
  let brokenCount = 0;
  let steps = Promise.resolve();
  // By what has been added, not by what was read: thousands of lines may be under way.
  const runSteps = () => {
    while (script.length > 0 && replay.doneCount + brokenCount >= script[0]!.line) {
      steps = steps.then(script.shift()!.run);
    }
  };
  replay.onDone = runSteps;
  try {
    for await (const item of takeLines(file, lineCount)) {
      signal.throwIfAborted();
      if ('problem' in item) {
        brokenCount += 1;
        onBrokenLine(item.line, item.problem, brokenCount, given.strict ?? false, output);
        continue;
      }
      takenCount += 1;
      await replay.add(item);
    }
    await replay.drain();
    await steps;
  } finally {
    progress.stop();
    await faults.end();
  }
  const seconds = (performance.now() - startMs) / 1000;
  return { lines: takenCount, brokenLines: brokenCount, seconds };
}

/** The first `lineCount` lines of a file, broken ones included. */
async function* takeLines(file: string, lineCount: number) {
  let count = 0;
  for await (const items of readInvoices(file)) {
    for (const item of items) {
      if (count === lineCount) return;
      count += 1;
      yield item;
    }
  }
}

/** What is to happen, in the order of the lines at which it does. */
function faultScript(faults: Faults, { partitionAt, killAt }: ReplayArguments, lineCount: number) {
  const script = [
    { share: partitionAt, run: () => faults.cut(CUT_MS_MAX) },
    { share: partitionAt + CUT_SHARE, run: () => faults.heal() },
    { share: killAt, run: () => faults.kill(DOWN_MS_MAX) },
    { share: (killAt + 1) / 2, run: () => faults.restart() },
  ];
  return script
    .filter(({ share }) => share <= 1)
    .sort((a, b) => a.share - b.share)
    .map(({ share, run }) => ({ line: share * lineCount, run }));
}

function onBrokenLine(
  line: number,
  problem: string,
  brokenCount: number,
  isStrict: boolean,
  output: Output,
): void {
  if (isStrict) throw new InputError(`line ${line}: ${problem}`);
  if (brokenCount <= BROKEN_LINES_NAMED) output.remark(`line ${line}: ${problem}; left out`);
  else if (brokenCount === BROKEN_LINES_NAMED + 1) {
    output.remark('further broken lines are counted, not named');
  }
}

interface Outcome {
  readonly replay: CartReplay;
  readonly replayed: Replayed;
  readonly check: CartCheck;
  readonly checkSeconds: number;
  readonly events: readonly FaultEvent[];
}

function report(
  config: ClusterConfig,
  given: ReplayArguments,
  { replay, replayed, check, checkSeconds, events }: Outcome,
  output: Output,
): void {
  const { counters, failures } = replay;
  const linesPerSecond = replayed.seconds > 0 ? replayed.lines / replayed.seconds : 0;
  const rows: [string, string][] = [
    ['lines added', formatCount(replayed.lines)],
    ['broken lines left out', formatCount(replayed.brokenLines)],
    ['carts', formatCount(replay.cartCount)],
    ['seconds', replayed.seconds.toFixed(1)],
    ['lines per second', formatCount(linesPerSecond)],
    ['reads and writes', formatCount(counters.reads + counters.writes)],
    ['siblings resolved', formatCount(counters.siblingsResolved)],
    ['indefinite writes', formatCount(counters.indefinite)],
    ['requests tried again', formatCount(counters.retries)],
    ['lines given up', formatCount(failures.length)],
    ['lines missing', formatCount(check.missing)],
    ['lines invented', formatCount(check.invented)],
  ];
  output.say();
  for (const line of formatTable(rows)) output.say(line);
  for (const difference of [...failures.slice(0, BROKEN_LINES_NAMED), ...check.differences]) {
    output.remark(difference);
  }
  output.result({
    lines: replayed.lines,
    carts: replay.cartCount,
    missing: check.missing,
    invented: check.invented,
    ...counters,
    failed: failures.length,
    brokenLines: replayed.brokenLines,
    seconds: round(replayed.seconds, 3),
    linesPerSecond: round(linesPerSecond, 1),
    checkSeconds: round(checkSeconds, 3),
    faults: events,
    settings: { ...describeCluster(config), clients: given.clients },
  });
}
