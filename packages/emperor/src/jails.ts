import { planCgroups } from '@emperor/vassal/cgroup/limits';
import type { Directive } from '@emperor/vassal/jail/directive';
import { encodeDirectives } from '@emperor/vassal/jail/encode';
import { needsIdRange } from '@emperor/vassal/jail/id-maps';
import { planJail } from '@emperor/vassal/jail/plan';
import type { JailRun } from '@emperor/vassal/jail/run';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import type { Launch } from './effects/world.ts';
import { placeOf } from './groups.ts';
import type { Host } from './host.ts';
import type { EmperorPaths } from './settings.ts';

/** What of this host and moment makes a spec launchable: the uid, the groups, the directives as bytes. */
export async function prepareJail(host: Host, spec: VassalSpec, generation: number): Promise<Launch> {
  const { directives } = await planOf(host, spec, generation);
  return { blob: encodeDirectives(directives) };
}

/** A jail of this spec here and now: what the launch of a generation means. */
export type PlannedJail = { readonly run: JailRun; readonly directives: readonly Directive[] };

/** What a copy beside the vassal must not share with it. */
export type JailCopy = { readonly group: string; readonly notifyPath: string };

/** What the keeper is told for this generation, or for a copy of it. */
export async function planOf(
  host: Host,
  spec: VassalSpec,
  generation: number,
  copy?: JailCopy,
): Promise<PlannedJail> {
  const { identity } = spec;
  const isPrivate = identity.uid === 'auto' || identity.gid === 'auto';
  const own = isPrivate ? await host.uids.uidOf(spec.name, spec.owner.uid) : 0;
  const { paths } = host;
  const needsRange = needsIdRange(spec) && host.facts.rootless === undefined;
  const run: JailRun = {
    uid: identity.uid === 'auto' ? own : identity.uid,
    gid: identity.gid === 'auto' ? own : identity.gid,
    idRange: needsRange ? await host.idRanges.uidOf(spec.name, spec.owner.uid) : undefined,
    cgroups: planCgroups(spec.limits, host.facts.cgroups, {
      ...placeOf(host, spec, generation),
      ...(copy === undefined ? {} : { name: copy.group }),
    }),
    scratchDir: host.scratchDir,
    notifyPath: copy?.notifyPath ?? `${paths.runtimeDir}/notify/${spec.name}`,
    hide: hiddenPaths(paths),
  };
  return { run, directives: planJail(spec, host.facts, run) };
}

/** The emperor's own directories: hidden from every app. */
export function hiddenPaths(paths: EmperorPaths): readonly string[] {
  return [paths.runtimeDir, paths.stateDir, paths.logDir, paths.vassals];
}
