import type { BigIntStats } from 'node:fs';
import { dirname, join } from 'node:path';

import { pathIn } from '@emperor/common/fs/read-owned';

import { closeLater, type Disk, TimedOut } from './disk.ts';
import { isRoots } from './trust.ts';

/** One thing that was met on the way, identity and owner from the thing itself. `path` is free of links. */
export type WayStep = {
  readonly path: string;
  readonly kind: 'directory' | 'link' | 'file' | 'other';
  readonly stat: BigIntStats;
  /** Equal = the same thing, and nothing about it that matters on a way has changed. */
  readonly mark: string;
};

/** Identity of a thing, as one text. Equal = nothing about it or its content has changed. */
export function fingerprintOf(stat: BigIntStats): string {
  const { dev, ino, nlink, size, mtimeNs, ctimeNs, uid, gid, mode } = stat;
  return `${dev} ${ino} ${nlink} ${size} ${mtimeNs} ${ctimeNs} ${uid} ${gid} ${mode}`;
}

/** Where a path leads. `at` opens what was found, and only that, until the walker is released. */
export type Walk =
  | { readonly is: 'found'; readonly at: string; readonly end: WayStep; readonly steps: readonly WayStep[] }
  | {
      readonly is: 'failed';
      readonly path: string;
      readonly errno: string;
      readonly steps: readonly WayStep[];
    }
  /** It leads to a file system that may hang, which this walker does not touch. */
  | { readonly is: 'slow'; readonly path: string; readonly steps: readonly WayStep[] };

type Place = { readonly fd: number; readonly step: WayStep };

/** As the kernel's own limit. */
const MOST_LINKS = 40;
/** Directories that one walker holds open. */
const MOST_PLACES = 256;

/**
 * Follows paths one component at a time, each looked up in the directory that is held open: no link is followed
 * that was not looked at, whoever renames what meanwhile. Directories are looked at once in a walker's life.
 */
export class Walker {
  readonly #disk: Disk;
  readonly #avoids: (path: string) => boolean;
  readonly #places = new Map<string, Place>();

  constructor(disk: Disk, avoids: (path: string) => boolean) {
    this.#disk = disk;
    this.#avoids = avoids;
  }

  /** Never throws for what is on disk. `path` is absolute. */
  async walk(path: string): Promise<Walk> {
    if (this.#places.size > MOST_PLACES) this.release();
    const steps: WayStep[] = [];
    const way = { names: componentsOf(path), links: 0, here: '/' };
    try {
      return await this.#follow(way, steps);
    } catch (error) {
      return { is: 'failed', path: way.here, errno: errnoOf(error), steps };
    }
  }

  /** Close every directory; what `at` names can no longer be opened. */
  release(): void {
    for (const { fd } of this.#places.values()) closeLater(fd);
    this.#places.clear();
  }

  async #follow(way: { names: string[]; links: number; here: string }, steps: WayStep[]): Promise<Walk> {
    let place = await this.#enter('/', '/');
    steps.push(place.step);
    for (let name = way.names.pop(); name !== undefined; name = way.names.pop()) {
      way.here = name === '..' ? dirname(place.step.path) : join(place.step.path, name);
      if (this.#avoids(way.here)) return { is: 'slow', path: way.here, steps };
      const next = await this.#step(place, name, way.here);
      steps.push(next.step);
      if (next.is === 'link') {
        way.links += 1;
        if (way.links > MOST_LINKS) return { is: 'failed', path: way.here, errno: 'ELOOP', steps };
        way.names.push(...componentsOf(next.text));
        if (next.text.startsWith('/')) place = await this.#enter('/', '/');
      } else if (next.is === 'directory') {
        place = next.place;
      } else {
        if (way.names.length > 0) return { is: 'failed', path: way.here, errno: 'ENOTDIR', steps };
        return { is: 'found', at: next.at, end: next.step, steps };
      }
    }
    return { is: 'found', at: `/proc/self/fd/${place.fd}`, end: place.step, steps };
  }

  async #step(place: Place, name: string, path: string): Promise<Next> {
    const known = this.#places.get(path);
    if (known !== undefined) return { is: 'directory', step: known.step, place: known };
    // Never '..': the way in led through the parent, which is held open.
    const at = pathIn(place.fd, name);
    const stat = await this.#disk.lstat(at);
    if (stat.isSymbolicLink()) {
      const text = await this.#disk.readlink(at);
      // In a directory of root's alone nobody swaps it for another in between.
      const after = isRoots(place.step) ? stat : await this.#disk.lstat(at);
      if (after.ino !== stat.ino || after.ctimeNs !== stat.ctimeNs) throw new Switched();
      return { is: 'link', step: stepOf(path, 'link', stat), text };
    }
    if (stat.isDirectory()) {
      const entered = await this.#enter(path, at);
      return { is: 'directory', step: entered.step, place: entered };
    }
    return { is: 'end', step: stepOf(path, stat.isFile() ? 'file' : 'other', stat), at };
  }

  async #enter(path: string, at: string): Promise<Place> {
    const known = this.#places.get(path);
    if (known !== undefined) return known;
    const { fd, stat } = await this.#disk.openDirectory(at);
    const place: Place = { fd, step: stepOf(path, 'directory', stat) };
    this.#places.set(path, place);
    return place;
  }
}

/** A link was replaced between the look at its owner and the look at its text. */
class Switched extends Error {
  readonly code = 'ESTALE';
}

type Next =
  | { readonly is: 'link'; readonly step: WayStep; readonly text: string }
  | { readonly is: 'directory'; readonly step: WayStep; readonly place: Place }
  | { readonly is: 'end'; readonly step: WayStep; readonly at: string };

function stepOf(path: string, kind: WayStep['kind'], stat: BigIntStats): WayStep {
  // What else happens in a directory is not about the way through it.
  const { dev, ino, uid, gid, mode } = stat;
  const mark = kind === 'directory' ? `${dev} ${ino} ${uid} ${gid} ${mode}` : fingerprintOf(stat);
  return { path, kind, stat, mark };
}

/** Last first, so that the next one is popped. */
function componentsOf(path: string): string[] {
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .toReversed();
}

function errnoOf(error: unknown): string {
  if (error instanceof TimedOut) return 'ETIMEDOUT';
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}
