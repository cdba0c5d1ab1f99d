import { decodeVassalName, type VassalName } from '@emperor/common/name';
import type { Layer } from '@emperor/common/options/option';
import type { Accounts, Group, Lookup, User } from '@emperor/vassal/spec/accounts';
import { type BuiltSpec, buildSpec } from '@emperor/vassal/spec/build';
import type { HostFacts } from '@emperor/vassal/spec/host-facts';
import type { SpecSource } from '@emperor/vassal/spec/source';
import type { Owner, VassalSpec } from '@emperor/vassal/spec/spec';
import type { ListRead } from '../../packages/vassal/src/spec/draft.ts';

export const ROOT: Owner = { uid: 0, name: 'root', powers: 'operator' };
export const ALICE: Owner = { uid: 1001, name: 'alice', powers: 'tenant' };

const USERS: readonly User[] = [
  { uid: 0, gid: 0, name: 'root', home: '/root' },
  { uid: 0, gid: 0, name: 'toor', home: '/root' },
  { uid: 33, gid: 33, name: 'www-data', home: '/var/www' },
  { uid: 1001, gid: 1001, name: 'alice', home: '/home/alice' },
  { uid: 1002, gid: 0, name: 'mallory', home: '/home/mallory' },
];
const GROUPS: readonly Group[] = [
  { gid: 0, name: 'root' },
  { gid: 29, name: 'audio' },
  { gid: 33, name: 'www-data' },
];

/** root toor www-data alice mallory (primary group root), and the name `slow` whose lookup fails. */
export const accounts: Accounts = {
  userByName: (name) =>
    name === 'slow'
      ? { is: 'failed', reason: 'getent took longer than 5s' }
      : lookup(USERS, (user) => user.name === name),
  userByUid: (uid) => lookup(USERS, (user) => user.uid === uid),
  groupByName: (name) => lookup(GROUPS, (group) => group.name === name),
};

/** A hybrid host like the machine of the tests: v1 controllers, v2 without any. */
export function hostFacts(changes: Partial<HostFacts> = {}): HostFacts {
  const v1 = (controller: string) => ({
    mount: `/sys/fs/cgroup/${controller}`,
    own: `/sys/fs/cgroup/${controller}/box`,
  });
  return {
    kernelRelease: '6.18.44',
    unavailable: new Map(),
    rootless: undefined,
    features: [],
    landlockAbi: 7,
    architecture: 'x86-64',
    hasSeccomp: true,
    securityModules: new Set(['apparmor', 'selinux']),
    capLastCap: 40,
    capBounding: 0x1fffeffffffn,
    hardRlimits: new Map([['nofile', 20_000]]),
    canRaiseRlimits: false,
    openFilesMax: 1_048_576,
    cgroups: {
      v2: { mount: '/sys/fs/cgroup/unified', own: '/sys/fs/cgroup/unified', controllers: new Set() },
      v1: new Map([
        ['memory', v1('memory')],
        ['cpu', v1('cpu')],
        ['cpuset', v1('cpuset')],
        ['pids', v1('pids')],
        ['blkio', v1('blkio')],
      ]),
      cpuset: { cpus: '0-3', mems: '0' },
    },
    limits: {
      nice: 0,
      oomScoreAdj: 0,
      canRaisePriority: true,
      canLowerOomScore: false,
      blockDevices: new Map([['vda', '254:0']]),
    },
    paths: {
      directories: new Set(['/usr', '/boot', '/etc', '/home', '/root']),
      resolvConf: undefined,
      systemUsers: [
        'root:x:0:0:root:/root:/bin/bash',
        'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
      ],
      systemGroups: ['root:x:0:', 'nogroup:x:65534:'],
      minimal: [
        { by: 'bind', path: '/usr' },
        { by: 'link', path: '/bin', target: 'usr/bin' },
        { by: 'bind', path: '/etc/hosts' },
      ],
    },
    ...changes,
  };
}

/** The values of a vassal file as the file reader gives them: line 2 is the first after `[vassal]`. */
export function sourceOf(
  written: Readonly<Record<string, string | readonly string[]>>,
  { owner = ROOT, name = 'blog', layer = 'file' }: { owner?: Owner; name?: string; layer?: Layer } = {},
): SpecSource {
  const file = `${name}.ini`;
  const raw = Object.entries(written).map(([key, value], index) => {
    const values = typeof value === 'string' ? [value] : value;
    return [key, values.map((text) => ({ value: text, file, line: index + 2, layer }))] as const;
  });
  return { name: vassalName(name), file, owner, raw: new Map(raw) };
}

/** What `buildSpec` makes of these values on that host. */
export function built(
  written: Parameters<typeof sourceOf>[0],
  options: Parameters<typeof sourceOf>[1] & {
    readonly host?: HostFacts;
    readonly readList?: (path: string) => ListRead;
  } = {},
): BuiltSpec {
  return buildSpec(sourceOf(written, options), {
    accounts,
    host: options.host ?? hostFacts(),
    readList: options.readList ?? (() => ({ ok: false, reason: 'does not exist' })),
  });
}

/** The spec of a valid file; throws with its diagnostics otherwise. */
export function specOf(
  written: Parameters<typeof sourceOf>[0],
  options: Parameters<typeof built>[1] = {},
): VassalSpec {
  const { spec, diagnostics } = built({ command: 'true', ...written }, options);
  if (spec === undefined)
    throw new Error(diagnostics.map(({ key, message }) => `${key}: ${message}`).join('\n'));
  return spec;
}

export function vassalName(text: string): VassalName {
  const name = decodeVassalName(text);
  if (name === undefined) throw new Error(`${text} is no vassal name`);
  return name;
}

function lookup<T>(entries: readonly T[], matches: (entry: T) => boolean): Lookup<T> {
  const entry = entries.find(matches);
  return entry === undefined ? { is: 'absent' } : { is: 'found', entry };
}
