import type { VassalName } from '@emperor/common/name';

const ALWAYS_BELIEVED = 5;
const BELIEVED_SHARE = 0.2;
const RECHECK_MS = 10_000;

/** Names that a scan missed, waiting to be believed; `since` is when they were first missed together. */
export type Suspicion = { readonly names: ReadonlySet<VassalName>; readonly until: number };

export type Absence = {
  /** These are gone: forget them. */
  readonly gone: readonly VassalName[];
  readonly suspicion: Suspicion | undefined;
};

/**
 * Which of the `known` vassals are gone, given what a complete read of the directory found. Few are believed at
 * once; when more than max(5, 20 %) vanish in one pass (an unmounted or half-copied directory), the same names must
 * still be missing 10 s later. `first`: the first look after start-up, when an empty source is never believed at once.
 */
export function judgeAbsence(
  known: ReadonlySet<VassalName>,
  present: ReadonlySet<VassalName>,
  before: Suspicion | undefined,
  at: { readonly now: number; readonly first: boolean },
): Absence {
  const missing = [...known].filter((name) => !present.has(name));
  if (missing.length === 0) return { gone: [], suspicion: undefined };
  const believed = Math.max(ALWAYS_BELIEVED, known.size * BELIEVED_SHARE);
  const suspicious = missing.length > believed || (at.first && present.size === 0);
  if (before === undefined) {
    return suspicious
      ? { gone: [], suspicion: { names: new Set(missing), until: at.now + RECHECK_MS } }
      : { gone: missing, suspicion: undefined };
  }
  if (at.now < before.until) return { gone: [], suspicion: before };
  const still = missing.filter((name) => before.names.has(name));
  const fresh = missing.filter((name) => !before.names.has(name));
  const next = fresh.length > believed ? { names: new Set(fresh), until: at.now + RECHECK_MS } : undefined;
  return { gone: next === undefined ? missing : still, suspicion: next };
}
