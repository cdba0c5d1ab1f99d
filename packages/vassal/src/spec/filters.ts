import type { Values } from '@emperor/common/options/option';
import type { filters } from '../options/filters.ts';
import type { Rule } from './draft.ts';
import type { VassalSpec } from './spec.ts';

/** What the kernel refuses to the app beyond its rights. */
export type FiltersSpec = Readonly<Record<never, never>>;

/** The part of a spec that the options of this group make. */
export function filtersOf(_values: Values<typeof filters>): FiltersSpec {
  return {};
}

/** What a spec holds for each option of this group. */
export const FILTER_VALUES: { readonly [K in keyof typeof filters]: (spec: VassalSpec) => unknown } = {};

/** Rules about options of this group, in the order in which they apply. */
export const FILTER_RULES: readonly Rule[] = [];
