import { EmperorError, EXIT } from '@emperor/common/errors';
import { type Arguments, type CommandIo } from './command.ts';
import { controlOf } from './control.ts';

/** `emperor drill NAME`. */
export async function runDrill(args: Arguments, io: CommandIo): Promise<number> {
  const [name] = args.names;
  if (name === undefined)
    throw new EmperorError('usage', 'drill wants a NAME', { hint: 'emperor drill --help' });
  const drill = await controlOf(args).drill(name);
  io.out(`${JSON.stringify(drill, undefined, 2)}\n`);
  return drill.holds ? EXIT.ok : EXIT.failure;
}
