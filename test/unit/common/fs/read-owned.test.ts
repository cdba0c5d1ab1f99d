import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pathIn, type ReadOwned, readOwned, readOwnedSync } from '@emperor/common/fs/read-owned';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'read-owned-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function fileWith(content: string | Buffer, mode = 0o644, name = 'blog.ini'): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const limits = { maxBytes: 100 };
type Read = (path: string) => Promise<ReadOwned>;
const readers: readonly (readonly [string, Read])[] = [
  ['readOwned', async (path) => readOwned(path, limits)],
  ['readOwnedSync', async (path) => readOwnedSync(path, limits)],
];

describe.each(readers)('%s', (_name, read) => {
  test('tells content, owner and identity of one file', async () => {
    const path = fileWith('[vassal]\ncommand = ö\n', 0o640);
    const stat = statSync(path, { bigint: true });

    expect(await read(path)).toEqual({
      ok: true,
      text: '[vassal]\ncommand = ö\n',
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      mode: 0o640,
      dev: stat.dev,
      ino: stat.ino,
      nlink: 1,
      size: 22,
      mtimeNs: stat.mtimeNs,
      ctimeNs: stat.ctimeNs,
    });
  });

  test('reads an empty file and one of exactly the limit', async () => {
    expect(await read(fileWith(''))).toMatchObject({ ok: true, text: '', size: 0 });
    expect(await read(fileWith('x'.repeat(100)))).toMatchObject({ ok: true, size: 100 });
  });

  test('keeps a byte order mark for the parser to see', async () => {
    expect(await read(fileWith('\ufeffx'))).toMatchObject({ ok: true, text: '\ufeffx' });
  });

  test('refuses a file that is one byte too long', async () => {
    expect(await read(fileWith('x'.repeat(101)))).toEqual({
      ok: false,
      reason: 'too-large',
      errno: undefined,
    });
  });

  test('reads no more than the limit of a file whose size says nothing', async () => {
    // Files of /proc have size 0 and content all the same, as a file that grows has.
    expect(await read('/proc/self/status')).toMatchObject({ ok: false, reason: 'too-large' });
  });

  test('refuses a symlink, even to a good file', async () => {
    const path = join(directory, 'link.ini');
    symlinkSync(fileWith('x'), path);

    expect(await read(path)).toEqual({ ok: false, reason: 'link', errno: 'ELOOP' });
  });

  test('refuses a file with a second name', async () => {
    const path = fileWith('x');
    linkSync(path, join(directory, 'other'));

    expect(await read(path)).toMatchObject({ ok: false, reason: 'hard-links' });
  });

  test.each([0o664, 0o646, 0o666])('refuses a file that others may write (%o)', async (mode) => {
    expect(await read(fileWith('x', mode))).toMatchObject({ ok: false, reason: 'writable-by-others' });
  });

  test('does not wait for the writer of a FIFO', async () => {
    const path = join(directory, 'fifo.ini');
    expect(spawnSync('mkfifo', ['-m', '600', path]).status).toBe(0);

    expect(await read(path)).toMatchObject({ ok: false, reason: 'not-regular' });
  });

  test('refuses a directory, a device and a socket', async () => {
    const server = createServer().listen(join(directory, 'socket.ini'));
    await new Promise((resolve) => server.once('listening', resolve));

    expect(await read(directory)).toMatchObject({ ok: false, reason: 'not-regular' });
    expect(await read('/dev/null')).toMatchObject({ ok: false, reason: 'not-regular' });
    expect(await read(join(directory, 'socket.ini'))).toMatchObject({ ok: false, reason: 'not-regular' });
    await new Promise((resolve) => server.close(resolve));
  });

  test('refuses what is not text', async () => {
    expect(await read(fileWith(Buffer.from([0x61, 0xff, 0x62])))).toMatchObject({ reason: 'not-text' });
    expect(await read(fileWith('a\0b'))).toMatchObject({ reason: 'not-text' });
  });

  test('says missing only when nothing is there', async () => {
    expect(await read(join(directory, 'no.ini'))).toEqual({ ok: false, reason: 'missing', errno: 'ENOENT' });
    expect(await read(join(fileWith('x'), 'below'))).toMatchObject({ reason: 'missing', errno: 'ENOTDIR' });
    expect(await read(join(directory, 'n'.repeat(300)))).toMatchObject({
      reason: 'unreadable',
      errno: 'ENAMETOOLONG',
    });
  });

  test('leaves no descriptor open, whether it read or refused', async () => {
    const good = fileWith('x');
    const bad = fileWith('x', 0o666, 'bad.ini');
    const before = openDescriptors();

    for (let round = 0; round < 20; round += 1) {
      await read(good);
      await read(bad);
    }

    expect(openDescriptors()).toBe(before);
  });
});

test('an entry is found in the directory that is held open, whatever happens to its name', () => {
  const inside = join(directory, 'd');
  mkdirSync(inside);
  writeFileSync(join(inside, 'f'), 'mine', { mode: 0o600 });
  const fd = openSync(inside, constants.O_RDONLY | constants.O_DIRECTORY);

  renameSync(inside, join(directory, 'gone'));
  mkdirSync(inside);

  expect(readOwnedSync(pathIn(fd, 'f'), limits)).toMatchObject({ ok: true, text: 'mine' });
  closeSync(fd);
});

test.each(['', '.', '..', 'a/b', '/etc', 'a\0'])('%j is not the name of an entry', (name) => {
  expect(() => pathIn(3, name)).toThrow('not the name of a directory entry');
});

function openDescriptors(): number {
  let count = 0;
  for (let fd = 0; fd < 1_024; fd += 1) {
    try {
      statSync(`/proc/self/fd/${fd}`);
      count += 1;
    } catch {
      // not open
    }
  }
  return count;
}
