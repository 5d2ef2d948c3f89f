/**
 * Assertions for states that must not occur. They are always on: a broken invariant stops the turn,
 * its store is not committed and its messages are not sent.
 *
 * An assertion is for a bug in Ringlet. What a caller or a disk may do wrong is a {@link RingletError}.
 */

/** Thrown when an invariant is broken. Never caught inside an actor. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws {@link AssertionError} unless `condition` holds. */
export function assert(condition: boolean, message = 'assertion failed'): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Ends an exhaustive `switch`: the compiler proves that no case is missing, and so does the run. */
export function unreachable(value: never, message = 'unreachable case'): never {
  throw new AssertionError(`${message}: ${JSON.stringify(value)}`);
}
