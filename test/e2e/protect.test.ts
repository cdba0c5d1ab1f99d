import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';

const emperor = sharedEmperor();
const foreign = `/home/emtest-${process.pid}`;
const ROOT_IN_JAIL = ['uid = root', 'cap = dac_override'];
const data = join(emperor.base, 'data');

beforeAll(() => {
  mkdirSync(join(foreign, 'open'), { recursive: true });
  writeFileSync(join(foreign, 'file'), 'of somebody');
  for (const dir of [foreign, join(foreign, 'open')]) chmodSync(dir, 0o755);
  mkdirSync(data);
  chownSync(data, 5, 60);
});
afterAll(() => rmSync(foreign, { recursive: true }));

const writes = (...dirs: readonly string[]) => dirs.map((dir) => `write:${dir}`);

test('protect-system = full: the system is read-only for root too, the rest is not', async () => {
  const facts = await emperor.facts('blog', writes('/usr', '/etc', '/boot', emperor.outDir), ...ROOT_IN_JAIL);

  for (const dir of ['/usr', '/etc', '/boot']) expect([dir, facts.get('write', dir)]).toEqual([dir, 'EROFS']);
  expect(facts.get('write', emperor.outDir)).toBe('ok');
});

test('protect-system = no leaves it to the rights of its user', async () => {
  const facts = await emperor.facts(
    'blog',
    writes('/usr/local', '/etc'),
    'protect-system = no',
    ...ROOT_IN_JAIL,
  );

  for (const dir of ['/usr/local', '/etc']) expect([dir, facts.get('write', dir)]).toEqual([dir, 'ok']);
});

test('protect-system = strict: everything is read-only but write and the private directories', async () => {
  const own = ['/tmp', '/var/tmp', '/dev/shm', data];
  const not = ['/', '/usr', '/etc', '/var', '/srv', '/opt', '/run', '/dev', emperor.outDir, emperor.base];
  const facts = await emperor.facts(
    'blog',
    writes(...own, ...not),
    'protect-system = strict',
    `write = ${data}`,
    ...ROOT_IN_JAIL,
  );

  for (const dir of own) expect([dir, facts.get('write', dir)]).toEqual([dir, 'ok']);
  for (const dir of not) expect([dir, facts.get('write', dir)]).toEqual([dir, 'EROFS']);
  for (const [path, options] of facts.all('mount')) {
    if (/^\/(?:tmp|var\/tmp|dev|proc|mnt)/.test(path) || path === data) continue;
    expect([path, options]).toEqual([path, expect.stringMatching(/ ro[, ]/)]);
  }
});

test('what is to be written must be there', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', `write = ${emperor.base}/none`));
  await emperor.waitFor('blog', ({ note }) => note !== null);

  expect((await emperor.why('blog')).answer).toMatch(/there is no .*\/none/);
});

test('protect-home = yes hides the homes of others, read-only lets them be read, no leaves them', async () => {
  const attempts = ['list:/home', `read:${foreign}/file`, `write:${foreign}/open`];
  const seen = async (value: string) => {
    const facts = await emperor.facts(`is-${value}`, attempts, `protect-home = ${value}`, ...ROOT_IN_JAIL);
    return [
      facts.entries('/home').length > 0,
      facts.get('read', `${foreign}/file`),
      facts.get('write', `${foreign}/open`),
    ];
  };

  expect(await seen('yes')).toEqual([false, 'ENOENT', 'ENOENT']);
  expect(await seen('read-only')).toEqual([true, 'ok', 'EROFS']);
  expect(await seen('no')).toEqual([true, 'ok', 'ok']);
});

test('with protect-home = read-only the working directory stays writable', async () => {
  const facts = await emperor.facts(
    'blog',
    writes(`${foreign}/open`, foreign),
    'protect-home = read-only',
    `chdir = ${foreign}/open`,
    ...ROOT_IN_JAIL,
  );

  expect(facts.get('write', `${foreign}/open`)).toBe('ok');
  expect(facts.get('write', foreign)).toBe('EROFS');
});

test('the host’s tree is nosuid,nodev in the jail, and shared with nobody', async () => {
  const facts = await emperor.facts('blog', []);

  for (const [path, options] of facts.all('mount')) {
    expect([path, options]).toEqual([path, expect.stringMatching(/nosuid/)]);
    if (!/^\/(?:dev|proc\/.)/.test(path))
      expect([path, options]).toEqual([path, expect.stringMatching(/nodev/)]);
    expect([path, options]).not.toEqual([path, expect.stringMatching(/shared$/)]);
  }
});
