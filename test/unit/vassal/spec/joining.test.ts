import { expect, test } from 'vitest';
import { joinedBy } from '../../../../packages/vassal/src/spec/joining.ts';
import { built, hostFacts, specOf } from '../../../support/vassal-fixtures.ts';

const ALL = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'time'];

test.each([
  ['/proc/1/ns', ALL],
  ['/run/shop.setns', ALL],
  ['/proc/77/ns/net', ['net']],
  ['/proc/77/task/78/ns/pid_for_children', ['pid']],
  ['/proc/self/ns/user', ['user']],
  ['/proc//self/./ns/user', ['user']],
  ['/proc/77/ns/nothing', ALL],
  ['/run/netns/blue', ['net']],
  ['/var/run/netns/blue', ['net']],
  ['/run/netns', ALL],
])('%s brings %j', (path, kinds) => {
  expect(joinedBy(path)).toEqual(kinds);
});

test('of a directory what unshare names is made, and the rest is joined', () => {
  const spec = specOf({ setns: '/proc/1/ns', unshare: 'mnt,pid' });

  expect(spec.jail.namespaces).toEqual(['mnt', 'pid']);
  expect(spec.joining.setns?.namespaces).toEqual(['ipc', 'uts', 'net', 'cgroup', 'time']);
});

test('the keeper is told plain paths', () => {
  const spec = specOf({ setns: '/proc//1/ns', 'setns-socket': '/run//blog.setns' });

  expect([spec.joining.setns?.path, spec.joining.socket?.path]).toEqual(['/proc/1/ns', '/run/blog.setns']);
});

test('without unshare nothing is made of what is joined, and what needs it falls away', () => {
  const spec = specOf({ setns: '/run/shop.setns' });

  expect(spec.jail).toMatchObject({ namespaces: [], hostname: undefined, privateTmp: false, proc: 'host' });
});

test.each([
  [{ setns: '/proc/1/ns/uts', unshare: 'uts' }, 'setns', 'joins uts, and unshare makes it too'],
  [{ setns: '/proc/1/ns', hostname: 'x' }, 'hostname', 'needs uts in unshare'],
  [{ 'setns-preopen': 'yes' }, 'setns-preopen', 'needs setns-socket'],
  [{ 'setns-socket-skip': 'net' }, 'setns-socket-skip', 'needs setns-socket'],
  [{ unshare: 'user', uid: '1', 'uid-map': ['0 5 3', '2 100 1'] }, 'uid-map', 'maps an id of inside twice'],
  [
    { unshare: 'user', uid: '1', 'uid-map': ['0 5 3', '9 7 1'] },
    'uid-map',
    'maps two ids of inside to the same one outside',
  ],
  [{ 'gid-map': '0 5 3' }, 'gid-map', 'needs user in unshare'],
  [
    { unshare: 'user', 'uid-map': '0 5 3' },
    'uid-map',
    'needs a uid that is known: a private one is given at the first launch',
  ],
])('%j is an error', (written, key, message) => {
  const { diagnostics, spec } = built({ command: 'true', ...written });

  expect(spec).toBeUndefined();
  expect(diagnostics).toContainEqual(expect.objectContaining({ severity: 'error', key, message }));
});

test.each([
  ['tenant', '/run/x', ['setns-preopen', 'setns-socket', 'setns-socket-skip']],
  ['operator', 'not/absolute', ['setns-socket']],
] as const)(
  'a setns-socket of a %s that is refused (%s) brings no errors but those of refused lines',
  (powers, socket, keys) => {
    const { diagnostics } = built(
      { command: 'true', 'setns-socket': socket, 'setns-socket-skip': 'net', 'setns-preopen': 'yes' },
      { owner: { uid: 1001, name: 'alice', powers } },
    );

    expect(new Set(diagnostics.map(({ key }) => key))).toEqual(new Set(keys));
    expect(diagnostics.filter(({ message }) => message === 'needs setns-socket')).toEqual([]);
  },
);

test('a tenant that may not say how a socket serves is not told to name one', () => {
  const { diagnostics } = built(
    { command: 'true', 'setns-preopen': 'yes' },
    { owner: { uid: 1001, name: 'alice', powers: 'tenant' } },
  );

  expect(diagnostics.map(({ key, message }) => [key, message])).toEqual([
    ['setns-preopen', expect.stringMatching(/^only the operator/)],
  ]);
});

test('a namespace that this host cannot make is refused, or left out with a warning', () => {
  const host = hostFacts({ unavailable: new Map([['ipc', 'function not implemented (ENOSYS)']]) });
  const refused = built({ command: 'true' }, { host });
  const warned = built({ command: 'true', 'when-unsupported': 'warn' }, { host });

  expect(refused.spec).toBeUndefined();
  expect(refused.diagnostics[0]?.message).toBe(
    'asked unshare=mnt,pid,ipc,uts,cgroup, kernel gives mnt,pid,uts,cgroup: ipc: function not implemented (ENOSYS)',
  );
  expect(warned.spec?.jail.namespaces).toEqual(['mnt', 'pid', 'uts', 'cgroup']);
  expect(warned.diagnostics[0]?.severity).toBe('warning');
});

test('a limit that this host cannot give is refused where the file says so', () => {
  const host = hostFacts({ hardRlimits: new Map([['nofile', 10]]) });
  const refused = built({ command: 'true', 'limit-nofile': '20', 'when-unsupported': 'refuse' }, { host });

  expect(refused.spec).toBeUndefined();
  expect(built({ command: 'true', 'limit-nofile': '20' }, { host }).spec).toBeDefined();
});

test('an emperor without root runs everything as its own user, and says what it cannot', () => {
  const host = hostFacts({ rootless: { uid: 1001, gid: 1001, groups: [] } });
  const owner = { uid: 1001, name: 'alice', powers: 'operator' } as const;
  const plain = built({ command: 'true' }, { host, owner });
  const other = built({ command: 'true', uid: 'www-data' }, { host, owner });
  const own = built({ command: 'true', uid: 'alice' }, { host, owner });

  expect(plain.spec?.identity).toMatchObject({ uid: 1001, gid: 1001, groups: [] });
  expect(plain.diagnostics.filter(({ key }) => key === 'uid')).toEqual([]);
  expect(other.diagnostics).toContainEqual(
    expect.objectContaining({
      severity: 'error',
      message: 'asked uid=www-data, kernel gives 1001: an emperor without root has no id but its own',
    }),
  );
  expect(own.spec?.identity.uid).toBe(1001);
  expect(
    built({ command: 'true' }, { host, owner: { uid: 1002, name: 'mallory', powers: 'tenant' } }).spec,
  ).toBeUndefined();
});
