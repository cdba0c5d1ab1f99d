import type { VassalName } from '@emperor/common/name';
import type { Layer, RawValue } from '@emperor/common/options/option';
import type { Owner } from './spec.ts';

/** One vassal as written: the winning values of all layers by key, expanded, not decoded. */
export type SpecSource = {
  readonly name: VassalName;
  readonly file: string;
  readonly owner: Owner;
  readonly raw: ReadonlyMap<string, readonly (RawValue & { readonly layer: Layer })[]>;
};
