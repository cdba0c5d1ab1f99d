import { setImmediate } from 'node:timers/promises';

import type { Clock } from './clock.ts';

/** Call it between two items of long work; await what it returns when it returns something. */
export type Pace = () => Promise<void> | undefined;

/** Lets everything else have its turn whenever the work has held the loop for `budgetMs`. */
export function pacedBy(clock: Clock, budgetMs: number): Pace {
  let turnSince = clock.now();
  return () => {
    if (clock.now() - turnSince < budgetMs) return undefined;
    return setImmediate().then(() => {
      turnSince = clock.now();
    });
  };
}
