import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/debian-root');
/** Counted up when what is asked of mmdebstrap changes. */
const EDITION = 1;
const UNUSED = ['doc', 'locale', 'man', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);

/**
 * A Debian of the host's release in `directory`: minbase with gunicorn and Flask, as mmdebstrap makes it. Made once,
 * in a minute or two, and kept as an archive; unpacked in a few seconds after that.
 */
export function unpackDebian(directory: string): void {
  const archive = archiveOf(releaseName());
  mkdirSync(directory, { recursive: true });
  execFileSync('tar', ['-C', directory, '--numeric-owner', '-xpf', archive]);
}

function archiveOf(release: string): string {
  const archive = join(CACHE, `${release}-${EDITION}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(CACHE, { recursive: true });
  const half = `${archive}.${process.pid}.tar`;
  const options = [
    '--variant=minbase',
    '--include=gunicorn,python3-flask',
    '--dpkgopt=force-unsafe-io',
    ...UNUSED,
  ];
  try {
    execFileSync('mmdebstrap', ['--quiet', ...options, release, half], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    renameSync(half, archive);
  } finally {
    rmSync(half, { force: true });
  }
  return archive;
}

function releaseName(): string {
  const [, name] = /^VERSION_CODENAME=([a-z]+)$/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  if (name === undefined) throw new Error('this machine does not say which Debian it is');
  return name;
}
