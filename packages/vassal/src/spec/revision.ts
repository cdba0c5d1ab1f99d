import { hash } from 'node:crypto';
import { canonical, canonicalFields, OPTION_VALUES } from './option-values.ts';
import type { VassalSpec } from './spec.ts';

const DIGITS = 16;
const VALUES = Object.entries(OPTION_VALUES).toSorted(([a], [b]) => (a < b ? -1 : 1));

/**
 * The identity of what a spec says and of whose it is: 16 hex digits. Equal for the same content at another path
 * or time; different for another owner.
 */
export function revisionOf(spec: VassalSpec): string {
  const { uid, powers } = spec.owner;
  const values = canonicalFields(VALUES.map(([key, valueOf]) => [key, valueOf(spec)]));
  const said = `{"owner":${canonical({ uid, powers })},"values":${values}}`;
  return hash('sha256', said, 'hex').slice(0, DIGITS);
}
