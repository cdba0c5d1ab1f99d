import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { REPOSITORY } from '../support/emperor-under-test.ts';
import { descendants, endProcess, isAlive } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const started = new Set<number>();

afterAll(() => {
  for (const pid of started) if (isAlive(pid)) endProcess(pid);
});

test('npm start runs the examples, says how to look at them, and Ctrl-C stops all of it cleanly', async () => {
  let text = '';
  // A process group of its own, so that Ctrl-C can be given as a terminal does it: to the whole group.
  const child = spawn('npm', ['start'], {
    cwd: REPOSITORY,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child.pid ?? 0);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece: Buffer) => {
      text += piece.toString();
    });
  }
  const ended = new Promise<number | null>((resolve) => {
    child.on('exit', resolve);
  });

  const directory = await waitUntil(
    async () => `the path to edit and a command to look; it said:\n${text}`,
    () => (/emperor\b.* status/.test(text) ? /(\/\S+\/vassals(?:\.d)?)\b/.exec(text)?.[1] : undefined),
    40_000,
  );
  const processes = await waitUntil('keepers', () => {
    const all = descendants(child.pid ?? 0);
    return all.length > 5 ? all : undefined;
  });
  for (const pid of processes) started.add(pid);
  expect(existsSync(directory)).toBe(true);

  process.kill(-(child.pid ?? 0), 'SIGINT');

  // npm ends by the same SIGINT; what it ran has to end by itself.
  await ended;
  await waitUntil('everything to end', () => (processes.some(isAlive) ? undefined : true));
  await waitUntil(
    async () => `the last word; it said:\n${text}`,
    () => (text.includes('all vassals stopped') ? true : undefined),
  );
  expect(existsSync(directory)).toBe(false);
});
