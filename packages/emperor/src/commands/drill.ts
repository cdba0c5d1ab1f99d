import type { DrillAttemptJson, DrillJson } from '@emperor/common/control/proof';
import { EmperorError, EXIT } from '@emperor/common/errors';
import { neutralise } from '@emperor/common/terminal';
import { type Palette, paletteFor } from './colors.ts';
import { type Arguments, type CommandIo, isSet } from './command.ts';
import { controlOf } from './control.ts';

/** `emperor drill NAME`: what a prober could do in a copy of the jail; 0 when nothing unexpected was allowed. */
export async function runDrill(args: Arguments, io: CommandIo): Promise<number> {
  const [name] = args.names;
  if (name === undefined)
    throw new EmperorError('usage', 'drill wants a NAME', { hint: 'emperor drill --help' });
  const drill = await controlOf(args).drill(name);
  io.out(
    isSet(args, 'json') ? `${JSON.stringify(drill, undefined, 2)}\n` : renderDrill(drill, paletteFor(io)),
  );
  return drill.holds ? EXIT.ok : EXIT.failure;
}

/** One line for each attempt, then what they come to. */
function renderDrill(
  { name, revision, attempts, notes, failure, holds }: DrillJson,
  palette: Palette,
): string {
  const wrong = attempts.filter(({ ok }) => !ok);
  const count = (verdict: DrillAttemptJson['verdict']) =>
    attempts.filter((attempt) => attempt.verdict === verdict).length;
  const total = `${count('denied')} denied, ${count('allowed')} allowed, ${count('skipped')} not tried, ${wrong.length} unexpected`;
  const paint = holds ? palette.green : palette.red;
  const lines = [
    palette.bold(`${name}: a copy of its jail, revision ${revision}`),
    ...attempts.map((attempt) => lineOf(attempt, palette)),
    ...notes.map((note) => `note: ${neutralise(note)}`),
    ...(failure === null ? [] : [palette.red(neutralise(failure))]),
    paint(`${holds ? 'holds' : 'does not hold'}: ${total}`),
    '',
  ];
  return lines.join('\n');
}

const NAME_WIDTH = 22;

function lineOf(
  { name, what, verdict, reason, errno, detail, ok }: DrillAttemptJson,
  palette: Palette,
): string {
  const shown = verdict.padEnd('allowed'.length);
  const painted = ok
    ? verdict === 'denied'
      ? palette.green(shown)
      : palette.yellow(shown)
    : palette.red(shown);
  const mark = ok ? ' ' : palette.red('!');
  const error = errno === null ? '' : `${errno} `;
  const expectation = ok && verdict === 'denied' ? '' : ` [${ok ? reason : `not expected: ${reason}`}]`;
  const told = detail === '' ? '' : `: ${error}${detail}`;
  return neutralise(`${name.padEnd(NAME_WIDTH)} ${what}${told}${expectation}`).replace(
    /^/,
    `${mark} ${painted}  `,
  );
}
