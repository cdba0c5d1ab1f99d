import { chmodSync, cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { REPOSITORY, sharedEmperor } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { httpGet } from '../support/http-get.ts';
import { runCommand } from '../support/run-command.ts';

const EXAMPLES = join(REPOSITORY, 'vassals.d');
const files = readdirSync(EXAMPLES).filter((file) => file.endsWith('.ini'));
const emperor = sharedEmperor();

/** The example as it stands, its port apart: another one may be in use on this machine. */
async function withFreePort(file: string): Promise<{ text: string; port: number | undefined }> {
  const text = readFileSync(join(EXAMPLES, file), 'utf8');
  if (!/^port = \d+$/m.test(text)) return { text, port: undefined };
  const port = await freePort();
  return { text: text.replace(/^port = \d+$/m, `port = ${port}`), port };
}

async function copyApps(): Promise<void> {
  const apps = join(emperor.base, 'apps');
  cpSync(join(EXAMPLES, 'apps'), apps, { recursive: true });
  chmodSync(apps, 0o755);
  expect((await runCommand(['chmod', '-R', 'a+rX,go-w', apps])).code).toBe(0);
}

test('there are examples of a web app, a Python app, a worker and a locked-down jail', () => {
  expect(files).toEqual(
    expect.arrayContaining(['node-web.ini', 'python-wsgi.ini', 'worker.ini', 'locked-down.ini']),
  );
});

describe.each(files)('%s', (file) => {
  const name = file.slice(0, -'.ini'.length);

  test('passes the check', async () => {
    const result = await emperor.cli(['check', join(EXAMPLES, file)]);

    expect(result).toMatchObject({ code: 0, stderr: '' });
  });

  test('runs, stays up, and answers where it says that it listens', async () => {
    await copyApps();
    const { text, port } = await withFreePort(file);

    emperor.write(file, text);
    const vassal = await emperor.running(name);

    expect(vassal).toMatchObject({ diagnostics: [], restarts: 0 });
    if (port !== undefined) expect(await httpGet(port)).toMatchObject({ status: 200 });
    expect((await emperor.cli(['stop', name])).code).toBe(0);
    expect(emperor.log(name)).not.toEqual([]);
  });
});
