import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';
import { ProbeFacts } from '../support/probe.ts';
import { peek } from '../support/processes.ts';
import { makeSmallRoot } from '../support/small-root.ts';

const emperor = sharedEmperor();
const root = join(emperor.base, 'root');
const OPERATORS = [
  ['root', 'minimal'],
  ['namespace', '/x'],
  ['namespace-keep-mount', '/x'],
  ['pivot-root', '/x /x/old'],
  ['chroot', '/x'],
  ['overlay', '/x::/y'],
  ['bind', '/x'],
  ['bind-ro', '/x'],
  ['tmpfs', '/x'],
  ['mask', '/x'],
  ['write', '/x'],
  ['protect-home', 'no'],
] as const;

// Before the emperor starts: what is there then is no leak.
makeSmallRoot(root);
mkdirSync(join(root, 'data/nfs'), { mode: 0o777 });
writeFileSync(join(root, 'data/file'), 'of the root');
emperor.mountTmpfs(join(root, 'mnt'), 'size=1m,mode=1777');
writeFileSync(join(root, 'mnt/below'), 'mounted below');

let serial = 0;

/** What the probe sees from inside a root that has it as /bin/probe. */
async function factsIn(attempts: readonly string[], ...lines: readonly string[]): Promise<ProbeFacts> {
  const name = `blog${serial++}`;
  emperor.write(`${name}.ini`, vassalFile(`/bin/probe facts ${attempts.join(' ')}`, ...lines));
  return new ProbeFacts(await emperor.printed(name, 'facts end'));
}

const LOOK = [
  ...['/', '/data', '/mnt', '/run', '/dev', '/home'].map((dir) => `list:${dir}`),
  ...['/', '/data', '/etc', '/usr', '/tmp', '/var/tmp', '/dev/shm'].map((dir) => `write:${dir}`),
  'read:/proc/timer_list',
  `list:${emperor.base}`,
];

function expectJail(facts: ProbeFacts): void {
  expect(facts.entries('/').toSorted()).toEqual(readdirSync(root).toSorted());
  expect(facts.entries('/data')).toContain('file');
  expect(facts.get('write', '/data')).toBe('ok');
  expect(facts.entries('/run')).toEqual(['notify']);
  expect(facts.entries('/dev').length).toBe(13);
  for (const dir of ['/tmp', '/var/tmp', '/dev/shm'])
    expect([dir, facts.get('write', dir)]).toEqual([dir, 'ok']);
  for (const dir of ['/', '/etc', '/usr']) expect([dir, facts.get('write', dir)]).not.toEqual([dir, 'ok']);
  expect(facts.get('list', emperor.base)).toBe('ENOENT');
  expect([...facts.all('process').keys()].every((pid) => Number(pid) <= 2)).toBe(true);
  for (const [path, options] of facts.all('mount')) {
    expect([path, options]).toEqual([path, expect.stringMatching(/nosuid/)]);
    expect([path, options]).not.toEqual([path, expect.stringMatching(/shared$/)]);
    if (!/^\/(?:dev|proc\/.)/.test(path))
      expect([path, options]).toEqual([path, expect.stringMatching(/nodev/)]);
  }
  expect(peek('/proc/self/mountinfo')).not.toMatch(new RegExp(`${root}/(?:proc|dev|sys|run|tmp)`));
}

test('root = DIR: that tree with what is mounted below it, the rest of the jail as ever', async () => {
  const facts = await factsIn(LOOK, `root = ${root}`);

  expectJail(facts);
  expect(facts.entries('/mnt')).toEqual(['below']);
});

test('namespace = DIR:HOSTNAME: the same without what is mounted below it', async () => {
  const facts = await factsIn(LOOK, `namespace = ${root}:boxed`);

  expectJail(facts);
  expect(facts.entries('/mnt')).toEqual([]);
  expect(facts.get('hostname')).toBe('boxed');
});

test('namespace-keep-mount: a mount below the directory, and one from elsewhere', async () => {
  const elsewhere = join(emperor.base, 'elsewhere');
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, 'far'), 'x');
  const facts = await factsIn(
    ['list:/mnt', 'list:/data/nfs', 'write:/mnt'],
    `namespace = ${root}`,
    `namespace-keep-mount = ${root}/mnt`,
    `namespace-keep-mount = ${elsewhere}:/data/nfs`,
  );

  expect(facts.entries('/mnt')).toEqual(['below']);
  expect(facts.get('write', '/mnt')).toBe('ok');
  expect(facts.entries('/data/nfs')).toEqual(['far']);
  expect(facts.get('mount', '/data/nfs')).toMatch(/nosuid,nodev/);
});

test('chroot = DIR is a root with mounts where it has a mount namespace, and chroot(2) where not', async () => {
  expectJail(await factsIn(LOOK, `chroot = ${root}`));

  const bare = await factsIn(
    ['list:/', 'list:/mnt', 'list:/proc', 'list:/run'],
    `chroot = ${root}`,
    'unshare = none',
  );
  expect(bare.entries('/').toSorted()).toEqual(readdirSync(root).toSorted());
  expect(bare.entries('/mnt')).toEqual(['below']);
  expect(bare.entries('/proc')).toEqual([]);
  expect(bare.get('env', 'NOTIFY_SOCKET')).toBeUndefined();
});

test('an overlay as root keeps changes in its upper directory, or throws them away', async () => {
  const [upper, layer] = [join(emperor.base, 'upper'), join(emperor.base, 'layer')];
  mkdirSync(upper);
  mkdirSync(join(layer, 'data'), { recursive: true });
  writeFileSync(join(layer, 'data/top'), 'x');
  execFileSync('chmod', ['777', join(layer, 'data')]);

  const facts = await factsIn(
    ['list:/data', 'touch:/data/new', 'write:/etc'],
    `overlay = ${layer}:${root}:${upper}:/`,
  );
  expect(facts.entries('/data')).toEqual(expect.arrayContaining(['file', 'top']));
  expect(facts.get('touch', '/data/new')).toBe('ok');
  expect(existsSync(join(upper, 'data/new'))).toBe(true);
  expect(existsSync(join(layer, 'data/new'))).toBe(false);
  expect(existsSync(join(root, 'data/new'))).toBe(false);

  const gone = await factsIn(['list:/data', 'touch:/data/other'], `overlay = ${layer}:${root}::/`);
  expect(gone.get('touch', '/data/other')).toBe('ok');
  expect(gone.entries('/data')).not.toContain('new');
  expect(readdirSync(join(layer, 'data'))).toEqual(['top']);
});

test.each([
  ['a directory', `root = ${root}`],
  ['a namespace', `namespace = ${root}:boxed`],
  ['layers', `overlay = ${root}::/`],
  ['a bare chroot', `chroot = ${root}\nunshare = none`],
])('%s as root is what it promises: its audit finds nothing', async (_, lines) => {
  emperor.write('blog.ini', vassalFile('/bin/probe pause', lines));
  await emperor.running('blog');

  const audit = await emperor.cli(['audit', 'blog']);
  expect(audit.stdout.split('\n').filter((line) => /^ +(?:violated|cannot)/.test(line))).toEqual([]);
  expect(audit.code).toBe(0);
});

test('the emperor’s directories are hidden in every root that would show them', async () => {
  const shown = [
    ...['run', 'state', 'log'].map((name) => `list:/${name}`),
    ...['run', 'state', 'log'].map((name) => `list:/data/nfs/${name}`),
  ];
  for (const place of ['bin', 'dev', 'etc', 'proc', 'run', 'sys', 'tmp', 'var/tmp'])
    mkdirSync(join(emperor.base, place), { recursive: true });
  execFileSync('cp', [join(root, 'bin/probe'), join(emperor.base, 'bin/probe')]);
  const facts = await factsIn(shown.slice(0, 3), `root = ${emperor.base}`, 'uid = root');
  for (const dir of ['/state', '/log']) expect([dir, facts.entries(dir)]).toEqual([dir, []]);
  expect(facts.entries('/run')).toEqual(['notify']);

  const bound = await factsIn(
    shown.slice(3),
    `root = ${root}`,
    `bind = ${emperor.base}:/data/nfs`,
    'uid = root',
  );
  for (const name of ['run', 'state', 'log'])
    expect([name, bound.entries(`/data/nfs/${name}`)]).toEqual([name, []]);
});

test('a root that lacks a place, or is none, says what is missing and what to do', async () => {
  const bare = join(emperor.base, 'bare');
  mkdirSync(bare);
  emperor.write('blog.ini', vassalFile('/bin/probe pause', `root = ${bare}`));
  await emperor.waitFor('blog', ({ note }) => note !== null);
  const why = await emperor.why('blog');
  expect(why.answer).toMatch(/there is no \/dev in the root .*stage mounts, ENOENT/);
  expect(why.hint).toContain(`mkdir ${bare}/dev`);

  emperor.write('shop.ini', vassalFile('/bin/probe pause', `root = ${emperor.base}/none`));
  await emperor.waitFor('shop', ({ note }) => note !== null);
  expect((await emperor.why('shop')).answer).toMatch(/there is no directory .*\/none.*stage root, ENOENT/);
});

describe.each(OPERATORS)('%s', (key, value) => {
  test('is refused to a tenant', async () => {
    emperor.write('theirs.ini', emperor.probeFile('pause', `${key} = ${value}`));
    execFileSync('chown', ['games', emperor.path('theirs.ini')]);
    const { note } = await emperor.waitFor('theirs', ({ state }) => state === 'failed');

    expect(note).not.toBeNull();
    expect(await emperor.diagnostics('theirs')).toEqual([
      `theirs.ini:3 ${key} only the operator may set this, and the file belongs to games`,
    ]);
  });
});
