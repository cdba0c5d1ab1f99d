import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';

const emperor = sharedEmperor();

test('proc is the jail’s own: only its processes, kernel files masked, nothing writable', async () => {
  const facts = await emperor.facts('blog', [
    'read:/proc/kcore',
    'read:/proc/keys',
    'read:/proc/timer_list',
    'read:/proc/kmsg',
    'open-write:/proc/sysrq-trigger',
    'open-write:/proc/sys/kernel/hostname',
    'open-write:/proc/sys/kernel/core_pattern',
    'list:/proc/1',
  ]);

  const pids = [...facts.all('process').keys()];
  expect(pids).toContain('2');
  expect(pids.every((pid) => ['1', '2'].includes(pid))).toBe(true);
  expect(facts.get('mount', '/proc')).toMatch(/^proc .*nosuid.*nodev.*noexec/);
  for (const file of ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/kmsg'])
    expect(facts.get('content', file) ?? '').toBe('');
  for (const file of ['/proc/sysrq-trigger', '/proc/sys/kernel/hostname', '/proc/sys/kernel/core_pattern']) {
    expect(facts.get('open-write', file)).toMatch(/^E(ROFS|ACCES|PERM|NOENT)$/);
  }
});

test('kernel files of proc are masked even for root in the jail', async () => {
  const facts = await emperor.facts(
    'blog',
    ['read:/proc/kcore', 'open-write:/proc/sysrq-trigger', 'open-write:/proc/sys/kernel/core_pattern'],
    'uid = root',
  );

  expect(facts.get('content', '/proc/kcore') ?? '').toBe('');
  expect(facts.get('open-write', '/proc/sysrq-trigger')).not.toBe('ok');
  expect(facts.get('open-write', '/proc/sys/kernel/core_pattern')).not.toBe('ok');
});

test('proc = host shows the host', async () => {
  const facts = await emperor.facts(
    'blog',
    ['read:/proc/1/comm'],
    'proc = host',
    'unshare = mnt,ipc,uts,cgroup',
  );

  expect(facts.all('process').size).toBeGreaterThan(5);
});

test('/dev holds the harmless devices and nothing else', async () => {
  const facts = await emperor.facts('blog', [
    'list:/dev',
    'open-write:/dev/null',
    'read:/dev/zero',
    'list:/dev/pts',
    'write:/dev/shm',
    'write:/dev',
  ]);

  expect(facts.entries('/dev').toSorted()).toEqual(
    [
      'fd',
      'full',
      'null',
      'ptmx',
      'pts',
      'random',
      'shm',
      'stderr',
      'stdin',
      'stdout',
      'tty',
      'urandom',
      'zero',
    ].toSorted(),
  );
  expect(facts.get('open-write', '/dev/null')).toBe('ok');
  expect(facts.get('read', '/dev/zero')).toBe('ok');
  expect(facts.get('write', '/dev/shm')).toBe('ok');
  expect(facts.get('write', '/dev')).not.toBe('ok');
  expect(facts.entries('/dev/pts')).toEqual(['ptmx']);
});

test('private-dev = no leaves the host’s /dev', async () => {
  const facts = await emperor.facts('blog', ['stat:/dev/vda', 'list:/dev'], 'private-dev = no');

  expect(facts.entries('/dev').length).toBeGreaterThan(20);
});

test('/tmp, /var/tmp and /dev/shm are private, empty and writable', async () => {
  writeFileSync('/tmp/emtest-host-file', 'host');
  const facts = await emperor.facts('blog', [
    ...['/tmp', '/var/tmp', '/dev/shm'].flatMap((dir) => [`list:${dir}`, `touch:${dir}/mine`, `stat:${dir}`]),
  ]);
  rmSync('/tmp/emtest-host-file');

  for (const dir of ['/tmp', '/var/tmp', '/dev/shm']) {
    expect(facts.entries(dir)).toEqual([]);
    expect(facts.get('touch', `${dir}/mine`)).toBe('ok');
    expect(facts.get('stat', dir)).toMatch(/^41777 0 0$/);
    expect(statSync(`${dir}/mine`, { throwIfNoEntry: false })).toBeUndefined();
  }
});

test('the private /tmp is kept over a reload and gone after a stop', async () => {
  await emperor.facts('blog', ['touch:/tmp/kept', 'list:/tmp']);
  const { pid } = await emperor.running('blog');

  emperor.touch('blog.ini');
  await emperor.running('blog', pid);
  const lines = await emperor.printed('blog', 'facts end', 2);
  expect(lines.filter((line) => line.includes('"entry"') && line.includes('kept'))).toHaveLength(2);

  await emperor.cli(['stop', 'blog']);
  emperor.write('blog.ini', emperor.probeFile('facts list:/tmp'));
  await emperor.cli(['start', 'blog']);
  const after = await emperor.printed('blog', 'facts end', 3);
  expect(after.filter((line) => line.includes('"entry"') && line.includes('kept'))).toHaveLength(2);
});

test('private-tmp = no shares the host’s /tmp', async () => {
  writeFileSync('/tmp/emtest-shared', 'host', { mode: 0o644 });
  const facts = await emperor.facts('blog', ['read:/tmp/emtest-shared'], 'private-tmp = no');
  rmSync('/tmp/emtest-shared');

  expect(facts.get('content', '/tmp/emtest-shared')).toBe('host');
});

test('system directories are read-only even for root in the jail', async () => {
  const facts = await emperor.facts(
    'blog',
    ['write:/usr', 'write:/etc', 'write:/boot', 'write:/usr/lib', `write:${emperor.outDir}`],
    'uid = root',
  );

  for (const dir of ['/usr', '/etc', '/boot', '/usr/lib']) expect(facts.get('write', dir)).toBe('EROFS');
  expect(facts.get('write', emperor.outDir)).toBe('ok');
});

test('protect-system = strict makes everything read-only but the private directories', async () => {
  const facts = await emperor.facts(
    'blog',
    [`write:${emperor.outDir}`, 'write:/var', 'write:/tmp', 'write:/dev/shm'],
    'protect-system = strict',
    'uid = root',
  );

  expect(facts.get('write', emperor.outDir)).toBe('EROFS');
  expect(facts.get('write', '/var')).toBe('EROFS');
  expect(facts.get('write', '/tmp')).toBe('ok');
  expect(facts.get('write', '/dev/shm')).toBe('ok');
});

test('protect-system = no leaves the system as the user may use it', async () => {
  const facts = await emperor.facts(
    'blog',
    ['write:/usr/local'],
    'protect-system = no',
    'uid = root',
    'cap = dac_override',
  );

  expect(facts.get('write', '/usr/local')).toBe('ok');
});

test('/sys is read-only even for root in the jail and shows no control group but the own one', async () => {
  const files = [
    '/sys/power/state',
    '/sys/kernel/uevent_helper',
    '/sys/fs/cgroup/cgroup.procs',
    '/sys/fs/cgroup/cgroup.kill',
  ];
  const facts = await emperor.facts(
    'blog',
    [...files.map((file) => `open-write:${file}`), 'mkdir:/sys/fs/cgroup/x', 'list:/sys/fs/cgroup'],
    'uid = root',
  );

  for (const file of files)
    expect(`${file} ${facts.get('open-write', file)}`).toMatch(/ E(ROFS|NOENT|ACCES|PERM)$/);
  expect(facts.get('mkdir', '/sys/fs/cgroup/x')).toBe('EROFS');
  expect(facts.get('mount', '/sys')).toMatch(/\bro\b/);
  const entries = facts.entries('/sys/fs/cgroup');
  expect(entries).toContain('cgroup.procs');
  expect(entries.filter((entry) => !entry.includes('.'))).toEqual([]);
});

test('homes of others are hidden', async () => {
  mkdirSync('/home/emtest-neighbour', { recursive: true });
  const facts = await emperor.facts(
    'blog',
    ['list:/home', 'list:/root', 'read:/root/.bashrc', 'stat:/home/emtest-neighbour'],
    'uid = root',
  );
  rmSync('/home/emtest-neighbour', { recursive: true });

  expect(facts.entries('/home')).not.toContain('emtest-neighbour');
  expect(facts.get('stat', '/home/emtest-neighbour')).toBe('ENOENT');
});

test('the emperor’s own directories are hidden', async () => {
  const facts = await emperor.facts(
    'blog',
    [
      `list:${emperor.runDir}`,
      `list:${emperor.stateDir}`,
      `list:${emperor.logDir}`,
      `connect:${emperor.socket}`,
      `list:${emperor.runDir}/keepers`,
    ],
    'uid = root',
  );

  for (const dir of [emperor.runDir, emperor.stateDir, emperor.logDir]) {
    expect(facts.entries(dir)).toEqual([]);
  }
  expect(facts.get('connect', emperor.socket)).not.toBe('ok');
  expect(facts.get('list', `${emperor.runDir}/keepers`)).not.toBe('ok');
});

test('/run is the jail’s own', async () => {
  const facts = await emperor.facts('blog', ['list:/run', 'write:/run']);

  expect(facts.entries('/run')).not.toContain('emperor');
  expect(facts.entries('/run').length).toBeLessThanOrEqual(3);
  expect(facts.get('write', '/run')).not.toBe('ok');
});

test('nothing in the jail is mounted shared', async () => {
  const facts = await emperor.facts('blog', []);

  expect([...facts.all('mount')].filter(([, options]) => options.endsWith(' shared'))).toEqual([]);
});

test('without a mount namespace the host’s files are there', async () => {
  const facts = await emperor.facts('blog', ['list:/tmp', 'list:/dev'], 'unshare = none');

  expect(facts.entries('/dev').length).toBeGreaterThan(20);
});
