import { basename } from 'node:path';
import type { PlanJson, PlanRunningJson } from '@emperor/common/control/proof';
import { vassalNameOfFile } from '@emperor/common/name';
import { planDocument } from '@emperor/vassal/audit/plan-document';
import { vassalOptions } from '@emperor/vassal/options';
import { diffSpec } from '@emperor/vassal/spec/diff';
import type { HostFacts } from '@emperor/vassal/spec/host-facts';
import { revisionOf } from '@emperor/vassal/spec/revision';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import type { FileText } from '../core/file-state.ts';
import { generationOf } from '../core/state.ts';
import { type DecoderParts, decoderOf, type Explained } from '../decoder.ts';
import type { Held } from '../held.ts';
import type { Host } from '../host.ts';
import { hiddenPaths } from '../jails.ts';
import type { EmperorPaths } from '../settings.ts';

/** What `file` means, with the provenance of every option. It has a decoder of its own: nobody else's accounts change. */
export async function explainFile(parts: DecoderParts, file: FileText): Promise<Explained> {
  const decoder = await decoderOf(parts);
  await decoder.prepare([file]);
  return decoder.explain(file);
}

/** The plan of a file on this host as an emperor with these directories would carry it out. */
export function planOfFile(
  file: FileText & { readonly shown?: string },
  explained: Explained,
  { paths, facts }: { readonly paths: EmperorPaths; readonly facts: HostFacts },
): PlanJson {
  return planDocument({
    ...common(file, explained),
    file: file.shown ?? file.path,
    host: facts,
    place: {
      instance: 'INSTANCE',
      generation: 1,
      privateUid: undefined,
      idRange: undefined,
      runtimeDir: paths.runtimeDir,
      hide: hiddenPaths(paths),
    },
    running: undefined,
  });
}

/** The plan of a vassal that the emperor holds: what its file says now, beside what runs. */
export async function planOfHeld(host: Host, parts: DecoderParts, held: Held): Promise<PlanJson | undefined> {
  const { file } = held;
  if (file === undefined || file.ownerUid === undefined) return undefined;
  const text: FileText = { ...file, target: file.path, ownerUid: file.ownerUid };
  const explained = await explainFile(parts, text);
  return planDocument({
    ...common(text, explained),
    host: host.facts,
    place: {
      instance: host.instance,
      generation: generationOf(held.state) ?? held.generation + 1,
      privateUid: host.uids.known(held.name, file.ownerUid),
      idRange: host.idRanges.known(held.name, file.ownerUid),
      runtimeDir: host.paths.runtimeDir,
      hide: hiddenPaths(host.paths),
    },
    running: runningOf(held, explained.spec),
  });
}

function common({ path }: FileText, { owner, spec, granted, diagnostics }: Explained) {
  return {
    name: vassalNameOfFile(basename(path)) ?? basename(path),
    file: path,
    owner: owner.name ?? String(owner.uid),
    spec,
    revision: spec === undefined ? undefined : revisionOf(spec),
    granted,
    diagnostics,
  };
}

function runningOf({ state, attempt }: Held, wanted: VassalSpec | undefined): PlanRunningJson | undefined {
  const generation = generationOf(state);
  if (generation === undefined || attempt === undefined) return undefined;
  const { revision, spec } = attempt;
  if (spec === undefined || wanted === undefined)
    return { generation, revision, change: 'unknown', changed: [] };
  const diff = diffSpec(spec, wanted, vassalOptions);
  return { generation, revision, change: diff.kind, changed: 'changed' in diff ? diff.changed : [] };
}
