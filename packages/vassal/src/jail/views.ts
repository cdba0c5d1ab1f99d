import type { VassalSpec } from '../spec/spec.ts';
import { workingDirectoryOf } from './environment.ts';
import { isBelow, outermost, plain } from './path.ts';

/** A tree of the host that shows in the jail, and where. */
export type View = { readonly source: string; readonly target: string };

/** Where a host keeps the homes of its users. */
export const HOMES: readonly string[] = ['/home', '/root'];

/** Parts of every minimal root. */
const MINIMAL_PLACES: readonly string[] = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/etc',
  '/dev',
  '/proc',
  '/sys',
];

/** Which trees of the host the jail shows; what lies below none of them is not in it. */
export function viewsOf(spec: VassalSpec): readonly View[] {
  const { form, mounts } = spec.root;
  const asked = mounts.flatMap((mount): readonly View[] => {
    if (mount.by === 'bind') return [{ source: mount.source, target: mount.target }];
    return mount.by === 'overlay' ? layersAt(mount, mount.target) : [];
  });
  switch (form.by) {
    case 'host':
      return [{ source: '/', target: '/' }, ...asked];
    case 'minimal':
      return [...shownAsIs(spec).map((path) => ({ source: path, target: path })), ...asked];
    case 'tree':
      return [{ source: form.dir, target: '/' }, ...asked];
    case 'layers':
      return [...layersAt(form, '/'), ...asked];
    case 'pivot':
      return [
        { source: form.to, target: '/' },
        { source: '/', target: form.old.slice(form.to.length) },
        ...asked,
      ];
    case 'chroot':
      return [{ source: form.dir, target: '/' }];
  }
}

function shownAsIs(spec: VassalSpec): readonly string[] {
  const { privateTmp } = spec.jail;
  const homes = spec.root.protectHome === 'yes' ? [] : HOMES;
  return [...openPlaces(spec), ...homes, '/usr', '/etc', ...(privateTmp ? [] : ['/tmp', '/var/tmp'])];
}

/** What a minimal root shows writable: what the operator names, the home, and the operator's working directory. */
export function openPlaces(spec: VassalSpec): readonly string[] {
  const { protectHome, writes } = spec.root;
  const taken = [...MINIMAL_PLACES, ...coveredDirectories(spec)];
  const own = [...ownHomes(spec), ...(protectHome === 'no' ? HOMES : [])];
  return outermost([...own.filter((path) => !taken.some((place) => isBelow(path, place))), ...writes]);
}

/**
 * The home and the working directory. What is shown stands there without the closed directories above it, so a
 * tenant's own word opens nothing.
 */
export function ownHomes(spec: VassalSpec): readonly string[] {
  const cwd = spec.owner.powers === 'operator' ? workingDirectoryOf(spec) : undefined;
  return [spec.identity.home, cwd]
    .flatMap((path) => (path?.startsWith('/') === true ? [plain(path)] : []))
    .filter((path) => path !== '/');
}

/** Which places of the emperor's are hidden, and which cannot be since the vassal's own files lie there. */
export function hiddenOf(
  spec: VassalSpec,
  hide: readonly string[],
): { readonly hidden: readonly string[]; readonly visible: readonly string[] } {
  const covered = coveredDirectories(spec);
  const own = ownPaths(spec);
  const asked = [...new Set(hide.map(plain))];
  const shown = viewsOf(spec).flatMap(({ source, target }) =>
    asked
      .filter((path) => isBelow(path, source))
      .map((path) => ({ path, place: target === '/' ? below(path, source) : target + below(path, source) })),
  );
  const open = shown.filter(
    ({ place }) => place !== '' && place !== '/' && !covered.some((dir) => isBelow(place, dir)),
  );
  const isOwn = (path: string) => own.some((used) => isBelow(used, path));
  return {
    hidden: [...new Set(open.filter(({ path }) => !isOwn(path)).map(({ place }) => place))],
    visible: [...new Set(open.filter(({ path }) => isOwn(path)).map(({ path }) => path))],
  };
}

/** The directory above a path of the host that the jail puts something of its own over; `/` = the whole root. */
export function coverOf(path: string, spec: VassalSpec): string | undefined {
  if (!path.startsWith('/')) return undefined;
  const wanted = plain(path);
  const { form, mounts } = spec.root;
  if (mounts.some(({ target }) => isBelow(wanted, target))) return undefined;
  const cover = coveredDirectories(spec).find(
    (directory) => wanted !== directory && isBelow(wanted, directory),
  );
  if (cover !== undefined || form.by !== 'minimal') return cover;
  const places = [...MINIMAL_PLACES, ...openPlaces(spec), ...coveredDirectories(spec)];
  return wanted === '/' || places.some((place) => isBelow(wanted, place)) ? undefined : '/';
}

/** Directories that the jail puts something of its own over. */
function coveredDirectories({ jail, root: { form } }: VassalSpec): readonly string[] {
  if (!jail.namespaces.includes('mnt') || form.by === 'pivot' || form.by === 'chroot') return [];
  return [
    '/run',
    '/var/run',
    ...(jail.privateTmp ? ['/tmp', '/var/tmp', '/dev/shm'] : []),
    ...(jail.privateDev ? ['/dev'] : []),
  ];
}

/** Host paths that the operator says the vassal uses; a tenant's word opens nothing of the emperor's. */
function ownPaths({ app, identity, lifecycle, owner }: VassalSpec): readonly string[] {
  const written = [...app.command, app.chdir, app.envFile, ...lifecycle.touchReload];
  return [identity.home, ...(owner.powers === 'operator' ? written : [])].flatMap((path) =>
    path?.startsWith('/') === true ? [plain(path)] : [],
  );
}

function layersAt(
  { lowers, upper }: { readonly lowers: readonly string[]; readonly upper: string | undefined },
  target: string,
): readonly View[] {
  return [...lowers, ...(upper === undefined ? [] : [upper])].map((source) => ({ source, target }));
}

function below(path: string, directory: string): string {
  return directory === '/' ? path : path.slice(directory.length);
}
