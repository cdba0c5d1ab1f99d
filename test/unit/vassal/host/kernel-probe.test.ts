import { expect, test } from 'vitest';
import { describeHost } from '../../../../packages/vassal/src/host/describe.ts';
import { type KernelTexts, parseProbe } from '../../../../packages/vassal/src/host/kernel-probe.ts';
import { hostFacts } from '../../../support/vassal-fixtures.ts';

const TEXTS: KernelTexts = {
  unprivilegedClone: undefined,
  appArmorRestricts: undefined,
  most: () => '96365\n',
};

test('what works is not told, what does not is told with its reason', () => {
  const { landlockAbi, unavailable, features } = parseProbe(
    'landlock 7\nown-user-namespace 0\nnamespace mnt 0\nnamespace net 28\nnamespace time 22\nmount-setattr 38\nproc 0\n',
    TEXTS,
  );

  expect(landlockAbi).toBe(7);
  expect([...unavailable]).toEqual([
    ['net', 'no space left on device (ENOSPC)'],
    ['time', 'invalid argument (EINVAL)'],
  ]);
  expect(features.filter(({ missing }) => missing !== undefined)).toEqual([
    { name: 'read-only trees (mount_setattr)', missing: 'function not implemented (ENOSYS)' },
  ]);
});

test.each([
  [{ unprivilegedClone: '0\n' }, '/proc/sys/kernel/unprivileged_userns_clone is 0'],
  [{ appArmorRestricts: '1\n' }, 'AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns)'],
  [{ most: () => '0\n' }, '/proc/sys/user/max_user_namespaces is 0'],
  [{}, 'operation not permitted (EPERM)'],
])('without a user namespace of its own an ordinary user has none at all: %j', (texts, reason) => {
  const { unavailable } = parseProbe('own-user-namespace 1\nnamespace mnt 1\nnamespace user 1\n', {
    ...TEXTS,
    ...texts,
  });

  expect(unavailable.get('mnt')).toBe(`no user namespace for an ordinary user: ${reason}`);
  expect(unavailable.get('user')).toContain(reason);
});

test('a keeper that says nothing takes nothing away', () => {
  expect(parseProbe('', TEXTS)).toMatchObject({ landlockAbi: undefined, unavailable: new Map() });
});

test('a host is described with a reason for everything that is missing', () => {
  const rows = describeHost(
    hostFacts({
      unavailable: new Map([['user', 'max is 0']]),
      landlockAbi: 3,
      capBounding: 0x1fffeffffffn,
      cgroups: { v2: undefined, v1: new Map() },
    }),
  );
  const of = (what: string) => rows.find((row) => row.what === what);

  expect(of('namespace user')).toEqual({ what: 'namespace user', gives: 'no', because: 'max is 0' });
  expect(of('landlock')).toEqual({
    what: 'landlock',
    gives: 'ABI 3',
    because: 'ports (tcp-bind, tcp-connect) need ABI 4',
  });
  expect(of('capabilities')).toEqual({
    what: 'capabilities',
    gives: '40 of 41',
    because: 'the emperor has not sys_resource',
  });
  expect(of('control group memory')?.gives).toBe('no');
  for (const row of rows)
    if (row.gives === 'no') expect([row.what, row.because]).not.toEqual([row.what, undefined]);
});

test('without root it says so', () => {
  const rows = describeHost(hostFacts({ rootless: { uid: 1000, gid: 1000, groups: [] } }));

  expect(rows.find(({ what }) => what === 'privileges')?.gives).toBe('uid 1000');
});
