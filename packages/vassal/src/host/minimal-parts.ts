import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { isErrno } from '@emperor/common/errors';
import type { MinimalPart } from '../spec/host-facts.ts';

/** Beside /usr, where a host has not moved them into it. */
const SYSTEM: readonly string[] = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

/** What the loader, the C library, DNS, TLS and the common languages read; no key, no account, no service. */
const CONFIGURATION: readonly string[] = [
  'alternatives',
  'bindresvport.blacklist',
  'ca-certificates.conf',
  'crypto-policies',
  'debian_version',
  'gai.conf',
  'host.conf',
  'hosts',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'locale.alias',
  'locale.conf',
  'localtime',
  'magic',
  'mime.types',
  'netconfig',
  'networks',
  'nsswitch.conf',
  'os-release',
  'perl',
  'pki/ca-trust',
  'pki/tls/certs',
  'pki/tls/openssl.cnf',
  'protocols',
  'resolv.conf',
  'rpc',
  'services',
  'shells',
  'ssl/certs',
  'ssl/openssl.cnf',
  'terminfo',
  'timezone',
];
const BY_PATTERN = /^(?:python\d[\d.]*|ld-musl-[a-z0-9_]+\.path)$/;

/** What of this host stands in every minimal root; looked at once. */
export function minimalParts(): readonly MinimalPart[] {
  const matched = namesIn('/etc').filter((name) => BY_PATTERN.test(name));
  return [...SYSTEM, ...[...CONFIGURATION, ...matched].map((name) => `/etc/${name}`)].flatMap(partOf);
}

/** A link comes as a link, so that it leads where it leads inside. */
function partOf(path: string): readonly MinimalPart[] {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return [];
    if (found.isSymbolicLink()) return [{ by: 'link', path, target: readlinkSync(path) }];
    return found.isFile() || found.isDirectory() ? [{ by: 'bind', path }] : [];
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP')) return [];
    throw error;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return [];
    throw error;
  }
}
