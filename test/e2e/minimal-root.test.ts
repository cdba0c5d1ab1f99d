import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';

const emperor = sharedEmperor();
const minimal = (...lines: readonly string[]) => ['root = minimal', `bind-ro = ${emperor.probe}`, ...lines];

test('a minimal root has /usr, what leads to it, a few files of /etc, and nothing else of the host', async () => {
  const facts = await emperor.facts(
    'blog',
    [
      ...['/', '/etc', '/home', '/root', '/srv', '/var', '/run', '/tmp', '/opt'].map((dir) => `list:${dir}`),
      ...['/', '/usr', '/etc', '/var', '/tmp', '/var/tmp', '/dev/shm'].map((dir) => `write:${dir}`),
      'read:/etc/hostname',
      'read:/etc/shadow',
      `list:${emperor.runDir}`,
    ],
    ...minimal(),
  );

  expect(facts.entries('/')).toEqual(
    expect.arrayContaining(['usr', 'bin', 'lib', 'etc', 'dev', 'proc', 'sys', 'run', 'tmp', 'var']),
  );
  for (const name of ['home', 'root', 'boot', 'mnt', 'opt', 'work'])
    expect(facts.entries('/')).not.toContain(name);
  expect(facts.entries('/etc')).toEqual(
    expect.arrayContaining(['passwd', 'group', 'hosts', 'nsswitch.conf', 'ssl']),
  );
  for (const name of ['shadow', 'ssh', 'machine-id', 'hostname', 'cron.d'])
    expect(facts.entries('/etc')).not.toContain(name);
  expect(facts.entries('/srv')).toEqual([emperor.base.slice('/srv/'.length)]);
  expect(facts.entries('/var')).toEqual(['tmp']);
  expect(facts.entries('/run')).toEqual(['notify']);
  for (const dir of ['/', '/usr', '/etc', '/var'])
    expect([dir, facts.get('write', dir)]).toEqual([dir, expect.stringMatching(/EROFS|EACCES/)]);
  for (const dir of ['/tmp', '/var/tmp', '/dev/shm'])
    expect([dir, facts.get('write', dir)]).toEqual([dir, 'ok']);
  expect(facts.get('list', emperor.runDir)).toBe('ENOENT');
  expect(facts.get('mount', '/')).toMatch(/^tmpfs ro,/);
  for (const [path, options] of facts.all('mount')) {
    expect([path, options]).toEqual([path, expect.stringMatching(/nosuid/)]);
    if (!/^\/(?:dev|proc\/.)/.test(path))
      expect([path, options]).toEqual([path, expect.stringMatching(/nodev/)]);
    expect(options).not.toMatch(/shared$/);
  }
});

test('root in a minimal root cannot write it either', async () => {
  const facts = await emperor.facts(
    'blog',
    ['write:/', 'write:/usr', 'write:/etc', 'open-write:/etc/hosts'],
    ...minimal('uid = root'),
  );

  for (const dir of ['/', '/usr', '/etc']) expect([dir, facts.get('write', dir)]).toEqual([dir, 'EROFS']);
  expect(facts.get('open-write', '/etc/hosts')).toBe('EROFS');
});

test('chdir, write and bind show what they name, where they name it', async () => {
  const data = join(emperor.base, 'data');
  mkdirSync(data, { mode: 0o777 });
  execFileSync('chmod', ['777', data]);
  const facts = await emperor.facts(
    'blog',
    [`write:${emperor.outDir}`, `write:${data}`, 'write:/here', 'list:/here', `list:${emperor.appDir}`],
    ...minimal(
      `chdir = ${emperor.outDir}`,
      `write = ${data}`,
      `bind = ${emperor.outDir}:/here`,
      `tmpfs = /var/cache/blog:1M`,
    ),
  );

  expect(facts.get('cwd')).toBe(emperor.outDir);
  for (const dir of [emperor.outDir, data, '/here'])
    expect([dir, facts.get('write', dir)]).toEqual([dir, 'ok']);
  expect(facts.entries(emperor.appDir)).toEqual(['probe']);
});

test('a closed directory above what is shown stays closed', async () => {
  const closed = join(emperor.base, 'closed');
  mkdirSync(join(closed, 'app'), { recursive: true });
  writeFileSync(join(closed, 'app/file'), 'secret');
  execFileSync('chmod', ['700', closed]);
  const facts = await emperor.facts('blog', [`read:${closed}/app/file`], ...minimal(`bind = ${closed}/app`));

  expect(facts.get('read', `${closed}/app/file`)).toBe('EACCES');
});

test('programs of the system work: the shell, names, Python with TLS, Node', async () => {
  const python =
    'import ssl, socket, pwd, os; print("python", pwd.getpwuid(os.getuid()).pw_name, len(ssl.create_default_context().get_ca_certs()) > 0, socket.gethostbyname("localhost"))';
  const node =
    'console.log("node", require("node:os").userInfo().username, require("node:tls").rootCertificates.length > 0)';
  writeFileSync(
    join(emperor.appDir, 'all.sh'),
    `id -un\npython3 -c '${python}'\n${process.execPath} -e '${node}'\ngetent hosts localhost | head -1\necho done\nexec sleep 60\n`,
  );
  emperor.write(
    'blog.ini',
    vassalFile(
      `sh ${emperor.appDir}/all.sh`,
      'root = minimal',
      `bind-ro = ${emperor.appDir}`,
      `bind-ro = ${process.execPath.startsWith('/usr/') ? '/usr/share:/mnt/share' : process.execPath}`,
    ),
  );

  const lines = await emperor.printed('blog', 'done');
  expect(lines[0]).toBe('emperor-blog');
  expect(lines[1]).toMatch(/^python emperor-blog (True|False) 127\.0\.0\.1$/);
  expect(lines[2]).toBe('node emperor-blog true');
  expect(lines[3]).toMatch(/localhost/);
});

test('what is not in a minimal root is told before and after the launch fails', async () => {
  emperor.write('blog.ini', vassalFile('/srv/none/app', 'root = minimal'));
  await emperor.waitFor('blog', ({ state }) => state === 'backing-off');

  expect(await emperor.diagnostics('blog')).toContain(
    'blog.ini:2 command /srv/none/app is not in the jail, which has a / of its own',
  );
  const why = await emperor.why('blog');
  expect(JSON.stringify(why)).toContain('bind-ro = /srv/none/app');
});

test('reload and stop leave nothing; a second launch finds its places again', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile(
      'pause',
      ...minimal(`bind = ${emperor.outDir}:/tmp/deep/down`, `bind = ${emperor.outDir}:/dev/out`),
    ),
  );
  const { pid } = await emperor.running('blog');
  emperor.touch('blog.ini');
  const again = await emperor.running('blog', pid);
  expect(again.pid).not.toBe(pid);
});

test('a minimal root goes together with a user namespace', async () => {
  const facts = await emperor.facts(
    'blog',
    ['write:/tmp', 'write:/var/cache/blog', 'write:/usr', 'read:/etc/passwd'],
    ...minimal('tmpfs = /var/cache/blog:1M', 'unshare = mnt,pid,ipc,uts,cgroup,user'),
  );

  expect(facts.get('write', '/tmp')).toBe('ok');
  expect(facts.get('write', '/var/cache/blog')).toBe('ok');
  expect(facts.get('write', '/usr')).toBe('EROFS');
  expect(facts.get('read', '/etc/passwd')).toBe('ok');
});
