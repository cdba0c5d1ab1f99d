import type { Rootless } from './host-facts.ts';
import type { Powers } from './spec.ts';

/** Root's files are the operator's; those of an ordinary user too, for an emperor of that user's own. */
export function powersOf(ownerUid: number, rootless: Rootless | undefined): Powers {
  return ownerUid === 0 || ownerUid === rootless?.uid ? 'operator' : 'tenant';
}
