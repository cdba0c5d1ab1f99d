import { hash } from 'node:crypto';
import { canonical, OPTION_VALUES } from './option-values.ts';
import type { VassalSpec } from './spec.ts';

const DIGITS = 16;

/**
 * The identity of what a spec says and of whose it is: 16 hex digits. Equal for the same content at another path
 * or time; different for another owner.
 */
export function revisionOf(spec: VassalSpec): string {
  const values = Object.entries(OPTION_VALUES).map(([key, valueOf]) => [key, valueOf(spec)] as const);
  const said = canonical({
    owner: { uid: spec.owner.uid, powers: spec.owner.powers },
    values: Object.fromEntries(values),
  });
  return hash('sha256', said, 'hex').slice(0, DIGITS);
}
