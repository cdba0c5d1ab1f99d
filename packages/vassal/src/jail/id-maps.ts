import type { IdMap } from '../options/identity.ts';
import type { VassalSpec } from '../spec/spec.ts';
import type { JailRun } from './run.ts';

/** So many ids a vassal has of its own for its user namespace. */
export const IDS_PER_VASSAL = 65_536;

/** Ids that no emperor gives and nobody else is known to take: for a run without an emperor, and to show a plan. */
export const UNCLAIMED_IDS = 0x7fff_0000;

/** The maps of a jail's user namespace; without one nothing is mapped and every id is itself. */
export type IdMaps = { readonly uids: readonly IdMap[]; readonly gids: readonly IdMap[] };

type IdRun = Pick<JailRun, 'uid' | 'gid' | 'idRange' | 'rootless'>;

/** A user namespace whose maps nobody wrote takes a range of the vassal's own. */
export function needsIdRange({ identity, jail }: VassalSpec): boolean {
  const isWritten = identity.uidMap.length > 0 && identity.gidMap.length > 0;
  return jail.namespaces.includes('user') && !isWritten;
}

/** What each id inside the jail is outside of it. */
export function idMapsOf({ identity, jail }: VassalSpec, run: IdRun): IdMaps {
  if (!jail.namespaces.includes('user')) return { uids: [], gids: [] };
  if (run.rootless !== undefined) {
    return {
      uids: [{ inside: run.uid, outside: run.rootless.uid, count: 1 }],
      gids: [{ inside: run.gid, outside: run.rootless.gid, count: 1 }],
    };
  }
  const base = run.idRange ?? UNCLAIMED_IDS;
  return {
    uids: identity.uidMap.length > 0 ? identity.uidMap : shifted(base, [run.uid]),
    gids: identity.gidMap.length > 0 ? identity.gidMap : shifted(base, [run.gid, ...identity.groups]),
  };
}

/** Everything into the range from `base` on, but those in `kept`: they stay themselves. Root never does. */
function shifted(base: number, kept: readonly number[]): readonly IdMap[] {
  const own = [...new Set(kept)].filter((id) => id !== 0).toSorted((a, b) => a - b);
  const maps: IdMap[] = [];
  let next = 0;
  for (const id of own.filter((each) => each < IDS_PER_VASSAL)) {
    if (id > next) maps.push({ inside: next, outside: base + next, count: id - next });
    next = id + 1;
  }
  if (next < IDS_PER_VASSAL) maps.push({ inside: next, outside: base + next, count: IDS_PER_VASSAL - next });
  return [...maps, ...own.map((id) => ({ inside: id, outside: id, count: 1 }))];
}

/** The id outside of one inside, without a map itself; undefined when the map has it not. */
export function outsideId(maps: readonly IdMap[], id: number): number | undefined {
  return maps.length === 0 ? id : mappedId(maps, id);
}

/** The id outside of one inside in a user namespace with these maps; undefined when they have it not. */
export function mappedId(maps: readonly IdMap[], id: number): number | undefined {
  const map = maps.find(({ inside, count }) => id >= inside && id < inside + count);
  return map === undefined ? undefined : map.outside + id - map.inside;
}
