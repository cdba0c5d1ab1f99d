import { formatValue } from '@emperor/common/options/kinds';
import { type VassalOptionName, type VassalValues, vassalOptions } from '../options/index.ts';
import type { Powers } from './spec.ts';

/** How far the value of one numeric option may go, and what it is when the file leaves it out or says `unlimited`. */
export type Bound = { readonly min?: number; readonly max?: number; readonly whenUnset?: number };

/** The bounds of one layer of policy: the built-in ones, or a [policy] section. */
export type Bounds = { readonly by: string; readonly of: ReadonlyMap<VassalOptionName, Bound> };

/** A wish that policy cut, and why. */
export type Cut = {
  readonly key: VassalOptionName;
  readonly asked: string;
  readonly granted: string;
  readonly reason: string;
};

export type Granted = { readonly values: VassalValues; readonly cuts: readonly Cut[] };

const DAEMON_COST: ReadonlyMap<VassalOptionName, Bound> = new Map<VassalOptionName, Bound>([
  ['restart-delay', { min: 100 }],
  ['stable', { min: 1_000 }],
  ['stop-timeout', { max: 600_000 }],
  ['memory-max', { max: 4 * 1024 ** 3, whenUnset: 512 * 1024 ** 2 }],
  ['swap-max', { max: 4 * 1024 ** 3, whenUnset: 512 * 1024 ** 2 }],
  ['pids-max', { max: 4_096, whenUnset: 512 }],
  ['cpu-weight', { max: 100 }],
  ['io-weight', { max: 100 }],
  ['nice', { min: 0 }],
  ['oom-score-adj', { min: 0 }],
  ['log-max-size', { max: 128 * 1024 ** 2 }],
  ['log-keep', { max: 10 }],
]);

/** What bounds a file whatever the operator wrote: a tenant's mistakes must not cost the others. */
export function builtInBounds(powers: Powers): Bounds {
  return { by: 'a tenant', of: powers === 'tenant' ? DAEMON_COST : new Map() };
}

/** What is granted of what was asked; later bounds see what earlier ones granted. */
export function applyBounds(values: VassalValues, layers: readonly Bounds[]): Granted {
  let granted: Granted = { values, cuts: [] };
  for (const { by, of } of layers) {
    for (const [key, bound] of of) granted = cutOne(granted, key, bound, by);
  }
  return granted;
}

function cutOne(before: Granted, key: VassalOptionName, bound: Bound, by: string): Granted {
  const asked = before.values[key];
  if (asked !== undefined && typeof asked !== 'number') return before;
  const { value, reason } = within(asked, bound, by);
  if (value === asked) return before;
  const cut = { key, asked: show(key, asked), granted: show(key, value), reason };
  return { values: { ...before.values, [key]: value }, cuts: [...before.cuts, cut] };
}

function within(
  asked: number | undefined,
  bound: Bound,
  by: string,
): { value: number | undefined; reason: string } {
  const { min, max, whenUnset } = bound;
  if (asked === undefined) return { value: whenUnset, reason: `${by} always has a limit` };
  if (min !== undefined && asked < min) return { value: min, reason: `${by} may not go lower` };
  if (max !== undefined && asked > max) return { value: max, reason: `${by} may not go higher` };
  return { value: asked, reason: '' };
}

function show(key: VassalOptionName, value: number | undefined): string {
  const row: { readonly kind: Parameters<typeof formatValue<unknown>>[0] } = vassalOptions[key];
  return formatValue(row.kind, value).join(',');
}
