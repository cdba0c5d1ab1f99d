import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { systemClock } from '@emperor/common/clock';
import { STATUS_FORMAT } from '@emperor/common/control/api';
import type { PlanJson } from '@emperor/common/control/proof';
import { EmperorError, EXIT } from '@emperor/common/errors';
import { renderPlan } from '@emperor/vassal/audit/render-plan';
import { lookupAccounts } from '@emperor/vassal/identity/lookup';
import { probeHost } from '@emperor/vassal/jail/host';
import { explainFile, planOfFile } from '../audit/plan.ts';
import { KEEPER_BINARY } from '../keeper-binary.ts';
import { loadSettings } from '../settings-load.ts';
import { type Arguments, type CommandIo, isSet, textOf } from './command.ts';
import { controlOf } from './control.ts';
import { diagnosticJson, diagnosticLines } from './format.ts';
import { readVassalFiles } from './vassal-files.ts';

/** `emperor plan FILE|NAME`: what a file means here, or what the emperor makes of a vassal; 78 when the file is invalid. */
export async function runPlan(args: Arguments, io: CommandIo): Promise<number> {
  const [operand] = args.names;
  if (operand === undefined)
    throw new EmperorError('usage', 'plan wants a FILE or a NAME', { hint: 'emperor plan --help' });
  const plan = isFile(operand) ? await planFile(operand, args, io) : await controlOf(args).plan(operand);
  if (isSet(args, 'json')) io.out(`${JSON.stringify(plan, undefined, 2)}\n`);
  else {
    for (const line of plan.diagnostics.flatMap(diagnosticLines)) io.err(`${line}\n`);
    io.out(renderPlan(plan));
  }
  return plan.revision === null ? EXIT.config : EXIT.ok;
}

/** A NAME has neither a slash nor the suffix of a file. */
function isFile(operand: string): boolean {
  return operand.includes('/') || operand.endsWith('.ini');
}

/** As the emperor of these settings would read it, without one. */
async function planFile(operand: string, args: Arguments, { places }: CommandIo): Promise<PlanJson> {
  const config = textOf(args, 'config');
  const settings = await loadSettings({
    config: config === undefined ? undefined : resolve(config),
    options: new Map(),
    places,
  });
  const [file] = await readVassalFiles([operand]);
  if (file === undefined) throw new EmperorError('usage', `${operand} holds no vassal file`);
  if ('refused' in file) return refused(operand, file.refused);
  const facts = await probeHost(KEEPER_BINARY);
  const parts = {
    clock: systemClock,
    host: facts,
    hostname: hostname(),
    ask: lookupAccounts,
    layers: () => settings,
  };
  const explained = await explainFile(parts, file.text);
  return planOfFile({ ...file.text, shown: file.shown }, explained, { paths: settings.paths, facts });
}

function refused(file: string, diagnostic: Parameters<typeof diagnosticJson>[0]): PlanJson {
  return {
    format: STATUS_FORMAT,
    name: '',
    file,
    owner: '',
    revision: null,
    running: null,
    options: [],
    jail: [],
    notes: [],
    diagnostics: [diagnosticJson(diagnostic)],
  };
}
