import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { type Clock, systemClock } from '@emperor/common/clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { DirectoryScanner, type ScannerParts } from '../../../../packages/emperor/src/monitor/scanner.ts';
import type { Scan } from '../../../../packages/emperor/src/ports.ts';
import { type VassalsDir, vassalsDir } from '../../../support/vassals-dir.ts';

const ALICE = 64_001;
const BOB = 64_002;

const isRoot = process.geteuid?.() === 0;
let dir: VassalsDir;

beforeEach(() => {
  if (isRoot) dir = vassalsDir();
});

afterEach(() => {
  if (isRoot) dir.remove();
});

function scanner(more: Partial<ScannerParts> = {}): DirectoryScanner {
  return new DirectoryScanner({
    directory: dir.directory,
    clock: systemClock,
    maxBytes: 65_536,
    operators: new Set([0]),
    onLate: () => undefined,
    ...more,
  });
}

async function scanOf(of = scanner()): Promise<Scan> {
  return (await of.pass()).scan;
}

/** `name: text` or `name: refused: why` for all, in order of names. */
async function summary(of = scanner()): Promise<string[]> {
  const { files, refused } = await scanOf(of);
  const used = [...files.values()].map((file) => `${file.name}: ${file.ownerUid}: ${file.text}`);
  const not = [...refused.values()].map((file) => `${file.name}: refused: ${file.diagnostic.message}`);
  return [...used, ...not].toSorted();
}

describe.runIf(isRoot)('scanning a directory (as root, in /run)', () => {
  test('takes legal names that end in .ini and leaves other files alone', async () => {
    for (const name of ['a.ini', '.b.ini', 'c.ini~', '#d.ini#', 'e.ini.swp', 'f.txt', '4913'])
      dir.put(`vassals/${name}`, 'x');
    dir.put('vassals/-bad name.ini', 'x');

    const scan = await scanOf();

    expect([...scan.files.keys()]).toEqual(['a']);
    expect(scan.diagnostics.map(({ file, message }) => `${file}: ${message}`)).toEqual([
      `${dir.directory}/-bad name.ini: not a legal vassal name, ignored`,
    ]);
    expect(scan.complete).toBe(true);
  });

  test('refuses each file that is not safe to believe, with its reason', async () => {
    dir.put('vassals/good.ini', 'x');
    dir.put('vassals/group.ini', 'x', { mode: 0o664 });
    dir.put('vassals/others.ini', 'x', { mode: 0o646 });
    linkSync(dir.put('elsewhere', 'x'), join(dir.directory, 'hard.ini'));
    dir.put('vassals/huge.ini', 'x'.repeat(65_537));
    dir.put('vassals/nul.ini', 'a\0b');
    writeFileSync(join(dir.directory, 'latin.ini'), Buffer.from([0x61, 0xe9, 0x62]));
    mkdirSync(join(dir.directory, 'folder.ini'));
    spawnSync('mkfifo', [join(dir.directory, 'fifo.ini')]);

    expect(await summary()).toEqual([
      'fifo: refused: not a regular file',
      'folder: refused: not a regular file',
      'good: 0: x',
      'group: refused: the file is writable by its group or others',
      'hard: refused: the file has more than one hard link',
      'huge: refused: the file is too large',
      'latin: refused: the file is not UTF-8 text',
      'nul: refused: the file is not UTF-8 text',
      'others: refused: the file is writable by its group or others',
    ]);
  });

  test('a plain file belongs to its owner', async () => {
    dir.put('vassals/hers.ini', 'x', { uid: ALICE });
    dir.put('vassals/open.ini', 'x', { uid: ALICE, mode: 0o666 });

    const scan = await scanOf();

    expect([...scan.files.values()].map((file) => file.ownerUid)).toEqual([ALICE]);
    expect([...scan.refused.values()].map((file) => file.ownerUid)).toEqual([ALICE]);
  });

  test('reads again only what has changed', async () => {
    dir.put('vassals/a.ini', 'one');
    dir.put('vassals/b.ini', 'two');
    utimesSync(join(dir.directory, 'a.ini'), 1_000, 1_000);
    utimesSync(join(dir.directory, 'b.ini'), 1_000, 1_000);
    const of = scanner();
    const before = await scanOf(of);

    chmodSync(join(dir.directory, 'b.ini'), 0o600);
    const after = await scanOf(of);

    const [a, b] = [...before.files.values()];
    const [a2, b2] = [...after.files.values()];
    expect(a2).toBe(a);
    expect(b2).not.toBe(b);
    expect(b2?.fingerprint).not.toBe(b?.fingerprint);
    expect(b2?.mtimeNs).toBe(b?.mtimeNs);
  });

  test('content that is younger than 50 ms is read once more', async () => {
    let wall = systemClock.wall();
    const clock: Clock = { ...systemClock, wall: () => wall };
    const path = dir.put('vassals/a.ini', 'one');
    utimesSync(path, wall / 1_000, wall / 1_000);
    const of = scanner({ clock });

    const before = await scanOf(of);
    const waitMs = of.unsettledMs() ?? 0;
    wall += waitMs + 1;
    const after = await scanOf(of);
    const third = await scanOf(of);

    expect(waitMs).toBeGreaterThan(40);
    expect(waitMs).toBeLessThan(60);
    expect([...after.files.values()][0]).not.toBe([...before.files.values()][0]);
    expect([...after.files.values()]).toEqual([...before.files.values()]);
    expect(of.unsettledMs()).toBeUndefined();
    expect([...third.files.values()][0]).toBe([...after.files.values()][0]);
  });

  test('old content and content from the future count as settled', async () => {
    utimesSync(dir.put('vassals/a.ini', 'one'), 1_000, 1_000);
    utimesSync(dir.put('vassals/b.ini', 'one'), 4_000_000_000, 4_000_000_000);
    const of = scanner();

    await scanOf(of);

    expect(of.unsettledMs()).toBeUndefined();
  });

  test.each([
    {
      what: 'does not exist',
      spoil: (d: VassalsDir) => rmSync(d.directory, { recursive: true }),
      says: /does not exist/,
    },
    { what: 'is a file', spoil: (d: VassalsDir) => replaceByFile(d.directory), says: /is not a directory/ },
    {
      what: "is a tenant's",
      spoil: (d: VassalsDir) => chownSync(d.directory, ALICE, 0),
      says: /belongs to uid 64001/,
    },
    {
      what: 'is sticky and open',
      spoil: (d: VassalsDir) => chmodSync(d.directory, 0o1777),
      says: /writable by others/,
    },
    {
      what: "lies in a tenant's",
      spoil: (d: VassalsDir) => chownSync(d.base, ALICE, 0),
      says: /belongs to uid 64001/,
    },
    {
      what: 'lies in an open one',
      spoil: (d: VassalsDir) => chmodSync(d.base, 0o775),
      says: /writable by others/,
    },
  ])('a directory that $what proves nothing', async ({ spoil, says }) => {
    dir.put('vassals/a.ini', 'one');
    spoil(dir);

    const scan = await scanOf();

    expect(scan).toMatchObject({ complete: false, directory: undefined });
    expect(scan.diagnostics.map((diagnostic) => diagnostic.message).join()).toMatch(says);
    rmSync(dir.directory, { force: true, recursive: true });
  });

  test('a directory below a sticky one of root is believed', async () => {
    chmodSync(dir.base, 0o1777);
    dir.put('vassals/a.ini', 'one');

    expect(await summary()).toEqual(['a: 0: one']);
  });

  test('the vassals directory may be a link of root', async () => {
    renameSync(dir.directory, join(dir.base, 'real'));
    dir.link('vassals', 'real');
    dir.put('real/a.ini', 'one');

    const { scan, at } = await scanner().pass();

    expect([...scan.files.values()].map((file) => file.path)).toEqual([`${dir.directory}/a.ini`]);
    expect(at?.path).toBe(join(dir.base, 'real'));
  });

  test('another directory under the same name has another identity', async () => {
    const of = scanner();
    const before = await scanOf(of);
    renameSync(dir.directory, join(dir.base, 'old'));
    dir.make('vassals');

    const after = await scanOf(of);

    expect(after.complete).toBe(true);
    expect(after.directory).not.toBe(before.directory);
  });

  test('passes that are asked for at the same time each see the present', async () => {
    const of = scanner();
    const first = of.pass();
    dir.put('vassals/a.ini', 'one');
    const second = of.pass();

    expect((await second).scan.files.size).toBe(1);
    await first;
  });
});

describe.runIf(isRoot)('links in the directory (as root, in /run)', () => {
  test('one template under many names is a file of each', async () => {
    dir.put('template.ini', 'text');
    dir.link('vassals/a.ini', '../template.ini');
    dir.link('vassals/b.ini', `${dir.base}/template.ini`);

    const scan = await scanOf();

    expect([...scan.files.values()].map((file) => [file.name, file.target, file.ownerUid])).toEqual([
      ['a', `${dir.base}/template.ini`, 0],
      ['b', `${dir.base}/template.ini`, 0],
    ]);
  });

  test("a way through one tenant gives that tenant's powers, by any combination of links", async () => {
    dir.make('home', {});
    dir.make('home/alice', { uid: ALICE });
    dir.make('home/alice/r1', { uid: ALICE });
    dir.put('home/alice/r1/app.ini', 'hers', { uid: ALICE });
    lchownSync(dir.link('home/alice/current', 'r1'), ALICE, ALICE);
    dir.link('vassals/blog.ini', '../home/alice/current/app.ini');
    dir.put('home/shared.ini', 'hers too', { uid: ALICE });
    dir.link('vassals/shop.ini', '../home/shared.ini');

    expect(await summary()).toEqual([`blog: ${ALICE}: hers`, `shop: ${ALICE}: hers too`]);
  });

  test('switching a link on the way is a change, and so is a touch of the target or of the link itself', async () => {
    dir.make('app');
    dir.put('app/r1/app.ini', 'one');
    dir.put('app/r2/app.ini', 'two');
    dir.link('app/current', 'r1');
    dir.link('vassals/blog.ini', '../app/current/app.ini');
    const of = scanner();
    const seen = [await only(of)];

    unlinkSync(join(dir.base, 'app/current'));
    dir.link('app/current', 'r2');
    seen.push(await only(of));
    utimesSync(join(dir.base, 'app/r2/app.ini'), 4_000_000_000, 4_000_000_000);
    seen.push(await only(of));
    spawnSync('touch', ['-h', '-d', '@4100000000', join(dir.directory, 'blog.ini')]);
    seen.push(await only(of));

    expect(seen.map((file) => file.text)).toEqual(['one', 'two', 'two', 'two']);
    expect(new Set(seen.map((file) => file.fingerprint)).size).toBe(4);
    expect(new Set(seen.map((file) => file.mtimeNs)).size).toBe(4);
  });

  test('refuses ways that mix owners or that others can bend, and says whose it seems to be', async () => {
    dir.make('alice', { uid: ALICE });
    dir.make('alice/bob', { uid: BOB });
    dir.put('alice/bob/app.ini', 'x', { uid: BOB });
    dir.link('vassals/mixed.ini', '../alice/bob/app.ini');
    dir.put('alice/root.ini', 'x');
    dir.link('vassals/roots.ini', '../alice/root.ini');
    dir.make('open', { mode: 0o777 });
    dir.put('open/app.ini', 'x');
    dir.link('vassals/open.ini', '../open/app.ini');
    dir.put('app.ini', 'x');
    lchownSync(dir.link('vassals/foreign.ini', '../app.ini'), BOB, BOB);

    const { files, refused } = await scanOf();

    expect(files.size).toBe(0);
    expect(
      [...refused.values()]
        .map((file) => `${file.name} ${file.ownerUid}: ${file.diagnostic.message}`)
        .toSorted(),
    ).toEqual([
      'foreign undefined: the link was not made by root',
      `mixed ${BOB}: its way leads through what belongs to the uids ${ALICE} and ${BOB}`,
      `open 0: the directory ${dir.base}/open on its way is writable by others`,
      `roots ${ALICE}: it belongs to uid 0, but its way leads through what belongs to uid ${ALICE}`,
    ]);
  });

  test("without root, what belongs to the emperor's own uid counts as root's", async () => {
    chownSync(dir.directory, ALICE, ALICE);
    dir.put('vassals/a.ini', 'own', { uid: ALICE });
    dir.put('template.ini', "root's");
    lchownSync(dir.link('vassals/b.ini', '../template.ini'), ALICE, ALICE);

    expect(await summary(scanner({ operators: new Set([0, ALICE]) }))).toEqual([
      `a: ${ALICE}: own`,
      "b: 0: root's",
    ]);
  });

  test("a sticky directory on the way is no way round: the file's owner counts", async () => {
    dir.make('tmp', { mode: 0o1777 });
    dir.put('tmp/app.ini', 'hers', { uid: ALICE });
    dir.link('vassals/a.ini', '../tmp/app.ini');

    expect(await summary()).toEqual([`a: ${ALICE}: hers`]);
  });

  test('refuses links that lead nowhere, in a circle, to a directory or through a file', async () => {
    dir.link('vassals/nowhere.ini', '../missing/app.ini');
    dir.link('vassals/circle.ini', 'circle.ini');
    dir.link('vassals/folder.ini', '..');
    dir.put('file', 'x');
    dir.link('vassals/through.ini', '../file/app.ini');
    dir.link('vassals/device.ini', '/dev/zero');

    expect(await summary()).toEqual([
      'circle: refused: the link leads in a circle',
      'device: refused: not a regular file',
      'folder: refused: not a regular file',
      `nowhere: refused: the link leads nowhere: ${dir.base}/missing does not exist`,
      `through: refused: the link cannot be followed at ${dir.base}/file: ENOTDIR`,
    ]);
  });

  test('tells where a change would matter', async () => {
    dir.put('app/r1/app.ini', 'one');
    dir.link('app/current', 'r1');
    dir.link('vassals/blog.ini', '../app/current/app.ini');
    dir.link('vassals/shop.ini', '../shop/app.ini');

    const { spots } = await scanner().pass();

    const below = spots.filter((spot) => spot.directory.startsWith(dir.base) || spot.directory === '/run');
    expect(
      below.map((spot) => `${spot.directory.slice(dir.base.length - 1)} ${spot.name} ${spot.trusted}`).length,
    ).toBe(5);
    expect(new Set(below.map((spot) => join(spot.directory, spot.name)))).toEqual(
      new Set([
        dir.base,
        dir.directory,
        `${dir.base}/app/current`,
        `${dir.base}/app/r1/app.ini`,
        `${dir.base}/shop`,
      ]),
    );
  });
});

describe.runIf(isRoot)('file systems that hang', () => {
  test('links to them are looked at beside the pass and are told late', async () => {
    dir.put('far/app.ini', 'one');
    dir.link('vassals/blog.ini', '../far/app.ini');
    let late = 0;
    const of = scanner({
      slowMounts: () => ({ hold: (path) => path.startsWith(`${dir.base}/far`) }),
      onLate: () => {
        late += 1;
      },
    });

    expect(await summary(of)).toEqual(['blog: 0: one']);
    dir.put('far/app.ini', 'two!');
    expect(await summary(of)).toEqual(['blog: 0: two!']);
    expect(late).toBe(0);
  });
});

async function only(of: DirectoryScanner) {
  const [file] = (await scanOf(of)).files.values();
  if (file === undefined) throw new Error('no file');
  return file;
}

function replaceByFile(path: string): void {
  rmSync(path, { recursive: true });
  writeFileSync(path, '');
}
