import type { Values } from '@emperor/common/options/option';
import type { joining } from '../options/joining.ts';
import type { Rule } from './draft.ts';
import type { VassalSpec } from './spec.ts';

/** Namespaces of others, and ours for others. */
export type JoiningSpec = Readonly<Record<never, never>>;

/** The part of a spec that the options of this group make. */
export function joiningOf(_values: Values<typeof joining>): JoiningSpec {
  return {};
}

/** What a spec holds for each option of this group. */
export const JOINING_VALUES: { readonly [K in keyof typeof joining]: (spec: VassalSpec) => unknown } = {};

/** Rules about options of this group, in the order in which they apply. */
export const JOINING_RULES: readonly Rule[] = [];
