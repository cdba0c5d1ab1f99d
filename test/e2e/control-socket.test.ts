import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { sharedEmperor } from '../support/emperor-under-test.ts';
import { runCommand } from '../support/run-command.ts';
import { waitUntil } from '../support/wait-until.ts';

const GROUP = { name: 'staff', gid: 50 };
const emperor = sharedEmperor({ config: `group = ${GROUP.name}` });

test('the control socket belongs to root and the control group and to nobody else', () => {
  const { mode, uid, gid } = statSync(emperor.socket);

  expect(mode & 0o777).toBe(0o660);
  expect({ uid, gid }).toEqual({ uid: 0, gid: GROUP.gid });
  expect(statSync(`${emperor.runDir}/keepers`).mode & 0o777).toBe(0o700);
});

test('an ordinary user is not let in: exit 77, and a member of the group is', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  await emperor.running('blog');

  const stranger = await runCommand(['curl', '-sS', '--unix-socket', emperor.socket, 'http://x/v1/vassals'], {
    uid: 5,
    gid: 60,
  });
  const member = await runCommand(['curl', '-sS', '--unix-socket', emperor.socket, 'http://x/v1/vassals'], {
    uid: 5,
    gid: GROUP.gid,
  });

  expect(stranger.code).not.toBe(0);
  expect(member.code).toBe(0);
  expect(JSON.parse(member.stdout)).toMatchObject({
    format: 1,
    vassals: [{ name: 'blog', state: 'running' }],
  });
});

test('the socket speaks HTTP and JSON that curl can use', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  const { pid } = await emperor.running('blog');
  const curl = (...args: string[]) =>
    execFileSync('curl', ['-sS', '--unix-socket', emperor.socket, ...args], { encoding: 'utf8' });

  expect(JSON.parse(curl('http://x/v1/emperor'))).toMatchObject({
    pid: emperor.pid,
    vassals: 1,
    diagnostics: [],
  });
  expect(JSON.parse(curl('http://x/v1/vassals/blog'))).toMatchObject({ name: 'blog', pid });
  const restarted = JSON.parse(curl('-X', 'POST', 'http://x/v1/vassals/blog/restart'));
  expect(restarted).toMatchObject({ format: 1, name: 'blog', action: 'restart', ok: true });
  expect(restarted.vassal.pid).not.toBe(pid);
  expect(JSON.parse(curl('http://x/v1/vassals/blog/why'))).toMatchObject({
    format: 1,
    vassal: { name: 'blog' },
  });
  expect(curl('http://x/v1/vassals/blog/logs?lines=1')).toMatch(/ out up\n?$/);
});

test('an unknown vassal is 404 with code, message and hint', async () => {
  const reply = await emperor.ask('GET', '/v1/vassals/nobody');

  expect(reply.status).toBe(404);
  expect(JSON.parse(reply.text)).toMatchObject({ error: { code: 'vassal_unknown' } });
});

test('metrics are in the OpenMetrics form', async () => {
  emperor.write('blog.ini', emperor.probeFile('pause'));
  await emperor.running('blog');

  const reply = await emperor.ask('GET', '/metrics');

  expect(reply.status).toBe(200);
  expect(reply.text).toMatch(/emperor_\w+\{[^}]*vassal="blog"[^}]*\} \d/);
  expect(reply.text.trimEnd().endsWith('# EOF')).toBe(true);
});

test('events are streamed as they happen', async () => {
  let text = '';
  const socket = connect(emperor.socket, () => socket.write('GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n'));
  socket.on('data', (piece) => {
    text += piece.toString();
  });
  await waitUntil('the answer', () => (text.startsWith('HTTP/1.1 200') ? true : undefined));

  emperor.write('blog.ini', emperor.probeFile('pause'));
  await emperor.running('blog');

  await waitUntil(
    async () => `an event about blog in ${text}`,
    () => (/"vassal":"blog"/.test(text) ? true : undefined),
  );
  socket.destroy();
});

test('an action that does not wait answers at once', async () => {
  emperor.write('slow.ini', emperor.probeFile('slow 3000'));
  await emperor.running('slow');
  await emperor.printed('slow', 'slow up');

  const reply = await emperor.ask('POST', '/v1/vassals/slow/stop?wait=false');

  expect(reply.status).toBeLessThan(300);
  expect(emperor.log('slow')).not.toContain('stopped');
  await emperor.waitFor('slow', (seen) => seen.state === 'stopped');
});
