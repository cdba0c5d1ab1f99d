import { release } from 'node:os';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';

const emperor = sharedEmperor();

type Row = { readonly what: string; readonly gives: string; readonly because: string | null };

async function hostRows(): Promise<readonly Row[]> {
  const { stdout, code } = await emperor.cli(['check', '--host', '--json']);
  expect(code).toBe(0);
  const told: { readonly format: number; readonly host: readonly Row[] } = JSON.parse(stdout);
  expect(told.format).toBe(1);
  return told.host;
}

test('check --host prints what was tried, as a table and as JSON, without an emperor', async () => {
  const rows = await hostRows();
  const { stdout, code } = await emperor.cli(['check', '--host']);

  expect(code).toBe(0);
  expect(rows.find(({ what }) => what === 'kernel')?.gives).toBe(release());
  expect(rows.find(({ what }) => what === 'privileges')?.gives).toBe('root');
  for (const { what, gives, because } of rows) {
    expect(stdout).toContain(what);
    expect(['no', 'yes'].includes(gives) && because === null ? gives : 'explained').not.toBe('no');
  }
});

test('a namespace that works is told so, and a vassal gets it', async () => {
  const rows = await hostRows();
  const kinds = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'user', 'time'].filter(
    (kind) => rows.find(({ what }) => what === `namespace ${kind}`)?.gives === 'yes',
  );
  const facts = await emperor.facts('blog', [], `unshare = ${kinds.join(',')}`);

  expect((await emperor.running('blog')).namespaces).toEqual(kinds);
  expect(facts.get('ns', 'user')).toBeDefined();
});

test('without a file and without --host check is a usage error', async () => {
  const { code, stderr } = await emperor.cli(['check']);

  expect(code).toBe(2);
  expect(stderr).toContain('check wants a FILE or a directory');
});
