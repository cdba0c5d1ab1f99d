import type { Layer, RawValue } from '@emperor/common/options/option';

/** The raw values of one layer by key, in the order they were written. */
export type RawLayer = ReadonlyMap<string, readonly RawValue[]>;

/** A raw value that knows which layer it came from. */
export type LayeredValue = RawValue & { readonly layer: Layer };

export type Layers = { readonly defaults: RawLayer; readonly file: RawLayer; readonly force: RawLayer };

/**
 * What was written for each key, of the last layer that wrote it: built-in < [defaults] < vassal file < [force]. A
 * list of a later layer replaces the whole list of an earlier one. Keys that nobody wrote are absent (built-in).
 */
export function mergeLayers({ defaults, file, force }: Layers): ReadonlyMap<string, readonly LayeredValue[]> {
  const merged = new Map<string, readonly LayeredValue[]>();
  overlay(merged, defaults, 'defaults');
  overlay(merged, file, 'file');
  overlay(merged, force, 'force');
  return merged;
}

function overlay(merged: Map<string, readonly LayeredValue[]>, values: RawLayer, layer: Layer): void {
  for (const [key, raw] of values) {
    if (raw.length > 0)
      merged.set(
        key,
        raw.map((value) => ({ ...value, layer })),
      );
  }
}
