import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';
import { isAlive } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const MALLORY = { uid: 5, gid: 60 };
const VICTIM = { uid: 33, gid: 33 };
const emperor = sharedEmperor();

/** A tenant's file, his from the first moment on. */
function writeAs({ uid, gid }: typeof MALLORY, file: string, text: string): void {
  const staged = emperor.path(`.${file}.tmp`);
  writeFileSync(staged, text, { mode: 0o644 });
  chownSync(staged, uid, gid);
  renameSync(staged, emperor.path(file));
}

/** `HOME/project/key`, open in itself, below a home that only its owner may enter. */
function closedHome(): string {
  const home = mkdtempSync('/home/emtest-');
  onTestFinished(() => rmSync(home, { recursive: true }));
  chmodSync(home, 0o700);
  chownSync(home, VICTIM.uid, VICTIM.gid);
  const project = join(home, 'project');
  mkdirSync(project);
  chmodSync(project, 0o755);
  writeFileSync(join(project, 'key'), 'hunter2\n', { mode: 0o644 });
  return project;
}

test("a tenant's chdir opens no closed home", async () => {
  writeAs(MALLORY, 'spy.ini', vassalFile('sh -c "cat key; sleep 60"', `chdir = ${closedHome()}`));

  const spy = await emperor.waitFor('spy', (seen) => seen.state === 'backing-off');

  expect(spy.note).toMatch(/stage chdir/);
  expect(emperor.log('spy').join('\n')).not.toContain('hunter2');
});

test("an operator's chdir below a closed home gives its app no more than it has outside", async () => {
  emperor.write(
    'spy.ini',
    vassalFile('sh -c "cat key; sleep 60"', `chdir = ${closedHome()}`, `uid = ${MALLORY.uid}`),
  );

  const spy = await emperor.waitFor('spy', (seen) => seen.state === 'backing-off');

  expect(spy.note).toMatch(/stage chdir, EACCES/);
  expect(emperor.log('spy').join('\n')).not.toContain('hunter2');
});

test("a tenant's words make no directory of the emperor visible", async () => {
  emperor.write('blog.ini', emperor.probeFile('pause', 'env = PASSWORD=hunter2'));
  const blog = emperor.path('blog.ini');
  const script = `cat ${blog} ${emperor.logDir}/blog/current; ls ${emperor.logDir}; echo looked`;
  writeAs(MALLORY, 'spy.ini', vassalFile(`sh -c "${script}; sleep 60" ${blog} ${emperor.logDir}/blog`));

  const printed = await emperor.printed('spy', 'looked');

  expect(printed.join('\n')).not.toMatch(/hunter2|\bblog$/m);
});

test('one vassal does not get the ptys of all', async () => {
  const program = join(emperor.appDir, 'ptys.py');
  writeFileSync(
    program,
    [
      'import os, time',
      'count = 0',
      'try:',
      '    while count < 512:',
      "        os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY)",
      '        count += 1',
      'except OSError: pass',
      "print('ptys', count, flush=True)",
      'time.sleep(60)',
    ].join('\n'),
    { mode: 0o644 },
  );
  writeAs(MALLORY, 'spy.ini', vassalFile(`/usr/bin/python3 ${program}`));

  const printed = await emperor.printed('spy', 'ptys');

  const count = Number(/ptys (\d+)/.exec(printed.join('\n'))?.[1]);
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThanOrEqual(64);
});

test("a tenant's start-after neither waits for nor holds up another tenant's vassal", async () => {
  writeAs(VICTIM, 'blog.ini', emperor.probeFile('pause'));
  const blog = await emperor.running('blog');
  const stubborn = `sh -c "trap : TERM; while :; do sleep 1; done"`;
  writeAs(MALLORY, 'spy.ini', vassalFile(stubborn, 'start-after = blog', 'stop-timeout = 6s'));
  const spy = await emperor.running('spy');
  expect(spy.diagnostics).toContainEqual(expect.objectContaining({ key: 'start-after' }));

  const ended = emperor.end('SIGTERM');
  await waitUntil('the other to be stopped', () => (isAlive(blog.pid) ? undefined : true), 4_000);

  expect(isAlive(spy.pid)).toBe(true);
  await ended;
  await emperor.start();
});
