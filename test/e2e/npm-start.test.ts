import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { VassalJson } from '@emperor/common/control/api';
import { afterAll, expect, test } from 'vitest';
import { controlRequest } from '../support/control-request.ts';
import { REPOSITORY } from '../support/emperor-under-test.ts';
import { descendants, endProcess, isAlive } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

/** No account of any machine. */
const USER = 61_235;
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

test('npm start of an ordinary user runs the examples in jails of that user', async () => {
  const home = mkdtempSync('/srv/npm-start-');
  chownSync(home, USER, USER);
  let text = '';
  const asUser = ['--reuid', String(USER), '--regid', String(USER), '--clear-groups'];
  const child = spawn('setpriv', [...asUser, process.execPath, 'scripts/start.mjs'], {
    cwd: REPOSITORY,
    env: { PATH: process.env['PATH'] ?? '', HOME: home },
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
  const runtimeDir = await waitUntil(
    async () => `the runtime directory; it said:\n${text}`,
    () => /EMPEROR_RUNTIME_DIR=(\S+)/.exec(text)?.[1],
    40_000,
  );

  const hello = await waitUntil(
    async () => `hello to run; it said:\n${text}`,
    async () => {
      const reply = await controlRequest(join(runtimeDir, 'control.sock'), 'GET', '/v1/vassals/hello').catch(
        () => undefined,
      );
      const vassal: VassalJson | undefined = reply?.status === 200 ? JSON.parse(reply.text) : undefined;
      return vassal?.state === 'running' ? vassal : undefined;
    },
    20_000,
  );
  const processes = descendants(child.pid ?? 0);
  for (const pid of processes) started.add(pid);
  expect(hello.uid).toBe(USER);
  expect(hello.namespaces).toContain('mnt');

  child.kill('SIGINT');

  expect(await ended).toBe(0);
  await waitUntil('everything to end', () => (processes.some(isAlive) ? undefined : true));
  expect(text).toContain('all vassals have ended');
  rmSync(home, { recursive: true });
});
