import { compareJail, holds } from '@emperor/vassal/audit/compare';
import type { Subject } from '@emperor/vassal/audit/finding';
import type { FoundJail, FoundProcess } from '@emperor/vassal/audit/found';
import { parseLimits, parseMountinfo } from '@emperor/vassal/audit/parse';
import type { Directive } from '@emperor/vassal/jail/directive';
import { expect, test } from 'vitest';
import { specOf } from '../../../support/spec-of.ts';
import { hostFacts } from '../../../support/vassal-fixtures.ts';

const KINDS = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];
const SHARED = ['net', 'time', 'user'];
const HOST = new Map(KINDS.map((kind) => [kind, `${kind}:[1]`]));
const OWN = new Map(KINDS.map((kind) => [kind, SHARED.includes(kind) ? `${kind}:[1]` : `${kind}:[2]`]));

const PROCESS: FoundProcess = {
  pid: 100,
  role: 'init',
  namespaces: OWN,
  status: {
    uids: [500, 500, 500, 500],
    gids: [500, 500, 500, 500],
    groups: [],
    caps: { CapInh: 0n, CapPrm: 0n, CapEff: 0n, CapBnd: 0n, CapAmb: 0n },
    noNewPrivs: true,
    seccompMode: 0,
    seccompFilters: 0,
  },
  limits: parseLimits('Max open files            100                  200            files\n'),
  nice: 0,
  oomScoreAdj: 0,
  descriptors: [{ fd: 0, target: '/dev/null', mountId: 10 }],
  label: undefined,
  uidMap: [{ inside: 0, outside: 0, count: 4_294_967_295 }],
  gidMap: [{ inside: 0, outside: 0, count: 4_294_967_295 }],
  unread: [],
};
const APP: FoundProcess = { ...PROCESS, pid: 101, role: 'app' };

const ROOT = '10 9 8:1 / / rw - ext4 d rw';
const DIRECTIVES: readonly Directive[] = [
  { word: 'readonly', args: ['/usr'] },
  { word: 'env', args: ['PATH=/bin'] },
];
const GROUP = '/sys/fs/cgroup/x';

const FOUND: FoundJail = {
  host: {
    namespaces: HOST,
    keeperNamespaces: HOST,
    mounts: parseMountinfo('1 0 8:1 / / rw - ext4 d rw\n') ?? [],
    channels: new Set(['socket:[77]']),
    environment: ['SECRET=hunter2', 'PWD=/'],
  },
  processes: [PROCESS, APP],
  all: 2,
  ...mounts('11 10 8:1 /usr /usr ro - ext4 d rw'),
  members: new Map([[GROUP, { ok: true, value: new Set([100, 101]) }]]),
  groupFiles: new Map([[`${GROUP}/memory.max`, { ok: true, value: '8192\n' }]]),
  environment: { ok: true, value: ['PATH=/bin', 'PWD=/'] },
  unixSockets: { ok: true, value: [] },
  tcpListeners: { ok: true, value: [] },
  existing: new Set(['/usr']),
  unread: [],
};

function mounts(...lines: readonly string[]): Pick<FoundJail, 'mounts'> {
  return { mounts: { ok: true, value: parseMountinfo([ROOT, ...lines].join('\n')) ?? [] } };
}

function subjectOf(found: Partial<FoundJail>, directives = DIRECTIVES): Subject {
  return {
    spec: specOf('blog'),
    host: hostFacts({ hardRlimits: new Map([['nofile', 200]]), landlockAbi: 6 }),
    run: {
      uid: 500,
      gid: 500,
      cgroups: {
        v2: GROUP,
        v1: [],
        // The last one counts.
        writes: ['1', '9000'].map((value) => ({ dir: GROUP, file: 'memory.max', value })),
        counters: [],
      },
      scratchDir: '/run/emperor/jail',
      notifyPath: '/run/notify',
      hide: [],
    },
    directives,
    found: { ...FOUND, ...found },
  };
}

function wrongWith(found: Partial<FoundJail>, directives = DIRECTIVES): readonly string[] {
  const findings = compareJail(subjectOf(found, directives));
  const wrong = findings.filter(({ verdict }) => verdict === 'violated' || verdict === 'cannot-tell');
  expect(holds(findings)).toBe(wrong.length === 0);
  return wrong.map(
    ({ verdict, group, what, found: seen, pid }) => `${verdict} ${group} ${what} ${seen} ${pid}`,
  );
}

function withApp(changes: Partial<FoundProcess>): Partial<FoundJail> {
  return { processes: [PROCESS, { ...APP, ...changes }] };
}

function withStatus(changes: Partial<FoundProcess['status']>): Partial<FoundJail> {
  return withApp({ status: { ...APP.status, ...changes } });
}

test('a jail that is what was promised holds', () => {
  expect(wrongWith({})).toEqual([]);
});

test.each<readonly [string, Partial<FoundJail>, string]>([
  ['another uid', withStatus({ uids: [500, 0, 500, 500] }), 'violated identity uid 500 0 101'],
  ['a further group', withStatus({ groups: [0] }), 'violated identity further groups 0 101'],
  [
    'a capability',
    withStatus({ caps: { ...APP.status.caps, CapBnd: 1n } }),
    'violated capabilities CapBnd 0x1 101',
  ],
  ['no_new_privs off', withStatus({ noNewPrivs: false }), 'violated identity no_new_privs off 101'],
  [
    'a raised limit',
    withApp({ limits: new Map([['nofile', { soft: 1, hard: 201 }]]) }),
    'violated limits nofile 201 101',
  ],
  [
    "the host's pid namespace",
    withApp({ namespaces: new Map([...OWN, ['pid', 'pid:[1]']]) }),
    "violated namespaces pid of its processes the host's 101",
  ],
  [
    'a directory of the host',
    withApp({ descriptors: [{ fd: 5, target: '/root', mountId: 1 }] }),
    'violated descriptors descriptor 5 /root: on a file system that is not in the jail 101',
  ],
  [
    "the emperor's own socket",
    withApp({ descriptors: [{ fd: 5, target: 'socket:[77]', mountId: undefined }] }),
    "violated descriptors descriptor 5 socket:[77]: the emperor's own 101",
  ],
  [
    'a process outside of the group',
    { members: new Map([[GROUP, { ok: true, value: new Set([100]) }]]) },
    `violated control groups ${GROUP} this one is not 101`,
  ],
  [
    'another value of a group',
    { groupFiles: new Map([[`${GROUP}/memory.max`, { ok: true, value: 'max\n' }]]) },
    `violated control groups ${GROUP}/memory.max max null`,
  ],
  [
    'a file of a group that cannot be read',
    { groupFiles: new Map([[`${GROUP}/memory.max`, { ok: false, why: 'EACCES' }]]) },
    `cannot-tell control groups ${GROUP}/memory.max it cannot be read null`,
  ],
  [
    "a variable of the emperor's own",
    { environment: { ok: true, value: ['PATH=/bin', 'SECRET=hunter2'] } },
    "violated environment environment of the emperor's own: SECRET null",
  ],
])('%s is a violation', (_, found, line) => {
  expect(wrongWith(found)).toEqual([line]);
});

test('what could not be looked at is not ok, and is said for what it is', () => {
  const why = 'EACCES: permission denied';
  const unread = [{ group: 'descriptors', what: 'open descriptors', why }];
  const findings = compareJail(
    subjectOf({
      ...withApp({ descriptors: [], unread }),
      unread: [{ group: 'processes', what: 'processes', why: 'looked at 128 of 200 processes' }],
    }),
  );

  expect(holds(findings)).toBe(false);
  expect(findings.filter(({ group }) => group === 'descriptors' || group === 'processes')).toEqual([
    expect.objectContaining({ verdict: 'cannot-tell', reason: 'looked at 128 of 200 processes', pid: null }),
    expect.objectContaining({ group: 'descriptors', verdict: 'cannot-tell', reason: why, pid: 101 }),
  ]);
});

test('a leak beside what could not be read is a violation still', () => {
  const leak = { fd: 5, target: 'socket:[77]', mountId: undefined };
  const unread = [{ group: 'descriptors', what: 'open descriptors', why: 'looked at 1024' }];

  expect(wrongWith(withApp({ descriptors: [leak], unread }))).toEqual([
    "violated descriptors descriptor 5 socket:[77]: the emperor's own 101",
    'cannot-tell descriptors open descriptors not all of it could be 101',
  ]);
});

test('a filter that is not there is a violation', () => {
  expect(wrongWith({}, [...DIRECTIVES, { word: 'seccomp', args: ['00'] }])).toEqual([
    'violated filters seccomp mode 0 null',
  ]);
});

test('a mount that is writable, or that nobody promised, is a violation', () => {
  expect(wrongWith(mounts('11 10 8:1 /usr /usr rw - ext4 d rw'))).toEqual([
    'violated mounts /usr not ro: ext4 d /usr (8:1) rw null',
  ]);
  expect(
    wrongWith(mounts('11 10 8:1 /usr /usr ro - ext4 d rw', '12 11 0:9 / /usr/x rw - tmpfs t rw')),
  ).toEqual([
    'violated mounts /usr writable below: tmpfs t / (0:9) rw null',
    'violated mounts /usr/x tmpfs t / (0:9) rw null',
  ]);
});

test('rights in a user namespace of its own making are no violation', () => {
  const caps = { CapInh: 0n, CapPrm: 7n, CapEff: 7n, CapBnd: 7n, CapAmb: 0n };
  const nested = new Map([...OWN, ['user', 'user:[9]'] as const]);

  expect(wrongWith(withApp({ namespaces: nested, status: { ...APP.status, caps } }))).toEqual([]);
});
