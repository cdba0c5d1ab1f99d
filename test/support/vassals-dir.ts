import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A directory of vassal files below a private base that is root's, and the ways to fill both. */
export type VassalsDir = {
  readonly base: string;
  readonly directory: string;
  /** Write a file below the base, with its directories. */
  readonly put: (
    path: string,
    text: string,
    owner?: { readonly uid?: number; readonly mode?: number },
  ) => string;
  /** A directory below the base. */
  readonly make: (path: string, owner?: { readonly uid?: number; readonly mode?: number }) => string;
  readonly link: (path: string, target: string) => string;
  readonly remove: () => void;
};

/** Made under `root`: /run belongs to root alone and holds no mount that may hang. */
export function vassalsDir(root = '/run'): VassalsDir {
  const base = mkdtempSync(join(root, 'emperor-test-'));
  const directory = join(base, 'vassals');
  const make: VassalsDir['make'] = (path, { uid = 0, mode = 0o755 } = {}) => {
    const full = join(base, path);
    mkdirSync(full, { recursive: true });
    own(full, uid, mode);
    return full;
  };
  make('.');
  make('vassals');
  return {
    base,
    directory,
    make,
    put: (path, text, { uid = 0, mode = 0o644 } = {}) => {
      const full = join(base, path);
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, text);
      own(full, uid, mode);
      return full;
    },
    link: (path, target) => {
      symlinkSync(target, join(base, path));
      return join(base, path);
    },
    remove: () => rmSync(base, { recursive: true, force: true }),
  };
}

function own(path: string, uid: number, mode: number): void {
  if (process.geteuid?.() === 0) chownSync(path, uid, uid);
  chmodSync(path, mode);
}
