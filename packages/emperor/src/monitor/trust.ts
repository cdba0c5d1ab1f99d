import type { BigIntStats } from 'node:fs';

/** What trust looks at of a thing on a way. */
type Met = { readonly path: string; readonly kind: string; readonly stat: BigIntStats };

/** Whose powers a way gives, or why it is refused. */
export type Trust =
  | { readonly ok: true; readonly uid: number }
  /** `uid`: whose it seems to be; not root when anything on the way is not root's. */
  | { readonly ok: false; readonly uid: number; readonly message: string; readonly hint: string };

const OTHERS_MAY_WRITE = 0o022;
const STICKY = 0o1000;

/**
 * Everything on the way to a file belongs to the operators or to one single other uid, which then owns the file too;
 * nobody else may put something in its place. A directory that others may write is accepted when it is sticky: what
 * lies in it can be renamed or removed by its owner only, and that owner counts.
 */
export function trustOfWay(steps: readonly Met[], end: Met, operators: ReadonlySet<number>): Trust {
  const tenants = [...new Set(steps.map((step) => Number(step.stat.uid)))].filter(
    (uid) => !operators.has(uid),
  );
  const owner = Number(end.stat.uid);
  const [tenant, ...more] = tenants;
  const uid = operators.has(owner) ? (tenant ?? owner) : owner;
  const open = steps.find(othersMayReplace);
  if (open !== undefined) {
    const message = `the directory ${open.path} on its way is writable by others`;
    return { ok: false, uid, message, hint: `chmod go-w ${open.path}` };
  }
  if (more.length > 0) {
    const message = `its way leads through what belongs to the uids ${tenants.join(' and ')}`;
    const hint = 'every link and directory on the way must belong to root or to the owner of the file';
    return { ok: false, uid, message, hint };
  }
  if (tenant !== undefined && owner !== tenant) {
    const message = `it belongs to uid ${owner}, but its way leads through what belongs to uid ${tenant}`;
    // No path: it is where the tenant's link leads, and a hint must never tell root to give that away.
    const hint = `what uid ${tenant} links to must be its own; what is not its own is linked from a directory of root's`;
    return { ok: false, uid, message, hint };
  }
  return { ok: true, uid };
}

/** Why a vassals directory may not be believed: it and all above it must be in the hands of `operators` alone. */
export function distrustOfDirectory(
  steps: readonly Met[],
  end: Met,
  operators: ReadonlySet<number>,
): { readonly message: string; readonly hint: string } | undefined {
  if (end.kind !== 'directory')
    return { message: `${end.path} is not a directory`, hint: 'name a directory' };
  const foreign = steps.find((step) => !operators.has(Number(step.stat.uid)));
  if (foreign !== undefined) {
    return {
      message: `${foreign.path} belongs to uid ${foreign.stat.uid}`,
      hint: `chown root ${foreign.path}`,
    };
  }
  const open = steps.find((step) => (step === end ? othersMayWrite(step) : othersMayReplace(step)));
  if (open === undefined) return undefined;
  return { message: `${open.path} is writable by others`, hint: `chmod go-w ${open.path}` };
}

/** May nobody but root add, rename or remove entries of this directory? */
export function isRoots(directory: Met): boolean {
  return directory.stat.uid === 0n && !othersMayWrite(directory);
}

function othersMayReplace(step: Met): boolean {
  return othersMayWrite(step) && (Number(step.stat.mode) & STICKY) === 0;
}

function othersMayWrite(step: Met): boolean {
  return step.kind === 'directory' && (Number(step.stat.mode) & OTHERS_MAY_WRITE) !== 0;
}
