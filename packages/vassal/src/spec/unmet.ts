import type { Diagnostic } from '@emperor/common/diagnostic';
import type { VassalValues } from '../options/index.ts';

/** What cannot be granted is an isolation that somebody relies on, or a limit. */
export type Unmet = 'isolation' | 'limit';

/** How grave it is that a wish cannot be granted here: `when-unsupported` decides, for every rule about this host. */
export function unmetSeverity(
  { 'when-unsupported': wanted }: Pick<VassalValues, 'when-unsupported'>,
  what: Unmet,
): Diagnostic['severity'] {
  switch (wanted) {
    case 'default':
      return what === 'isolation' ? 'error' : 'warning';
    case 'refuse':
      return 'error';
    case 'warn':
      return 'warning';
  }
}
