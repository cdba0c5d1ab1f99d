import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { guideExample } from '../support/guide-example.ts';
import { httpGet } from '../support/http-get.ts';
import { peek } from '../support/processes.ts';
import { makeSmallRoot } from '../support/small-root.ts';
import { waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();
const at = (path: string): string => join(emperor.base, path);

// Before the emperor starts: what is there then is no leak.
makeSmallRoot(at('apps/app1'));
for (const place of ['nfs', 'nfs1', 'other']) mkdirSync(at(`apps/app1/${place}`));
for (const place of ['nfs', 'other']) emperor.mountTmpfs(at(`apps/app1/${place}`), 'size=1m');
mkdirSync(at('mnt/nfs1'), { recursive: true });
emperor.mountTmpfs(at('mnt/nfs1'), 'size=1m');
for (const mounted of ['apps/app1/nfs', 'apps/app1/other', 'mnt/nfs1'])
  writeFileSync(at(`${mounted}/file`), mounted);

/** The example of the guide with a directory of this test for each of its paths. */
function example(heading: string, paths: readonly string[]): string {
  return paths.reduce(
    (text, path) => text.replaceAll(path, `${emperor.base}${path}`),
    guideExample('jails', heading),
  );
}

test('mounts in a namespace show only when they are kept', async () => {
  emperor.write('app.ini', example('Mounts in a namespace', ['/apps/app1', '/mnt/nfs1']));
  const { pid } = await emperor.running('app');

  expect(peek(`/proc/${pid}/root/nfs/file`)).toBe('apps/app1/nfs');
  expect(peek(`/proc/${pid}/root/nfs1/file`)).toBe('mnt/nfs1');
  expect(existsSync(`/proc/${pid}/root/other`)).toBe(true);
  expect(peek(`/proc/${pid}/root/other/file`)).toBeUndefined();
});

test('layers: each vassal of one image keeps its own changes', async () => {
  const text = example('Layers', ['/distros/bookworm', '/srv/changes']);
  makeSmallRoot(at('distros/bookworm'));
  for (const name of ['one', 'two']) {
    mkdirSync(at(`srv/changes/${name}`), { recursive: true });
    emperor.write(`${name}.ini`, text);
  }
  const [one, two] = [await emperor.running('one'), await emperor.running('two')];
  writeFileSync(`/proc/${one.pid}/root/data/mine`, 'x');

  expect(existsSync(at('srv/changes/one/data/mine'))).toBe(true);
  expect(existsSync(`/proc/${two.pid}/root/data/mine`)).toBe(false);
  expect(existsSync(at('distros/bookworm/data/mine'))).toBe(false);
});

test('only what is named: a server in a minimal root', async () => {
  const port = await freePort();
  for (const dir of ['srv/site', 'srv/shared/fonts', 'srv/uploads']) mkdirSync(at(dir), { recursive: true });
  writeFileSync(at('srv/site/page'), 'a page');
  const text = example('Only what is named', ['/srv/site', '/srv/shared/fonts', '/srv/uploads']);
  emperor.write('site.ini', text.replace('8000', String(port)));
  const { pid } = await emperor.running('site');

  expect((await waitUntil('an answer', () => httpGet(port, '/page')))?.body).toBe('a page');
  for (const [path, isThere] of [
    ['/fonts', true],
    [at('srv/uploads'), true],
    ['/var/cache/site', true],
    [at('srv/shared'), false],
    ['/home', false],
    ['/etc/shadow', false],
  ] as const)
    expect([path, existsSync(`/proc/${pid}/root${path}`)]).toEqual([path, isThere]);
});
