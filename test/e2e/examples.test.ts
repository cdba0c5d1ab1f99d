import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { REPOSITORY, sharedEmperor } from '../support/emperor-under-test.ts';
import { httpGet } from '../support/http-get.ts';
import { peek } from '../support/processes.ts';

const EXAMPLES = join(REPOSITORY, 'vassals.d');
const files = readdirSync(EXAMPLES).filter((file) => file.endsWith('.ini'));
const emperor = sharedEmperor();

test('there are examples of a web app, a Python app, a worker and a locked-down jail', () => {
  expect(files.length).toBeGreaterThanOrEqual(4);
});

describe.each(files)('%s', (file) => {
  const name = file.slice(0, -'.ini'.length);

  test('passes the check', async () => {
    cpSync(EXAMPLES, join(emperor.base, 'vassals.d'), { recursive: true });

    const { code, stdout, stderr } = await emperor.cli(['check', join(emperor.base, 'vassals.d', file)]);

    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).not.toMatch(/error/i);
  });

  test('runs, stays up and answers where it says that it listens', async () => {
    const text = peek(join(EXAMPLES, file)) ?? '';
    const program = /^command\s*=\s*(\S*gunicorn)\b/m.exec(text)?.[1];
    if (program !== undefined && !existsSync('/usr/bin/gunicorn'))
      throw new Error('gunicorn is missing: npm test installs it');
    cpSync(EXAMPLES, emperor.vassals, { recursive: true });
    for (const other of files) if (other !== file) emperor.remove(other);

    const vassal = await emperor.running(name);

    expect(vassal).toMatchObject({ diagnostics: [], restarts: 0 });
    const port = /127\.0\.0\.1:(\d+)/.exec(text)?.[1];
    if (port !== undefined) expect(await httpGet(Number(port))).toMatchObject({ status: 200 });
  });
});
