import { decodeHook, HOOK_ACTIONS } from '@emperor/vassal/options/hook';
import { expect, test } from 'vitest';

const RO_NOSUID_NODEV = 7;

function decoded(written: string): unknown {
  const hook = decodeHook(written);
  if (!hook.ok) return hook.message;
  const { written: _, label: __, ...action } = hook.value;
  return action;
}

const mount = {
  action: 'mount',
  recursive: false,
  fsType: 'none',
  set: 0,
  clear: 0,
  propagation: 0,
  flags: 0,
  data: '',
};

test.each([
  ['mount:none /distros/x /ns bind', { ...mount, kind: 'bind', source: '/distros/x', target: '/ns' }],
  [
    'mount:none "/with blank" /ns/ bind,rec,readonly,nosuid,nodev',
    { ...mount, kind: 'bind', recursive: true, source: '/with blank', target: '/ns', set: RO_NOSUID_NODEV },
  ],
  [
    'mount:proc none /proc nodev hidepid=2',
    { ...mount, kind: 'new', fsType: 'proc', source: 'none', target: '/proc', flags: 4, data: 'hidepid=2' },
  ],
  [
    'mount:tmpfs none /x nosuid,noatime,sync size=1m,mode=0755',
    {
      ...mount,
      kind: 'new',
      fsType: 'tmpfs',
      source: 'none',
      target: '/x',
      flags: 2 + 1_024 + 16,
      data: 'size=1m,mode=0755',
    },
  ],
  [
    'mount:none none /x remount,rw,noatime',
    { ...mount, kind: 'change', source: 'none', target: '/x', set: 0x10, clear: 0x71 },
  ],
  [
    'mount:none none / private,rec',
    { ...mount, kind: 'change', recursive: true, source: 'none', target: '/', propagation: 1 << 18 },
  ],
  ['mount:none /a /b move', { ...mount, kind: 'move', source: '/a', target: '/b' }],
  ['umount:/.old_root rec,detach', { action: 'umount', target: '/.old_root', flags: 2, recursive: true }],
  ['umount:/x', { action: 'umount', target: '/x', flags: 0, recursive: false }],
  ["exec:/bin/sh -c 'a b; c'", { action: 'exec', words: ['/bin/sh', '-c', 'a b; c'] }],
  ['exec: date +%s', { action: 'exec', words: ['date', '+%s'] }],
  ['mkdir:/a/b', { action: 'mkdir', path: '/a/b', mode: 0o755 }],
  ['mkdir:/a/b 2750', { action: 'mkdir', path: '/a/b', mode: 0o2750 }],
  [
    'chown:/a www-data 33',
    { action: 'chown', path: '/a', user: { by: 'name', name: 'www-data' }, group: { by: 'id', id: 33 } },
  ],
  ['chown:/a auto -', { action: 'chown', path: '/a', user: { by: 'auto' }, group: { by: 'keep' } }],
  ['chmod:/a 0640', { action: 'chmod', path: '/a', mode: 0o640 }],
  ['symlink:../x /a', { action: 'symlink', target: '../x', path: '/a' }],
  ['write:/proc/sys/x 1', { action: 'write', path: '/proc/sys/x', text: '1' }],
  ['write:/a "two  blanks" more', { action: 'write', path: '/a', text: 'two  blanks more' }],
  ['write:/a', { action: 'write', path: '/a', text: '' }],
  ['hostname:web', { action: 'sethostname', name: 'web' }],
  ['sethostname:web', { action: 'sethostname', name: 'web' }],
  ['ifup:lo', { action: 'ifup', name: 'lo' }],
  ['print:as "it" is', { action: 'print', text: 'as "it" is' }],
])('%s', (written, action) => {
  expect(decoded(written)).toEqual(action);
});

test.each([
  ['true', 'expected ACTION:ARGUMENT'],
  ['exec:', 'expected an argument (exec:PROGRAM [ARGUMENT…])'],
  ["exec:''", 'expected a program (exec:PROGRAM [ARGUMENT…])'],
  ["exec:a 'b", 'a single quote is not closed (exec:PROGRAM [ARGUMENT…])'],
  ['mout:none /a /b bind', 'unknown action mout: did you mean mount?'],
  ['spinningfifo:/a b', `unknown action spinningfifo: the actions are ${HOOK_ACTIONS.join(', ')}`],
  ['mount:none /a /b bnid', /unknown flag bnid: did you mean bind\?/],
  ['mount:none /a /b bind,ro,rw', /ro and rw exclude each other/],
  ['mount:none /a /b bind,sync', /sync can be given to a new file system only/],
  ['mount:none /a /b bind size=1m', /DATA can be given to a new file system only/],
  ['mount:none /a /b bind,move', /bind, move and remount exclude each other/],
  ['mount:none /a /b private,shared', /private and shared exclude each other/],
  ['mount:tmpfs none /b rec', /rec goes with bind, remount or a propagation/],
  ['mount:none /a /b', /expected a type of file system, or one of the flags/],
  ['mount:none a /b bind', /absolute path as the source/],
  ['mount:none /a /b/../c bind', /absolute path as the target/],
  ['umount:/', /expected one absolute path, and flags/],
  ['umount:/a lazy', /unknown flag lazy: the flags are force detach rec/],
  ['mkdir:relative', /expected an absolute path/],
  ['mkdir:/a 9', /expected an octal mode/],
  ['chmod:/a', /expected an octal mode/],
  ['chown:/a www-data', /expected three words/],
  ['chown:/a a:b c', /expected a name or a number/],
  ['symlink:/a', /expected two words/],
  ['sethostname:-x', /expected one host name/],
  ['ifup:eth0 eth1', /expected one interface/],
])('%s is refused', (written, message) => {
  const hook = decodeHook(written);

  expect(hook.ok).toBe(false);
  expect(decoded(written)).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
});

test('the argument of a private hook is in no label', () => {
  const hook = decodeHook('!exec:/usr/bin/login secret');

  expect(hook).toMatchObject({
    ok: true,
    value: { label: '!exec:…', action: 'exec', words: ['/usr/bin/login', 'secret'] },
  });
});
