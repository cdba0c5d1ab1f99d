import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { someNames } from '../../../../packages/emperor/src/audit/proc.ts';
import { readProcess } from '../../../../packages/emperor/src/audit/read-process.ts';

const STATUS = `Uid:\t5\t5\t5\t5
Gid:\t6\t6\t6\t6
${['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => `${set}:\t0000000000000000`).join('\n')}
NoNewPrivs:\t1
`;

/** Fields 3 to 24 of stat, of which 20 counts the threads and 22 is the start. */
function statOf(state: string, threads: number): string {
  return `7 (app) ${state} ${'0 '.repeat(16)}${threads} 0 4711 0 0\n`;
}

let proc = '';
let process = '';

/** What the kernel tells of pid 7, which has descriptor 3. A file in the place of a directory stands for one that cannot be read. */
beforeEach(async () => {
  proc = await mkdtemp(join(tmpdir(), 'audit-'));
  process = join(proc, '7');
  for (const part of ['fd', 'fdinfo', 'ns', 'attr']) await mkdir(join(process, part), { recursive: true });
  await writeFile(join(process, 'stat'), statOf('S', 1));
  await writeFile(join(process, 'status'), STATUS);
  await symlink('/usr', join(process, 'fd', '3'));
  await writeFile(join(process, 'fdinfo', '3'), 'pos:\t0\nmnt_id:\t24\n');
  await symlink('mnt:[9]', join(process, 'ns', 'mnt'));
});

afterEach(() => rm(proc, { recursive: true }));

async function replace(file: string, kind: 'file' | 'directory'): Promise<void> {
  await rm(join(process, file), { recursive: true });
  if (kind === 'file') await writeFile(join(process, file), '');
  else await mkdir(join(process, file));
}

test('a process is read with its descriptors and namespaces', async () => {
  expect(await readProcess(7, 'app', proc)).toMatchObject({
    ok: true,
    value: {
      pid: 7,
      role: 'app',
      descriptors: [{ fd: 3, target: '/usr', mountId: 24 }],
      namespaces: new Map([['mnt', 'mnt:[9]']]),
      status: { uids: [5, 5, 5, 5] },
      unread: [],
    },
  });
});

test('one that is not there any more has ended', async () => {
  expect(await readProcess(8, 'other', proc)).toEqual({ ok: true, value: undefined });
  await writeFile(join(process, 'stat'), statOf('Z', 1));
  expect(await readProcess(7, 'other', proc)).toEqual({ ok: true, value: undefined });
});

test('a dead first thread hides nothing: others run on', async () => {
  await writeFile(join(process, 'stat'), statOf('Z', 2));

  expect(await readProcess(7, 'app', proc)).toEqual({
    ok: false,
    why: 'its first thread ended, and others run on',
  });
});

test.each(['stat', 'status', 'limits', 'uid_map', 'gid_map', 'oom_score_adj', 'attr/current'])(
  'a %s that cannot be read is no process that ended',
  async (file) => {
    await writeFile(join(process, file), '');
    await replace(file, 'directory');

    expect(await readProcess(7, 'app', proc)).toMatchObject({
      ok: false,
      why: expect.stringMatching(/^EISDIR/),
    });
  },
);

test.each([
  ['fd', 'ENOTDIR'],
  ['fdinfo', '1 of 1 cannot be read'],
  ['fd/3', '1 of 1 cannot be read'],
])('descriptors are not none where %s cannot be read', async (file, why) => {
  await replace(file, 'file');

  expect(await readProcess(7, 'app', proc)).toMatchObject({
    ok: true,
    value: {
      descriptors: [],
      unread: [{ group: 'descriptors', what: 'open descriptors', why: expect.stringContaining(why) }],
    },
  });
});

test('a descriptor that was closed meanwhile is none', async () => {
  await rm(join(process, 'fdinfo', '3'));

  expect(await readProcess(7, 'app', proc)).toMatchObject({
    ok: true,
    value: { descriptors: [], unread: [] },
  });
});

test('more names than are looked at are said to be there', async () => {
  expect(await someNames(join(process, 'fd'), 1)).toEqual({ names: ['3'], why: undefined });
  expect(await someNames(join(process, 'fd'), 0)).toEqual({
    names: [],
    why: expect.stringMatching(/^looked at 0, and .* holds more$/),
  });
  expect(await someNames(join(process, 'none'), 1)).toEqual({ names: [], why: undefined });
});
