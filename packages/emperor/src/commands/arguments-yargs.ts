import { EmperorError } from '@emperor/common/errors';
import { nearestName } from '@emperor/common/options/nearest';
import yargs, { type Argv } from 'yargs';
import type { Invocation } from './arguments.ts';
import type { Arguments, CommandRow, OptionRow } from './command.ts';
import { COMMANDS, GLOBAL_OPTIONS } from './table.ts';

/** What yargs made of a command line: something to run, or text to print (`--help`, `--version`). */
export type Reading =
  | { readonly is: 'invocation'; readonly invocation: Invocation }
  | { readonly is: 'text'; readonly text: string };

/** Where and for whom help is shown. */
export type HelpSetting = { readonly version: string; readonly columns: number };

/** Reads any command line; throws EmperorError('usage') with the next action for one that is wrong. */
export async function parseFully(argv: readonly string[], setting: HelpSetting): Promise<Reading> {
  let invocation: Invocation | undefined;
  let text = '';
  let problem: string | undefined;
  const parser = buildParser(setting, (found) => {
    invocation = found;
  });
  await parser.parseAsync([...argv], {}, (error, _parsed, output) => {
    text = output;
    problem = error?.message;
  });
  if (problem !== undefined) throw refusal(problem, argv);
  if (text !== '') return { is: 'text', text: text.endsWith('\n') ? text : `${text}\n` };
  if (invocation === undefined) throw new EmperorError('usage', 'no command', { hint: 'emperor --help' });
  return { is: 'invocation', invocation };
}

function buildParser(setting: HelpSetting, found: (invocation: Invocation) => void): Argv {
  const parser = yargs()
    .scriptName('emperor')
    .usage('emperor COMMAND [NAME…]: many applications, each in a jail of its own, one .ini file each')
    .options(yargsOptions(GLOBAL_OPTIONS))
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .detectLocale(false)
    .strict()
    .demandCommand(1, 'no command')
    .showHelpOnFail(false)
    .exitProcess(false)
    .wrap(setting.columns)
    .version(setting.version)
    .help()
    .alias('help', 'h')
    .epilogue('docs/tutorial.md is the way in; docs/reference/commands.md has every command.');
  for (const command of COMMANDS) addCommand(parser, command, found);
  return parser;
}

function addCommand(parser: Argv, command: CommandRow, found: (invocation: Invocation) => void): void {
  parser.command(
    [command.name, yargsOperands(command)].filter(Boolean).join(' '),
    command.summary,
    (own) => {
      for (const line of command.examples) own.example(line, '');
      return own.options(yargsOptions(command.options)).epilogue(command.details);
    },
    (parsed) => found({ command, args: argumentsOf(command, parsed) }),
  );
}

function yargsOperands(command: CommandRow): string {
  if (command.most === 0) return '';
  const operand = `${operandKey(command)}${command.most > 1 ? '..' : ''}`;
  return command.fewest === 0 ? `[${operand}]` : `<${operand}>`;
}

/** `name` of `NAME…`, `file` of `FILE|DIR…`. */
function operandKey(command: CommandRow): string {
  return (/[A-Z]+/.exec(command.operands)?.[0] ?? 'name').toLowerCase();
}

function yargsOptions(rows: Readonly<Record<string, OptionRow>>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(rows).map(([name, { value, short, default: preset, help }]) => [
      name,
      {
        type: value === undefined ? 'boolean' : 'string',
        describe: help,
        ...(value === undefined ? {} : { requiresArg: true }),
        ...(short === undefined ? {} : { alias: short }),
        ...(preset === undefined ? {} : { default: preset }),
      },
    ]),
  );
}

function argumentsOf(command: CommandRow, parsed: Readonly<Record<string, unknown>>): Arguments {
  const given = parsed[operandKey(command)];
  const named = Array.isArray(given) ? given.map(String) : typeof given === 'string' ? [given] : [];
  // `_` is the command and, where `--` stood, the words behind it.
  const rest = Array.isArray(parsed['_']) ? parsed['_'].slice(1).map(String) : [];
  const names = [...named, ...rest];
  const flags: Record<string, string | boolean> = {};
  for (const option of Object.keys({ ...GLOBAL_OPTIONS, ...command.options })) {
    const written = parsed[option];
    // Written twice: the last one counts.
    const value: unknown = Array.isArray(written) ? written.at(-1) : written;
    if (typeof value === 'string' || typeof value === 'boolean') flags[option] = value;
  }
  return { names, flags };
}

function refusal(problem: string, argv: readonly string[]): EmperorError {
  const command = COMMANDS.find(({ name }) => argv.includes(name));
  if (command !== undefined) {
    return new EmperorError('usage', lowerFirst(problem), { hint: `emperor ${command.name} --help` });
  }
  const [, word] = /^Unknown argument: (\S+)/.exec(problem) ?? [];
  if (word === undefined || argv.includes(`--${word}`)) {
    return new EmperorError('usage', lowerFirst(problem), { hint: 'emperor --help' });
  }
  const near = nearestName(
    word,
    COMMANDS.map(({ name }) => name),
  );
  const hint = near === undefined ? 'emperor --help' : `did you mean ${near}?`;
  return new EmperorError('usage', `no such command: ${word}`, { hint });
}

function lowerFirst(text: string): string {
  const line = text.trim().split('\n').join(' ');
  return line.charAt(0).toLowerCase() + line.slice(1);
}
