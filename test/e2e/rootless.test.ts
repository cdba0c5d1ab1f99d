import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { StatusJson, VassalJson } from '@emperor/common/control/api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { REPOSITORY } from '../support/emperor-under-test.ts';
import { compiledProbe, ProbeFacts } from '../support/probe.ts';
import { allPids, isAlive, peek, statusLine } from '../support/processes.ts';
import { runCommand } from '../support/run-command.ts';
import { waitUntil } from '../support/wait-until.ts';

/** No account of any machine; nothing of this test is anybody else's. */
const USER = 61_234;
const COMMAND = join(REPOSITORY, 'node_modules/.bin/emperor');
const AS_USER = ['setpriv', '--reuid', String(USER), '--regid', String(USER), '--clear-groups'] as const;
const DEFAULT = ['mnt', 'pid', 'ipc', 'uts', 'cgroup'];

const base = mkdtempSync('/srv/rootless-');
const home = join(base, 'home');
const vassals = join(home, '.config/emperor/vassals');
const probe = join(base, 'probe');
const env = { HOME: home, PATH: process.env['PATH'] ?? '', NO_COLOR: '1' };
let emperor: ChildProcess | undefined;

const ownPids = () => allPids().filter((pid) => statusLine(pid, 'Uid')?.startsWith(`${USER}\t`) === true);
const cli = (...args: readonly string[]) => runCommand([...AS_USER, COMMAND, ...args], { env });
const said = (): string => peek(join(base, 'emperor.log')) ?? '';

async function start(): Promise<void> {
  const log = openSync(join(base, 'emperor.log'), 'a');
  const [program, ...args] = [...AS_USER, COMMAND, 'run'];
  emperor = spawn(program, args, { stdio: ['ignore', log, log], env, cwd: '/' });
  closeSync(log);
  await waitUntil(
    async () => `the emperor to answer; it said:\n${said()}`,
    async () => ((await cli('status', '--json')).code === 0 ? true : undefined),
    20_000,
  );
}

function write(name: string, ...lines: readonly string[]): void {
  const path = join(vassals, `${name}.ini`);
  writeFileSync(`${path}.new`, `[vassal]\n${lines.join('\n')}\n`);
  chownSync(`${path}.new`, USER, USER);
  chmodSync(`${path}.new`, 0o644);
  renameSync(`${path}.new`, path);
}

async function vassal(name: string, isIt: (seen: VassalJson) => boolean): Promise<VassalJson> {
  let last: VassalJson | undefined;
  return waitUntil(
    async () => `${name}; it is ${JSON.stringify(last)}\n${said()}`,
    async () => {
      const status: StatusJson = JSON.parse((await cli('status', '--json')).stdout);
      last = status.vassals.find((each) => each.name === name);
      return last !== undefined && isIt(last) ? last : undefined;
    },
    20_000,
  );
}

async function facts(
  name: string,
  attempts: readonly string[],
  ...lines: readonly string[]
): Promise<ProbeFacts> {
  write(name, `command = ${probe} facts ${attempts.join(' ')}`, ...lines);
  const log = join(home, '.local/state/emperor/log', name, 'current');
  const text = await waitUntil(
    async () => `${name} to print; ${JSON.stringify(await cli('why', name))}\n${said()}`,
    () => (peek(log)?.includes('facts end') === true ? peek(log) : undefined),
    20_000,
  );
  return new ProbeFacts((text ?? '').split('\n').map((line) => line.replace(/^\S+ (?:out|err) ?/, '')));
}

beforeAll(async () => {
  for (const dir of [base, home, join(home, '.config'), join(home, '.config/emperor'), vassals]) {
    mkdirSync(dir, { recursive: true });
    chownSync(dir, USER, USER);
    chmodSync(dir, 0o755);
  }
  copyFileSync(compiledProbe(), probe);
  chmodSync(probe, 0o755);
  await start();
}, 60_000);

afterAll(async () => {
  emperor?.kill('SIGTERM');
  await waitUntil(
    async () => `nothing of the user to run; ${ownPids().join(' ')}\n${said()}`,
    () => (ownPids().length === 0 ? true : undefined),
    20_000,
  );
  rmSync(base, { recursive: true, force: true });
}, 60_000);

test('an app of an ordinary user runs in namespaces of its own, as that user, without any power', async () => {
  const seen = await facts('blog', [
    'write:/etc/x',
    'list:/root',
    'list:/sys/fs/cgroup',
    'open-write:/dev/null',
    'mknod:/tmp/n',
  ]);
  const { pid, uid, namespaces, user } = await vassal('blog', ({ state }) => state === 'running');

  expect([uid, namespaces, user]).toEqual([USER, DEFAULT, null]);
  for (const kind of [...DEFAULT, 'user'])
    expect([kind, seen.get('ns', kind)]).not.toEqual([kind, readlinkSync(`/proc/self/ns/${kind}`)]);
  expect(seen.get('hostname')).toBe('blog');
  expect(seen.get('pid')).toBe('2');
  for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
    expect(statusLine(pid ?? 0, set)).toBe('0000000000000000');
  expect(statusLine(pid ?? 0, 'NoNewPrivs')).toBe('1');
  expect(seen.get('write', '/etc/x')).not.toBe('ok');
  expect(seen.entries('/root')).toEqual([]);
  expect(seen.entries('/sys/fs/cgroup')).toEqual([]);
  expect(seen.get('open-write', '/dev/null')).toBe('ok');
  expect(seen.get('mknod', '/tmp/n')).not.toBe('ok');
});

test('its /tmp is its own and kept, and neither keeper nor neighbour is seen', async () => {
  write('other', `command = ${probe} pause`);
  const { pid } = await vassal('other', ({ state }) => state === 'running');
  const seen = await facts('tmp', ['touch:/tmp/mine', `kill:${pid ?? 0}`, 'list:/tmp']);

  expect(seen.get('touch', '/tmp/mine')).toBe('ok');
  expect(seen.get('kill', String(pid))).toBe('ESRCH');
  expect(seen.entries('/tmp')).toEqual(['mine']);
});

test('with net it has a loopback of its own, and with user it can be root inside', async () => {
  const seen = await facts(
    'inner',
    ['bind:80', 'list:/sys/class/net'],
    'unshare = mnt,pid,ipc,uts,net,cgroup,user,time',
    'uid = root',
    'cap = net_bind_service',
  );
  const { pid, uid } = await vassal('inner', ({ state }) => state === 'running');

  expect(seen.get('status', 'Uid')).toBe('0\t0\t0\t0');
  expect(statusLine(pid ?? 0, 'Uid')).toBe(Array(4).fill(USER).join('\t'));
  expect(uid).toBe(USER);
  expect(seen.get('bind', '80')).toBe('ok');
  expect(seen.entries('/sys/class/net')).toEqual([]);
});

test('what needs root is said, asked and granted, with its line', async () => {
  write('user', `command = ${probe} pause`, 'uid = 4711');
  write('group', `command = ${probe} pause`, 'add-gid = 33');
  write('warned', `command = ${probe} pause`, 'uid = 4711', 'when-unsupported = warn');

  const user = await vassal('user', ({ state }) => state === 'failed');
  const group = await vassal('group', ({ state }) => state === 'failed');
  const warned = await vassal('warned', ({ state }) => state === 'running');
  expect(user.diagnostics).toContainEqual(
    expect.objectContaining({
      key: 'uid',
      line: 3,
      message: expect.stringContaining(`kernel gives ${USER}`),
    }),
  );
  expect(group.diagnostics).toContainEqual(
    expect.objectContaining({ key: 'add-gid', line: 3, severity: 'error' }),
  );
  expect(warned.diagnostics).toContainEqual(expect.objectContaining({ key: 'uid', severity: 'warning' }));
  const { emperor: about }: StatusJson = JSON.parse((await cli('status', '--json')).stdout);
  const told = JSON.stringify(about);
  expect(told).toContain(`asked root, kernel gives uid ${USER}`);
  expect(told).toContain('asked control groups, kernel gives none');
});

test('its vassals outlive it, and its next one adopts them', async () => {
  write('lasting', `command = ${probe} pause`);
  const { pid } = await vassal('lasting', ({ state }) => state === 'running');
  const gone = new Promise((resolve) => emperor?.once('exit', resolve));
  emperor?.kill('SIGKILL');
  await gone;
  expect(isAlive(pid ?? 0)).toBe(true);

  await start();

  expect((await vassal('lasting', ({ state }) => state === 'running')).pid).toBe(pid);
});

test('the file of another user is not run', async () => {
  write('foreign', `command = ${probe} pause`);
  await vassal('foreign', ({ state }) => state === 'running');
  chownSync(join(vassals, 'foreign.ini'), USER + 1, USER + 1);

  const { diagnostics } = await vassal('foreign', ({ state }) => state !== 'running');
  expect(JSON.stringify(diagnostics)).toMatch(/belongs to uid 61235|not of/);
});
