import { EmperorError, EXIT } from '@emperor/common/errors';
import { neutralise } from '@emperor/common/terminal';
import { paletteFor } from './colors.ts';
import { type Arguments, type CommandIo, isSet, textOf } from './command.ts';
import { controlOf } from './control.ts';
import { isPattern, selectNames } from './select.ts';

const MOST_LINES = 1_000_000;

/** `emperor logs [-f] [-n COUNT] NAME…`: the last lines of one or several vassals, and on. */
export async function runLogs(args: Arguments, io: CommandIo): Promise<number> {
  const control = controlOf(args);
  const lines = decodeCount(textOf(args, 'lines') ?? '');
  const follow = isSet(args, 'follow');
  const names = args.names.some(isPattern)
    ? selectNames(
        args.names,
        (await control.status()).vassals.map(({ name }) => name),
      )
    : [...new Set(args.names)];
  const prefixes = prefixesOf(names, io);
  const show = async (name: string): Promise<void> => {
    for await (const line of control.logs(name, { lines, follow, signal: io.signal })) {
      io.out(isSet(args, 'json') ? jsonLine(name, line) : `${prefixes.get(name) ?? ''}${neutralise(line)}\n`);
    }
  };
  if (follow) await Promise.all(names.map(show));
  else for (const name of names) await show(name);
  return EXIT.ok;
}

function decodeCount(text: string): number {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= MOST_LINES) return count;
  throw new EmperorError(
    'usage',
    `--lines ${neutralise(text)}: expected an integer from 0 to ${MOST_LINES}`,
    {
      hint: 'emperor logs --help',
    },
  );
}

/** With several vassals each line says whose it is, names padded to one width. */
function prefixesOf(names: readonly string[], io: CommandIo): ReadonlyMap<string, string> {
  if (names.length < 2) return new Map();
  const { dim } = paletteFor(io);
  const width = Math.max(...names.map(({ length }) => length));
  return new Map(names.map((name) => [name, `${dim(`${name.padEnd(width)} |`)} `]));
}

function jsonLine(name: string, line: string): string {
  return `${JSON.stringify({ vassal: name, line })}\n`;
}
