import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FLASK_APP } from '../support/app-files.ts';
import { unpackDebian } from '../support/debian-root.ts';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { guideExample } from '../support/guide-example.ts';
import { httpGet } from '../support/http-get.ts';
import { peek } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();
const debian = join(emperor.base, 'distros/bookworm');
const FIRST_TIME_MS = 600_000;

beforeAll(() => {
  unpackDebian(debian);
  mkdirSync(join(debian, 'srv/app'));
  writeFileSync(join(debian, 'srv/app/flask_site.py'), FLASK_APP);
  writeFileSync(join(debian, 'etc/only-here'), 'x');
}, FIRST_TIME_MS);
afterAll(() => {
  rmSync(debian, { recursive: true, force: true });
});

/** What the guide says, with a directory of this test for each of its paths and a free port. */
async function example(heading: string): Promise<{ readonly text: string; readonly port: number }> {
  const port = await freePort();
  const ns = join(emperor.base, 'ns');
  mkdirSync(ns, { recursive: true });
  const text = guideExample('jails', heading)
    .replaceAll('/distros/bookworm', debian)
    .replaceAll(/\/ns(?=[ /\n])/g, ns)
    .replaceAll('8000', String(port));
  return { text, port };
}

async function answer(port: number): Promise<string | undefined> {
  return waitUntil('an answer', async () => (await httpGet(port))?.body);
}

test('namespace = DIR:HOSTNAME runs gunicorn and Flask of a real Debian', async () => {
  const { text, port } = await example('Another distribution');
  emperor.write('shop.ini', text);
  const { pid, uid, namespaces } = await emperor.running('shop');

  expect(await answer(port)).toBe(`hello from shop as ${uid}\n`);
  expect(namespaces).toEqual(expect.arrayContaining(['mnt', 'pid', 'uts']));
  // visible from the host, in a root of its own that is not the host's
  const inside = (path: string) => peek(`/proc/${pid}/root${path}`);
  expect(inside('/etc/only-here')).toBe('x');
  expect(existsSync(`/proc/${pid}/root${emperor.base}`)).toBe(false);
  expect(execFileSync('nsenter', ['-t', String(pid), '-u', 'hostname'], { encoding: 'utf8' })).toBe(
    'bookshop\n',
  );
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(debian);

  // the death of its first process ends the jail, and another one takes its place
  process.kill(pid, 'SIGKILL');
  const again = await emperor.running('shop', pid);
  expect(again.restarts).toBe(1);
});

test('pivot-root with hooks, the recipe of uWSGI: old tree used, then gone', async () => {
  const { text, port } = await example('A root made by hooks');
  emperor.write('shop.ini', text);
  const { pid } = await emperor.running('shop');

  expect(await answer(port)).toContain('hello from shop');
  const mounts = (peek(`/proc/${pid}/mountinfo`) ?? '').split('\n').filter((line) => line !== '');
  expect(mounts.map((line) => line.split(' ')[4] ?? '').toSorted()).toEqual([
    '/',
    '/dev',
    '/dev/pts',
    '/proc',
  ]);
  expect(mounts.find((line) => line.includes(' /proc '))).toMatch(/nodev.*hidepid=(?:2|invisible)/);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(emperor.base);
  expect(await emperor.diagnostics('shop')).toEqual([]);
});

test('without the last hook the host stays at OLD, hidden emperor apart, and the operator is told', async () => {
  const { text } = await example('A root made by hooks');
  emperor.write('shop.ini', text.replace(/hook-as-root = umount:.*\n/, ''));
  const { pid } = await emperor.running('shop');

  expect(peek(`/proc/${pid}/root/.old_root/etc/hostname`)).toBe(peek('/etc/hostname'));
  expect(peek(`/proc/${pid}/root/.old_root${emperor.vassals}/shop.ini`)).toBeUndefined();
  expect(await emperor.diagnostics('shop')).toEqual([
    expect.stringMatching(/pivot-root leaves the whole tree of the host to the app at \/\.old_root/),
  ]);
});
