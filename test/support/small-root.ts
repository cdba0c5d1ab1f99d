import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { compiledProbe } from './probe.ts';

const PLACES = [
  'bin',
  'data',
  'dev',
  'etc',
  'home',
  'mnt',
  'proc',
  'root',
  'run',
  'srv',
  'sys',
  'tmp',
  'usr',
  'var/tmp',
];

/** A directory to be `/`: places for every mount of the default jail, and the probe as /bin/probe. */
export function makeSmallRoot(directory: string): void {
  for (const place of PLACES) mkdirSync(join(directory, place), { recursive: true, mode: 0o755 });
  copyFileSync(compiledProbe(), join(directory, 'bin/probe'));
  chmodSync(join(directory, 'bin/probe'), 0o755);
  chmodSync(join(directory, 'data'), 0o1777);
  for (const name of ['lib', 'lib64', 'sbin']) symlinkSync(`usr/${name}`, join(directory, name));
}
