import type { CommandRow, OptionRow } from './command.ts';
import { COMMANDS, GLOBAL_OPTIONS } from './table.ts';

/** docs/reference/commands.md, made of the table; a test compares it with the committed page. */
export function renderCommandReference(): string {
  return [
    '# Commands',
    'Made from the table in `packages/emperor/src/commands/table.ts`; do not edit. `emperor COMMAND --help` shows the same.',
    '## Options of every command',
    optionTable({
      ...GLOBAL_OPTIONS,
      version: { help: 'Print the version.' },
      help: { short: 'h', help: 'Print help, also for one command.' },
    }),
    'Exit codes are in [exit-codes.md](exit-codes.md), the JSON is described in [control-api.json](control-api.json). ' +
      'Colours only on a terminal and never with `NO_COLOR`. A failure is one line on stderr, what to do next is a ' +
      'second one that starts with `hint:`.',
    ...COMMANDS.map(commandSection),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

function commandSection(command: CommandRow): string {
  const usage = ['emperor', command.name, command.operands].filter(Boolean).join(' ');
  return [
    `## ${command.name}`,
    `\`${usage}\``,
    command.summary,
    command.details,
    ...(Object.keys(command.options).length === 0 ? [] : [optionTable(command.options)]),
    ['```sh', ...command.examples, '```'].join('\n'),
  ].join('\n\n');
}

function optionTable(options: Readonly<Record<string, OptionRow>>): string {
  const rows = Object.entries(options).map(([name, row]) => `| ${spelling(name, row)} | ${meaning(row)} |`);
  return ['| option | meaning |', '|---|---|', ...rows].join('\n');
}

function spelling(name: string, { value, short }: OptionRow): string {
  const long = `--${name}${value === undefined ? '' : ` ${value}`}`;
  return short === undefined ? `\`${long}\`` : `\`-${short}\`, \`${long}\``;
}

function meaning({ help, default: preset }: OptionRow): string {
  const text = preset === undefined ? help : `${help} Default: ${preset}.`;
  return text.replaceAll('|', '\\|');
}
