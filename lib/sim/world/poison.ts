/**
 * While a world runs, everything by which its code could learn something that the seed does not decide is poisoned: clocks,
 * timers, chance, the order of the locale. Whoever reads one of them gets an AssertionError, which stops the node and fails the run.
 */
import { AssertionError } from '../../assert.ts';

/** Paths from the global object. What an engine does not have is left out. */
const poisonedPaths: readonly (readonly [owner: string, name: string])[] = [
  // Before the class itself: someone may have it under another name.
  ['Date', 'now'],
  ['', 'Date'],
  ['Math', 'random'],
  ['performance', 'now'],
  ['performance', 'timeOrigin'],
  ['performance', 'mark'],
  ['process', 'hrtime'],
  ['process', 'uptime'],
  ['process', 'memoryUsage'],
  ['process', 'cpuUsage'],
  ['process', 'nextTick'],
  ['crypto', 'getRandomValues'],
  ['crypto', 'randomUUID'],
  ['crypto', 'subtle'],
  ['AbortSignal', 'timeout'],
  ['Atomics', 'wait'],
  ['Atomics', 'waitAsync'],
  ['', 'setTimeout'],
  ['', 'setInterval'],
  ['', 'setImmediate'],
  ['', 'requestAnimationFrame'],
  ['', 'queueMicrotask'],
  ['', 'MessageChannel'],
  ['', 'fetch'],
  ['', 'WeakRef'],
  ['', 'FinalizationRegistry'],
  ['', 'Intl'],
];

const localePrototypes: readonly (readonly [prototype: object, name: string])[] = [
  [String.prototype, 'localeCompare'],
  [String.prototype, 'toLocaleUpperCase'],
  [String.prototype, 'toLocaleLowerCase'],
  [Number.prototype, 'toLocaleString'],
  [BigInt.prototype, 'toLocaleString'],
];

/** A property that is poisoned while a world runs. */
interface Poisoned {
  /** The object in the chain of prototypes that has it. */
  readonly holder: object;
  readonly name: string;
  readonly refusing: PropertyDescriptor;
}

/** Frames of a stack while a world runs: a request that fails makes an error, and a whole stack costs more than a message. */
const STACK_DEPTH = 3;

let depth = 0;
let stackDepth = Error.stackTraceLimit;
/** Looked up when the first world runs. */
let poisoned: readonly Poisoned[] | null = null;
/** What was there when the outermost run began: an application may have put fakes of its own there. */
let originals: readonly PropertyDescriptor[] = [];

/** Runs `work` with poisoned globals. May be nested; the last to leave puts everything back. */
export function withPoisonedGlobals<T>(work: () => T): T {
  if (depth++ === 0) poison();
  try {
    return work();
  } finally {
    if (--depth === 0) putBack();
  }
}

function poison(): void {
  poisoned ??= findAll();
  originals = poisoned.map(({ holder, name }) => Object.getOwnPropertyDescriptor(holder, name)!);
  for (const { holder, name, refusing } of poisoned) Object.defineProperty(holder, name, refusing);
  stackDepth = Error.stackTraceLimit;
  Error.stackTraceLimit = Math.min(stackDepth, STACK_DEPTH);
}

function putBack(): void {
  Error.stackTraceLimit = stackDepth;
  for (const [index, { holder, name }] of (poisoned ?? []).entries()) {
    Object.defineProperty(holder, name, originals[index]!);
  }
}

function findAll(): Poisoned[] {
  const ofGlobals = poisonedPaths.map(([ownerName, name]) => {
    const owner: unknown = ownerName === '' ? globalThis : Reflect.get(globalThis, ownerName);
    return find(owner, name, ownerName === '' ? name : `${ownerName}.${name}`);
  });
  const ofLocale = localePrototypes.map(([prototype, name]) => find(prototype, name, name));
  return [...ofGlobals, ...ofLocale].filter((found) => found !== null);
}

function find(owner: unknown, name: string, shown: string): Poisoned | null {
  const isObject = typeof owner === 'object' && owner !== null;
  if (!isObject && typeof owner !== 'function') return null;
  for (let holder: object | null = owner; holder !== null; holder = Object.getPrototypeOf(holder)) {
    const original = Object.getOwnPropertyDescriptor(holder, name);
    if (original === undefined) continue;
    if (original.configurable !== true) return null;
    const get = (): never => {
      throw new AssertionError(`${shown} is not decided by the seed`);
    };
    return { holder, name, refusing: { get, configurable: true } };
  }
  return null;
}
