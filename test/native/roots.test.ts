import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLONE, isRoot, NativeWorld, TENANT_UID, type TestKeeper, type Words } from './support.ts';

/** The host's system read-only, with links for the rest: what any root of its own needs to run a shell. */
const SYSTEM: readonly Words[] = [
  ['bind', '/usr', '/usr', 'rsd'],
  ...['/bin', '/lib', '/lib64', '/sbin'].map((path) => ['link', path, `usr${path}`]),
];

describe.skipIf(!isRoot)('roots', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  const namespaces = CLONE.NEWNS | CLONE.NEWCGROUP | CLONE.NEWUTS | CLONE.NEWIPC | CLONE.NEWPID;
  /** A jail whose mount words are exactly these, behind the scratch directory. */
  const words = (
    generation: number,
    command: Words,
    mounts: readonly Words[],
    extra: readonly Words[] = [],
  ) => [
    ['cgroup', world.cgroup(generation)],
    ['unshare', String(namespaces)],
    ['scratch', join(world.base, 'scratch')],
    ['private-tmp', String(16 * 1024 ** 2), '1000'],
    ['private-dev'],
    ...mounts,
    ['gid', String(TENANT_UID)],
    ['uid', String(TENANT_UID)],
    ['caps', '0'],
    ['no-new-privs'],
    ['env', 'PATH=/usr/bin:/bin'],
    ...extra,
    ...command.map((word) => ['arg', word]),
  ];
  let generation = 0;
  const inside = async (script: string, mounts: readonly Words[], extra: readonly Words[] = []) => {
    generation++;
    const before = keeper.texts().length;
    await keeper.output(generation, words(generation, ['sh', '-c', `exec 2>&1; ${script}`], mounts, extra));
    return keeper.texts().slice(before);
  };
  const failure = async (mounts: readonly Words[]) => {
    generation++;
    await keeper.launch(generation, words(generation, ['true'], mounts));
    const fact = await keeper.hear(`fail ${generation} `);
    await keeper.ask(`forget ${generation}`);
    return fact.split(' ').slice(2).join(' ');
  };
  const dir = (name: string, mode = 0o755) => {
    const path = join(world.base, name);
    mkdirSync(path, { recursive: true });
    chmodSync(path, mode);
    return path;
  };
  const views: readonly Words[] = [['dev'], ['tmp'], ['run'], ['proc', '2'], ['sysfs']];

  test('a tmpfs root holds what was put into it and nothing else, and is read-only', async () => {
    const lines = await inside(
      'ls -A / | tr "\\n" " "; echo; touch /x; ls -A /etc; cat /etc/hosts; stat -c "%a" /opt; cat /proc/self/mountinfo | wc -l; ls /tmp; touch /tmp/x && echo tmp',
      [
        ['root', 'tmpfs', '/', '-'],
        ...SYSTEM,
        ['dir', '/opt', '711'],
        ['file', '/etc/hosts', 'mine\n'],
        ...views,
      ],
    );

    expect(lines[0]?.trim().split(' ')).toEqual(
      [
        'bin',
        'dev',
        'etc',
        'lib',
        'lib64',
        'opt',
        'proc',
        'run',
        'sbin',
        'sys',
        'tmp',
        'usr',
        'var',
      ].toSorted(),
    );
    expect(lines[1]).toMatch(/Permission denied|Read-only/);
    expect(lines.slice(2, 5)).toEqual(['hosts', 'mine', '711']);
    expect(Number(lines[5])).toBeLessThan(15);
    expect(lines.at(-1)).toBe('tmp');
  });

  test('of the host nothing is left after the change of root: no mount, no descriptor, no directory', async () => {
    const lines = await inside(`cat /proc/self/mountinfo; ls ${world.base}; ls -l /proc/self/fd`, [
      ['root', 'tmpfs', '/', '-'],
      ...SYSTEM,
      ...views,
    ]);

    const mounts = lines.filter((line) => / - /.test(line));
    expect(mounts.map((line) => line.split(' ')[4] ?? '').toSorted()).toEqual(
      ['/', '/dev', '/dev/pts', '/dev/shm', '/proc', '/run', '/sys', '/tmp', '/usr', '/var/tmp'].toSorted(),
    );
    expect(mounts.filter((line) => line.includes('shared:'))).toEqual([]);
    expect(lines.filter((line) => line.includes(world.base)).length).toBe(1);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(world.base);
  });

  test('a directory as root: its tree with or without what is mounted below, nosuid,nodev', async () => {
    const root = dir('root');
    for (const name of ['proc', 'dev', 'run', 'tmp', 'var/tmp', 'sys', 'usr', 'data', 'etc'])
      mkdirSync(join(root, name), { recursive: true });
    for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
    writeFileSync(join(root, 'data/file'), 'of the directory\n');
    const mounts = (kind: string): readonly Words[] => [
      ['root', kind, root, 'sd'],
      ['bind', '/usr', '/usr', 'rsd'],
      ['readonly', '/etc'],
      ['readonly', '/bin'],
      ['readonly', '/missing'],
      ...views,
    ];

    const lines = await inside(
      'cat /data/file; ls / | tr "\\n" " "; echo; grep " / / \\| /root / " /proc/self/mountinfo; cut -d" " -f5,6 /proc/self/mountinfo | grep -v "nosuid"',
      mounts('tree'),
    );
    expect(lines[0]).toBe('of the directory');
    expect(lines[1]?.trim().split(' ')).toEqual(readdirSync(root).toSorted());
    expect(lines.slice(2)).toEqual([]);

    const single = await inside('cat /data/file; ls -d /usr/bin', mounts('single'));
    expect(single).toEqual(['of the directory', '/usr/bin']);
  });

  test('places must be there in a directory root; a symlink is followed neither to it nor in it', async () => {
    const root = dir('root');
    mkdirSync(join(root, 'proc'));
    symlinkSync('/etc', join(root, 'dev'));
    symlinkSync(root, join(world.base, 'link'));

    expect(await failure([['root', 'tree', root, 'sd'], ['tmp']])).toBe('mounts 2 /tmp');
    expect(await failure([['root', 'tree', root, 'sd'], ['dev']])).toBe('mounts 40 /dev');
    expect(await failure([['root', 'tree', join(world.base, 'link'), 'sd']])).toMatch(/^root 40 /);
    expect(await failure([['root', 'tree', join(world.base, 'none'), 'sd']])).toMatch(/^root 2 /);
  });

  test('binds get their places in file systems of our own, and nowhere else', async () => {
    const data = dir('data');
    writeFileSync(join(data, 'file'), 'x\n');
    const mine = dir('mine');
    const places = ['/tmp/a/b', '/run/a/b', '/dev/a/b', `${mine}/a/b`, '/root/a/b'];
    const lines = await inside(
      `for p in ${places.join(' ')}; do cat $p; cat $p.dir/file; done; touch /dev/x /run/x`,
      [
        ['hide', '/root'],
        ...views,
        ['tmpfs', mine, '1000000'],
        ...places.flatMap((place) => [
          ['bind', join(data, 'file'), place, 'rsd'],
          ['bind', data, `${place}.dir`, 'rsd'],
        ]),
      ],
    );

    expect(lines.slice(0, 8)).toEqual(Array(8).fill('x'));
    // root's home is closed, and so is its cover
    expect(lines.slice(8, 10).every((line) => line.includes('Permission denied'))).toBe(true);
    expect(lines.slice(10).length).toBe(2);
    expect(await failure([['bind', data, join(data, 'no/such'), 'rsd']])).toBe(`mounts 2 ${data}/no/such`);
    expect(existsSync(join(data, 'no'))).toBe(false);
  });

  test('a tmpfs is the app’s, has its size, and runs no setuid program', async () => {
    const mine = dir('mine');
    const lines = await inside(
      `stat -c %u ${mine}; head -c 3000000 /dev/zero > ${mine}/x; grep ${mine} /proc/self/mountinfo`,
      [...views, ['tmpfs', mine, '1048576']],
    );

    expect(lines[0]).toBe(String(TENANT_UID));
    expect(lines[1]).toMatch(/No space left/);
    expect(lines[2]).toMatch(/rw,nosuid,nodev.* - tmpfs /);
  });

  test('an overlay shows its layers, keeps changes in the upper one, and lets it be used once', async () => {
    const [one, two, upper, here] = [dir('one'), dir('two'), dir('upper', 0o777), dir('here')];
    writeFileSync(join(one, 'a'), 'one\n');
    writeFileSync(join(two, 'a'), 'two\n');
    writeFileSync(join(two, 'b'), 'two\n');
    const overlay = (to: string): Words => ['overlay', here, `${one}:${two}`, to];

    expect(
      await inside(`cat ${here}/a ${here}/b; echo new > ${here}/c; cat ${here}/c`, [
        ...views,
        overlay(upper),
      ]),
    ).toEqual(['one', 'two', 'new']);
    expect(readdirSync(upper)).toEqual(['c']);
    expect(existsSync(join(one, 'c'))).toBe(false);

    chownSync(one, TENANT_UID, TENANT_UID);
    expect(
      await inside(`cat ${here}/a; echo new > ${here}/d; cat ${here}/d; ls -A ${world.base}/scratch`, [
        ...views,
        overlay(''),
      ]),
    ).toEqual(['one', 'new']);
    expect(existsSync(join(upper, 'd'))).toBe(false);

    const other = await world.keeper();
    await other.run(1, words(90, ['sleep', '60'], [...views, overlay(upper)]));
    expect(await failure([...views, overlay(upper)])).toMatch(/^mounts 16 /);
    expect(await failure([...views, overlay(join(world.base, 'none'))])).toMatch(/^mounts 2 /);
    symlinkSync(one, join(world.base, 'link'));
    expect(await failure([...views, ['overlay', here, join(world.base, 'link'), '']])).toMatch(/^mounts 40 /);
  });

  test('an overlay can be the root', async () => {
    const [base, extra] = [dir('base'), dir('extra', 0o777)];
    for (const name of ['proc', 'dev', 'run', 'tmp', 'var/tmp', 'sys', 'usr', 'etc', 'srv'])
      mkdirSync(join(base, name), { recursive: true });
    for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(base, name));
    chmodSync(join(base, 'srv'), 0o777);
    const overlay = (upper: string): readonly Words[] => [
      ['root', 'overlay', `${extra}:${base}:${upper}`, 'sd'],
      ['bind', '/usr', '/usr', 'rsd'],
      ['write', '/srv'],
      ['readonly', '/'],
      ...views,
    ];

    const script = 'touch /srv/new && ls /srv; touch /etc/x; ls -d /root; grep " / / " /proc/self/mountinfo';
    const lines = await inside(script, overlay(''));
    expect(lines).toEqual([
      'new',
      expect.stringMatching(/Read-only|denied/),
      expect.stringMatching(/No such file/),
      expect.stringMatching(/ ro,nosuid,nodev.* - overlay /),
    ]);
    expect(readdirSync(join(base, 'srv'))).toEqual([]);

    expect((await inside(script, overlay(dir('upper'))))[0]).toBe('new');
    expect(readdirSync(join(world.base, 'upper/srv'))).toEqual(['new']);
    expect(await failure([['root', 'overlay', `${base}:${join(base, 'srv')}:`, 'sd']])).toMatch(
      /^mounts 22 /,
    );
  });

  test('what is to be written stays so under a read-only root, and must be there', async () => {
    const data = dir('data', 0o777);
    dir('data/sub', 0o777);
    const lines = await inside(
      `touch ${data}/x && echo data; touch ${data}/sub/x && echo sub; touch ${world.base}/open/x`,
      [['write', data], ['readonly', '/'], ...views],
    );

    expect(lines).toEqual(['data', 'sub', expect.stringMatching(/Read-only/)]);
    expect(
      await failure([
        ['write', join(data, 'none')],
        ['readonly', '/'],
      ]),
    ).toMatch(/^mounts 2 /);
  });

  test('the host’s tree as root can have nosuid,nodev everywhere, and its device nodes still work', async () => {
    const lines = await inside(
      'cut -d" " -f5,6 /proc/self/mountinfo | grep -v nosuid; cut -d" " -f5,6 /proc/self/mountinfo | grep -v nodev; cat /proc/timer_list; echo x > /dev/null && echo ok',
      [['root', 'host', '/', 'sd'], ['hide', '/root'], ...views, ['mask', '/proc/timer_list']],
    );

    expect(lines.filter((line) => !/^\/dev|^\/proc\/timer_list/.test(line))).toEqual(['ok']);
  });

  test('chroot without a mount namespace', async () => {
    const root = dir('root');
    writeFileSync(join(root, 'tenant'), readFileSync(world.tenant), { mode: 0o755 });
    generation++;
    await keeper.output(generation, [
      ['chroot', root],
      ['gid', String(TENANT_UID)],
      ['uid', String(TENANT_UID)],
      ['caps', '0'],
      ['arg', '/tenant'],
      ['arg', 'ids'],
    ]);
    expect(keeper.texts()[0]).toMatch(/^pid /);

    symlinkSync(root, join(world.base, 'link'));
    await keeper.launch(50, [
      ['chroot', join(world.base, 'link')],
      ['gid', '1'],
      ['uid', '1'],
      ['arg', '/tenant'],
    ]);
    expect(await keeper.hear('fail 50 ')).toMatch(/ root 40 /);
  });

  test('pivot-root changes the root at once: the old one stands where it was asked for', async () => {
    const root = dir('root');
    for (const name of ['old', 'usr', 'bin', 'lib', 'lib64', 'proc']) mkdirSync(join(root, name));
    const pivot = ['pivot-root', root, join(root, 'old')];

    // no hook has made it a mount
    expect(await failure([pivot])).toBe(`root 16 ${root}`);
    expect(await failure([['pivot-root', '/proc', '/proc/none']])).toBe('root 2 /proc/none');
    symlinkSync('/etc', join(root, 'link'));
    expect(await failure([['pivot-root', root, join(root, 'link')]])).toBe(`root 40 ${root}/link`);
    expect(await inside('ls -d /mnt/old 2>/dev/null; echo end', views)).toEqual(['end']);
  });

  test('nonsense is refused before anything is touched', async () => {
    for (const wrong of [
      ['root', 'tmpfs', '/x', '-'],
      ['root', 'tree', '/', '-'],
      ['root', 'other', '/', '-'],
      ['root', 'tree', '/x', 'm'],
      ['root', 'overlay', '/x', '-'],
      ['pivot-root', '/a', '/b'],
      ['pivot-root', '/a', '/a'],
      ['pivot-root', '/', '/a'],
      ['chroot', '/x'],
      ['dir', '/x', '755'],
      ['link', '/x', 'y'],
      ['overlay', '/', '/a', ''],
      ['overlay', '/x', '', ''],
      ['overlay', '/x', '/a:', ''],
      ['overlay', '/x', '/a:b', ''],
      ['tmpfs', '/x', '0'],
      ['tmpfs', '/', '1'],
      ['write', 'x'],
    ])
      expect(await failure([wrong])).toMatch(/^spec 22 /);
    expect(
      await failure([
        ['root', 'host', '/', '-'],
        ['root', 'host', '/', '-'],
      ]),
    ).toBe('spec 22 root');
  });
});
