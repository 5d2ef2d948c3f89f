/**
 * A run as text: one line for each message, verdict of a link, turn, commit, start and stop of a node, and for what the
 * faults and the workload note. A line holds the step, the virtual milliseconds, and what happened.
 *
 * Invariant: equal runs give equal traces. A trace only looks: it does not change the run.
 */
import { messageOf } from '../../errors.ts';
import type { Verdict, VerdictEvent } from '../../network/network.ts';
import { describe, describeAddress, describeKey, describeRecord } from '../../protocol/describe.ts';
import { kindName } from '../../protocol/messages.ts';
import type { NodeEvent, WorldObserver } from './world.ts';

/** Where a run is. A `World` is one. */
export interface TraceClock {
  readonly stepCount: number;
  readonly nowMs: number;
}

/** Which lines a trace keeps. */
export type TraceFilter = (text: string) => boolean;

/**
 * Keeps lines that contain one of several texts.
 *
 * @param filter Texts separated by commas, in upper or lower case. Without any, every line is kept.
 */
export function createTraceFilter(filter: string): TraceFilter {
  const texts = filter
    .toLowerCase()
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  if (texts.length === 0) return () => true;
  return (text) => {
    const lower = text.toLowerCase();
    return texts.some((wanted) => lower.includes(wanted));
  };
}

export interface TraceOptions {
  /** Takes a line, without its end. */
  readonly write: (line: string) => void;
  /** What to keep of them, judged without step and time. @default everything */
  readonly filter?: TraceFilter;
}

/** Writes the trace of one world. */
export class Trace {
  /** What the world is to be opened with. */
  readonly observer: WorldObserver;
  private readonly write: (line: string) => void;
  private readonly filter: TraceFilter;
  /** A world starts its nodes before anybody can ask it for the time. */
  private clock: TraceClock = { stepCount: 0, nowMs: 0 };

  constructor({ write, filter = () => true }: TraceOptions) {
    this.write = write;
    this.filter = filter;
    this.observer = {
      onMessage: ({ source, target, message }) => {
        this.note(`${describeAddress(source)} > ${describeAddress(target)}  ${describe(message)}`);
      },
      onVerdict: (event) => this.noteVerdict(event),
      onTurn: (thread) => this.note(`thread ${thread}  turn`),
      onCommitted: (node, puts) => {
        for (const { partition, key, record } of puts) {
          const stored = `p${partition} ${describeKey(key)} ${describeRecord(record)}`;
          this.note(`${describeAddress(node)}  committed ${stored}`);
        }
      },
      onNode: (event) => this.note(`${describeAddress(event.node)}  ${describeNodeEvent(event)}`),
    };
  }

  /** Takes step and time from the world from now on. */
  follow(clock: TraceClock): void {
    this.clock = clock;
  }

  /** Adds a line of its own to the trace: a fault, a request. */
  note(text: string): void {
    if (!this.filter(text)) return;
    const { stepCount, nowMs } = this.clock;
    this.write(`${String(stepCount).padStart(7)} ${nowMs.toFixed(3).padStart(12)}  ${text}`);
  }

  /** What a link delivers at once shows as a message. */
  private noteVerdict({ source, target, kind, verdict }: VerdictEvent): void {
    if (verdict.type === 'deliver') return;
    const link = `${describeAddress(source)} > ${describeAddress(target)}`;
    this.note(`${link}  ${kindName(kind)} ${describeVerdict(verdict)}`);
  }
}

function describeVerdict(verdict: Exclude<Verdict, { type: 'deliver' }>): string {
  switch (verdict.type) {
    case 'delay':
      return `delayed by ${verdict.delayMs.toFixed(3)} ms`;
    case 'drop':
      return `dropped: ${verdict.reason}`;
    case 'duplicate':
      return 'duplicated';
    case 'hold':
      return 'held';
  }
}

function describeNodeEvent(event: NodeEvent): string {
  switch (event.type) {
    case 'started': {
      const { status, detail } = event.report;
      return detail === '' ? `started, store ${status}` : `started, store ${status}: ${detail}`;
    }
    case 'stopped':
      return `stopped: ${event.reason}`;
    case 'refused':
      return `not started: ${messageOf(event.error)}`;
  }
}
