import { planCgroups } from '@emperor/vassal/cgroup/limits';
import { encodeDirectives } from '@emperor/vassal/jail/encode';
import { planJail } from '@emperor/vassal/jail/plan';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import type { Launch } from './effects/world.ts';
import { placeOf } from './groups.ts';
import type { Host } from './host.ts';

/** What of this host and moment makes a spec launchable: the uid, the groups, the directives as bytes. */
export async function prepareJail(host: Host, spec: VassalSpec, generation: number): Promise<Launch> {
  const { identity } = spec;
  const isPrivate = identity.uid === 'auto' || identity.gid === 'auto';
  const own = isPrivate ? await host.uids.uidOf(spec.name, spec.owner.uid) : 0;
  const { paths } = host;
  const directives = planJail(spec, host.facts, {
    uid: identity.uid === 'auto' ? own : identity.uid,
    gid: identity.gid === 'auto' ? own : identity.gid,
    cgroups: planCgroups(spec.limits, host.facts.cgroups, placeOf(host, spec, generation)),
    scratchDir: host.scratchDir,
    notifyPath: `${paths.runtimeDir}/notify/${spec.name}`,
    hide: [paths.runtimeDir, paths.stateDir, paths.logDir, paths.vassals],
  });
  return { blob: encodeDirectives(directives) };
}
