import { basename } from 'node:path';
import { EXIT } from '@emperor/common/errors';
import { vassalNameOfFile } from '@emperor/common/name';
import { planDocument } from '../audit/plan-document.ts';
import { renderPlan } from '../audit/render-plan.ts';
import { revisionOf } from '../spec/revision.ts';
import type { CommandIo } from './command.ts';
import { loadVassal, showDiagnostics } from './load.ts';

/** `vassal plan FILE`: every option with where it came from and what became of it, and the jail; runs nothing. */
export async function runPlan(file: string, io: CommandIo): Promise<number> {
  const loaded = await loadVassal(file);
  const { spec, granted, diagnostics, host } = loaded;
  const isGood = showDiagnostics(loaded, io);
  if (spec === undefined || !isGood) return EXIT.config;
  const plan = planDocument({
    name: vassalNameOfFile(basename(file)) ?? file,
    file,
    owner: spec.owner.name ?? String(spec.owner.uid),
    spec,
    revision: revisionOf(spec),
    granted,
    diagnostics,
    host,
    place: {
      instance: 'INSTANCE',
      generation: 1,
      privateUid: undefined,
      idRange: undefined,
      runtimeDir: '/run/emperor',
      hide: [],
    },
    running: undefined,
  });
  io.out(renderPlan(plan));
  return EXIT.ok;
}
