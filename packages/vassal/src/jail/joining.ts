import type { VassalSpec } from '../spec/spec.ts';
import type { Directive } from './directive.ts';
import { idMapsOf } from './id-maps.ts';
import { cloneFlags } from './namespaces.ts';
import type { JailRun } from './run.ts';

/** What setns-socket hands out where the vassal has no time namespace of its own: everything that uWSGI joins. */
const HANDED_OUT = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup'] as const;

/** The words of the blob for this group, and the id maps of a user namespace. */
export function joiningDirectives(spec: VassalSpec, run: JailRun): readonly Directive[] {
  const { setns, socket } = spec.joining;
  const { uids, gids } = idMapsOf(spec, run);
  return [
    ...(run.rootless === undefined ? [] : [{ word: 'single-id', args: [] } as const]),
    ...uids.map(
      (map) => ({ word: 'uid-map', args: [map.inside, map.outside, map.count].map(String) }) as const,
    ),
    ...gids.map(
      (map) => ({ word: 'gid-map', args: [map.inside, map.outside, map.count].map(String) }) as const,
    ),
    ...(setns === undefined
      ? []
      : [{ word: 'setns', args: [setns.path, String(cloneFlags(setns.namespaces))] } as const]),
    ...(socket === undefined ? [] : socketDirectives(spec, socket, run)),
  ];
}

function socketDirectives(
  { jail }: VassalSpec,
  { path, skip, preopen }: NonNullable<VassalSpec['joining']['socket']>,
  run: JailRun,
): readonly Directive[] {
  const kinds = [...HANDED_OUT, ...(jail.namespaces.includes('time') ? (['time'] as const) : [])];
  const offered = kinds.filter((kind) => !skip.includes(kind));
  if (offered.length === 0) return [];
  return [
    { word: 'setns-socket', args: [path, String(cloneFlags(offered))] },
    // An ordinary user's keeper has no power over an init that hides from its own user.
    ...(preopen || run.rootless !== undefined ? [{ word: 'setns-preopen', args: [] } as const] : []),
  ];
}
