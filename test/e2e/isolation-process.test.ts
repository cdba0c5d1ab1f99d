import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { processFacts } from '../support/processes.ts';

const emperor = sharedEmperor();
const NO_CAPS = '0000000000000000';
const CAP_SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];

test('an app has no capability in any of the five sets and can gain none', async () => {
  const facts = await emperor.facts('blog', ['setuid:0', 'bind:80', 'mknod:/tmp/node']);

  for (const set of CAP_SETS) expect(`${set} ${facts.get('status', set)}`).toBe(`${set} ${NO_CAPS}`);
  expect(facts.get('status', 'NoNewPrivs')).toBe('1');
  expect(facts.get('setuid', '0')).toBe('EPERM');
  expect(facts.get('bind', '80')).toBe('EACCES');
  expect(facts.get('mknod', '/tmp/node')).toBe('EPERM');
});

test('granted capabilities are in all five sets of the program, by name or number, and no other', async () => {
  const facts = await emperor.facts('blog', ['bind:80'], 'cap = net_bind_service,12');

  const expected = (2 ** 10 + 2 ** 12).toString(16).padStart(16, '0');
  for (const set of CAP_SETS) expect(`${set} ${facts.get('status', set)}`).toBe(`${set} ${expected}`);
  expect(facts.get('bind', '80')).toBe('ok');
});

test('capabilities pass through a shell', async () => {
  emperor.write(
    'blog.ini',
    `[vassal]\ncommand = sh -c "exec ${emperor.probe} facts bind:81"\ncap = net_bind_service\n`,
  );

  expect((await emperor.printed('blog', 'facts end')).join('\n')).toContain(
    '"fact":"bind","key":"81","value":"ok"',
  );
});

test('uid = root alone gives no capability', async () => {
  const facts = await emperor.facts('blog', ['mknod:/tmp/node'], 'uid = root');

  expect(facts.get('status', 'Uid')).toBe('0\t0\t0\t0');
  for (const set of CAP_SETS) expect(`${set} ${facts.get('status', set)}`).toBe(`${set} ${NO_CAPS}`);
  expect(facts.get('mknod', '/tmp/node')).toBe('EPERM');
});

test('no-new-privs = no leaves it off', async () => {
  const facts = await emperor.facts('blog', [], 'no-new-privs = no');

  expect(facts.get('status', 'NoNewPrivs')).toBe('0');
});

test('the groups are exactly gid and add-gid', async () => {
  const plain = await emperor.facts('blog', []);
  const more = await emperor.facts('shop', [], 'uid = nobody', 'gid = games', 'add-gid = www-data,mail');

  const gid = plain.get('status', 'Gid')?.split('\t')[0];
  expect(['', gid]).toContain(plain.get('status', 'Groups')?.trim());
  expect(more.get('status', 'Uid')).toBe('65534\t65534\t65534\t65534');
  expect(more.get('status', 'Gid')).toBe('60\t60\t60\t60');
  const groups = new Set(more.get('status', 'Groups')?.trim().split(' '));
  groups.delete('60');
  expect([...groups].toSorted()).toEqual(['33', '8']);
});

test('the environment is clean: exactly the promised variables and those of the file', async () => {
  const facts = await emperor.facts('blog', [], 'env = COLOUR=blue', 'env = EMPTY=');

  const env = Object.fromEntries(facts.all('env'));
  expect(env).toMatchObject({
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    EMPEROR_VASSAL: 'blog',
    COLOUR: 'blue',
    EMPTY: '',
  });
  const allowed = [
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'LANG',
    'EMPEROR_VASSAL',
    'NOTIFY_SOCKET',
    'COLOUR',
    'EMPTY',
  ];
  expect(Object.keys(env).filter((name) => !allowed.includes(name))).toEqual([]);
  expect(JSON.stringify(env)).not.toContain('hunter2');
});

test('env-file is read inside the jail and env overrides it', async () => {
  const { appDir } = emperor;
  writeFileSync(`${appDir}/app.env`, '# a comment\nFROM_FILE=yes\nBOTH=file\n', { mode: 0o644 });

  const facts = await emperor.facts('blog', [], `env-file = ${appDir}/app.env`, 'env = BOTH=env');

  expect(facts.get('env', 'FROM_FILE')).toBe('yes');
  expect(facts.get('env', 'BOTH')).toBe('env');
});

test('only stdin, stdout and stderr are open, and stdin is /dev/null', async () => {
  const facts = await emperor.facts('blog', []);

  const fds = facts.all('fd');
  expect([...fds.keys()].toSorted()).toEqual(['0', '1', '2']);
  expect(fds.get('0')).toBe('/dev/null');
  expect(fds.get('1')).toMatch(/^pipe:/);
});

test('no key of the emperor’s session keyring reaches the app', async () => {
  const facts = await emperor.facts('blog', ['key:emtest-secret']);

  expect(facts.get('key', 'emtest-secret')).toMatch(/^E(NOKEY|NOSYS|ACCES|PERM|KEYREVOKED)$/);
});

test('the app leads a session of its own without a terminal', async () => {
  const facts = await emperor.facts('blog', []);
  const { pid, keeperPid } = await emperor.running('blog');

  expect(facts.get('sid')).toBe(facts.get('pid'));
  expect(facts.get('pgid')).toBe(facts.get('pid'));
  expect(facts.get('tty')).toBe('0');
  const session = (of: number) => readFileSync(`/proc/${of}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
  expect(session(pid)).not.toBe(session(keeperPid));
  expect(session(keeperPid)).toBe(String(keeperPid));
});

test('signals are as a fresh program expects them: none blocked, none ignored', async () => {
  const facts = await emperor.facts('blog', []);

  expect(facts.get('status', 'SigBlk')).toBe(NO_CAPS);
  expect(facts.get('status', 'SigIgn')).toBe(NO_CAPS);
});

test('umask and working directory are as the file says', async () => {
  const plain = await emperor.facts('blog', []);
  const set = await emperor.facts('shop', [], 'umask = 027', `chdir = ${emperor.outDir}`);

  expect({ umask: plain.get('umask'), cwd: plain.get('cwd') }).toEqual({ umask: '0022', cwd: '/' });
  expect({ umask: set.get('umask'), cwd: set.get('cwd') }).toEqual({ umask: '0027', cwd: emperor.outDir });
});

test('command words keep their quotes’ meaning and no shell runs them', async () => {
  emperor.write(
    'blog.ini',
    `[vassal]\ncommand = ${emperor.probe} say 0 "two words" 'single; quoted # text' $HOME *\n`,
  );

  expect(await emperor.printed('blog', '*')).toEqual(['two words', 'single; quoted # text', '$HOME', '*']);
});

test('other processes of the host and of neighbours cannot be seen or signalled', async () => {
  emperor.write('neighbour.ini', emperor.probeFile('pause', 'uid = nobody'));
  const neighbour = await emperor.running('neighbour');

  const facts = await emperor.facts(
    'blog',
    [
      `kill:${neighbour.pid}`,
      `kill:${neighbour.keeperPid}`,
      `kill:${emperor.pid}`,
      `read:/proc/${neighbour.pid}/environ`,
    ],
    'uid = nobody',
  );

  expect([...facts.all('process').values()].filter((comm) => comm === 'node')).toEqual([]);
  for (const pid of [neighbour.pid, neighbour.keeperPid, emperor.pid]) {
    expect(`${pid} ${facts.get('kill', String(pid))}`).toBe(`${pid} ESRCH`);
  }
  expect(facts.get('read', `/proc/${neighbour.pid}/environ`)).toBe('ENOENT');
});

test('the app can neither signal nor trace its init', async () => {
  const facts = await emperor.facts('blog', ['kill:1', 'read:/proc/1/environ', 'list:/proc/1/fd']);

  expect(facts.get('read', '/proc/1/environ')).not.toBe('ok');
  expect(facts.get('list', '/proc/1/fd')).not.toBe('ok');
});

test('keepers and emperor hold no process of the tenant’s uid and keepers run as root', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const { pid, keeperPid, uid } = await emperor.running('blog');
  const owner = (of: number) => /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${of}/status`, 'utf8'))?.[1];

  expect(owner(keeperPid)).toBe('0');
  expect(owner(processFacts(pid)?.ppid ?? 0)).toBe(String(uid));
  expect(owner(pid)).toBe(String(uid));
});
