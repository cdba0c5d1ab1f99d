import { systemClock } from '@emperor/common/clock';
import { describeError, EmperorError, EXIT } from '@emperor/common/errors';
import { neutralise } from '@emperor/common/terminal';
import yargs from 'yargs';
import type { CommandIo } from './commands/command.ts';

const VERSION = '0.2.0';

const io: CommandIo = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  clock: systemClock,
  onSignal: (hear) => {
    process.on('SIGINT', hear);
    process.on('SIGTERM', hear);
    return () => {
      process.off('SIGINT', hear);
      process.off('SIGTERM', hear);
    };
  },
};

process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let run: (() => Promise<number>) | undefined;
  const parser = yargs([...argv])
    .scriptName('vassal')
    .usage('vassal COMMAND FILE: one vassal file, without an emperor')
    .command(
      'check <files..>',
      'tell everything that is wrong with vassal files',
      (command) => command.positional('files', { type: 'string', array: true, demandOption: true }),
      ({ files }) => {
        run = async () => (await import('./commands/check.ts')).runCheck(files, io);
      },
    )
    .command(
      'plan <file>',
      'show what a vassal file means here: options, grants, the jail; run nothing',
      (command) => command.positional('file', { type: 'string', demandOption: true }),
      ({ file }) => {
        run = async () => (await import('./commands/plan.ts')).runPlan(file, io);
      },
    )
    .command(
      'run <file>',
      'run it once in its jail, in the foreground (as root)',
      (command) => command.positional('file', { type: 'string', demandOption: true }),
      ({ file }) => {
        run = async () => (await import('./commands/run.ts')).runVassal(file, io);
      },
    )
    .parserConfiguration({ 'parse-positional-numbers': false })
    .detectLocale(false)
    .strict()
    .demandCommand(1, 'no command')
    .version(VERSION)
    .help()
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      throw error ?? new EmperorError('usage', message ?? 'wrong command line', { hint: 'vassal --help' });
    });
  try {
    await parser.parseAsync();
    return run === undefined ? EXIT.ok : await run();
  } catch (error) {
    return explain(error);
  }
}

function explain(error: unknown): number {
  if (!(error instanceof EmperorError)) {
    io.err(`a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT.failure;
  }
  io.err(`${neutralise(describeError(error))}\n`);
  if (error.hint !== undefined) io.err(`hint: ${neutralise(error.hint)}\n`);
  return error.exitCode;
}
