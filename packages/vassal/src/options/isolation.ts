import { commaList, flag, oneOf, optional, parsed, text } from '@emperor/common/options/kinds';
import { type Decoded, type Kind, option } from '@emperor/common/options/option';
import type { Namespace } from '../spec/spec.ts';

const group = 'isolation';

/** All kinds, in the order in which they are shown. */
export const NAMESPACES: readonly Namespace[] = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'user', 'time'];

const SYNONYMS: ReadonlyMap<string, Namespace> = new Map([
  ['fs', 'mnt'],
  ['mount', 'mnt'],
]);

const namespaceWord: Kind<Namespace | 'none'> = parsed(text, decodeNamespace, {
  name: 'namespace',
  hint: `${NAMESPACES.join(', ')} or none`,
});

/** One namespace by its name or synonym. */
export const namespaceName: Kind<Namespace> = parsed(
  namespaceWord,
  (word) =>
    word === 'none' ? { ok: false, message: `expected ${NAMESPACES.join(', ')}` } : { ok: true, value: word },
  { hint: NAMESPACES.join(', '), format: (value) => [value] },
);

const namespaces: Kind<readonly Namespace[]> = parsed(commaList(namespaceWord), decodeNamespaces, {
  name: 'namespaces',
  hint: `namespaces of ${NAMESPACES.join(', ')}, several separated by commas, or none`,
  format: (value) => [value.length === 0 ? 'none' : value.join(',')],
});

const hostname: Kind<string> = parsed(
  text,
  (written) =>
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(written)
      ? { ok: true, value: written }
      : { ok: false, message: 'expected a host name: letters, digits, dots and hyphens, at most 63' },
  { name: 'host name', hint: 'host name' },
);

/** What separates the app from the host and from its neighbours. */
export const isolation = {
  unshare: option({
    kind: namespaces,
    default: ['mnt', 'pid', 'ipc', 'uts', 'cgroup'],
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'The namespaces that the vassal has of its own, of mnt pid ipc uts net cgroup user time. `fs` and `mount` are other names of `mnt`. With `user`, root inside is nobody outside.',
  }),
  hostname: option({
    kind: optional(hostname),
    default: undefined,
    since: '0.1',
    who: 'tenant',
    onChange: 'restart',
    group,
    help: "The host name inside the jail. Without it: the vassal's name. Needs `uts` in `unshare`.",
  }),
  'private-tmp': option({
    kind: flag,
    default: true,
    since: '0.1',
    who: 'tenant',
    onChange: 'restart',
    group,
    help: 'A /tmp, /var/tmp and /dev/shm of its own, kept over reloads, gone at stop. Needs `mnt` in `unshare`.',
  }),
  'private-dev': option({
    kind: flag,
    default: true,
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'A /dev with null, zero, full, random, urandom, tty and terminals of its own, and nothing else. Needs `mnt` in `unshare`.',
  }),
  proc: option({
    kind: oneOf('private', 'host'),
    default: 'private',
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group,
    help: "private: a /proc that shows the jail's own processes only, kernel files masked. host: the host's. Needs `mnt` and `pid` in `unshare`.",
  }),
  'protect-system': option({
    kind: oneOf('full', 'strict', 'no'),
    default: 'full',
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'full: /usr /boot /efi /etc are read-only. strict: everything is, but the private directories, and what `write` and `bind` name. Needs `mnt` in `unshare`.',
  }),
  'when-unsupported': option({
    kind: oneOf('default', 'refuse', 'warn'),
    default: 'default',
    since: '0.2',
    who: 'operator',
    onChange: 'live',
    group,
    help: 'What to do about a wish that this kernel or these privileges cannot grant. default: refuse to run without an isolation, run without a limit and warn. refuse, warn: always that.',
  }),
};

function decodeNamespace(written: string): Decoded<Namespace | 'none'> {
  if (written === 'none') return { ok: true, value: 'none' };
  const namespace = SYNONYMS.get(written) ?? NAMESPACES.find((known) => known === written);
  if (namespace !== undefined) return { ok: true, value: namespace };
  return { ok: false, message: `expected ${NAMESPACES.join(', ')} or none` };
}

function decodeNamespaces(words: readonly (Namespace | 'none')[]): Decoded<readonly Namespace[]> {
  if (words.includes('none') && words.length > 1)
    return { ok: false, message: 'none excludes every other namespace' };
  return { ok: true, value: NAMESPACES.filter((namespace) => words.includes(namespace)) };
}
