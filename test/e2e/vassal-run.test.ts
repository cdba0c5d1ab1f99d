import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const VASSAL = fileURLToPath(new URL('../../packages/vassal/bin/vassal.js', import.meta.url));
const isBuilt = existsSync(fileURLToPath(new URL('../../packages/vassal/dist/keeper', import.meta.url)));
const canRun = isBuilt && process.getuid?.() === 0;

describe.skipIf(!canRun)('vassal run', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp('/tmp/vassal-run-test-');
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
    expect(readdirSync('/run').filter((name) => name.startsWith('vassal-run-'))).toEqual([]);
  });

  type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

  /** Runs a file with these lines; `onOutput` may send signals as output comes. */
  async function run(lines: string, onOutput: (out: string, pid: number) => void = () => {}): Promise<Ended> {
    const path = join(directory, 'blog.ini');
    await writeFile(path, `[vassal]\n${lines}\n`, { mode: 0o644 });
    const child = spawn(process.execPath, [VASSAL, 'run', path], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      onOutput(out, child.pid ?? 0);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, out, err };
  }

  test('the app runs in its jail; its output and exit code are ours', async () => {
    const ended = await run(`command = sh -c 'hostname; echo oops >&2; exit 7'`);

    expect(ended).toEqual({ code: 7, out: 'blog\n', err: 'oops\n' });
  });

  test('SIGINT is its stop signal', async () => {
    let sent = false;
    const ended = await run(
      `command = sh -c 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.1; done'`,
      (out, pid) => {
        if (sent || !out.includes('up')) return;
        sent = true;
        process.kill(pid, 'SIGINT');
      },
    );

    expect(ended).toMatchObject({ code: 5, out: 'up\nbye\n' });
  });

  test('an app that does not stop in time is killed', async () => {
    const ended = await run(
      `command = sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done'\nstop-timeout = 200ms`,
      (out, pid) => {
        if (out === 'up\n') process.kill(pid, 'SIGTERM');
      },
    );

    expect(ended.code).toBe(128 + 9);
  });

  test('asked a second time, it does not wait', async () => {
    let asked = 0;
    const ended = await run(
      `command = sh -c 'trap "echo no" TERM; echo up; while :; do sleep 0.1; done'`,
      (out, pid) => {
        const wanted = out.includes('no') ? 2 : 1;
        if (asked >= wanted) return;
        asked += 1;
        process.kill(pid, 'SIGTERM');
      },
    );

    expect(ended).toEqual({ code: 128 + 9, out: 'up\nno\n', err: '' });
  });

  test('a launch that fails says why and what to do', async () => {
    const ended = await run('command = /no/such/program');

    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(/^vassal blog failed: no such program: \/no\/such\/program\nhint: ./);
  });
});
