import type { OnChange, Option } from '@emperor/common/options/option';
import type { VassalOptionName } from '../options/index.ts';
import { canonical, OPTION_VALUES } from './option-values.ts';
import type { VassalSpec } from './spec.ts';

/** What has to happen to a running vassal for it to become what its file now says, and because of which options. */
export type SpecChange =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'live'; readonly changed: readonly VassalOptionName[] }
  | { readonly kind: 'reload'; readonly changed: readonly VassalOptionName[] }
  | { readonly kind: 'restart'; readonly changed: readonly VassalOptionName[] };

/** The rows of the table decide: the heaviest `onChange` among the options that differ. */
export type ChangeTable = { readonly [K in VassalOptionName]: Pick<Option<unknown>, 'onChange'> };

const WEIGHT: Readonly<Record<OnChange, number>> = { live: 1, reload: 2, restart: 3 };

/** How far `to` is from `from`. Another owner or other powers are always a restart: rights end at once. */
export function diffSpec(from: VassalSpec, to: VassalSpec, table: ChangeTable): SpecChange {
  if (from === to) return { kind: 'nothing' };
  const changed = optionNames(table).filter((key) => differs(OPTION_VALUES[key], from, to));
  if (from.owner.uid !== to.owner.uid || from.owner.powers !== to.owner.powers)
    return { kind: 'restart', changed };
  const heaviest = changed.map((key) => table[key].onChange).toSorted((a, b) => WEIGHT[b] - WEIGHT[a])[0];
  return heaviest === undefined ? { kind: 'nothing' } : { kind: heaviest, changed };
}

function differs(valueOf: (spec: VassalSpec) => unknown, from: VassalSpec, to: VassalSpec): boolean {
  const [before, after] = [valueOf(from), valueOf(to)];
  return !Object.is(before, after) && canonical(before) !== canonical(after);
}

function optionNames(table: ChangeTable): readonly VassalOptionName[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the type, which has no others
  return Object.keys(table) as VassalOptionName[];
}
