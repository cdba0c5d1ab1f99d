import type { Values } from '@emperor/common/options/option';
import type { hooks } from '../options/hooks.ts';
import type { Rule } from './draft.ts';
import type { VassalSpec } from './spec.ts';

/** What the operator has done around the jail. */
export type HooksSpec = Readonly<Record<never, never>>;

/** The part of a spec that the options of this group make. */
export function hooksOf(_values: Values<typeof hooks>): HooksSpec {
  return {};
}

/** What a spec holds for each option of this group. */
export const HOOK_VALUES: { readonly [K in keyof typeof hooks]: (spec: VassalSpec) => unknown } = {};

/** Rules about options of this group, in the order in which they apply. */
export const HOOK_RULES: readonly Rule[] = [];
