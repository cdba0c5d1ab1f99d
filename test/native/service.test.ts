import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const KEEPER = join(import.meta.dirname, '../../packages/vassal/native/build/keeper');
const dir = mkdtempSync(join(tmpdir(), 'emtest-notify-'));

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A service manager that takes one datagram and prints `PID TEXT` with the pid of its credentials. */
const MANAGER = `
import socket, struct, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind('\\0' + name[1:] if name[0] == '@' else name)
print('up', flush=True)
data, control, _, _ = s.recvmsg(4096, 1024)
print(struct.unpack('3i', control[0][2])[0], data.decode(), flush=True)
`;

async function told(name: string, text: string): Promise<string> {
  const manager = spawn('python3', ['-c', MANAGER, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  const ended = new Promise((resolve) => {
    manager.on('close', resolve);
  });
  await new Promise<void>((resolve) => {
    manager.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      resolve();
    });
  });
  expect(await notify(name, text)).toBe(0);
  await ended;
  return said.replace('up\n', '');
}

function notify(socket: string | undefined, text: string): Promise<number> {
  const env: NodeJS.ProcessEnv = socket === undefined ? {} : { NOTIFY_SOCKET: socket };
  return new Promise((resolve) => {
    const child = execFile(KEEPER, ['notify', text], { env }, () => resolve(child.exitCode ?? -1));
  });
}

test.each([
  ['a path', join(dir, 'manager.sock')],
  ['an abstract name', `@emtest-notify-${process.pid}`],
])('the service manager at %s hears the text in our name', async (_, name) => {
  expect(await told(name, 'READY=1\nSTATUS=2 vassals')).toBe(`${process.pid} READY=1\nSTATUS=2 vassals\n`);
});

test('no manager, or no socket at all, is a failure that is told and no hang', async () => {
  expect(await notify(join(dir, 'nobody'), 'READY=1')).toBe(1);
  expect(await notify('relative', 'READY=1')).toBe(2);
  expect(await notify(undefined, 'READY=1')).toBe(2);
  expect(existsSync(join(dir, 'nobody'))).toBe(false);
});
