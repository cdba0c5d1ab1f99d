import type { Diagnostic } from '@emperor/common/diagnostic';
import { expect, test } from 'vitest';
import { buildSpec } from '../../../../packages/vassal/src/spec/build.ts';
import {
  ALICE,
  accounts,
  built,
  hostFacts,
  ROOT,
  sourceOf,
  specOf,
} from '../../../support/vassal-fixtures.ts';

type Written = Parameters<typeof built>[0];
type Options = Parameters<typeof built>[1];

function problems(written: Written, options: Options = {}): readonly string[] {
  const { diagnostics } = built({ command: 'true', ...written }, options);
  return diagnostics.map(({ severity, key, message }: Diagnostic) => `${severity} ${key}: ${message}`);
}

const filters = (written: Written, options: Options = {}) => specOf(written, options).filters;

test('a vassal that says nothing has the default list and no other filter, a tenant too', () => {
  for (const options of [{}, { owner: ALICE }]) {
    expect(filters({}, options)).toEqual({
      seccomp: ['default'],
      landlock: undefined,
      tcpBind: undefined,
      tcpConnect: undefined,
      apparmor: undefined,
      selinux: undefined,
    });
  }
});

test('each option says what the spec holds', () => {
  expect(
    filters({
      seccomp: ['default, ptrace', '~@clock ~sync'],
      'landlock-ro': ['/srv/a', '/srv/b'],
      'landlock-rw': '/srv/c',
      'tcp-bind': '8080, 80',
      'tcp-connect': 'none',
      apparmor: 'web',
      selinux: 'system_u:system_r:web_t:s0',
    }),
  ).toEqual({
    seccomp: ['default', 'ptrace', '~@clock', '~sync'],
    landlock: { ro: ['/srv/a', '/srv/b'], rw: ['/srv/c'], exec: [] },
    tcpBind: [80, 8080],
    tcpConnect: [],
    apparmor: 'web',
    selinux: 'system_u:system_r:web_t:s0',
  });
  expect(filters({ seccomp: 'none' }).seccomp).toBeUndefined();
});

test.each([
  ['seccomp', 'none,read', 'none excludes every other word'],
  ['seccomp', 'raed', 'there is no system call "raed", did you mean read?'],
  ['seccomp', '', 'expected default, none, or system calls'],
  ['seccomp', ['/a', '/b'], 'there is no system call "/a"'],
  ['landlock-rw', 'data', 'expected an absolute path'],
  ['tcp-bind', '80,http', 'expected ports from 0 to 65535, separated by commas, or none'],
  ['tcp-connect', '65536', 'expected ports from 0 to 65535, separated by commas, or none'],
  ['apparmor', 'two words', 'expected a name without blanks'],
] as const)('%s = %s is refused: %s', (key, value, message) => {
  expect(problems({ [key]: value })).toEqual([`error ${key}: ${message}`]);
});

test('a tenant may close files to its own app, and set no other filter', () => {
  expect(filters({ 'landlock-ro': '/srv', 'landlock-exec': '/opt' }, { owner: ALICE }).landlock).toEqual({
    ro: ['/srv'],
    rw: [],
    exec: ['/opt'],
  });
  for (const [key, value] of [
    ['seccomp', 'none'],
    ['tcp-bind', '80'],
    ['tcp-connect', 'none'],
    ['apparmor', 'unconfined'],
    ['selinux', 'a:b:c:d'],
  ] as const) {
    expect(problems({ [key]: value }, { owner: ALICE })).toEqual([
      `error ${key}: only the operator may set this, and the file belongs to alice`,
    ]);
  }
});

test('without no-new-privs the default falls away with a reason, what is written is an error', () => {
  const { spec, granted, diagnostics } = built({ command: 'true', 'no-new-privs': 'no' });

  expect(diagnostics).toEqual([]);
  expect(spec?.filters.seccomp).toBeUndefined();
  expect(granted.find(({ key }) => key === 'seccomp')).toMatchObject({
    granted: 'none',
    reason: 'needs no-new-privs',
  });
  for (const [key, value] of [
    ['seccomp', 'default'],
    ['landlock-ro', '/srv'],
    ['tcp-bind', '80'],
  ] as const) {
    expect(problems({ 'no-new-privs': 'no', [key]: value })).toEqual([`error ${key}: needs no-new-privs`]);
  }
  expect(problems({ 'no-new-privs': 'no', seccomp: 'none' })).toEqual([]);
});

test('what the kernel has not is said as asked and given, and refused', () => {
  const bare = hostFacts({ hasSeccomp: false });

  expect(problems({ seccomp: 'default' }, { host: bare })).toEqual([
    'error seccomp: asked seccomp=default, kernel gives none: it has no seccomp filters',
  ]);
  expect(problems({ 'landlock-ro': '/srv' }, { host: hostFacts({ landlockAbi: 0 }) })).toEqual([
    'error landlock-ro: asked landlock-ro=/srv, kernel gives none: it has no Landlock',
  ]);
  expect(problems({ 'tcp-bind': 'none' }, { host: hostFacts({ landlockAbi: 3 }) })).toEqual([
    'error tcp-bind: asked tcp-bind=none, kernel gives none: its Landlock is of ABI 3',
  ]);
  expect(
    problems({ apparmor: 'web', selinux: 'a:b:c:d' }, { host: hostFacts({ securityModules: new Set() }) }),
  ).toEqual([
    'error apparmor: asked apparmor=web, kernel gives none: AppArmor is not active',
    'error selinux: asked selinux=a:b:c:d, kernel gives none: SELinux is not active',
  ]);
});

test('a default list that the kernel cannot load is a warning; the vassal runs without it', () => {
  const host = hostFacts({ hasSeccomp: false });

  expect(problems({}, { host })).toEqual([
    'warning seccomp: asked seccomp=default, kernel gives none: it has no seccomp filters',
  ]);
  expect(filters({}, { host }).seccomp).toBeUndefined();
  expect(problems({ seccomp: 'none' }, { host })).toEqual([]);
});

test('when-unsupported = warn takes what cannot be had away and says so', () => {
  const host = hostFacts({ landlockAbi: 0, hasSeccomp: false, securityModules: new Set() });
  const written = {
    'when-unsupported': 'warn',
    seccomp: 'default',
    'landlock-ro': '/srv',
    'tcp-bind': '80',
    apparmor: 'web',
  };

  expect(problems(written, { host }).map((line) => line.split(':')[0])).toEqual([
    'warning seccomp',
    'warning landlock-ro',
    'warning tcp-bind',
    'warning apparmor',
  ]);
  expect(filters(written, { host })).toEqual({
    seccomp: undefined,
    landlock: undefined,
    tcpBind: undefined,
    tcpConnect: undefined,
    apparmor: undefined,
    selinux: undefined,
  });
});

test('rights of newer kernels are left out of Landlock lists, and that is said', () => {
  const host = hostFacts({ landlockAbi: 2 });

  expect(problems({ 'landlock-rw': '/srv' }, { host })).toEqual([
    'warning landlock-rw: asked landlock-rw=/srv, kernel gives all but truncate: files outside can still be cut off by whoever may write them: its Landlock is of ABI 2',
  ]);
  expect(problems({ 'landlock-rw': '/srv' })).toEqual([]);
});

test('words of a file are read, with # comments, and judged line by line', () => {
  const texts: Readonly<Record<string, string>> = {
    '/etc/emperor/web': '# web\ndefault  ptrace # for the profiler\n~@clock, ~sync\n',
    '/etc/emperor/wrong': 'default\nraed\n',
    '/etc/emperor/empty': '# nothing\n',
  };
  const readList = (path: string) => {
    const text = texts[path];
    return text === undefined
      ? ({ ok: false, reason: 'belongs to uid 1001' } as const)
      : ({ ok: true, text } as const);
  };

  expect(filters({ seccomp: '/etc/emperor/web' }, { readList }).seccomp).toEqual([
    'default',
    'ptrace',
    '~@clock',
    '~sync',
  ]);
  expect(problems({ seccomp: '/etc/emperor/wrong' }, { readList })).toEqual([
    'error seccomp: /etc/emperor/wrong:2: there is no system call "raed", did you mean read?',
  ]);
  expect(problems({ seccomp: '/etc/emperor/empty' }, { readList })).toEqual([
    'error seccomp: /etc/emperor/empty has no words',
  ]);
  expect(problems({ seccomp: '/home/alice/list' }, { readList })).toEqual([
    'error seccomp: /home/alice/list belongs to uid 1001',
  ]);
});

test('a denied call that init needs stays allowed, and that is said', () => {
  expect(problems({ seccomp: 'default,~execve' })).toEqual([
    'warning seccomp: asked seccomp=default,~execve, kernel gives execve all the same: init needs them',
  ]);
});

test("a tenant's own words open nothing that the operator's filters close", () => {
  const written = { ready: 'tcp:6379', 'touch-reload': '/srv/touch' };
  const force = {
    'tcp-connect': '8000',
    seccomp: ['default,~socket,~inotify_init1'],
  };
  const judge = (own: Written, forced: Written, owner = ALICE): readonly string[] => {
    const source = sourceOf({ command: 'true', ...own }, { owner });
    const layered = sourceOf(forced, { owner: ROOT, layer: 'force' });
    const raw = new Map([...source.raw, ...layered.raw]);
    const parts = {
      accounts,
      host: hostFacts(),
      readList: () => ({ ok: false, reason: 'is none' }) as const,
    };
    return buildSpec({ ...source, raw }, parts).diagnostics.map(({ key, message }) => `${key}: ${message}`);
  };

  expect(judge(written, force)).toEqual([
    'ready: needs port 6379, which tcp-connect does not allow',
    'ready: needs socket, which seccomp denies',
    'touch-reload: needs inotify_init1, which seccomp denies',
  ]);
  expect(judge({ ...written, ready: 'tcp:8000' }, { 'tcp-connect': '8000', seccomp: 'default' })).toEqual([]);
  expect(judge(written, { 'tcp-connect': '8000' }, ROOT)).toEqual([]);
});
