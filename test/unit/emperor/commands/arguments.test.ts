import { EmperorError, EXIT } from '@emperor/common/errors';
import { expect, test } from 'vitest';
import { parseQuickly } from '../../../../packages/emperor/src/commands/arguments.ts';
import { parseFully } from '../../../../packages/emperor/src/commands/arguments-yargs.ts';
import { COMMANDS } from '../../../../packages/emperor/src/commands/table.ts';

const SETTING = { version: '1.2.3', columns: 100 };

async function fully(...argv: readonly string[]) {
  const reading = await parseFully(argv, SETTING);
  if (reading.is === 'text') return reading;
  const { command, args } = reading.invocation;
  return { command: command.name, ...args };
}

function quickly(...argv: readonly string[]) {
  const invocation = parseQuickly(argv);
  return invocation === undefined ? undefined : { command: invocation.command.name, ...invocation.args };
}

/** Lines that people type. Both parsers must read them alike. */
const PLAIN: readonly (readonly string[])[] = [
  ['status'],
  ['status', '--json'],
  ['status', 'blog', '--runtime-dir', '/run/mine'],
  ['status', '--runtime-dir=/run/mine', 'blog', 'shop'],
  ['status', '--runtime-dir', '/a', '--runtime-dir', '/b'],
  ['status', '--', '--json'],
  ['start', 'web-*', '--no-wait'],
  ['stop', '--all'],
  ['restart', 'blog', 'blog'],
  ['reload', '0042'],
  ['logs', '-f', 'blog'],
  ['logs', '-n', '5', 'blog'],
  ['logs', '-n5', 'blog', '-f'],
  ['logs', '-fn', '5', 'blog'],
  ['logs', '--lines=5', '--follow', 'blog'],
  ['check', 'a.ini', './b', '--config', 'emperor.ini'],
  ['why', 'blog', '--json'],
  ['handover'],
  ['run', '--vassals', './v', '--log-level', 'debug'],
];

test.each(PLAIN.map((argv) => [argv.join(' '), argv]))(
  '%s is read alike without and with yargs',
  async (_, argv) => {
    const quick = quickly(...argv);

    expect(quick).toBeDefined();
    expect(quick).toEqual(await fully(...argv));
  },
);

test('what the quick reader does not understand is left to yargs', () => {
  const unclear = [
    [],
    ['--help'],
    ['status', '--help'],
    ['--json', 'status'],
    ['statsu'],
    ['status', '--jsno'],
    ['status', '--json=true'],
    ['status', '--runtime-dir'],
    ['status', '--runtime-dir='],
    ['why'],
    ['why', 'a', 'b'],
    ['logs'],
    ['run', 'blog'],
  ];

  expect(unclear.map((argv) => quickly(...argv))).toEqual(unclear.map(() => undefined));
});

test('global options may stand before the command', async () => {
  expect(await fully('--runtime-dir', '/run/mine', 'status', 'blog')).toMatchObject({
    command: 'status',
    names: ['blog'],
    flags: { 'runtime-dir': '/run/mine' },
  });
});

test('names that look like numbers stay as they were written', async () => {
  expect(await fully('--json', 'status', '007', '1e3')).toMatchObject({ names: ['007', '1e3'] });
});

async function refusal(...argv: readonly string[]): Promise<EmperorError> {
  const error: unknown = await parseFully(argv, SETTING).catch((thrown: unknown) => thrown);
  if (!(error instanceof EmperorError)) throw new Error(`expected a refusal of ${argv.join(' ')}`);
  return error;
}

test.each([
  [['statsu'], 'no such command: statsu', 'did you mean status?'],
  [['--runtime-dir', '/run/x', 'frobnicate'], 'no such command: frobnicate', 'emperor --help'],
  [['--jsno'], 'unknown argument: jsno', 'emperor --help'],
  [[], 'no command', 'emperor --help'],
  [['status', '--jsno'], 'unknown argument: jsno', 'emperor status --help'],
  [['why'], 'not enough non-option arguments: got 0, need at least 1', 'emperor why --help'],
  [['why', 'a', 'b'], 'unknown argument: b', 'emperor why --help'],
  [['logs', 'blog', '-n'], 'not enough arguments following: n', 'emperor logs --help'],
  [['run', 'blog'], 'unknown argument: blog', 'emperor run --help'],
])('%j is a usage error that says what to do', async (argv, message, hint) => {
  const error = await refusal(...argv);

  expect(error.exitCode).toBe(EXIT.usage);
  expect(error.message).toContain(message);
  expect(error.hint).toBe(hint);
});

test('--version is the bare version', async () => {
  expect(await fully('--version')).toEqual({ is: 'text', text: '1.2.3\n' });
});

test('--help lists every command with its summary', async () => {
  const reading = await parseFully(['--help'], { ...SETTING, columns: 200 });

  const text = reading.is === 'text' ? reading.text : '';
  for (const { name, summary } of COMMANDS) {
    expect(text).toMatch(new RegExp(`emperor ${name}\\b`));
    expect(text).toContain(summary);
  }
});

test('COMMAND --help shows its options and examples', async () => {
  const reading = await parseFully(['logs', '--help'], SETTING);

  const text = reading.is === 'text' ? reading.text : '';
  expect(text).toContain('--follow');
  expect(text).toContain('emperor logs -f -n 0 blog shop');
});
