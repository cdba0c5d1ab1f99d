import { parseArgs } from 'node:util';
import type { Arguments, CommandRow, OptionRow } from './command.ts';
import { COMMANDS, GLOBAL_OPTIONS } from './table.ts';

/** A command line that is understood: which command, with what. */
export type Invocation = { readonly command: CommandRow; readonly args: Arguments };

/**
 * Reads a plain, correct command line without loading yargs (45 ms, two thirds of a whole `emperor status`).
 * Undefined means "not one of those", never "wrong": yargs then judges, explains and prints help. What both accept
 * they must read alike; a test compares them.
 */
export function parseQuickly(argv: readonly string[]): Invocation | undefined {
  const command = COMMANDS.find(({ name }) => name === argv[0]);
  if (command === undefined) return undefined;
  const rows = { ...GLOBAL_OPTIONS, ...command.options };
  const parsed = parseStrictly(argv.slice(1), rows);
  if (parsed === undefined || Object.values(parsed.flags).includes('')) return undefined;
  const { length } = parsed.names;
  return length < command.fewest || length > command.most ? undefined : { command, args: parsed };
}

type ParserOption = { type: 'string' | 'boolean'; short?: string; default?: string };

function parseStrictly(
  argv: readonly string[],
  rows: Readonly<Record<string, OptionRow>>,
): Arguments | undefined {
  const options = Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, parserOption(row)]));
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
      strict: true,
    });
    return { names: positionals, flags: withoutAbsent(values) };
  } catch {
    return undefined;
  }
}

function parserOption(row: OptionRow): ParserOption {
  return {
    type: row.value === undefined ? 'boolean' : 'string',
    ...(row.short === undefined ? {} : { short: row.short }),
    ...(row.default === undefined ? {} : { default: row.default }),
  };
}

function withoutAbsent(values: Readonly<Record<string, string | boolean | undefined>>): Arguments['flags'] {
  const flags: Record<string, string | boolean> = {};
  for (const [name, value] of Object.entries(values)) if (value !== undefined) flags[name] = value;
  return flags;
}
