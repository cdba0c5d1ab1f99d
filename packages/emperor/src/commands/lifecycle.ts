import type { Action, OutcomeJson } from '@emperor/common/control/api';
import { STATUS_FORMAT } from '@emperor/common/control/api';
import type { ControlClient } from '@emperor/common/control/client';
import { describeError, EmperorError, EXIT } from '@emperor/common/errors';
import { neutralise } from '@emperor/common/terminal';
import { paletteFor } from './colors.ts';
import { type Arguments, type CommandIo, isSet, type RunCommand } from './command.ts';
import { controlOf } from './control.ts';
import { isPattern, selectNames } from './select.ts';

/** Requests at once: half of the connections that the emperor serves, so that others get an answer meanwhile. */
const MOST_AT_ONCE = 64;

/** `emperor start NAME…`. */
export const runStart: RunCommand = (args, io) => actOnAll('start', args, io);
/** `emperor stop NAME…`. */
export const runStop: RunCommand = (args, io) => actOnAll('stop', args, io);
/** `emperor restart NAME…`. */
export const runRestart: RunCommand = (args, io) => actOnAll('restart', args, io);
/** `emperor reload NAME…`. */
export const runReload: RunCommand = (args, io) => actOnAll('reload', args, io);

/** What became of one vassal; `code` is the exit code that this alone would give. */
type Report = { readonly outcome: OutcomeJson; readonly code: number };

async function actOnAll(action: Action, args: Arguments, io: CommandIo): Promise<number> {
  const control = controlOf(args);
  const names = await chosenNames(action, args, control);
  const wait = !isSet(args, 'no-wait');
  const inJson = isSet(args, 'json');
  // All shall stop at the same time, and not each when there is a free connection to wait on.
  if (action === 'stop' && wait && names.length > MOST_AT_ONCE) {
    await eachAtOnce(names, (name) => act(action, name, { wait: false, control }));
  }
  const reports = await eachAtOnce(names, async (name) => {
    const report = await act(action, name, { wait, control });
    if (!inJson) show(report.outcome, io);
    return report;
  });
  if (inJson)
    io.out(
      `${JSON.stringify({ format: STATUS_FORMAT, outcomes: reports.map((r) => r.outcome) }, undefined, 2)}\n`,
    );
  else if (names.length === 0) io.err('no vassals\n');
  return commonCode(reports.map(({ code }) => code));
}

/** The names to act on. A plain name is not looked up first: the emperor knows best, and it saves a round trip. */
async function chosenNames(
  action: Action,
  args: Arguments,
  control: ControlClient,
): Promise<readonly string[]> {
  const all = isSet(args, 'all');
  if (all === args.names.length > 0) {
    const problem = all ? '--all and names exclude each other' : `${action} wants a NAME, a pattern or --all`;
    throw new EmperorError('usage', problem, { hint: `emperor ${action} --help` });
  }
  if (!all && !args.names.some(isPattern)) return [...new Set(args.names)];
  const known = (await control.status()).vassals.map(({ name }) => name);
  return all ? known : selectNames(args.names, known);
}

async function act(
  action: Action,
  name: string,
  { wait, control }: { readonly wait: boolean; readonly control: ControlClient },
): Promise<Report> {
  try {
    const outcome = await control.act(action, name, { wait });
    return { outcome, code: codeOf(outcome) };
  } catch (error) {
    if (!(error instanceof EmperorError)) throw error;
    const { hint = null } = error;
    const message = describeError(error);
    return {
      outcome: { format: STATUS_FORMAT, name, action, ok: false, message, hint, vassal: null },
      code: error.exitCode,
    };
  }
}

function codeOf({ ok, action, vassal }: OutcomeJson): number {
  if (ok) return EXIT.ok;
  return action === 'reload' && vassal?.state === 'stopped' ? EXIT.notRunning : EXIT.failure;
}

function show({ ok, name, message, hint }: OutcomeJson, io: CommandIo): void {
  const { green } = paletteFor(io);
  const [vassal, said] = [neutralise(name), neutralise(message)];
  if (ok) io.out(`${green(`vassal ${vassal}`)}: ${said}\n`);
  else io.err(`vassal ${vassal} failed: ${said}\n`);
  if (hint !== null) io.err(`hint: ${neutralise(hint)}\n`);
}

/** 0 when all went well, the code of the failures when they agree, else 1. */
function commonCode(codes: readonly number[]): number {
  const failures = [...new Set(codes.filter((code) => code !== EXIT.ok))];
  return failures.length === 1
    ? (failures[0] ?? EXIT.failure)
    : failures.length === 0
      ? EXIT.ok
      : EXIT.failure;
}

/** Runs `job` for every item, a bounded number at once; results in the order of the items. */
async function eachAtOnce<T, R>(items: readonly T[], job: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results = new Map<number, R>();
  const entries = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of entries) results.set(index, await job(item));
  };
  await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, items.length) }, worker));
  return [...results].toSorted(([a], [b]) => a - b).map(([, result]) => result);
}
