import { EmperorError, EXIT } from '@emperor/common/errors';
import { paletteFor } from './colors.ts';
import { type Arguments, type CommandIo, isSet } from './command.ts';
import { controlOf } from './control.ts';
import { renderWhy } from './render-why.ts';

/** `emperor why NAME`: explains the vassal's state; 0 whenever there is an answer. */
export async function runWhy(args: Arguments, io: CommandIo): Promise<number> {
  const [name] = args.names;
  if (name === undefined) throw new EmperorError('usage', 'why wants a NAME', { hint: 'emperor why --help' });
  const why = await controlOf(args).why(name);
  io.out(isSet(args, 'json') ? `${JSON.stringify(why, undefined, 2)}\n` : renderWhy(why, paletteFor(io)));
  return EXIT.ok;
}
