import { closeSync, existsSync, mkdirSync, openSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '@emperor/common/clock';
import { expect, onTestFinished, test } from 'vitest';
import { EmperorUnderTest, sharedEmperor } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { guideExample } from '../support/guide-example.ts';
import { httpGet } from '../support/http-get.ts';
import { peek, peekLink, processFacts, statusLine } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();
const at = (path: string): string => join(emperor.base, path);
const KINDS = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'user'] as const;
const OF_A_GENERATION = ['mnt', 'pid', 'ipc', 'uts', 'cgroup'] as const;
const CAP_SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'] as const;

for (const dir of ['srv/site', 'srv/sockets']) mkdirSync(at(dir), { recursive: true });

/** The example of the guide below this test's directory, on a free port. */
async function example(heading: string): Promise<{ readonly text: string; readonly port: number }> {
  const written = guideExample('namespaces', heading);
  const low = / 80\b|, 80\)|:80\b/.test(written) && !written.includes('8000');
  const port = low ? await freeLowPort() : await freePort();
  const text = written.replaceAll(/\b80(?:0[01])?\b/g, String(port)).replaceAll('/srv/', `${at('srv')}/`);
  return { text, port };
}

/** One that only who may bind below 1024 gets. */
async function freeLowPort(): Promise<number> {
  for (let port = 700; port < 1_024; port += 1) {
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.on('error', () => resolve(false));
      server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error('every port from 700 to 1023 is in use');
}

const answer = (port: number) => waitUntil('an answer', () => httpGet(port));
const nsOf = (pid: number | 'self') =>
  Object.fromEntries(KINDS.map((kind) => [kind, peekLink(`/proc/${pid}/ns/${kind}`)]));
const ownOf = (pid: number) => KINDS.filter((kind) => nsOf(pid)[kind] !== nsOf('self')[kind]);

test('N2.1: single namespaces are useful by themselves', async () => {
  const { text, port } = await example('One namespace by itself');
  emperor.write('shop.ini', text);
  const { pid } = await emperor.running('shop');

  await answer(port);
  expect(ownOf(pid)).toEqual(['ipc', 'uts']);
  const facts = await emperor.facts('look', [], ...text.split('\n').slice(2));
  expect(facts.get('hostname')).toBe('bookshop');
});

test('N2.1: new namespaces for all vassals, by the defaults of emperor.ini', async () => {
  const own = new EmperorUnderTest({ config: guideExample('namespaces', 'New namespaces for all vassals') });
  onTestFinished(async () => expect(await own.dispose()).toEqual([]));
  await own.start();
  own.write('all.ini', own.probeFile('pause'));
  own.write('few.ini', own.probeFile('pause', 'unshare = ipc'));

  expect(ownOf((await own.running('all')).pid)).toEqual(KINDS);
  expect(ownOf((await own.running('few')).pid)).toEqual(['ipc']);
});

test('N2.2: a socket hands out namespaces, and another vassal joins them', async () => {
  emperor.write('shop.ini', (await example('Namespaces for others')).text);
  const shop = nsOf((await emperor.running('shop')).pid);
  const { text, port } = await example('Join them');
  emperor.write('guest.ini', text);
  const { pid } = await emperor.running('guest');

  for (const kind of ['ipc', 'uts', 'net', 'cgroup'] as const)
    expect([kind, nsOf(pid)[kind]]).toEqual([kind, shop[kind]]);
  for (const kind of ['mnt', 'pid'] as const)
    expect([nsOf('self')[kind], shop[kind]]).not.toContain(nsOf(pid)[kind]);
  // It serves in the bookshop's network, and the host has nothing on that port.
  const listens = (of: number | 'self') =>
    peek(`/proc/${of}/net/tcp`)?.includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} `) === true;
  await waitUntil('its port', () => (listens(pid) ? true : undefined));
  expect(listens('self')).toBe(false);
});

test('N2.6: limits by control groups', async () => {
  const { text, port } = await example('Limits');
  emperor.write('shop.ini', text);
  await emperor.running('shop');
  await answer(port);
  expect(await emperor.diagnostics('shop')).toEqual([]);

  const [, , ...limits] = text.trim().split('\n');
  emperor.write('bomb.ini', emperor.probeFile('forks 100', ...limits));
  emperor.write('hog.ini', emperor.probeFile('eat 500000000', ...limits, 'restart-max = 1'));
  expect((await emperor.printed('bomb', 'forked')).join('\n')).toMatch(/forked 1\d EAGAIN/);
  const hog = await emperor.waitFor('hog', ({ state }) => state === 'failed');
  expect(hog.lastExit?.because).toBe('killed by the kernel: memory-max 128M reached');
});

test('N2.7: a reload gives a new jail, and the keeper outside stays', async () => {
  const { text, port } = await example('Reload in a jail');
  const deployed = at('srv/site/deployed');
  writeFileSync(deployed, '1');
  emperor.write('shop.ini', text);
  const before = await emperor.running('shop');
  // Held open, so that the kernel gives their numbers to no others.
  const held = OF_A_GENERATION.map((kind) => openSync(`/proc/${before.pid}/ns/${kind}`, 'r'));
  onTestFinished(() => held.forEach((fd) => closeSync(fd)));
  const old = nsOf(before.pid);
  await answer(port);

  utimesSync(deployed, systemClock.wall() / 1_000, systemClock.wall() / 1_000 + 5);
  const after = await emperor.running('shop', before.pid);

  await answer(port);
  expect(after).toMatchObject({ keeperPid: before.keeperPid, restarts: 0 });
  expect(existsSync(`/proc/${before.pid}`)).toBe(false);
  for (const kind of OF_A_GENERATION) expect(nsOf(after.pid)[kind]).not.toBe(old[kind]);
});

test('N2.8: init reaps orphans, passes signals, and its end ends the jail', async () => {
  const { text, port } = await example('The first process of a jail');
  emperor.write('shop.ini', text);
  const { pid } = await emperor.running('shop');
  await answer(port);
  const init = processFacts(pid)?.ppid ?? 0;

  expect(statusLine(init, 'NSpid')).toBe(`${init}\t1`);
  await waitUntil('the orphan to be reaped', () =>
    peek(`/proc/${init}/task/${init}/children`)?.trim() === String(pid) ? true : undefined,
  );
  process.kill(init, 'SIGKILL');
  await emperor.running('shop', pid);
  expect(existsSync(`/proc/${pid}`)).toBe(false);

  await answer(port);
  expect((await emperor.cli(['stop', 'shop'])).code).toBe(0);
  await emperor.printed('shop', 'Keyboard interrupt received');
});

test('N4: capabilities by name and by number, in all five sets', async () => {
  const { text, port } = await example('Capabilities');
  emperor.write('shop.ini', text);
  const { pid } = await emperor.running('shop');

  await answer(port);
  const wanted = (2 ** 40 + 2 ** 7 + 2 ** 6).toString(16).padStart(16, '0');
  expect(CAP_SETS.map((set) => statusLine(pid, set))).toEqual(CAP_SETS.map(() => wanted));
});

test('N5: an app that was never root binds a port below 1024', async () => {
  const { text, port } = await example('A port below 1024 without root');
  emperor.write('shop.ini', text);
  const { pid, uid } = await emperor.running('shop');

  expect(port).toBeLessThan(1_024);
  expect(await answer(port)).toMatchObject({ status: 200 });
  expect(statusLine(pid, 'Uid')).toBe(Array(4).fill(uid).join('\t'));
  expect(uid).toBeGreaterThan(0);
  expect(statusLine(pid, 'CapEff')).toBe((2 ** 10).toString(16).padStart(16, '0'));
});

test('N5: a program that starts as root drops it itself', async () => {
  const { text, port } = await example('A program that wants to be root');
  emperor.write('shop.ini', text);
  const { pid } = await emperor.running('shop');

  expect(await answer(port)).toMatchObject({ status: 200 });
  expect(statusLine(pid, 'Uid')).toBe('33\t33\t33\t33');
  expect(statusLine(pid, 'CapEff')).toBe('0'.repeat(16));
});
