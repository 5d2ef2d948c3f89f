/**
 * While a world runs, everything by which its code could learn something that the seed does not decide is poisoned: clocks,
 * timers, chance, the order of the locale. Whoever reads one of them gets an AssertionError, which stops the node and fails the run.
 */
import { AssertionError } from '../assert.ts';

/** Paths from the global object. What an engine does not have is left out. */
const poisonedPaths: readonly (readonly [owner: string, name: string])[] = [
  ['', 'Date'],
  ['Math', 'random'],
  ['performance', 'now'],
  ['process', 'hrtime'],
  ['crypto', 'getRandomValues'],
  ['crypto', 'randomUUID'],
  ['', 'setTimeout'],
  ['', 'setInterval'],
  ['', 'setImmediate'],
  ['', 'requestAnimationFrame'],
  ['', 'queueMicrotask'],
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
];

interface Replaced {
  readonly owner: object;
  readonly name: string;
  readonly original: PropertyDescriptor;
}

let depth = 0;
let replaced: Replaced[] = [];

/** Runs `work` with poisoned globals. May be nested; the last to leave puts everything back. */
export function withPoisonedGlobals<T>(work: () => T): T {
  enter();
  try {
    return work();
  } finally {
    leave();
  }
}

function enter(): void {
  if (depth++ > 0) return;
  for (const [ownerName, name] of poisonedPaths) {
    const owner = ownerName === '' ? globalThis : Reflect.get(globalThis, ownerName);
    if (typeof owner !== 'object' || owner === null) continue;
    poison(owner, name, ownerName === '' ? name : `${ownerName}.${name}`);
  }
  for (const [prototype, name] of localePrototypes) poison(prototype, name, name);
}

function leave(): void {
  if (--depth > 0) return;
  for (const { owner, name, original } of replaced) Object.defineProperty(owner, name, original);
  replaced = [];
}

function poison(owner: object, name: string, shown: string): void {
  const holder = holderOf(owner, name);
  if (holder === null) return;
  const original = Object.getOwnPropertyDescriptor(holder, name);
  if (original?.configurable !== true) return;
  const refuse = (): never => {
    throw new AssertionError(`${shown} is not decided by the seed`);
  };
  Object.defineProperty(holder, name, { get: refuse, configurable: true });
  replaced.push({ owner: holder, name, original });
}

/** The object in the chain of prototypes that has the property. */
function holderOf(owner: object, name: string): object | null {
  for (let holder: object | null = owner; holder !== null; holder = Object.getPrototypeOf(holder)) {
    if (Object.hasOwn(holder, name)) return holder;
  }
  return null;
}
