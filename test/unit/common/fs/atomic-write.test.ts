import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { atomicWrite } from '@emperor/common/fs/atomic-write';
import { afterEach, beforeEach, expect, test } from 'vitest';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'atomic-write-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

test.each([true, false])(
  'the new content replaces the old with its own mode (durable: %s)',
  async (durable) => {
    const path = join(directory, 'state.json');
    writeFileSync(path, 'old');
    chmodSync(path, 0o666);
    const before = statSync(path).ino;

    await atomicWrite(path, 'néw', { mode: 0o640, durable });

    expect(readFileSync(path, 'utf8')).toBe('néw');
    expect(statSync(path).mode & 0o7777).toBe(0o640);
    expect(statSync(path).ino).not.toBe(before);
    expect(readdirSync(directory)).toEqual(['state.json']);
  },
);

test('the mode does not depend on the umask', async () => {
  const path = join(directory, 'shared');

  await atomicWrite(path, '', { mode: 0o666, durable: false });

  expect(statSync(path).mode & 0o7777).toBe(0o666);
});

test('a failure leaves the old state and no temporary file', async () => {
  const path = join(directory, 'taken');
  mkdirSync(join(path, 'full'), { recursive: true });

  await expect(atomicWrite(path, 'x', { mode: 0o600, durable: true })).rejects.toMatchObject({
    code: 'state_unwritable',
    message: `cannot write ${path}`,
    cause: { code: expect.stringMatching(/EISDIR|ENOTEMPTY|EEXIST/) },
  });
  expect(readdirSync(directory)).toEqual(['taken']);
});

test('a directory that is missing is told', async () => {
  await expect(
    atomicWrite(join(directory, 'no', 'f'), 'x', { mode: 0o600, durable: false }),
  ).rejects.toMatchObject({
    code: 'state_unwritable',
    cause: { code: 'ENOENT' },
  });
});

test('many writers at once leave one whole content', async () => {
  const path = join(directory, 'f');
  const contents = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000));

  await Promise.all(contents.map(async (text) => atomicWrite(path, text, { mode: 0o600, durable: false })));

  expect(contents).toContain(readFileSync(path, 'utf8'));
  expect(readdirSync(directory)).toEqual(['f']);
});
