/** Several observers of one world as one. */
import type { WorldObserver } from './world.ts';

/**
 * Calls all observers, in order, while `isOpen` says so. Has only the methods that one of them has: some cost the world time.
 */
export function joinObservers(
  given: readonly (WorldObserver | undefined)[],
  isOpen: () => boolean = () => true,
): WorldObserver {
  const observers = given.filter((each) => each !== undefined);
  const hears = (name: keyof WorldObserver) => observers.some((each) => each[name] !== undefined);
  const tell = (call: (observer: WorldObserver) => void): void => {
    if (isOpen()) for (const observer of observers) call(observer);
  };
  return {
    ...(hears('onStep') && { onStep: (step) => tell((each) => each.onStep?.(step)) }),
    ...(hears('onMessage') && { onMessage: (sent) => tell((each) => each.onMessage?.(sent)) }),
    ...(hears('onVerdict') && { onVerdict: (event) => tell((each) => each.onVerdict?.(event)) }),
    ...(hears('onTurn') && { onTurn: (thread) => tell((each) => each.onTurn?.(thread)) }),
    ...(hears('onCommitted') && {
      onCommitted: (node, puts) => tell((each) => each.onCommitted?.(node, puts)),
    }),
    ...(hears('onNode') && { onNode: (event) => tell((each) => each.onNode?.(event)) }),
  };
}
