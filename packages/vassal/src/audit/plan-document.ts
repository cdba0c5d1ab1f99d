import { STATUS_FORMAT } from '@emperor/common/control/api';
import type { PlanJson, PlanOptionJson, PlanRunningJson } from '@emperor/common/control/proof';
import type { Diagnostic } from '@emperor/common/diagnostic';
import { planCgroups } from '../cgroup/limits.ts';
import { needsIdRange, UNCLAIMED_IDS } from '../jail/id-maps.ts';
import { jailNotes } from '../jail/mounts.ts';
import { planJail } from '../jail/plan.ts';
import { vassalOptions } from '../options/index.ts';
import type { Provenance } from '../spec/build.ts';
import type { HostFacts } from '../spec/host-facts.ts';
import type { VassalSpec } from '../spec/spec.ts';
import { explainJail } from './explain-jail.ts';

/** Stands for the private uid that an emperor would give. */
const SOME_PRIVATE_UID = 400_000;

/** Places and numbers of the emperor that would launch it; those that only a launch knows are made up. */
export type PlanPlace = {
  readonly instance: string;
  readonly generation: number;
  readonly privateUid: number | undefined;
  /** The first of the ids of its user namespace. */
  readonly idRange: number | undefined;
  readonly runtimeDir: string;
  readonly hide: readonly string[];
};

export type PlanParts = {
  readonly name: string;
  readonly file: string;
  readonly owner: string;
  readonly spec: VassalSpec | undefined;
  readonly revision: string | undefined;
  readonly granted: readonly Provenance[];
  readonly diagnostics: readonly Diagnostic[];
  readonly host: HostFacts;
  readonly place: PlanPlace;
  readonly running: PlanRunningJson | undefined;
};

/** What a vassal file means here: every option with where it came from and what became of it, and the jail. */
export function planDocument(parts: PlanParts): PlanJson {
  const { name, file, owner, spec, granted, diagnostics, host, place } = parts;
  return {
    format: STATUS_FORMAT,
    name,
    file,
    owner,
    revision: parts.revision ?? null,
    running: parts.running ?? null,
    options: granted.map(optionJson),
    jail: spec === undefined ? [] : explainJail(directivesOf(spec, host, place)),
    notes: spec === undefined ? [] : notesOf(spec, host, place),
    diagnostics: diagnostics.map((each) => ({
      ...each,
      line: each.line ?? null,
      key: each.key ?? null,
      hint: each.hint ?? null,
    })),
  };
}

function directivesOf(spec: VassalSpec, host: HostFacts, place: PlanPlace): ReturnType<typeof planJail> {
  const { uid, gid } = spec.identity;
  const own = place.privateUid ?? SOME_PRIVATE_UID;
  const { instance, generation, runtimeDir } = place;
  return planJail(spec, host, {
    uid: uid === 'auto' ? own : uid,
    gid: gid === 'auto' ? own : gid,
    idRange: place.idRange,
    cgroups: planCgroups(spec.limits, host.cgroups, {
      instance,
      ownerUid: spec.owner.uid,
      name: spec.name,
      generation,
    }),
    scratchDir: `${runtimeDir}/jail`,
    notifyPath: `${runtimeDir}/notify/${spec.name}`,
    hide: place.hide,
  });
}

function notesOf(
  spec: VassalSpec,
  { rootless }: HostFacts,
  { privateUid, idRange, hide }: PlanPlace,
): readonly string[] {
  const isRangeMadeUp = needsIdRange(spec) && idRange === undefined && rootless === undefined;
  const isMadeUp = spec.identity.uid === 'auto' && privateUid === undefined;
  return [
    ...(isMadeUp
      ? [`its private uid is given at its first launch; ${SOME_PRIVATE_UID} stands for it here`]
      : []),
    ...(isRangeMadeUp
      ? [
          `the ids of its user namespace are given at its first launch; those from ${UNCLAIMED_IDS} on stand for them here`,
        ]
      : []),
    ...jailNotes(spec, hide),
  ];
}

function optionJson({ key, granted, asked, layer, file, line, reason }: Provenance): PlanOptionJson {
  return {
    key,
    granted,
    asked: asked ?? null,
    layer,
    file: file ?? null,
    line: line ?? null,
    reason: reason ?? null,
    onChange: vassalOptions[key].onChange,
  };
}
