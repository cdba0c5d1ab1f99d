import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AuditFindingJson, AuditJson } from '@emperor/common/control/proof';
import { expect, test } from 'vitest';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';
import { processFacts } from '../support/processes.ts';

const emperor = sharedEmperor();

async function audit(name: string): Promise<AuditJson> {
  const { code, stdout, stderr } = await emperor.cli(['audit', name, '--json']);
  if (stdout === '') throw new Error(stderr);
  const found: AuditJson = JSON.parse(stdout);
  expect(code).toBe(found.holds ? 0 : 1);
  return found;
}

function violations({ findings }: AuditJson): readonly string[] {
  const wrong = findings.filter(({ verdict }) => verdict === 'violated' || verdict === 'cannot-tell');
  return wrong.map(({ group, what, found, verdict }) => `${verdict} ${group}: ${what}: ${found}`);
}

async function auditOf(...lines: readonly string[]): Promise<AuditJson> {
  emperor.write('blog.ini', emperor.probeFile('pause', ...lines));
  await emperor.running('blog');
  return audit('blog');
}

/** The directory of a controller's group of a process. */
function groupOf(pid: number, file: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const [controller] = file.split('.');
  const v1 = lines.find((line) =>
    line
      .split(':')[1]
      ?.split(',')
      .includes(controller ?? ''),
  );
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const mount = mounts.find((line) =>
    v1 === undefined
      ? line.includes(' - cgroup2 ')
      : new RegExp(` - cgroup .*\\b${controller}\\b`).test(line),
  );
  const path = (v1 ?? lines.find((line) => line.startsWith('0::')))?.split(':')[2];
  return `${mount?.split(' ')[4]}${path}/${file}`;
}

test('a default jail holds, in every group of promises', async () => {
  const found = await auditOf();

  expect(violations(found)).toEqual([]);
  expect(found.processes).toEqual({ seen: 2, all: 2 });
  expect(new Set(found.findings.map(({ group }) => group))).toEqual(
    new Set([
      ...['namespaces', 'mounts', 'identity', 'capabilities', 'filters', 'limits', 'control groups'],
      ...['descriptors', 'sockets', 'environment'],
    ]),
  );
});

const JAILS: readonly (readonly string[])[] = [
  [
    'protect-system = strict',
    'unshare = mnt,pid,ipc,uts,cgroup,net',
    'memory-max = 64M',
    'limit-nofile = 100:200',
  ],
  ['uid = nobody', 'gid = games', 'add-gid = mail,www-data', 'cap = net_bind_service,chown'],
  ['unshare = none'],
  ['unshare = pid,ipc'],
  ['uid = root', 'no-new-privs = no', 'private-tmp = no', 'private-dev = no', 'protect-system = no'],
  ['proc = host', 'cpu-max = 50%', 'pids-max = unlimited'],
  ['root = minimal', 'bind-ro = /srv', 'tmpfs = /scratch:1M'],
  ['overlay = /::/', 'hook-as-root = print:hello'],
  ['protect-home = read-only', 'mask = /usr/games', 'write = /var/tmp', 'protect-system = strict'],
  ['unshare = mnt,pid,ipc,uts,cgroup,net,user,time', 'uid = root', 'cap = net_bind_service'],
  ['nice = 5', 'oom-score-adj = 100', 'securebits = noroot', 'seccomp = none', 'cpu-weight = 50'],
];
test.each(JAILS)('the promise of %s, %s … holds', async (...lines) => {
  expect(violations(await auditOf(...lines))).toEqual([]);
});

test('a value of a control group that is not what was promised is a violation', async () => {
  await auditOf('pids-max = 50');
  const { pid } = await emperor.running('blog');
  const file = groupOf(pid, 'pids.max');
  writeFileSync(file, 'max');

  expect(violations(await audit('blog'))).toEqual([`violated control groups: ${file}: max`]);
});

test('what was mounted into the jail, and a cover that was taken away, are violations', async () => {
  await auditOf();
  const { pid } = await emperor.running('blog');
  const inside = (...words: readonly string[]) =>
    execFileSync('nsenter', ['--mount', '--target', String(pid), ...words]);
  inside('mount', '-t', 'tmpfs', 'stranger', '/mnt');
  inside('mount', '-o', 'remount,bind,rw', '/etc');
  inside('mount', '--bind', '/usr', '/root');

  const wrong = violations(await audit('blog'));

  expect(wrong).toHaveLength(3);
  expect(wrong).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^violated mounts: \/mnt: tmpfs stranger/),
      expect.stringMatching(/^violated mounts: \/etc: not ro: /),
      expect.stringMatching(/^violated mounts: \/root: a \S+: /),
    ]),
  );
});

test('a process that came in from outside without giving up its rights is a violation', async () => {
  await auditOf('limit-nofile = 100:200');
  const { pid } = await emperor.running('blog');
  const procs = groupOf(pid, 'pids.max').replace(/pids\.max$/, 'cgroup.procs');
  const child = execFileSync('sh', ['-c', 'sleep 60 >/dev/null 2>&1 & echo $!'], { encoding: 'utf8' }).trim();
  writeFileSync(procs, child);
  const v2 = groupOf(pid, 'none.cgroup.procs').replace('none.cgroup.procs', 'cgroup.procs');
  writeFileSync(v2, child);

  const found = await audit('blog');

  process.kill(Number(child), 'SIGKILL');
  const stranger: readonly AuditFindingJson[] = found.findings.filter(
    (finding) => finding.pid === Number(child) && finding.verdict === 'violated',
  );
  expect(new Set(stranger.map(({ group }) => group))).toEqual(
    new Set(['namespaces', 'identity', 'capabilities', 'filters', 'limits', 'descriptors']),
  );
});

test('processes that come and go are no violation', async () => {
  emperor.write('blog.ini', vassalFile(`sh -c 'while :; do /bin/true; done'`));
  await emperor.running('blog');

  for (let round = 0; round < 5; round += 1) expect(violations(await audit('blog'))).toEqual([]);
});

test('a tenant that writes garbage into its environment and names its descriptors wildly is told of safely', async () => {
  emperor.write(
    'blog.ini',
    vassalFile(`sh -c 'mkdir /tmp/$(printf "\\033[31m"); exec 5>"/tmp/$(printf "a b\\\\n")"; sleep 1000'`),
  );
  await emperor.running('blog');

  const { stdout } = await emperor.cli(['audit', 'blog']);

  expect(stdout).not.toContain('\u001b');
  expect(violations(await audit('blog'))).toEqual([]);
});

test('what does not run has no jail to audit: 3; what is not known: 4', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'autostart = no'));
  await emperor.waitFor('blog', ({ state }) => state === 'stopped');

  expect(await emperor.cli(['audit', 'blog'])).toMatchObject({ code: 3 });
  expect(await emperor.cli(['audit', 'nobody'])).toMatchObject({ code: 4 });
  expect(processFacts(emperor.pid)).toBeDefined();
});
