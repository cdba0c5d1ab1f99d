import { existsSync, lstatSync } from 'node:fs';
import { systemClock } from '@emperor/common/clock';
import { describeError, EmperorError, EXIT } from '@emperor/common/errors';
import { neutralise } from '@emperor/common/terminal';
import { type Invocation, parseQuickly } from './commands/arguments.ts';
import { type CommandIo, NOTIFY_FLAG } from './commands/command.ts';
import { userPlaces } from './user-places.ts';
import { VERSION } from './version.ts';

const WIDEST_HELP = 100;

/** Ends following when nobody reads our output any more (`emperor logs -f blog | head`). */
const readerGone = new AbortController();

// A reader that left is no failure of ours; what was asked for is still done.
process.stdout.on('error', () => readerGone.abort());
process.stderr.on('error', () => undefined);

const places = userPlaces(process.env, process.getuid?.());

const io: CommandIo = {
  places,
  out: (text) => write(process.stdout, text),
  err: (text) => write(process.stderr, text),
  colors: wantsColors(),
  clock: systemClock,
  signal: readerGone.signal,
};

const exitCode = await main(process.argv.slice(2));
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit(exitCode);

async function main(argv: readonly string[]): Promise<number> {
  try {
    const invocation = parseQuickly(argv) ?? (await readFully(argv));
    if (invocation === undefined) return EXIT.ok;
    const run = await invocation.command.load();
    return await run(withEnvironment(invocation).args, io);
  } catch (error) {
    return fail(error);
  }
}

/** Everything that is not plain: yargs reads it, prints help, or says what is wrong. */
async function readFully(argv: readonly string[]): Promise<Invocation | undefined> {
  const { parseFully } = await import('./commands/arguments-yargs.ts');
  const columns = Math.min(process.stdout.columns ?? WIDEST_HELP, WIDEST_HELP);
  const reading = await parseFully(argv, { version: VERSION, columns });
  if (reading.is === 'invocation') return reading.invocation;
  io.out(reading.text);
  return undefined;
}

function withEnvironment({ command, args }: Invocation): Invocation {
  const { EMPEROR_RUNTIME_DIR: runtimeDir, NOTIFY_SOCKET: socket } = process.env;
  if (command.name === 'run') {
    if (socket === undefined) return { command, args };
    return { command, args: { ...args, flags: { ...args.flags, [NOTIFY_FLAG]: socket } } };
  }
  // For clients only: an emperor is told by flag or file, not by what a shell happened to export.
  const asked = runtimeDir === undefined || runtimeDir === '' ? ownRuntimeDir() : runtimeDir;
  if (asked === undefined) return { command, args };
  return { command, args: { ...args, flags: { 'runtime-dir': asked, ...args.flags } } };
}

/** An ordinary user's own emperor, where one runs; else the machine's is meant. */
function ownRuntimeDir(): string | undefined {
  const directory = places?.runtimeDir;
  if (directory === undefined || !existsSync(`${directory}/control.sock`)) return undefined;
  // Below /tmp it may be somebody else's.
  return lstatSync(directory).uid === process.getuid?.() ? directory : undefined;
}

function fail(error: unknown): number {
  if (readerGone.signal.aborted && error === readerGone.signal.reason) return EXIT.ok;
  if (!(error instanceof EmperorError)) {
    io.err(`a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    io.err('hint: please report it with the lines above\n');
    return EXIT.failure;
  }
  io.err(`${neutralise(describeError(error))}\n`);
  if (error.hint !== undefined) io.err(`hint: ${neutralise(error.hint)}\n`);
  return error.exitCode;
}

function write(stream: NodeJS.WriteStream, text: string): void {
  if (!stream.destroyed) stream.write(text);
}

/** Output to a pipe is not written when `write` returns, and `process.exit` would cut it. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}

function wantsColors(): boolean {
  const { NO_COLOR = '', TERM = '' } = process.env;
  return process.stdout.isTTY && NO_COLOR === '' && TERM !== 'dumb';
}
