import { chmodSync, cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { REPOSITORY, sharedEmperor } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { runCommand } from '../support/run-command.ts';

const EXAMPLES = join(REPOSITORY, 'vassals.d');
const files = readdirSync(EXAMPLES).filter((file) => file.endsWith('.ini'));
const emperor = sharedEmperor();

test.each(files)('audit and drill of %s hold', async (file) => {
  const name = file.slice(0, -'.ini'.length);
  const apps = join(emperor.base, 'apps');
  cpSync(join(EXAMPLES, 'apps'), apps, { recursive: true });
  chmodSync(apps, 0o755);
  expect((await runCommand(['chmod', '-R', 'a+rX,go-w', apps])).code).toBe(0);
  const port = await freePort();
  emperor.write(file, readFileSync(join(EXAMPLES, file), 'utf8').replace(/^port = \d+$/m, `port = ${port}`));
  await emperor.running(name);

  const audit = await emperor.cli(['audit', name]);
  const drill = await emperor.cli(['drill', name]);

  expect(`${audit.code}\n${audit.stdout}`).toMatch(/^0\n/);
  expect(`${drill.code}\n${drill.stdout}`).toMatch(/^0\n/);
});
