import type { RestartRule } from './rule.ts';

const JITTER = 0.25;

/**
 * How long the `failures`-th quick end in a row waits before the next start, in ms: the first is replaced at once,
 * the n-th waits restart-delay × 2ⁿ⁻², at most restart-max-delay, plus up to a quarter so that a common cause does
 * not bring all back at the same moment.
 */
export function backoffMs(failures: number, rule: RestartRule, jitter: number): number {
  if (failures <= 1) return 0;
  const plain = Math.min(rule.restartDelayMs * 2 ** Math.min(failures - 2, 40), rule.restartMaxDelayMs);
  return plain * (1 + JITTER * jitter);
}
