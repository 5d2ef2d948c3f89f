/**
 * What happened to a key, for a person: the lives of its writes and its newest reads. Things are kept as they are; text is
 * made only when somebody asks.
 *
 * Invariant: lines are in the order in which things happened.
 */
import { describeDot } from '../../protocol/describe.ts';
import type { KeyHistory, Read, Write } from './history.ts';

/** Something that happened to a key and is neither a write nor a read. */
export interface Remark {
  readonly id: number;
  readonly history: KeyHistory;
  readonly timeMs: number;
  readonly text: string;
}

type Subject = Write | Read | Remark;

interface Line {
  /** Its place among all events. */
  readonly at: number;
  readonly timeMs: number;
  readonly text: string;
}

/** Writes, reads and remarks that are kept, of all keys together: one list is kinder to the cache than one for each key. */
const SUBJECT_COUNT_MAX = 2 ** 14;

/** Lines that are told. */
const LINE_COUNT_MAX = 32;

/** Keeps what may have to be told. */
export class Story {
  private readonly subjects: Subject[] = [];
  private subjectCount = 0;

  note(subject: Subject): void {
    this.subjects[this.subjectCount++ % SUBJECT_COUNT_MAX] = subject;
  }

  /** The newest lines about a key, oldest first, after what is no longer among them of the lives of `writes`. */
  tell(history: KeyHistory, writes: readonly Write[]): string[] {
    const noted = this.subjects.filter((subject) => subject.history === history);
    const newest = inOrder([...noted, ...history.committedWrites()]).slice(-LINE_COUNT_MAX);
    const lives = inOrder(writes);
    const older = lives.filter(({ at }) => newest.length === 0 || at < newest[0]!.at);
    return [...older, ...newest].map(({ timeMs, text }) => `${timeMs.toFixed(3)} ms  ${text}`);
  }
}

/** The lines of some subjects. One that occurs twice is told once. */
function inOrder(subjects: readonly Subject[]): Line[] {
  return Array.from(new Set(subjects), linesOf)
    .flat()
    .sort((a, b) => a.at - b.at);
}

function linesOf(subject: Subject): Line[] {
  if ('text' in subject) return [{ at: subject.id, timeMs: subject.timeMs, text: subject.text }];
  return 'isRegular' in subject ? linesOfRead(subject) : linesOfWrite(subject);
}

function linesOfRead(read: Read): Line[] {
  const { endedAt, endedMs, outcome, seen } = read;
  const end = { pending: 'is under way', ok: `sees ${namesOf(seen)}`, fail: 'fails' }[outcome];
  return [{ at: endedAt, timeMs: endedMs, text: `${readNameOf(read)} ${end}` }];
}

function linesOfWrite(write: Write): Line[] {
  const { id, seen, dot, outcome, isDelete, size } = write;
  const what = isDelete ? 'a delete' : `a put of ${size} bytes`;
  const beginning = `begins${sessionOf(write)}: ${what} after ${namesOf(seen)}`;
  const lines = [{ at: id, timeMs: write.beganMs, text: `${nameOf(write)} ${beginning}` }];
  if (dot !== null) {
    const text = `${nameOf(write)} is committed as ${describeDot(dot)}`;
    lines.push({ at: write.boundAt, timeMs: write.boundMs, text });
  }
  if (outcome !== 'pending') {
    const text = `${nameOf(write)} ${endings[outcome]}`;
    lines.push({ at: write.endedAt, timeMs: write.endedMs, text });
  }
  return lines;
}

const endings = {
  ok: 'is acknowledged',
  fail: 'fails for certain',
  info: 'ends, and may have happened',
} as const;

/** A write in a line: `w17`. */
export function nameOf(write: Write): string {
  return `w${write.id}`;
}

/** Some writes in a line. */
export function namesOf(writes: readonly Write[]): string {
  return writes.length === 0 ? 'nothing' : writes.map(nameOf).join(' ');
}

/** A read in a line, with what it promises. */
export function readNameOf(read: Read): string {
  const kind = read.isRegular ? 'a read' : 'a read without promise';
  return `${kind}${sessionOf(read)} that began at ${read.beganMs.toFixed(3)} ms`;
}

function sessionOf({ session }: { readonly session: number | null }): string {
  return session === null ? '' : ` in session ${session}`;
}
