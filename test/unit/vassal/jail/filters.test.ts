import { expect, test } from 'vitest';
import { filterDirectives } from '../../../../packages/vassal/src/jail/filters.ts';
import { loopbackNotes } from '../../../../packages/vassal/src/jail/loopback.ts';
import { specOf } from '../../../support/vassal-fixtures.ts';

type Written = Parameters<typeof specOf>[0];

function planned(written: Written, landlockAbi = 7): readonly string[] {
  const directives = filterDirectives(specOf(written), { landlockAbi, architecture: 'x86-64' });
  return directives.map(({ word, args }) => [word, ...args].join(' '));
}

const landlock = (written: Written, abi?: number) =>
  planned(written, abi).filter((line) => line.startsWith('landlock'));

test('a vassal that says nothing has a program and no Landlock rule', () => {
  expect(planned({})).toEqual([expect.stringMatching(/^seccomp ([0-9a-f]{16})+$/)]);
  expect(planned({ seccomp: 'none' })).toEqual([]);
});

test('the program follows the list, the capabilities and what init has to do', () => {
  const programs = [
    planned({}),
    planned({ seccomp: 'default,~sync' }),
    planned({ cap: 'sys_ptrace' }),
    planned({ seccomp: '@default' }),
    planned({ seccomp: '@default', ready: 'tcp:80' }),
    planned({ seccomp: '@default', 'touch-reload': '/t' }),
    planned({ seccomp: '@default', 'hook-as-user': 'print:hello' }),
  ].map(([line]) => line);

  expect(new Set(programs).size).toBe(programs.length);
  expect(planned({})).toEqual(planned({ umask: '077' }));
});

test('no program without a known machine', () => {
  expect(filterDirectives(specOf({}), { landlockAbi: 7, architecture: undefined })).toEqual([]);
});

test('Landlock lists leave what programs need, and the paths of the lists', () => {
  const lines = landlock({
    command: '/srv/app/run --fast',
    'env-file': '/srv/app/env',
    'landlock-ro': '/srv/ro',
    'landlock-rw': '/srv/rw',
    'landlock-exec': '/srv/run',
  });

  expect(lines[0]).toBe('landlock-fs ffff');
  expect(lines).toEqual(
    expect.arrayContaining([
      'landlock-optional d /usr',
      'landlock-optional c /etc',
      'landlock-optional e /proc',
      'landlock-optional 800e /dev/null',
      'landlock-optional fffe /tmp',
      'landlock-optional d /srv/app/run',
      'landlock-optional c /srv/app/env',
      'landlock-path c /srv/ro',
      'landlock-path fffe /srv/rw',
      'landlock-path d /srv/run',
    ]),
  );
  expect(lines.filter((line) => line.startsWith('landlock-path'))).toHaveLength(3);
  for (const path of ['/', '/dev', '/home', '/srv', '/root']) {
    expect(lines.filter((line) => line.endsWith(` ${path}`))).toEqual([]);
  }
});

test('the host’s /tmp is nobody’s own', () => {
  const lines = landlock({ 'private-tmp': 'no', 'landlock-ro': '/srv' });

  expect(lines.filter((line) => /tmp|shm/.test(line))).toEqual([]);
});

test.each([
  [1, '1fff'],
  [2, '3fff'],
  [3, '7fff'],
  [4, '7fff'],
  [5, 'ffff'],
  [9, 'ffff'],
])('Landlock of ABI %i restricts %s', (abi, handled) => {
  const lines = landlock({ 'landlock-rw': '/srv' }, abi);

  expect(lines[0]).toBe(`landlock-fs ${handled}`);
  expect(lines.at(-1)).toBe(`landlock-path ${(Number.parseInt(handled, 16) - 1).toString(16)} /srv`);
});

test('ports: what is not given is not restricted, none is no port', () => {
  expect(landlock({ 'tcp-bind': '80,443' })).toEqual([
    'landlock-net 1',
    'landlock-port 1 80',
    'landlock-port 1 443',
  ]);
  expect(landlock({ 'tcp-connect': 'none' })).toEqual(['landlock-net 2']);
  expect(landlock({ 'tcp-bind': '80', 'tcp-connect': '5432' })).toEqual([
    'landlock-net 3',
    'landlock-port 1 80',
    'landlock-port 2 5432',
  ]);
});

test('the probe of ready = tcp may connect', () => {
  expect(landlock({ 'tcp-connect': 'none', ready: 'tcp:8000' })).toEqual([
    'landlock-net 2',
    'landlock-port 2 8000',
  ]);
});

test('profiles go to the keeper as they are', () => {
  expect(planned({ apparmor: 'web', selinux: 'a:b:c:d', seccomp: 'none' })).toEqual([
    'apparmor web',
    'selinux a:b:c:d',
  ]);
});

test('the shared loopback is said as long as something of it is open', () => {
  const notes = (written: Written) => loopbackNotes(specOf(written)).join();

  expect(notes({})).toContain('may listen on any free port and reach what others listen on');
  expect(notes({ 'tcp-bind': '80' })).toContain('may reach what others listen on');
  expect(notes({ 'tcp-bind': '80', 'tcp-connect': 'none' })).toBe('');
  expect(notes({ unshare: 'mnt,net' })).toBe('');
});
