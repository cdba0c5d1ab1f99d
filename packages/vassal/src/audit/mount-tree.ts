import { isBelow } from '../jail/path.ts';
import type { Mount } from './found.ts';

/** The mounts of a namespace as a process with the root `/` meets them. */
export class MountTree {
  readonly #children = new Map<number, Mount[]>();
  readonly root: Mount | undefined;
  readonly #all: readonly Mount[];

  constructor(mounts: readonly Mount[]) {
    this.#all = mounts;
    const ids = new Set(mounts.map(({ id }) => id));
    for (const mount of mounts) {
      const siblings = this.#children.get(mount.parent) ?? [];
      siblings.push(mount);
      this.#children.set(mount.parent, siblings);
    }
    this.root = mounts.find(({ parent, id, point }) => point === '/' && (!ids.has(parent) || parent === id));
  }

  /** The mount that a path is on. */
  at(path: string): Mount | undefined {
    let current = this.root;
    for (let crossings = 0; current !== undefined && crossings <= this.#all.length; crossings += 1) {
      const next = this.#crossedFirst(current, path);
      if (next === undefined) return current;
      current = next;
    }
    return current;
  }

  /** Those that some path leads to, i.e. that no other mount covers. */
  get visible(): readonly Mount[] {
    return this.#all.filter((mount) => this.at(mount.point) === mount);
  }

  /** Of the mounts on this one, the first on the way to `path`; of two at one place the later one is on top. */
  #crossedFirst(mount: Mount, path: string): Mount | undefined {
    let first: Mount | undefined;
    for (const child of this.#children.get(mount.id) ?? []) {
      if (child === mount || !isBelow(path, child.point)) continue;
      if (first === undefined || child.point.length <= first.point.length) first = child;
    }
    return first;
  }
}
