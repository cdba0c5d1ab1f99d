import { chownSync, existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';
import { isAlive, peek } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const TENANT = { name: 'games', uid: 5, gid: 60 };
const OPTIONS = [
  ...['pre-jail', 'post-jail', 'as-root', 'as-user', 'post-stop'].map((phase) => `hook-${phase} = print:x`),
  'hook-timeout = 5s',
];
const emperor = sharedEmperor();

const out = (name: string): string => join(emperor.outDir, name);

/** A shell line that appends what it was run as. */
const saying = (file: string): string =>
  `exec:sh -c 'echo "$EMPEROR_PHASE $EMPEROR_VASSAL $EMPEROR_UID $(id -u)" >> ${file}'`;

async function failed(name: string): Promise<{ readonly answer: string; readonly hint: string | null }> {
  await emperor.waitFor(name, (seen) => seen.state === 'failed');
  return emperor.why(name);
}

const once = ['restart-max = 1', 'restart-delay = 100ms'];

test('every action does what it says, in the forms of uWSGI, and the app finds it done', async () => {
  const dir = out('made by hooks');
  const ns = join(emperor.appDir, 'ns');
  mkdirSync(ns, { recursive: true });
  emperor.write(
    'blog.ini',
    vassalFile(
      `sh -c 'hostname; cat /sys/class/net/lo/operstate; ls ${ns}/env; touch ${ns}/x; grep -c with /proc/self/mounts; exec sleep 1000'`,
      'unshare = mnt,pid,ipc,uts,net,cgroup',
      `hook-pre-jail = mkdir:"${dir}/a/b" 2750`,
      `hook-pre-jail = write:"${dir}/text" of %(name), uid %%(uid)`,
      `hook-pre-jail = chown:"${dir}/text" ${TENANT.name} auto`,
      `hook-pre-jail = chmod:"${dir}/text" 0640`,
      `hook-pre-jail = symlink:../text "${dir}/a/link"`,
      `hook-pre-jail = exec:sh -c 'echo "$EMPEROR_GID" > "${dir}/gid"'`,
      `hook-post-jail = mount:none /usr/bin ${ns} bind,ro`,
      `hook-post-jail = mkdir:"${out('with blank')}"`,
      `hook-post-jail = mount:tmpfs none "${out('with blank')}" nodev,nosuid size=1m`,
      'hook-as-root = sethostname:by-a-hook',
      'hook-as-root = ifup:lo',
      `hook-as-root = umount:"${out('with blank')}" rec`,
      `hook-as-user = exec:id -u`,
      'hook-as-user = print:printed %s',
      `hook-post-stop = umount:/nowhere`,
    ),
  );
  const { uid } = await emperor.running('blog');
  const lines = await emperor.printed('blog', '', 7);

  expect(lines).toEqual([
    String(uid),
    'printed %s',
    'by-a-hook',
    'unknown',
    `${ns}/env`,
    `touch: cannot touch '${ns}/x': Read-only file system`,
    '0',
  ]);
  const text = lstatSync(join(dir, 'text'));
  expect([text.uid, text.gid, text.mode & 0o7777]).toEqual([TENANT.uid, uid, 0o640]);
  expect(readFileSync(join(dir, 'text'), 'utf8')).toBe('of blog, uid %(uid)');
  expect(lstatSync(join(dir, 'a/b')).mode & 0o7777).toBe(0o2750);
  expect(readlinkSync(join(dir, 'a/link'))).toBe('../text');
  expect(readFileSync(join(dir, 'gid'), 'utf8')).toBe(`${uid}\n`);
  expect(hostname()).not.toBe('by-a-hook');
  expect(peek('/proc/self/mountinfo')).not.toContain(ns);
});

test('the phases come in their order, as who they are; post-stop after a crash and after a stop', async () => {
  const file = out('phases');
  const phases = ['post-stop', 'as-user', 'as-root', 'post-jail', 'pre-jail'];
  emperor.write(
    'blog.ini',
    emperor.probeFile(
      'pause',
      'umask = 0',
      ...phases.map((phase) => `hook-${phase} = ${saying(file)}`),
      'hook-pre-jail = exec:chmod 666 ' + file,
    ),
  );
  const { uid, pid } = await emperor.running('blog');
  const launch = [
    `pre-jail blog ${uid} 0`,
    `post-jail blog ${uid} 0`,
    `as-root blog ${uid} 0`,
    `as-user blog ${uid} ${uid}`,
  ];
  expect(peek(file)?.trim().split('\n')).toEqual(launch);

  process.kill(pid, 'SIGKILL');
  await emperor.running('blog', pid);
  expect(peek(file)?.trim().split('\n')).toEqual([...launch, `post-stop blog ${uid} 0`, ...launch]);

  emperor.remove('blog.ini');
  await emperor.forgotten('blog');
  expect(peek(file)?.trim().split('\n').slice(-1)).toEqual([`post-stop blog ${uid} 0`]);
});

test.each([
  [
    'hook-pre-jail',
    `exec:sh -c 'echo last words; exit 3'`,
    /hook-pre-jail failed: exec:sh -c 'echo last words; exit 3': exit 3: last words/,
  ],
  [
    'hook-post-jail',
    'mount:none /no/such /mnt bind',
    /hook-post-jail failed: mount:none \/no\/such \/mnt bind: \/no\/such: no such file/,
  ],
  ['hook-as-root', 'exec:sleep 100', /hook-as-root failed: exec:sleep 100: killed after 500 ms/],
  [
    'hook-as-user',
    'mount:tmpfs none /mnt',
    /hook-as-user failed: mount:tmpfs none \/mnt: \/mnt: operation not permitted \(EPERM\)/,
  ],
  ['hook-as-root', 'exec:/no/program', /hook-as-root failed: exec:\/no\/program.*no such file or directory/],
  ['hook-as-root', "exec:sh -c 'kill -9 $$'", /hook-as-root failed: .*: signal 9/],
  ['hook-as-root', '!exec:false of %(name) secret', /hook-as-root failed: !exec:…: exit 1/],
])('%s = %s fails the launch, why says so, and post-stop cleans up', async (option, hook, message) => {
  const ran = out('ran');
  const cleaned = out('cleaned');
  emperor.write(
    'blog.ini',
    vassalFile(
      `sh -c 'echo > ${ran}'`,
      ...once,
      'hook-timeout = 500ms',
      `${option} = ${hook}`,
      `hook-post-stop = write:${cleaned}-%(name) yes`,
    ),
  );

  const { answer, hint } = await failed('blog');

  expect(answer).toMatch(message);
  expect(answer).not.toContain('secret');
  expect(hint).not.toBe('');
  expect(emperor.said()).not.toContain('secret');
  expect(existsSync(ran)).toBe(false);
  expect(readFileSync(`${cleaned}-blog`, 'utf8')).toBe('yes');
});

test.each(OPTIONS)('a tenant may not set %s', async (line) => {
  emperor.write('blog.ini', emperor.probeFile('pause', line));
  chownSync(emperor.path('blog.ini'), TENANT.uid, TENANT.gid);

  const vassal = await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0 && seen.pid === null);

  expect(vassal.diagnostics).toContainEqual(
    expect.objectContaining({
      key: line.split(' ')[0],
      line: 3,
      message: `only the operator may set this, and the file belongs to ${TENANT.name}`,
    }),
  );
});

test('a hook as user has no power over the init that runs it, not even as root', async () => {
  emperor.write(
    'blog.ini',
    emperor.probeFile(
      'pause',
      'uid = root',
      'seccomp = none',
      'hook-as-user = exec:sh -c "readlink /proc/1/exe && echo reached; echo looked"',
    ),
  );

  expect(await emperor.printed('blog', 'looked')).not.toContain('reached');
});

test('mistakes are told with their line before anything runs', async () => {
  emperor.write(
    'blog.ini',
    vassalFile(
      'true',
      'hook-as-root = mount:none /a /b bind,rdolny',
      'hook-as-user = exce:true',
      'hook-pre-jail = print:fine',
      'hook-pre-jail = chown:/a nosuchuser nosuchgroup',
      'hook-post-stop = sethostname:x',
      'hook-post-jail = exec:cat %(file)',
    ),
  );
  await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);

  expect(await emperor.diagnostics('blog')).toEqual([
    expect.stringMatching(/^blog.ini:8 hook-post-jail %\(file\) is a path here/),
    expect.stringMatching(/^blog.ini:3 hook-as-root unknown flag rdolny: did you mean rdonly\?/),
    expect.stringMatching(/^blog.ini:4 hook-as-user unknown action exce: did you mean exec\?/),
    expect.stringMatching(/^blog.ini:6 hook-pre-jail there is no user nosuchuser/),
    expect.stringMatching(/^blog.ini:6 hook-pre-jail there is no group nosuchgroup/),
    expect.stringMatching(/^blog.ini:7 hook-post-stop sethostname would change the name of the machine/),
  ]);
});

test('a post-stop that fails is trouble that status tells; the next start comes all the same', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', "hook-post-stop = exec:sh -c 'echo cannot; exit 4'"));
  const { pid } = await emperor.running('blog');

  process.kill(pid, 'SIGKILL');
  await emperor.running('blog', pid);

  await emperor.printed('blog', "hook-post-stop failed: exec:sh -c 'echo cannot; exit 4': exit 4: cannot");
});

test('when the keeper is killed post-stop runs once, before the next launch begins', async () => {
  const file = out('order');
  emperor.write(
    'blog.ini',
    emperor.probeFile(
      'pause',
      `hook-pre-jail = exec:sh -c 'echo begin >> ${file}'`,
      `hook-post-stop = exec:sh -c 'sleep 1; echo end >> ${file}'`,
    ),
  );
  const { pid, keeperPid } = await emperor.running('blog');
  process.kill(keeperPid, 'SIGKILL');
  await emperor.running('blog', pid);

  expect(isAlive(pid)).toBe(false);
  expect(peek(file)).toBe('begin\nend\nbegin\n');
});

test('a post-stop that is longer than jails take to die is waited for', async () => {
  const file = out('slow');
  emperor.write(
    'blog.ini',
    emperor.probeFile(
      'pause',
      `hook-post-stop = exec:sh -c 'echo begun >> ${file}; sleep 12; echo done >> ${file}'`,
    ),
  );
  const { keeperPid } = await emperor.running('blog');

  emperor.remove('blog.ini');
  await waitUntil('post-stop to begin', () => (peek(file) === 'begun\n' ? true : undefined));
  await emperor.kill9();
  await emperor.start();
  await emperor.forgotten('blog', 30_000);

  expect(peek(file)).toBe('begun\ndone\n');
  expect(isAlive(keeperPid)).toBe(false);
});
