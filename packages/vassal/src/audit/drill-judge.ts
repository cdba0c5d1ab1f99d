import type { DrillAttemptJson, DrillVerdict } from '@emperor/common/control/proof';
import { errorName } from '../keeper/failure.ts';
import { ATTEMPTS, type DrillWorld, Jail } from './drill-expectations.ts';

/** One line of the prober: NAME VERDICT ERRNO DETAIL. */
type Told = { readonly verdict: DrillVerdict; readonly errno: number; readonly detail: string };

/** How the prober ended. */
export type DrillEnd = {
  /** It made every attempt. */
  readonly isComplete: boolean;
  /** The kernel killed it for its memory. */
  readonly isOutOfMemory: boolean;
};

const MOST_DETAIL = 300;

/** What the prober said, by attempt. A line that is none is left out. */
export function parseDrill(lines: readonly string[]): ReadonlyMap<string, Told> {
  const told = new Map<string, Told>();
  for (const line of lines.slice(0, 1_000)) {
    const [, name, verdict, errno, detail] =
      /^([a-z-]+) (denied|allowed|skipped) (\d{1,5}) (.*)$/.exec(line) ?? [];
    if (name === undefined || !isVerdict(verdict)) continue;
    told.set(name, { verdict, errno: Number(errno), detail: (detail ?? '').slice(0, MOST_DETAIL) });
  }
  return told;
}

/** Every attempt with what was expected of it; one that the prober did not tell of is not ok. */
export function judgeDrill(
  lines: readonly string[],
  world: DrillWorld,
  end: DrillEnd,
): readonly DrillAttemptJson[] {
  const told = parseDrill(lines);
  const jail = new Jail(world);
  return ATTEMPTS.map(({ name, what, expect }) => {
    const { expected, reason } = expect(jail);
    const seen = told.get(name) ?? untold(name, end);
    const { verdict, errno, detail } = seen;
    return {
      name,
      what,
      verdict,
      expected,
      reason,
      errno: errno === 0 ? null : errorName(errno),
      detail,
      ok: isOk(seen, expected, world),
    };
  });
}

/** The bomb is the last attempt: where it meets the limit of memory first, the kernel has held it as well. */
function untold(name: string, { isOutOfMemory }: DrillEnd): Told {
  return name === 'fork-bomb' && isOutOfMemory
    ? { verdict: 'denied', errno: 0, detail: 'killed by the kernel at memory-max' }
    : { verdict: 'skipped', errno: 0, detail: 'the prober did not tell' };
}

/** What a filter gives for a call: neither fork(2) nor pipe(2) has these of its own. */
const OF_FILTERS: ReadonlySet<string> = new Set(['EPERM', 'ENOSYS']);

function isOk(
  { verdict, errno }: Told,
  expected: DrillAttemptJson['expected'],
  { spec }: DrillWorld,
): boolean {
  if (expected === 'either') return true;
  if (verdict !== 'skipped') return verdict === expected;
  // A list of the operator's own may deny what the prober itself needs, which is skipped with the errno: then it denies
  // the attempt, too. An attempt that hung, died, had no target or was not told of proves nothing.
  const isOwnList = spec.filters.seccomp?.some((word) => word !== 'default') === true;
  return isOwnList && OF_FILTERS.has(errorName(errno));
}

function isVerdict(word: string | undefined): word is DrillVerdict {
  return word === 'denied' || word === 'allowed' || word === 'skipped';
}
