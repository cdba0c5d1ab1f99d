import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isRoot, NativeWorld, pauseMs, type TestKeeper, type Words, waitUntil } from './support.ts';

const LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (out|err|log) (.*)$/s;
const ENOENT = 2;
const ENOSPC = 28;
const ELOOP = 40;
const ENOTDIR = 20;

describe.skipIf(!isRoot)('log', () => {
  let world: NativeWorld;
  let keeper: TestKeeper;

  beforeEach(async () => {
    world = NativeWorld.create();
    keeper = await world.keeper();
  });

  afterEach(async () => {
    expect(await world.end()).toEqual([]);
  });

  const run = (command: Words, generation = 1) => keeper.output(generation, world.jail(generation, command));
  const sh = (script: string): Words => ['sh', '-c', script];
  const files = () => readdirSync(keeper.logDir).toSorted();

  test('every line has the time in UTC, the stream and its text', async () => {
    const before = new Date().toISOString();
    await run(sh('echo one; sleep 0.05; echo two >&2; sleep 0.05; printf "three"'));
    const after = new Date().toISOString();

    const lines = keeper.log().split('\n').slice(0, -1);
    expect(lines.map((line) => LINE.exec(line)?.slice(1))).toEqual([
      ['out', 'one'],
      ['err', 'two'],
      ['out', 'three'],
    ]);
    const times = lines.map((line) => line.slice(0, 24));
    expect(times).toEqual(times.toSorted());
    expect([before, ...times, after]).toEqual([before, ...times, after].toSorted());
  });

  test('the file is readable by root and its group alone', async () => {
    await run(sh('echo x'));

    expect(statSync(join(keeper.logDir, 'current')).mode & 0o777).toBe(0o640);
    expect(statSync(keeper.logDir).mode & 0o777).toBe(0o750);
  });

  test('it is made with the first line; that it can be made is seen at the launch', async () => {
    await run(['true']);
    expect(existsSync(keeper.logDir)).toBe(false);

    await run(sh('echo x'), 2);
    expect(keeper.texts()).toEqual(['x']);

    await keeper.ask('forget 1');
    rmSync(dirname(keeper.logDir), { recursive: true });
    await keeper.launch(3, world.jail(3, sh('echo x')));
    expect(await keeper.hear('fail 3')).toBe(`fail 3 log ${ENOENT} ${keeper.logDir}`);
    mkdirSync(dirname(keeper.logDir));
  });

  test('one that can no longer be made is told with the first line, and made when there is room', async () => {
    const above = dirname(keeper.logDir);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=1', 'small', above]);
    try {
      const script = `echo lost; while [ ! -e ${world.base}/open/space ]; do sleep 0.05; done; echo kept`;
      await keeper.run(1, world.jail(1, sh(script)));
      expect(await keeper.hear('trouble ')).toBe(`trouble log ${ENOSPC} ${keeper.logDir}`);
      expect(await keeper.hear('dropped ')).toBe('dropped 1 34');

      execFileSync('mount', ['-o', 'remount,nr_inodes=100', above]);
      writeFileSync(join(world.base, 'open/space'), '');
      await keeper.hear('gone 1');
      expect(keeper.texts()).toContain('kept');
    } finally {
      await keeper.end();
      execFileSync('umount', [above]);
    }
  });

  test('bytes are kept as they are, empty lines too; a line written in pieces is one line', async () => {
    await run(sh(String.raw`printf 'a\tb\r\n\n\033[31m\377\n'; printf 'pie'; sleep 0.1; printf 'ces\n'`));

    expect(Buffer.from(keeper.texts().join('|'), 'utf8').toString()).toBe('a\tb\r||\u001b[31m\ufffd|pieces');
  });

  test('a long line is split, nothing of it is lost', async () => {
    await run(sh('head -c 40000 /dev/zero | tr "\\0" z; echo end; echo next'));

    const lines = keeper.texts();
    expect(lines.map((line) => line.length)).toEqual([16_384, 16_384, 40_003 - 2 * 16_384, 4]);
    expect(lines.slice(0, 3).join('')).toBe(`${'z'.repeat(40_000)}end`);
  });

  test('line by line, nothing is lost, torn or mixed up', async () => {
    await keeper.ask('log 0 0 0');
    await run([world.tenant, 'lines', '200000', '100']);

    const lines = keeper.texts();
    expect(lines.length).toBe(200_000);
    expect(lines.every((line, i) => line.length === 99 && line.startsWith(`${i} `))).toBe(true);
  });

  test('in big writes, nothing is lost', async () => {
    await keeper.ask('log 0 0 0');
    await run([world.tenant, 'bulk', String(64 * 1024 ** 2), '65536']);

    const bytes = keeper.texts().reduce((sum, line) => sum + line.length + 1, 0);
    expect(bytes).toBe(64 * 1024 ** 2);
  });

  test('it is rotated before it grows too big, and only so many old files are kept', async () => {
    await keeper.ask('log 20000 3 0');
    await run([world.tenant, 'lines', '2000', '100']);

    expect(files()).toEqual(['current', 'current.1', 'current.2', 'current.3']);
    for (const file of files()) expect(statSync(join(keeper.logDir, file)).size).toBeLessThanOrEqual(20_000);
    const numbers = ['current.3', 'current.2', 'current.1', 'current'].flatMap((file) =>
      keeper
        .log(file)
        .split('\n')
        .slice(0, -1)
        .map((line) => Number(line.split(' ')[2])),
    );
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => 2_000 - numbers.length + i));

    expect(await keeper.ask('log 20000 1 0')).toBe(0);
    expect(files()).toEqual(['current', 'current.1']);
  });

  test('it goes on where an earlier keeper stopped, and without old files when none are kept', async () => {
    mkdirSync(keeper.logDir);
    writeFileSync(join(keeper.logDir, 'current'), 'from before\n');
    await keeper.ask('log 5000 0 0');
    await run(sh('echo more'));
    expect(keeper.log()).toMatch(/^from before\n.* out more\n$/);

    await keeper.ask('forget 1');
    await run([world.tenant, 'lines', '100', '100'], 2);
    expect(files()).toEqual(['current']);
    expect(statSync(join(keeper.logDir, 'current')).size).toBeLessThanOrEqual(5_000);
  });

  test('more lines per second than allowed are dropped, counted and told', async () => {
    await keeper.ask('log 0 0 100');
    const words = world.jail(1, sh(`${world.tenant} lines 5000 50; sleep 1.5; echo last`));
    await keeper.run(1, words);
    const told = await keeper.hear('dropped ');
    await keeper.hear('gone 1');

    const [, lines, bytes] = told.split(' ').map(Number);
    expect(Number(bytes)).toBe(Number(lines) * 50);
    const kept = keeper.texts().filter((line) => /^\d+ x/.test(line));
    expect(kept.length + Number(lines)).toBe(5_000);
    expect(kept.length % 100).toBe(0);
    expect(keeper.log()).toMatch(new RegExp(`log dropped ${lines} lines\n`));
    expect(keeper.texts().at(-1)).toBe('last');
    expect(await keeper.connect()).toContain(`dropped ${lines} ${bytes}`);
  });

  test('a full disk drops lines and says so, never stops the app; it goes on when there is space', async () => {
    mkdirSync(keeper.logDir);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'small', keeper.logDir]);
    try {
      await keeper.ask('log 0 0 0');
      const script = `${world.tenant} lines 5000 100; echo > ${world.base}/open/written; while [ ! -e ${world.base}/open/space ]; do sleep 0.05; done; echo again`;
      await keeper.run(1, world.jail(1, sh(script)));
      await waitUntil('the app to get through', () =>
        existsSync(join(world.base, 'open/written')) ? true : undefined,
      );

      expect(await keeper.hear('trouble ')).toBe(`trouble log ${ENOSPC} ${keeper.logDir}`);
      const kept = keeper.texts();
      expect(kept.every((line, i) => line.startsWith(`${i} `))).toBe(true);
      await keeper.hear(`dropped ${5_000 - kept.length} `);

      execFileSync('mount', ['-o', 'remount,size=1m', keeper.logDir]);
      writeFileSync(join(world.base, 'open/space'), '');
      await keeper.hear('gone 1');
      expect(keeper.texts().at(-1)).toBe('again');
    } finally {
      await keeper.end();
      execFileSync('umount', [keeper.logDir]);
    }
  });

  test('somebody else’s symlink or directory is no log', async () => {
    mkdirSync(keeper.logDir);
    symlinkSync('/etc/passwd', join(keeper.logDir, 'current'));
    const before = statSync('/etc/passwd').mtimeMs;
    await keeper.launch(1, world.jail(1, sh('echo x')));
    expect(await keeper.hear('fail 1')).toBe(`fail 1 log ${ELOOP} ${keeper.logDir}`);
    await keeper.ask('forget 1');

    renameSync(keeper.logDir, `${keeper.logDir}.real`);
    symlinkSync(`${keeper.logDir}.real`, keeper.logDir);
    await keeper.launch(2, world.jail(2, sh('echo x')));
    expect(await keeper.hear('fail 2')).toBe(`fail 2 log ${ENOTDIR} ${keeper.logDir}`);
    expect(statSync('/etc/passwd').mtimeMs).toBe(before);
  });

  test('the app can open its own output again', async () => {
    await run(sh('echo one > /dev/stderr; echo two > /dev/stdout; echo three > /proc/self/fd/2'));

    expect(keeper.texts().toSorted()).toEqual(['one', 'three', 'two']);
  });

  test('a text in the output makes it ready, once', async () => {
    const script = 'echo starting; sleep 0.2; echo now READY to serve; echo now READY to serve; sleep 60';
    await keeper.run(1, world.jail(1, sh(script), { extra: [['ready-log', 'READY to']] }));
    expect(keeper.heard.some((line) => line.startsWith('ready 1'))).toBe(false);

    await keeper.hear('ready 1 ');
    await pauseMs(100);

    expect(keeper.heard.filter((line) => line.startsWith('ready 1')).length).toBe(1);
    expect((await keeper.connect()).filter((line) => line.startsWith('ready 1')).length).toBe(1);
  });

  test('the text counts in a dropped line too', async () => {
    await keeper.ask('log 0 0 1');
    await keeper.run(
      1,
      world.jail(1, sh('echo a; echo b; echo READY; sleep 60'), { extra: [['ready-log', 'READY']] }),
    );

    await keeper.hear('ready 1 ');
  });
});
