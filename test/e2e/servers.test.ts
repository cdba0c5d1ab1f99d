import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { celeryTasks, FLASK_APP, NODE_SERVER, nginxConfig } from '../support/app-files.ts';
import { sharedEmperor, vassalFile } from '../support/emperor-under-test.ts';
import { freePort } from '../support/free-port.ts';
import { httpGet } from '../support/http-get.ts';
import { descendants, isAlive } from '../support/processes.ts';
import { runCommand } from '../support/run-command.ts';
import { pauseMs, waitUntil } from '../support/wait-until.ts';

const emperor = sharedEmperor();

function appFile(name: string, text: string): string {
  const path = join(emperor.appDir, name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}

function gunicornFile(port: number, ...lines: readonly string[]): string {
  appFile('flask_site.py', FLASK_APP);
  return vassalFile(
    `gunicorn --bind 127.0.0.1:${port} --workers 2 --worker-tmp-dir /dev/shm flask_site:app`,
    `chdir = ${emperor.appDir}`,
    `ready = tcp:127.0.0.1:${port}`,
    ...lines,
  );
}

test('gunicorn with Flask serves, survives a killed worker, reloads at a touch', async () => {
  const port = await freePort();
  emperor.write('flask.ini', gunicornFile(port));
  const before = await emperor.running('flask');
  expect(await httpGet(port)).toEqual({ status: 200, body: `hello from flask as ${before.uid}\n` });

  const workers = await waitUntil('the workers', () => {
    const seen = descendants(before.pid);
    return seen.length >= 2 ? seen : undefined;
  });
  process.kill(workers[0] ?? 0, 'SIGKILL');
  // A worker that is still booting would not hear the stop signal below.
  await emperor.printed('flask', 'Booting worker with pid', 3);
  const booted = /worker with pid: (\d+)/.exec(
    emperor.log('flask').findLast((line) => line.includes('Booting')) ?? '',
  )?.[1];
  await waitUntil(`an answer of worker ${booted}`, async () =>
    (await httpGet(port, '/pid'))?.body === booted ? true : undefined,
  );
  expect((await emperor.running('flask')).pid).toBe(before.pid);

  emperor.touch('flask.ini');
  const after = await emperor.running('flask', before.pid);
  expect(await httpGet(port)).toMatchObject({ status: 200 });
  expect(after.lastExit).toEqual({ by: 'code', code: 0 });
});

test('gunicorn finishes the request in hand at a graceful stop', async () => {
  const port = await freePort();
  emperor.write('flask.ini', gunicornFile(port));
  await emperor.running('flask');
  await waitUntil('an answer', async () => ((await httpGet(port))?.status === 200 ? true : undefined));

  const slow = httpGet(port, '/slow?s=1.5');
  await emperor.printed('flask', 'slow request begins');
  const stopped = await emperor.cli(['stop', 'flask']);

  expect(await slow).toEqual({ status: 200, body: 'finished\n' });
  expect(stopped.code).toBe(0);
  expect(await httpGet(port)).toBeUndefined();
});

test('a Node HTTP server serves and finishes the request in hand at a graceful stop', async () => {
  const port = await freePort();
  const script = appFile('server.mjs', NODE_SERVER);
  emperor.write(
    'node.ini',
    vassalFile(`node ${script} ${port}`, 'ready = log:listening', 'memory-max = 256M'),
  );
  const { uid } = await emperor.running('node');
  expect(await httpGet(port)).toEqual({ status: 200, body: `hello from node as ${uid}\n` });

  const slow = httpGet(port, '/slow?s=1');
  await emperor.printed('node', 'slow request begins');
  const stopped = await emperor.cli(['stop', 'node']);

  expect(await slow).toMatchObject({ status: 200 });
  expect(stopped.code).toBe(0);
  expect(emperor.log('node')).toContain('finishing');
  expect(await emperor.vassal('node')).toMatchObject({ lastExit: { by: 'code', code: 0 } });
});

test('nginx in front over TCP loses no request while the emperor is killed and comes back', async () => {
  const [front, back] = [await freePort(), await freePort()];
  const script = appFile('server.mjs', NODE_SERVER);
  const config = appFile('nginx.conf', nginxConfig(front, back));
  emperor.write('app.ini', vassalFile(`node ${script} ${back}`, 'ready = log:listening'));
  emperor.write(
    'nginx.ini',
    vassalFile(
      `nginx -e stderr -c ${config}`,
      `ready = tcp:127.0.0.1:${front}`,
      'stop-signal = QUIT',
      'start-after = app',
    ),
  );
  const nginx = await emperor.running('nginx');
  const app = await emperor.running('app');

  const replies: number[] = [];
  const enough = new AbortController();
  const load = (async () => {
    while (!enough.signal.aborted) {
      const reply = await httpGet(front);
      replies.push(reply?.status ?? 0);
    }
  })();
  await waitUntil('the load', () => (replies.length > 20 ? true : undefined));
  await emperor.kill9();
  await pauseMs(300);
  await emperor.start();
  await emperor.running('nginx');
  enough.abort();
  await load;

  expect(replies.length).toBeGreaterThan(50);
  expect(replies.filter((status) => status !== 200)).toEqual([]);
  expect([(await emperor.running('nginx')).pid, (await emperor.running('app')).pid]).toEqual([
    nginx.pid,
    app.pid,
  ]);

  const stopped = await emperor.cli(['stop', 'nginx']);
  expect(stopped.code).toBe(0);
  expect(await emperor.vassal('nginx')).toMatchObject({ lastExit: { by: 'code', code: 0 } });
});

test('uWSGI as the app serves a Python program and stops cleanly', async () => {
  const port = await freePort();
  const program = appFile('wsgi.py', FLASK_APP.replace('app = Flask', 'application = app = Flask'));
  emperor.write(
    'uwsgi.ini',
    vassalFile(
      `uwsgi --plugin python3 --http-socket 127.0.0.1:${port} --wsgi-file ${program} --master --processes 2 --die-on-term`,
      `chdir = ${emperor.appDir}`,
      `ready = tcp:127.0.0.1:${port}`,
    ),
  );
  const vassal = await emperor.running('uwsgi');
  await waitUntil('an answer', async () => ((await httpGet(port))?.status === 200 ? true : undefined));
  expect((await httpGet(port))?.body).toBe(`hello from uwsgi as ${vassal.uid}\n`);
  const workers = descendants(vassal.pid);
  expect(workers.length).toBeGreaterThanOrEqual(2);

  const stopped = await emperor.cli(['stop', 'uwsgi']);

  expect(stopped.code).toBe(0);
  expect(workers.filter(isAlive)).toEqual([]);
  expect((await emperor.vassal('uwsgi'))?.lastExit).toMatchObject({ by: 'code' });
});

test('a long celery task finishes at a graceful stop of its worker', { timeout: 120_000 }, async () => {
  const port = await freePort();
  const done = join(emperor.outDir, 'celery-done');
  appFile('tasks.py', celeryTasks(port, done));
  emperor.write(
    'redis.ini',
    vassalFile(
      `redis-server --port ${port} --bind 127.0.0.1 --save "" --dir /tmp`,
      'ready = log:Ready to accept connections',
    ),
  );
  emperor.write(
    'celery.ini',
    vassalFile(
      '/usr/bin/python3 -m celery -A tasks worker --concurrency 1 --loglevel INFO',
      `chdir = ${emperor.appDir}`,
      'start-after = redis',
      'ready = log:ready.',
      'stop-timeout = 1m',
    ),
  );
  await emperor.running('redis');
  await emperor.running('celery');

  const sent = await runCommand(
    ['/usr/bin/python3', '-m', 'celery', '-A', 'tasks', 'call', 'tasks.slow', '--args=[3]'],
    {
      cwd: emperor.appDir,
      env: { PYTHONDONTWRITEBYTECODE: '1' },
    },
  );
  expect(sent).toMatchObject({ code: 0 });
  await emperor.printed('celery', 'task begins');
  expect(existsSync(done)).toBe(false);
  const stopped = await emperor.cli(['stop', 'celery']);

  expect(stopped.code).toBe(0);
  expect(existsSync(done)).toBe(true);
  expect(emperor.log('celery').join('\n')).toMatch(/Warm shutdown/);
  expect((await emperor.running('redis')).restarts).toBe(0);
});
