import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { statusLine } from '../support/processes.ts';

const emperor = sharedEmperor();
const KINDS = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup'] as const;
const DEFAULT = ['mnt', 'pid', 'ipc', 'uts', 'cgroup'];

function ownNamespaces(facts: { get: (kind: string, key: string) => string | undefined }): readonly string[] {
  return KINDS.filter((kind) => facts.get('ns', kind) !== readlinkSync(`/proc/self/ns/${kind}`));
}

test('the default jail has a mount, pid, ipc, uts and cgroup namespace of its own', async () => {
  const facts = await emperor.facts('blog', []);

  expect(ownNamespaces(facts)).toEqual(DEFAULT);
  expect((await emperor.running('blog')).namespaces).toEqual(DEFAULT);
});

test.each([
  ['net', ['net']],
  ['ipc,uts', ['ipc', 'uts']],
  ['mnt pid ipc uts net cgroup'.replaceAll(' ', ','), [...KINDS]],
  ['fs', ['mnt']],
  ['pid', ['pid']],
  ['none', []],
])('unshare = %s means exactly these namespaces', async (value, kinds) => {
  const facts = await emperor.facts('blog', [], `unshare = ${value}`);

  expect(ownNamespaces(facts)).toEqual(kinds);
});

test('the namespaces differ between two vassals', async () => {
  const one = await emperor.facts('one', []);
  const two = await emperor.facts('two', []);

  for (const kind of DEFAULT) expect(one.get('ns', kind)).not.toBe(two.get('ns', kind));
});

test('in a pid namespace the app sees small pids and init as its parent', async () => {
  const facts = await emperor.facts('blog', []);
  const { pid } = await emperor.running('blog');

  expect(facts.get('pid')).toBe('2');
  expect(facts.get('ppid')).toBe('1');
  expect(statusLine(pid, 'NSpid')?.split(/\s+/)).toEqual([String(pid), '2']);
});

test('the host name is the name of the vassal, or what the file says, and the host keeps its own', async () => {
  const before = hostname();
  const plain = await emperor.facts('blog', []);
  const named = await emperor.facts('shop', [], 'hostname = shop.example');

  expect(plain.get('hostname')).toBe('blog');
  expect(named.get('hostname')).toBe('shop.example');
  expect(hostname()).toBe(before);
});

test('without a uts namespace the host name is that of the host', async () => {
  const facts = await emperor.facts('blog', [], 'unshare = mnt,pid,ipc,cgroup');

  expect(facts.get('hostname')).toBe(hostname());
});

test('with net the jail has a loopback of its own that is up, and nothing else', async () => {
  const facts = await emperor.facts(
    'blog',
    ['bind:47113', 'list:/sys/class/net'],
    'unshare = mnt,pid,ipc,uts,net,cgroup',
  );

  expect(facts.get('bind', '47113')).toBe('ok');
  expect(facts.entries('/sys/class/net')).toEqual(['lo']);
});

test('in a cgroup namespace the app sees itself at the root of the tree', async () => {
  const facts = await emperor.facts('blog', ['read:/proc/self/cgroup', 'list:/sys/fs/cgroup']);
  const bare = await emperor.facts('bare', ['read:/proc/self/cgroup'], 'unshare = none');

  expect(facts.get('content', '/proc/self/cgroup')).toMatch(/^\d+:[^:]*:\/$/);
  expect(facts.entries('/sys/fs/cgroup').some((entry) => entry.startsWith('emtest'))).toBe(false);
  expect(bare.get('read', '/proc/self/cgroup')).toBe('ok');
});

test('mounts of the jail never reach the host', async () => {
  const ofJails = () =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => / - (proc|devpts|sysfs|cgroup2|mqueue) /.test(line) || line.includes(emperor.base));
  const before = ofJails();

  const inside = (await emperor.facts('blog', [])).all('mount');

  expect([...inside.keys()]).toEqual(expect.arrayContaining(['/proc', '/dev/pts', '/sys', '/tmp']));
  expect(ofJails()).toEqual(before);
});

test('an abstract socket of the host cannot be reached where Landlock can scope', async ({ skip }) => {
  emperor.write('server.ini', emperor.probeFile('abstract emtest-abstract', 'unshare = none'));
  await emperor.printed('server', 'abstract up');

  const facts = await emperor.facts('blog', ['connect:@emtest-abstract']);

  skip(Number(facts.get('landlock')) < 6, 'this kernel has no Landlock scoping (ABI 6)');
  expect(facts.get('connect', '@emtest-abstract')).toBe('EPERM');
});
