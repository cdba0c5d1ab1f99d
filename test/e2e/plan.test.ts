import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';

const emperor = sharedEmperor();

function fileOf(name: string, text: string): string {
  const path = join(emperor.base, name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}

test('a FILE is planned without its vassal: provenance, grants, change classes and the jail in order', async () => {
  const path = fileOf('shop.ini', vassalFile('sleep 1000', 'cap = net_bind_service', 'memory-max = 64M'));

  const { code, stdout, stderr } = await emperor.cli(['plan', path, '--json']);

  const plan = JSON.parse(stdout);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(plan).toMatchObject({ format: 1, name: 'shop', file: path, running: null, diagnostics: [] });
  expect(plan.options.find(({ key }: { key: string }) => key === 'cap')).toEqual({
    key: 'cap',
    granted: 'net_bind_service',
    asked: 'net_bind_service',
    layer: 'file',
    file: path,
    line: 3,
    reason: null,
    onChange: 'restart',
  });
  const option = (key: string) => plan.options.find((each: { key: string }) => each.key === key);
  expect(option('memory-max')).toMatchObject({ layer: 'file', line: 4, onChange: 'live' });
  expect(option('private-tmp')).toMatchObject({ layer: 'built-in', asked: null, file: null });
  const stages: string[] = plan.jail.map(({ stage }: { stage: string }) => stage);
  expect(stages.indexOf('root and mounts')).toBeGreaterThan(stages.indexOf('namespaces'));
  expect(stages.indexOf('identity')).toBeGreaterThan(stages.lastIndexOf('root and mounts'));
  expect(stages.at(-1)).toBe('the app');
  expect(await emperor.vassal('shop')).toBeUndefined();
});

test('what is not granted is shown with its reason, and defaults of emperor.ini with their line', async () => {
  const path = fileOf('shop.ini', vassalFile('sleep 1000', 'unshare = pid'));
  const config = fileOf('other.ini', '[defaults]\numask = 077\n');

  const { code, stdout } = await emperor.cli(['plan', path, '--config', config]);

  expect(code).toBe(0);
  expect(stdout).toMatch(/^private-dev = false .*because: needs mnt in unshare$/m);
  expect(stdout).toMatch(new RegExp(`^umask = 077 .*defaults ${config}:2$`, 'm'));
});

test('a file with errors has a plan of its options, no jail, and exits 78', async () => {
  const path = fileOf('shop.ini', vassalFile('sleep 1000', 'colour = red'));

  const { code, stdout, stderr } = await emperor.cli(['plan', path]);

  expect(code).toBe(78);
  expect(stderr).toContain(`${path}:3: colour: unknown option`);
  expect(stdout).not.toContain('# the jail');
});

test('a NAME is planned by the running emperor, beside what runs', async () => {
  emperor.write('blog.ini', vassalFile('sleep 1000', 'pids-max = 50'));
  const { generation, revision, uid } = await emperor.running('blog');

  const { code, stdout } = await emperor.cli(['plan', 'blog', '--json']);

  const plan = JSON.parse(stdout);
  expect(code).toBe(0);
  expect(plan).toMatchObject({ name: 'blog', revision, file: emperor.path('blog.ini') });
  expect(plan.running).toEqual({ generation, revision, change: 'nothing', changed: [] });
  expect(plan.jail.map(({ text }: { text: string }) => text)).toContain(`user ${uid}`);
});

test('a broken edit shows what still runs', async () => {
  emperor.write('blog.ini', vassalFile('sleep 1000'));
  const { revision } = await emperor.running('blog');
  emperor.write('blog.ini', vassalFile('sleep 1000', 'colour = red'));
  await emperor.waitFor('blog', ({ diagnostics }) => diagnostics.length > 0);

  const { code, stdout } = await emperor.cli(['plan', 'blog', '--json']);

  expect(code).toBe(78);
  expect(JSON.parse(stdout)).toMatchObject({ revision: null, running: { revision, change: 'unknown' } });
});

test('an unknown NAME exits 4', async () => {
  expect(await emperor.cli(['plan', 'nobody'])).toMatchObject({ code: 4 });
});
