import type { Values } from '@emperor/common/options/option';
import type { root } from '../options/root.ts';
import type { Rule } from './draft.ts';
import type { VassalSpec } from './spec.ts';

/** What the app sees as its file system. */
export type RootSpec = Readonly<Record<never, never>>;

/** The part of a spec that the options of this group make. */
export function rootOf(_values: Values<typeof root>): RootSpec {
  return {};
}

/** What a spec holds for each option of this group. */
export const ROOT_VALUES: { readonly [K in keyof typeof root]: (spec: VassalSpec) => unknown } = {};

/** Rules about options of this group, in the order in which they apply. */
export const ROOT_RULES: readonly Rule[] = [];
