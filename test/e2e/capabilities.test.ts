import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { statusLine } from '../support/processes.ts';

const emperor = sharedEmperor();
const SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'] as const;
const OWN_NET = 'unshare = mnt,pid,ipc,uts,net,cgroup';
const LAST = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));

const setOf = (pid: number) => SETS.map((set) => statusLine(pid, set));
const hex = (...numbers: readonly number[]) =>
  numbers
    .reduce((set, number) => set | (1n << BigInt(number)), 0n)
    .toString(16)
    .padStart(16, '0');

test.each([
  ['net_bind_service', [10]],
  ['10,setuid', [7, 10]],
  ['CAP_KILL, 10, kill', [5, 10]],
  [String(LAST), [LAST]],
])('cap = %s is exactly that, in all five sets of what runs', async (value, numbers) => {
  emperor.write('blog.ini', emperor.probeFile('pause', `cap = ${value}`));
  const { pid } = await emperor.running('blog');

  expect(setOf(pid)).toEqual(SETS.map(() => hex(...numbers)));
  expect(statusLine(pid, 'NoNewPrivs')).toBe('1');
});

test('they reach a program that a shell script starts', async () => {
  const script = join(emperor.appDir, 'start.sh');
  writeFileSync(script, `#!/bin/sh\nexec sh -c 'exec ${emperor.probe} pause'\n`);
  chmodSync(script, 0o755);
  emperor.write('blog.ini', `[vassal]\ncommand = ${script}\ncap = net_bind_service\n`);
  await emperor.printed('blog', 'up');
  const { pid } = await emperor.running('blog');

  expect(setOf(pid)).toEqual(SETS.map(() => hex(10)));
});

test('with net_bind_service an app that was never root binds port 80, without it it may not', async () => {
  const allowed = await emperor.facts('with', ['bind:80'], 'cap = net_bind_service', OWN_NET);
  const denied = await emperor.facts('without', ['bind:80'], OWN_NET);

  expect(allowed.get('status', 'Uid')).not.toMatch(/^0\s/);
  expect(allowed.get('bind', '80')).toBe('ok');
  expect(denied.get('bind', '80')).toBe('EACCES');
});

test.each([
  [String(LAST + 1), `asked cap=${LAST + 1}, kernel gives none: its last capability is ${LAST}`],
  ['64', 'there is no capability 64: the last possible one is 63'],
])('cap = %s is more than the kernel knows, which is said', async (value, message) => {
  emperor.write('blog.ini', emperor.probeFile('pause', `cap = ${value}`));
  await emperor.waitFor('blog', ({ state }) => state === 'failed');

  expect(await emperor.diagnostics('blog')).toContain(`blog.ini:3 cap ${message}`);
});

test('when-unsupported = warn runs without it, and says so', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', `cap = ${LAST + 1},kill`, 'when-unsupported = warn'));
  const { pid, diagnostics } = await emperor.running('blog');

  expect(setOf(pid)).toEqual(SETS.map(() => hex(5)));
  expect(diagnostics.map(({ severity, key }) => [severity, key])).toContainEqual(['warning', 'cap']);
});

test.each([
  ['noroot', 0x1],
  ['noroot,noroot-locked,no-setuid-fixup-locked,no-cap-ambient-raise,no-cap-ambient-raise-locked', 0xcb],
])('securebits = %s is what the app has, beside its capabilities', async (value, wanted) => {
  const script =
    'import ctypes; print("bits", ctypes.CDLL(None).prctl(27,0,0,0,0), flush=True); import time; time.sleep(60)';
  emperor.write(
    'blog.ini',
    `[vassal]\ncommand = python3 -c '${script}'\ncap = kill\nsecurebits = ${value}\n`,
  );
  const [line] = (await emperor.printed('blog', 'bits')).filter((text) => text.startsWith('bits'));
  const { pid } = await emperor.running('blog');

  expect(line).toBe(`bits ${wanted}`);
  expect(setOf(pid)).toEqual(SETS.map(() => hex(5)));
});

test('add-gid gives exactly these groups, and the keyring is its own', async () => {
  const facts = await emperor.facts('blog', ['key:emtest-secret'], 'add-gid = 33,44', 'gid = 29');
  const { pid } = await emperor.running('blog');

  expect(statusLine(pid, 'Groups')?.trim()).toBe('33 44');
  expect(statusLine(pid, 'Gid')).toBe(Array(4).fill('29').join('\t'));
  expect(facts.get('key', 'emtest-secret')).not.toBe('ok');
});
