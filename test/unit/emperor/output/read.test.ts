import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@emperor/common/clock';
import { decodeVassalName } from '@emperor/common/name';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { logReader } from '../../../../packages/emperor/src/output/read.ts';
import { pauseMs, waitUntil } from '../../../support/wait-until.ts';

const name = decodeVassalName('blog') ?? expect.unreachable();
let logDir: string;
let directory: string;
let stops: (() => Promise<void>)[];

beforeEach(() => {
  logDir = mkdtempSync(join(tmpdir(), 'emperor-output-'));
  directory = join(logDir, 'blog');
  mkdirSync(directory);
  stops = [];
});

afterEach(async () => {
  for (const stop of stops) await stop();
  rmSync(logDir, { recursive: true });
});

function write(text: string, file = 'current'): void {
  appendFileSync(join(directory, file), text);
}

/** As the keeper does it: from the oldest on, then a new `current`. */
function rotate(): void {
  const rotated = readdirSync(directory).map((file) => Number(file.split('.')[1] ?? 0));
  for (const number of rotated.toSorted((a, b) => b - a)) {
    renameSync(
      join(directory, number === 0 ? 'current' : `current.${number}`),
      join(directory, `current.${number + 1}`),
    );
  }
  writeFileSync(join(directory, 'current'), '');
}

function following(count: number): string[] {
  const lines: string[] = [];
  const abort = new AbortController();
  const ended = (async () => {
    for await (const line of logReader({ logDir }).follow(name, count, abort.signal)) lines.push(line);
  })();
  stops.push(async () => {
    abort.abort();
    await ended;
  });
  return lines;
}

async function tail(count: number): Promise<readonly string[]> {
  return logReader({ logDir }).tail(name, count);
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, n) => `line ${from + n}`);
}

test('the tail is the last whole lines, oldest first', async () => {
  write('a\nb\nc\nd');

  expect(await tail(2)).toEqual(['b', 'c']);
  expect(await tail(100)).toEqual(['a', 'b', 'c']);
  expect(await tail(0)).toEqual([]);
});

test('the tail of no log, an empty log and an empty line', async () => {
  expect(await tail(5)).toEqual([]);
  write('');
  expect(await tail(5)).toEqual([]);
  write('\n');
  expect(await tail(5)).toEqual(['']);
  rmSync(directory, { recursive: true });
  expect(await tail(5)).toEqual([]);
});

test('the tail goes on into rotated files, the tenth after the ninth', async () => {
  for (let n = 11; n >= 1; n -= 1) write(`line ${11 - n}\n`, `current.${n}`);
  write('line 11\n');

  expect(await tail(3)).toEqual(numbers(9, 12));
  expect(await tail(11)).toEqual(numbers(1, 12));
  expect(await tail(50)).toEqual(numbers(0, 12));
});

test('every count gives exactly that many, however lines and chunks fall', async () => {
  const all = Array.from({ length: 400 }, (_, n) => `${n} ${'x'.repeat((n * 7_919) % 1_500)}`);
  write(`${all.slice(0, 150).join('\n')}\n`, 'current.1');
  write(`${all.slice(150).join('\n')}\n`);

  for (const count of [1, 2, 43, 44, 45, 87, 88, 249, 250, 251, 399, 400]) {
    expect(await tail(count)).toEqual(all.slice(-count));
  }
});

test('the tail of a huge file reads only its end', async () => {
  const path = join(directory, 'current');
  writeFileSync(path, '');
  truncateSync(path, 4 * 1024 ** 3);
  write('\nlast\n');
  const since = systemClock.now();

  expect(await tail(1)).toEqual(['last']);
  expect((await tail(1_000)).length).toBeLessThan(5);
  expect(systemClock.now() - since).toBeLessThan(2_000);
});

test('what a terminal would obey is made visible', async () => {
  write('\x1b[2Jcleared\u202e\n');

  expect(await tail(1)).toEqual(['\\x1b[2Jcleared\\u202e']);
});

test('bytes that are not UTF-8 and lines of enormous length harm nothing', async () => {
  writeFileSync(join(directory, 'current'), Buffer.from([0xff, 0xfe, 0x0a]));
  write(`${'y'.repeat(200_000)}\nend\n`);

  const lines = await tail(100);

  expect(lines[0]).toBe('\ufffd\ufffd');
  expect(lines.at(-1)).toBe('end');
  expect(lines.join('').length).toBe(200_000 + 5);
});

test('a link in place of the log is not followed', async () => {
  writeFileSync(join(logDir, 'secret'), 'secret\n');
  symlinkSync(join(logDir, 'secret'), join(directory, 'current'));

  expect(await tail(5)).toEqual([]);
});

test('following begins with the last lines and goes on with what is written', async () => {
  write('line 0\nline 1\nline 2\n');
  const lines = following(2);
  await waitUntil('the tail', () => (lines.length === 2 ? true : undefined));

  write('line 3\nli');
  await waitUntil('a line', () => (lines.length === 3 ? true : undefined));
  write('ne 4\n');
  await waitUntil('a line', () => (lines.length === 4 ? true : undefined));

  expect(lines).toEqual(numbers(1, 5));
});

test('following survives rotations without losing or repeating a line', async () => {
  const lines = following(0);
  await pauseMs(50);
  let written = 0;
  for (let round = 0; round < 40; round += 1) {
    for (let n = 0; n < 25; n += 1) {
      write(`line ${written}\n`);
      written += 1;
    }
    if (round % 3 !== 0) rotate();
    if (round % 8 === 0) await pauseMs(20);
  }
  await waitUntil('all lines', () => (lines.length >= written ? true : undefined));
  await pauseMs(50);

  expect(lines).toEqual(numbers(0, written));
});

test('following a log that does not exist yet finds its first line', async () => {
  rmSync(directory, { recursive: true });
  const lines = following(10);
  await pauseMs(50);

  mkdirSync(directory);
  write('first\n');
  await waitUntil('the first line', () => (lines.length === 1 ? true : undefined));

  expect(lines).toEqual(['first']);
});

test('following goes on when rotated files are dropped or the file is emptied in place', async () => {
  write('old\n');
  const lines = following(1);
  await waitUntil('the tail', () => (lines.length === 1 ? true : undefined));

  rmSync(join(directory, 'current'));
  write('after drop\n');
  await waitUntil('the new file', () => (lines.length === 2 ? true : undefined));
  truncateSync(join(directory, 'current'), 0);
  await waitUntil('the emptied file', async () => {
    await pauseMs(1_100);
    return true;
  });
  write('again\n');
  await waitUntil('the next line', () => (lines.length === 3 ? true : undefined));

  expect(lines).toEqual(['old', 'after drop', 'again']);
});

test('a reader who does not read makes nobody read ahead', async () => {
  write(`${numbers(0, 5_000).join('\n')}\n`);
  const abort = new AbortController();
  const lines = logReader({ logDir }).follow(name, 5_000, abort.signal)[Symbol.asyncIterator]();

  expect(await lines.next()).toEqual({ done: false, value: 'line 0' });
  rmSync(directory, { recursive: true });
  abort.abort();
  await lines.return?.();
});
