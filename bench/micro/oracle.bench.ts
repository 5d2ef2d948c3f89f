/**
 * What does the oracle cost per operation? A history of gets (60 %) and puts: sessions read a key and mostly write it back;
 * one put in ten has no context and leaves siblings until the next.
 */
import {
  contextOf,
  emptyVersionSet,
  updateVersionSet,
  type VersionSet,
} from '../../lib/clock/version-set.ts';
import { createActorId } from '../../lib/clock/version-vector.ts';
import { Prng } from '../../lib/prng.ts';
import { Oracle, type Write } from '../../lib/sim/judge/oracle.ts';
import { measure } from './harness.ts';

const OPERATION_COUNT = 20_000;
const KEY_COUNT = 20;
const SESSION_COUNT = 10;
const VALUE_SIZE = 100;

/** An operation, with what the store answers. A put is based on what its session read just before, or on nothing. */
interface Operation {
  readonly session: number;
  readonly key: string;
  readonly set: VersionSet;
  /** `place` is that of the new sibling. */
  readonly put: {
    readonly value: Uint8Array;
    readonly isBlind: boolean;
    readonly place: number;
  } | null;
}

/** What a session is at. */
interface Session {
  key: string;
  /** What it has read and not written back. */
  read: VersionSet | null;
}

class Workload {
  private readonly random = new Prng(1);
  private readonly keys = Array.from({ length: KEY_COUNT }, (_, index) => `cart:${index}`);
  private readonly sets = new Map<string, VersionSet>();
  private readonly sessions = Array.from(
    { length: SESSION_COUNT },
    (): Session => ({ key: '', read: null }),
  );

  next(): Operation {
    const session = this.random.int(SESSION_COUNT);
    const state = this.sessions[session]!;
    const { key, read } = state;
    if (read !== null && this.random.chance(2 / 3)) {
      state.read = null;
      return this.put(session, key, read);
    }
    state.key = this.random.pick(this.keys);
    state.read = this.sets.get(state.key) ?? emptyVersionSet(false);
    return { session, key: state.key, set: state.read, put: null };
  }

  private put(session: number, key: string, read: VersionSet): Operation {
    const { random, sets } = this;
    const isBlind = random.chance(0.1);
    const value = new Uint8Array(VALUE_SIZE).fill(random.int(256));
    const sibling = { value, timestamp: 0 };
    const context = isBlind ? [] : contextOf(read);
    const updated = updateVersionSet(
      sets.get(key) ?? read,
      context,
      createActorId(random.int(3), 1),
      sibling,
    );
    const place = updated.siblings.findIndex((other) => other.value === value);
    // A replica's bytes are its own.
    const siblings = updated.siblings.map((other) => ({ ...other, value: other.value!.slice() }));
    const set = { ...updated, siblings };
    sets.set(key, set);
    return { session, key, set, put: { value, isBlind, place } };
  }
}

/** Tells the oracle all that the engine does: both ends of each operation, and each record that was committed. */
class Judge {
  readonly oracle = new Oracle({
    lastWriterWins: false,
    report: ({ message }) => {
      throw new Error(message);
    },
  });
  private readonly seen = new Array<readonly Write[]>(SESSION_COUNT).fill([]);
  private timeMs = 0;

  take({ session, key, set, put }: Operation): void {
    const { oracle } = this;
    const timeMs = ++this.timeMs;
    if (put === null) {
      const read = oracle.beginRead(key, true, timeMs, session);
      this.seen[session] = oracle.endRead(read, set, timeMs);
      return;
    }
    const seen = put.isBlind ? [] : this.seen[session]!;
    const write = oracle.beginWrite(key, put.value, seen, timeMs, session);
    const { actor, counter } = set.siblings[put.place]!;
    oracle.bindDot(write, actor, counter, timeMs);
    oracle.checkSet(key, set, 'a commit');
    oracle.endWrite(write, 'ok', timeMs);
  }
}

const workload = new Workload();
const operations = Array.from({ length: OPERATION_COUNT }, () => workload.next());

await measure(
  'the oracle, per operation',
  {
    'a get or a put': () => {
      const judge = new Judge();
      for (const operation of operations) judge.take(operation);
      return judge.oracle.lostWrites;
    },
  },
  OPERATION_COUNT,
);
