import { chmodSync, chownSync, renameSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { isAlive, statusLine } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const TENANT = { name: 'games', uid: 5, gid: 60 };
const emperor = sharedEmperor();

test('a file given to a tenant runs as that tenant', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');
  expect(before.owner).toBe('root');

  chownSync(emperor.path('blog.ini'), TENANT.uid, TENANT.gid);

  const after = await emperor.running('blog', before.pid);
  expect(after).toMatchObject({ owner: TENANT.name, uid: TENANT.uid, gid: TENANT.gid, user: TENANT.name });
  expect(isAlive(before.pid)).toBe(false);
  expect(statusLine(after.pid, 'Uid')).toBe('5\t5\t5\t5');
});

test('a right that the new owner may not have ends at once and last-good is no way round', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'cap = net_bind_service'));
  const before = await emperor.running('blog');

  chownSync(emperor.path('blog.ini'), TENANT.uid, TENANT.gid);

  await waitUntil('the app to end', () => (isAlive(before.pid) ? undefined : true), 10_000);
  const after = await emperor.waitFor('blog', (seen) => seen.state === 'failed' && seen.pid === null);
  expect(after.diagnostics).toContainEqual(expect.objectContaining({ key: 'cap', line: 3 }));

  await emperor.kill9();
  await emperor.start();
  expect(await emperor.waitFor('blog', (seen) => seen.state === 'failed')).toMatchObject({ pid: null });
});

test('a right given back brings the vassal back', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'cap = net_bind_service'));
  const before = await emperor.running('blog');
  chownSync(emperor.path('blog.ini'), TENANT.uid, TENANT.gid);
  await emperor.waitFor('blog', (seen) => seen.state === 'failed');

  chownSync(emperor.path('blog.ini'), 0, 0);

  const after = await emperor.running('blog');
  expect(after).toMatchObject({ owner: 'root', diagnostics: [] });
  expect(after.uid).toBe(before.uid);
});

test('a running file that becomes writable by its group is told, and heals', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const before = await emperor.running('blog');

  chmodSync(emperor.path('blog.ini'), 0o664);

  const told = await emperor.waitFor('blog', (seen) => seen.diagnostics.length > 0);
  expect(told.diagnostics[0]?.message).toMatch(/writ/);

  chmodSync(emperor.path('blog.ini'), 0o644);
  await emperor.waitFor('blog', (seen) => seen.diagnostics.length === 0 && seen.state === 'running');
  expect((await emperor.running('blog')).uid).toBe(before.uid);
});

test('another owner of the same name inherits no log and no private uid', async () => {
  emperor.write('blog.ini', emperor.probeFile('say 0 roots-secret'));
  const before = await emperor.running('blog');
  await emperor.printed('blog', 'roots-secret');
  emperor.remove('blog.ini');
  await emperor.forgotten('blog');

  emperor.write('.staged', emperor.probeFile('say 0 tenants-word'));
  chownSync(emperor.path('.staged'), TENANT.uid, TENANT.gid);
  renameSync(emperor.path('.staged'), emperor.path('blog.ini'));

  const after = await emperor.waitFor(
    'blog',
    (seen) => seen.owner === TENANT.name && seen.state === 'running',
  );
  await emperor.printed('blog', 'tenants-word');
  const shown = await emperor.cli(['logs', 'blog', '-n', '100']);
  expect(shown.stdout).not.toContain('roots-secret');
  expect(after.uid).not.toBe(before.uid);
});

test('a limit that the operator forces at SIGHUP narrows the running jail at once', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'pids-max = 100'));
  const before = await emperor.running('blog');

  emperor.configure('\n[force]\npids-max = 30');
  emperor.signal('SIGHUP');

  const after = await emperor.waitFor(
    'blog',
    (seen) => seen.revision !== before.revision && seen.state === 'running',
  );
  expect(after.pid).toBe(before.pid);
  process.kill(before.pid, 'SIGKILL');
  emperor.write('blog.ini', emperor.probeFile('forks 500', 'pids-max = 100'));
  const made = Number(/forked (\d+) EAGAIN/.exec((await emperor.printed('blog', 'forked')).join('\n'))?.[1]);
  expect(made).toBeLessThanOrEqual(30);

  emperor.configure('');
  emperor.signal('SIGHUP');
});

test('[defaults] of the operator count where the file says nothing', async () => {
  emperor.configure('\n[defaults]\nhostname = by-default\nenv = FROM=defaults');
  emperor.signal('SIGHUP');
  emperor.write('blog.ini', emperor.probeFile('facts'));
  emperor.write('shop.ini', emperor.probeFile('facts', 'hostname = by-file'));

  const blog = (await emperor.printed('blog', 'facts end')).join('\n');
  const shop = (await emperor.printed('shop', 'facts end')).join('\n');

  expect(blog).toContain('"fact":"hostname","key":"","value":"by-default"');
  expect(blog).toContain('"key":"FROM","value":"defaults"');
  expect(shop).toContain('"fact":"hostname","key":"","value":"by-file"');
  emperor.configure('');
  emperor.signal('SIGHUP');
});
