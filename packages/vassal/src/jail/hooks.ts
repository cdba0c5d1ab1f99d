import type { VassalSpec } from '../spec/spec.ts';
import type { Directive } from './directive.ts';
import type { JailRun } from './run.ts';

/** The words of the blob for this group. */
export function hookDirectives(_spec: VassalSpec, _run: JailRun): readonly Directive[] {
  return [];
}
