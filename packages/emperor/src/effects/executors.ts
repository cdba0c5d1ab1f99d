import type { Step } from '../core/plan.ts';
import type { Held } from '../held.ts';

export type StepOf<K extends Step['do']> = Extract<Step, { do: K }>;

/**
 * How each kind of step is done. An executor records what it did through `Emperor.apply`, `start` before its first
 * await; it rejects when the step could not be done, and is then tried again.
 */
export type Executors = { readonly [K in Step['do']]: (held: Held, step: StepOf<K>) => Promise<void> };

/** A new kind of step does not compile until an executor exists for it. */
export function execute<K extends Step['do']>(
  executors: Executors,
  held: Held,
  step: StepOf<K>,
): Promise<void> {
  const run: (held: Held, step: StepOf<K>) => Promise<void> = executors[step.do];
  return run(held, step);
}
