import type { BigIntStats } from 'node:fs';
import { basename, dirname } from 'node:path';

import type { Diagnostic } from '@emperor/common/diagnostic';
import type { OwnedFile, ReadOwned, RefusedFileRead } from '@emperor/common/fs/read-owned';
import type { VassalName } from '@emperor/common/name';

import type { RefusedFile, SourceFile } from '../ports.ts';
import type { Disk } from './disk.ts';
import { isRoots, trustOfWay } from './trust.ts';
import { fingerprintOf, type Walk, type Walker, type WayStep } from './walk.ts';

/** A name in a directory outside the vassals directory, where a change would change what is known here. */
export type Spot = {
  readonly directory: string;
  readonly name: string;
  /** Which directory it was: `dev:ino`. */
  readonly identity: string;
  /** May root alone make something happen in it? */
  readonly trusted: boolean;
};

/** What is known about one entry of the vassals directory. */
export type Entry = {
  readonly name: VassalName;
  readonly path: string;
  /** Equal = nothing has changed; undefined = look again next time. */
  readonly fingerprint: string | undefined;
  readonly outcome:
    | { readonly is: 'file'; readonly file: SourceFile }
    | { readonly is: 'refused'; readonly refused: RefusedFile };
  /** Modification time of the content that was read. */
  readonly contentNs: bigint | undefined;
  readonly spots: readonly Spot[];
};

export type EntryPlace = { readonly name: VassalName; readonly path: string };

/** What a look at a link starts from. `operators`: whose links and directories add nobody's powers. */
export type Known = {
  readonly entry: Entry | undefined;
  readonly maxBytes: number;
  readonly operators: ReadonlySet<number>;
};

/** What stands at a plain name that `stat` found, read; undefined when it is gone meanwhile. */
export async function readPlain(
  place: EntryPlace,
  stat: BigIntStats,
  disk: Disk,
  maxBytes: number,
): Promise<Entry | undefined> {
  const read = await disk.read(place.path, maxBytes);
  if (!read.ok && read.reason === 'missing') return undefined;
  return entryOf(place, read, {
    fingerprint: fingerprintOf(stat),
    target: place.path,
    ownerUid: Number(stat.uid),
    mtimeNs: 0n,
    spots: [],
  });
}

/** What the link at `place` leads to; `known` itself when nothing has changed since. */
export async function readLinked(
  place: EntryPlace,
  walk: Exclude<Walk, { is: 'slow' }>,
  disk: Disk,
  known: Known,
): Promise<Entry> {
  const spots = spotsOf(walk).filter((spot) => spot.directory !== dirname(place.path));
  if (walk.is === 'failed') return refusal(place, failureOf(walk), { ...NOTHING_KNOWN, spots });
  const fingerprint = walk.steps.map((step) => step.mark).join(', ');
  if (fingerprint === known.entry?.fingerprint) return known.entry;
  const trust = trustOfWay(walk.steps, walk.end, known.operators);
  if (!trust.ok) return refusal(place, trust, { fingerprint, spots, ownerUid: trust.uid });
  if (walk.end.kind !== 'file')
    return refusal(place, NOT_REGULAR, { fingerprint, spots, ownerUid: trust.uid });
  const read = await disk.read(walk.at, known.maxBytes);
  const links = walk.steps.filter((step) => step.kind === 'link');
  return entryOf(place, read, {
    fingerprint,
    target: walk.end.path,
    ownerUid: trust.uid,
    mtimeNs: links.reduce((latest, { stat }) => (stat.mtimeNs > latest ? stat.mtimeNs : latest), 0n),
    spots,
  });
}

/** An entry that may not be used, and why. */
export function refusal(
  place: EntryPlace,
  why: { readonly message: string; readonly hint: string | undefined },
  also: Pick<Entry, 'fingerprint' | 'spots'> & { readonly ownerUid: number | undefined },
): Entry {
  const { name, path } = place;
  const diagnostic: Diagnostic = {
    severity: 'error',
    file: path,
    line: undefined,
    key: undefined,
    message: why.message,
    hint: why.hint,
  };
  return {
    name,
    path,
    fingerprint: also.fingerprint,
    outcome: { is: 'refused', refused: { name, path, ownerUid: also.ownerUid, diagnostic } },
    contentNs: undefined,
    spots: also.spots,
  };
}

/** Where the links and the end of the way stand, or where the way broke off. */
export function spotsOf(walk: Walk): readonly Spot[] {
  const paths = walk.steps.filter((step) => step.kind !== 'directory').map((step) => step.path);
  if (walk.is === 'failed') paths.push(walk.path);
  return spotsAt(walk, paths);
}

/** `paths` as spots, where the walk has seen the directory that holds them. */
export function spotsAt(walk: Walk, paths: readonly string[]): readonly Spot[] {
  const directories = new Map(walk.steps.filter(isDirectory).map((step) => [step.path, step]));
  return paths.flatMap((path) => {
    const directory = directories.get(dirname(path));
    if (directory === undefined || path === '/') return [];
    return [
      {
        directory: directory.path,
        name: basename(path),
        identity: identityOf(directory.stat),
        trusted: isRoots(directory),
      },
    ];
  });
}

/** Which thing it is, whatever its name and content. */
export function identityOf(stat: BigIntStats): string {
  return `${stat.dev}:${stat.ino}`;
}

function isDirectory(step: WayStep): boolean {
  return step.kind === 'directory';
}

/** For what could not be looked at: look again next time. */
export const NOTHING_KNOWN = { fingerprint: undefined, spots: [], ownerUid: undefined };

const NOT_REGULAR = { message: 'not a regular file', hint: 'a vassal file is a regular file' };

type Way = {
  readonly fingerprint: string;
  readonly target: string;
  /** The uid that the way gave. */
  readonly ownerUid: number;
  /** The latest modification of a link on the way. */
  readonly mtimeNs: bigint;
  readonly spots: readonly Spot[];
};

function entryOf(place: EntryPlace, read: ReadOwned, way: Way): Entry {
  const { spots, ownerUid } = way;
  if (!read.ok) {
    // What the kernel refused may be over at the next look, with nothing about the file changed.
    const fingerprint = read.errno === undefined ? way.fingerprint : undefined;
    return refusal(place, reasonOf(read, way.target), { fingerprint, spots, ownerUid });
  }
  if (ownerUid !== read.uid) {
    const why = { message: 'its owner was changed while it was read', hint: undefined };
    return refusal(place, why, { fingerprint: undefined, spots, ownerUid: read.uid || ownerUid });
  }
  const file: SourceFile = {
    ...place,
    target: way.target,
    ownerUid,
    mtimeNs: read.mtimeNs > way.mtimeNs ? read.mtimeNs : way.mtimeNs,
    fingerprint: way.fingerprint,
    text: read.text,
  };
  // What was read is not what was looked at: something changed in between, and may have changed again.
  const fingerprint = sameAs(read, way.fingerprint) ? way.fingerprint : undefined;
  return { ...place, fingerprint, outcome: { is: 'file', file }, contentNs: read.mtimeNs, spots };
}

/** Does the fingerprint end in the identity of the file that was read? */
function sameAs(read: OwnedFile, fingerprint: string): boolean {
  const { dev, ino, nlink, size, mtimeNs, ctimeNs, uid, gid } = read;
  return fingerprint.includes(`${dev} ${ino} ${nlink} ${size} ${mtimeNs} ${ctimeNs} ${uid} ${gid} `);
}

function failureOf(walk: Walk & { is: 'failed' }): { message: string; hint: string | undefined } {
  switch (walk.errno) {
    case 'ENOENT':
      return {
        message: `the link leads nowhere: ${walk.path} does not exist`,
        hint: 'remove the link or make its target',
      };
    case 'ELOOP':
      return { message: 'the link leads in a circle', hint: 'remove the link or correct it' };
    case 'ETIMEDOUT':
      return { message: `timed out at ${walk.path}`, hint: 'is its file system reachable?' };
    default:
      return { message: `the link cannot be followed at ${walk.path}: ${walk.errno}`, hint: undefined };
  }
}

function reasonOf(read: RefusedFileRead, target: string): { message: string; hint: string | undefined } {
  switch (read.reason) {
    case 'missing':
      return { message: `${target} does not exist`, hint: undefined };
    case 'link':
      return { message: 'it was replaced by a link while it was read', hint: undefined };
    case 'not-regular':
      return NOT_REGULAR;
    case 'hard-links':
      return { message: 'the file has more than one hard link', hint: 'copy it instead of linking it' };
    case 'writable-by-others':
      return { message: 'the file is writable by its group or others', hint: `chmod go-w ${target}` };
    case 'too-large':
      return { message: 'the file is too large', hint: 'a vassal file has at most 64 KiB' };
    case 'not-text':
      return { message: 'the file is not UTF-8 text', hint: 'a vassal file is UTF-8 text without NUL' };
    case 'unreadable':
      return { message: `the file cannot be read: ${read.errno ?? 'unknown error'}`, hint: undefined };
  }
}

/** Walks to `path` and reads what is there; undefined when this walker may not go there. */
export async function followLink(
  place: EntryPlace,
  walker: Walker,
  disk: Disk,
  known: Known,
): Promise<Entry | undefined> {
  const walk = await walker.walk(place.path);
  return walk.is === 'slow' ? undefined : readLinked(place, walk, disk, known);
}
