import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { peek } from '../support/processes.ts';

const emperor = sharedEmperor();
const tree = join(emperor.base, 'tree');
const here = join(emperor.base, 'here');

// Before the emperor starts: what is there then is no leak.
for (const dir of [tree, join(tree, 'sub'), join(tree, 'sub/deep'), here]) mkdirSync(dir, { mode: 0o777 });
emperor.mountTmpfs(join(tree, 'sub'), 'size=1m,mode=1777');
writeFileSync(join(tree, 'file'), 'of the host');

test('bind shows a path of the host elsewhere, with what is mounted below it, nosuid,nodev', async () => {
  const facts = await emperor.facts(
    'blog',
    [`read:${here}/file`, `write:${here}/sub`, `list:${here}/sub`],
    `bind = ${tree}:${here}`,
    'umask = 0',
  );

  expect(facts.get('content', `${here}/file`)).toBe('of the host');
  expect(facts.get('write', `${here}/sub`)).toBe('ok');
  for (const path of [here, `${here}/sub`]) expect(facts.get('mount', path)).toMatch(/nosuid,nodev/);
  expect(peek('/proc/self/mountinfo')).not.toContain(here);
});

test('bind-ro is read-only for root too, with everything mounted below it', async () => {
  const paths = [here, `${here}/sub`];
  const facts = await emperor.facts(
    'blog',
    [...paths.map((path) => `write:${path}`), `open-write:${here}/file`, `write:${tree}/sub`],
    `bind-ro = ${tree}:${here}`,
    'uid = root',
    'cap = dac_override',
  );

  for (const path of paths) {
    expect([path, facts.get('write', path)]).toEqual([path, 'EROFS']);
    expect(facts.get('mount', path)).toMatch(/ro,nosuid,nodev/);
  }
  expect(facts.get('open-write', `${here}/file`)).toBe('EROFS');
  // the source itself is what it was
  expect(facts.get('write', `${tree}/sub`)).toBe('ok');
});

test('a single file, into /run, /tmp and a hidden home', async () => {
  const places = ['/run/conf/x', '/tmp/conf/x', '/home/nobody-has-it/x'];
  const facts = await emperor.facts(
    'blog',
    places.map((place) => `read:${place}`),
    ...places.map((place) => `bind-ro = ${tree}/file:${place}`),
  );

  for (const place of places) expect([place, facts.get('content', place)]).toEqual([place, 'of the host']);
});

test('a device that is named can be used, others not', async () => {
  const facts = await emperor.facts(
    'blog',
    ['open-write:/dev/full', 'read:/dev/kmsg', 'list:/dev'],
    'bind = /dev/full:/dev/other/full',
    'bind = /dev/kmsg',
    'uid = root',
    'cap = syslog',
  );

  expect(facts.entries('/dev')).toContain('kmsg');
  expect(facts.get('open-write', '/dev/full')).toBe('ok');
  expect(facts.get('read', '/dev/kmsg')).not.toBe('EACCES');
});

test('tmpfs is empty, the app’s, of its size, and gone with the jail', async () => {
  const facts = await emperor.facts(
    'blog',
    [`list:${tree}`, `touch:${tree}/mine`, `stat:${tree}`],
    `tmpfs = ${tree}:1M`,
  );
  const { uid } = await emperor.running('blog');

  expect(facts.entries(tree)).toEqual([]);
  expect(facts.get('touch', `${tree}/mine`)).toBe('ok');
  expect(facts.get('stat', tree)).toBe(`40755 ${uid} ${uid}`);
  expect(facts.get('mount', tree)).toMatch(/^tmpfs rw,nosuid,nodev/);
  emperor.touch('blog.ini');
  const lines = await emperor.printed('blog', 'facts end', 2);
  expect(lines.filter((line) => line.includes('"entry"') && line.includes('mine'))).toEqual([]);
});

test('mask empties a file, closes a directory, for root too; what is not there is skipped', async () => {
  const facts = await emperor.facts(
    'blog',
    [`read:${tree}/file`, `list:${tree}/sub`, `write:${tree}/sub`],
    `mask = ${tree}/file`,
    `mask = ${tree}/sub`,
    `mask = ${tree}/none`,
    'uid = root',
    'cap = dac_override',
  );

  expect(facts.get('content', `${tree}/file`)).toBe('');
  expect(facts.entries(`${tree}/sub`)).toEqual([]);
  expect(facts.get('write', `${tree}/sub`)).toBe('EROFS');
  expect(readFileSync(join(tree, 'file'), 'utf8')).toBe('of the host');
});

test('an overlay over a directory: changes go with the jail, or to the upper directory of one jail at a time', async () => {
  const [lower, upper] = [join(emperor.base, 'lower'), join(emperor.base, 'upper')];
  for (const dir of [lower, upper]) mkdirSync(dir, { mode: 0o777 });
  writeFileSync(join(lower, 'low'), 'x');
  const line = (to: string) => `overlay = ${lower}:${to}:${tree}`;

  const facts = await emperor.facts('blog', [`list:${tree}`, `touch:${tree}/new`], line(''), 'uid = root');
  expect(facts.entries(tree)).toEqual(['low']);
  expect(facts.get('touch', `${tree}/new`)).toBe('ok');

  await emperor.facts('kept', [`touch:${tree}/kept`], line(upper), 'uid = root');
  expect(readFileSync(join(upper, 'kept'), 'utf8')).toBe('');
  emperor.write('second.ini', emperor.probeFile('pause', line(upper), 'uid = root'));
  await emperor.waitFor('second', ({ note }) => note?.includes('EBUSY') === true);
  expect((await emperor.why('second')).answer).toContain(`${upper} is in use by another jail`);
});

test('a source or a target behind a symlink is refused, and one that is not there, each with what to do', async () => {
  const link = join(emperor.base, 'link');
  symlinkSync('/etc', link);
  const cases = [
    [`bind = ${link}:${here}`, /a symlink stands at or on the way to .*\/link/],
    [`bind = ${link}/passwd:${tree}/file`, /a symlink stands/],
    [`bind = ${tree}:${link}`, /a symlink stands/],
    [`bind-ro = ${emperor.base}/none:${here}`, /there is no .*\/none on the host/],
    [`bind-ro = ${tree}:${here}/none`, /there is no .*\/here\/none to mount on/],
  ] as const;
  for (const [index, [line, pattern]] of cases.entries()) {
    emperor.write(`v${index}.ini`, emperor.probeFile('pause', line));
    await emperor.waitFor(`v${index}`, ({ note }) => note !== null);
    const { answer, hint } = await emperor.why(`v${index}`);
    expect([line, answer]).toEqual([line, expect.stringMatching(pattern)]);
    expect(hint).not.toBeNull();
  }
});
