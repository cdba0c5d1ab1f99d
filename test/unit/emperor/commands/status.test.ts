import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseQuickly } from '../../../../packages/emperor/src/commands/arguments.ts';
import { runStatus } from '../../../../packages/emperor/src/commands/status.ts';
import { FakeEmperor, RecordingIo, vassalJson } from './fake-emperor.ts';

let emperor: FakeEmperor;
let io: RecordingIo;

beforeEach(async () => {
  emperor = new FakeEmperor();
  io = new RecordingIo();
  await emperor.listen();
});

afterEach(() => emperor.close());

function status(...words: readonly string[]): Promise<number> {
  const invocation = parseQuickly(['status', ...words, '--runtime-dir', emperor.runtimeDir]);
  if (invocation === undefined) throw new Error('not a plain command line');
  return runStatus(invocation.args, io);
}

const BROKEN = {
  severity: 'error',
  file: '/etc/emperor/vassals/shop.ini',
  line: 14,
  key: 'memory-max',
  message: 'expected a size such as 512M',
  hint: 'memory-max takes a size',
} as const;

test('the table has one aligned line per vassal', async () => {
  emperor.vassals = [
    vassalJson({ user: 'blog' }),
    vassalJson({
      name: 'web-frontend',
      state: 'stopped',
      pid: null,
      uid: null,
      memoryBytes: null,
      cpuPercent: null,
    }),
    vassalJson({ name: 'shop', state: 'backing-off', pid: null, restarts: 12, note: 'exited with code 1' }),
  ];

  expect(await status()).toBe(0);
  expect(io.stdout).toBe(
    [
      'NAME          STATE        SINCE  PID   USER    MEM  CPU   RESTARTS  NOTE',
      'blog          running      5m     4711  blog    12M  0.4%  2',
      'web-frontend  stopped      5m     -     -       -    -     2',
      'shop          backing-off  5m     -     400001  12M  0.4%  12        exited with code 1',
      '',
    ].join('\n'),
  );
});

test('a broken edit is seen in the table', async () => {
  emperor.vassals = [vassalJson({ diagnostics: [{ ...BROKEN, severity: 'warning', line: null }, BROKEN] })];

  await status();

  expect(io.stdout).toMatch(/running .* line 14: memory-max: expected a size such as 512M\n/);
});

test('what is wrong with the source goes to stderr and leaves the table alone', async () => {
  emperor.vassals = [vassalJson()];
  emperor.emperor = {
    ...emperor.emperor,
    diagnostics: [{ ...BROKEN, line: null, key: null, message: 'the directory is gone' }],
  };

  expect(await status()).toBe(0);
  expect(io.stderr).toBe(
    '/etc/emperor/vassals/shop.ini: the directory is gone\nhint: memory-max takes a size\n',
  );
  expect(io.stdout.split('\n')).toHaveLength(3);
});

test('without vassals it says what to do', async () => {
  expect(await status()).toBe(0);
  expect(io.stderr).toBe('no vassals: drop an .ini file into the vassals directory\n');
});

test('--json prints the whole document as the emperor gave it', async () => {
  emperor.vassals = [vassalJson(), vassalJson({ name: 'shop' })];

  expect(await status('--json')).toBe(0);
  expect(JSON.parse(io.stdout)).toEqual({
    format: 1,
    emperor: { ...emperor.emperor, vassals: 2 },
    vassals: emperor.vassals,
  });
});

test('one name shows the page with facts, diagnostics and the last output', async () => {
  emperor.vassals = [
    vassalJson({ diagnostics: [BROKEN], note: 'reloading', sockets: ['/run/emperor/sockets/blog/http'] }),
  ];
  emperor.logs = { blog: ['2026-11-20T10:00:00.123Z out|listening', 'evil \u001b[31m'] };

  expect(await status('blog')).toBe(0);
  expect(io.stdout).toBe(`blog  running
  since       2026-11-20T10:00:00.000Z (5m ago)
  note        reloading
  file        /etc/emperor/vassals/blog.ini (owner root)
  pid         4711 (ready)
  keeper      pid 4702
  generation  3
  revision    9f2c
  user        private (uid 400001, gid 400001)
  restarts    2, the last run ended with exit code 1
  memory      12M
  cpu         0.4%
  tasks       5
  sockets     /run/emperor/sockets/blog/http
  namespaces  mnt pid ipc uts cgroup

diagnostics
  /etc/emperor/vassals/shop.ini:14: memory-max: expected a size such as 512M
  hint: memory-max takes a size

last output
  2026-11-20T10:00:00.123Z out|listening
  evil \\x1b[31m
`);
});

test.each(['stopped', 'starting', 'stopping', 'backing-off', 'failed'] as const)(
  'status of one that is %s exits 3',
  async (state) => {
    emperor.vassals = [vassalJson({ state })];
    emperor.logs = { blog: [] };

    expect(await status('blog')).toBe(3);
    expect(await status('blog', '--json')).toBe(3);
  },
);

test('status NAME --json is the same document with one vassal', async () => {
  emperor.vassals = [vassalJson(), vassalJson({ name: 'shop' })];

  expect(await status('shop', '--json')).toBe(0);
  expect(JSON.parse(io.stdout)).toMatchObject({
    format: 1,
    emperor: { pid: 812 },
    vassals: [{ name: 'shop' }],
  });
});

test('status of an unknown vassal is refused with exit code 4', async () => {
  await expect(status('nobody')).rejects.toMatchObject({ code: 'vassal_unknown', exitCode: 4 });
});

test('a pattern or several names show the table of those', async () => {
  emperor.vassals = [
    vassalJson(),
    vassalJson({ name: 'web-1' }),
    vassalJson({ name: 'web-2', state: 'stopped' }),
  ];

  expect(await status('web-*')).toBe(0);
  expect(io.stdout.match(/^\S+/gm)).toEqual(['NAME', 'web-1', 'web-2']);
});

test('without an emperor it says so and how to start one', async () => {
  await emperor.close();

  await expect(status()).rejects.toMatchObject({ code: 'emperor_unreachable', exitCode: 69 });
});

test('colours mark the state and nothing else needs them', async () => {
  io = new RecordingIo({ colors: true });
  emperor.vassals = [vassalJson({ state: 'failed' })];

  await status();

  expect(io.stdout).toContain('\u001b[31mfailed\u001b[0m');
});
