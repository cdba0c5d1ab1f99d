import type { HostPaths } from '../spec/host-facts.ts';
import type { OwnMount } from '../spec/root.ts';
import type { VassalSpec } from '../spec/spec.ts';
import { type Directive, directive } from './directive.ts';
import { isBelow } from './path.ts';
import { openPlaces } from './views.ts';

/** What becomes `/`, and of a minimal root its parts: the words that stand before every other mount. */
export function rootDirectives(spec: VassalSpec, paths: HostPaths): readonly Directive[] {
  const { form } = spec.root;
  switch (form.by) {
    case 'host': {
      const flags = hostFlags(spec);
      return flags === '-' ? [] : [directive('root', 'host', '/', flags)];
    }
    case 'minimal':
      return [directive('root', 'tmpfs', '/', '-'), ...minimalParts(spec, paths)];
    case 'tree':
      return [directive('root', form.submounts ? 'tree' : 'single', form.dir, setuid(spec, 'sd'))];
    case 'layers': {
      const layers = [...form.lowers, form.upper ?? ''].join(':');
      return [directive('root', 'overlay', layers, setuid(spec, 'sd'))];
    }
    case 'pivot':
      return [directive('pivot-root', form.to, form.old)];
    case 'chroot':
      return [directive('chroot', form.dir)];
  }
}

/** The mounts that the operator asks for, outer ones first. */
export function ownMountDirectives({ root: { mounts } }: VassalSpec): readonly Directive[] {
  return mounts.map(mountDirective);
}

/** Setuid programs have no power under no_new_privs; nodev would close the host's own /dev. */
function hostFlags(spec: VassalSpec): string {
  const { namespaces, privateDev } = spec.jail;
  if (!namespaces.includes('mnt')) return '-';
  return setuid(spec, privateDev ? 'sd' : 's');
}

/** Where the operator gives new privileges, setuid programs are meant to work. */
function setuid({ identity }: VassalSpec, flags: string): string {
  const left = identity.noNewPrivs ? flags : flags.replace('s', '');
  return left === '' ? '-' : left;
}

/** /usr and what the host has beside it, and the files that programs need; what the vassal names comes writable. */
function minimalParts(spec: VassalSpec, paths: HostPaths): readonly Directive[] {
  const homes = spec.root.protectHome === 'read-only' ? ['/home', '/root'] : [];
  const asked = new Set(spec.root.writes);
  return [
    ...paths.minimal.map((part) =>
      part.by === 'link'
        ? directive('link', part.path, part.target)
        : directive('bind', part.path, part.path, setuid(spec, 'rsdm')),
    ),
    ...homes.map((path) => directive('bind', path, path, 'rsdm')),
    // A home that is not there is told at chdir, with what to do about it.
    ...openPlaces(spec).map((path) => directive('bind', path, path, asked.has(path) ? 'sd' : 'sdm')),
  ];
}

function mountDirective(mount: OwnMount): Directive {
  switch (mount.by) {
    case 'tmpfs':
      return directive('tmpfs', mount.target, String(mount.bytes));
    case 'overlay':
      return directive('overlay', mount.target, mount.lowers.join(':'), mount.upper ?? '');
    case 'bind': {
      const flags = bindFlags(mount.source);
      return directive('bind', mount.source, mount.target, mount.option === 'bind-ro' ? `r${flags}` : flags);
    }
  }
}

/** Who names a device wants to use it. */
function bindFlags(source: string): string {
  return isBelow(source, '/dev') ? 's' : 'sd';
}
