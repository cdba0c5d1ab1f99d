import { readFileSync } from 'node:fs';

import type { Clock } from '@emperor/common/clock';
import type { Diagnostic } from '@emperor/common/diagnostic';
import { isErrno } from '@emperor/common/errors';
import { type VassalName, vassalNameOfFile } from '@emperor/common/name';
import { type Pace, pacedBy } from '@emperor/common/pace';

import type { RefusedFile, Scan, SourceFile } from '../ports.ts';
import { type Disk, HangingCalls, patientDisk, quickDisk, TimedOut } from './disk.ts';
import {
  type Entry,
  type EntryPlace,
  followLink,
  identityOf,
  NOTHING_KNOWN,
  readPlain,
  refusal,
  type Spot,
  spotsAt,
} from './entry.ts';
import { decodeSlowMounts, type SlowMounts } from './mounts.ts';
import { SlowLinks } from './slow-links.ts';
import { distrustOfDirectory } from './trust.ts';
import { fingerprintOf, type Walk, Walker, type WayStep } from './walk.ts';

/** Content that was read less than this after its modification may still be in the writing (§6). */
const SETTLED_MS = 50;
/** The kernel stamps files with the time of its last tick. */
const TICK_MS = 5;
/** The loop is given back this often. */
const TURN_MS = 6;
/** A pass waits this long for links to file systems that may hang. */
const SLOW_LINKS_MS = 100;
/** A vassals directory on a file system that hangs makes a pass fail after this long. */
const SLOW_DIRECTORY_MS = 5_000;

export type ScannerParts = {
  readonly directory: string;
  readonly clock: Clock;
  readonly maxBytes: number;
  /** Who may own the vassals directory and make links in it: root, and the emperor's own uid. */
  readonly operators: ReadonlySet<number>;
  /** Something that a pass did not wait for is known now. */
  readonly onLate: () => void;
  readonly slowMounts?: () => SlowMounts;
};

/** A pass, and where to listen for what would change it. */
export type Pass = {
  readonly scan: Scan;
  /** The directory as the kernel names it, free of links; undefined when it could not be read. */
  readonly at: { readonly path: string; readonly identity: string } | undefined;
  readonly spots: readonly Spot[];
};

type Opened =
  | { readonly ok: true; readonly disk: Disk; readonly end: WayStep; readonly spots: readonly Spot[] }
  | { readonly ok: false; readonly diagnostic: Diagnostic; readonly spots: readonly Spot[] };

/** Reads a vassals directory; remembers what it read, so that a pass reads only what has changed. */
export class DirectoryScanner {
  readonly #parts: ScannerParts;
  readonly #slowLinks: SlowLinks;
  readonly #calls = new HangingCalls();
  #known = new Map<VassalName, Entry>();
  /** When the content of these is old enough to be read for good, wall-clock ms. */
  readonly #unsettled = new Map<VassalName, number>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(parts: ScannerParts) {
    this.#parts = parts;
    this.#slowLinks = new SlowLinks(parts);
  }

  /** One pass, after those that were asked for earlier. */
  async pass(): Promise<Pass> {
    const pass = this.#tail.then(async () => this.#pass());
    this.#tail = pass.catch(() => undefined);
    return pass;
  }

  /** Resolves when no pass is running. */
  async idle(): Promise<void> {
    await this.#tail;
  }

  /** How long until something is to be read again; undefined when all content is old enough. */
  unsettledMs(): number | undefined {
    if (this.#unsettled.size === 0) return undefined;
    let due = Number.POSITIVE_INFINITY;
    for (const at of this.#unsettled.values()) due = Math.min(due, at);
    // The wall clock may have been set back meanwhile.
    return Math.min(Math.max(due - this.#parts.clock.wall(), 0), SETTLED_MS + TICK_MS);
  }

  async #pass(): Promise<Pass> {
    const mounts = (this.#parts.slowMounts ?? readSlowMounts)();
    const walker = new Walker(quickDisk, mounts.hold);
    try {
      const opened = await this.#open(walker);
      if (!opened.ok) return incomplete(opened.diagnostic, opened.spots);
      return await this.#read(opened, walker);
    } catch (error) {
      if (!(error instanceof TimedOut)) throw error;
      return incomplete(this.#problem('timed out', 'is its file system reachable?'), []);
    } finally {
      walker.release();
    }
  }

  async #open(quick: Walker): Promise<Opened> {
    const { directory, operators } = this.#parts;
    let disk = quickDisk;
    let walk: Walk = await quick.walk(directory);
    if (walk.is === 'slow') {
      disk = patientDisk(this.#parts.clock, this.#calls, SLOW_DIRECTORY_MS);
      const patient = new Walker(disk, () => false);
      walk = await patient.walk(directory);
      patient.release();
    }
    const paths = walk.steps.map((step) => step.path);
    const spots = spotsAt(walk, walk.is === 'found' ? paths : [...paths, walk.path]);
    if (walk.is !== 'found') return { ok: false, diagnostic: this.#unreachable(walk), spots };
    const distrust = distrustOfDirectory(walk.steps, walk.end, operators);
    if (distrust === undefined) return { ok: true, disk, end: walk.end, spots };
    return { ok: false, diagnostic: this.#problem(`refused: ${distrust.message}`, distrust.hint), spots };
  }

  async #read({ disk, end, spots }: Opened & { ok: true }, walker: Walker): Promise<Pass> {
    const pace = pacedBy(this.#parts.clock, TURN_MS);
    let listed: readonly string[];
    try {
      listed = await disk.readdir(end.path);
    } catch (error) {
      return incomplete(this.#problem(`cannot be read: ${errnoOf(error)}`, undefined), spots);
    }
    await pace();
    const { places, diagnostics } = this.#placesOf(listed);
    const entries = await this.#lookAt(places, { disk, walker, pace });
    if (identityOf(end.stat) !== (await identityAt(disk, end.path))) {
      return incomplete(this.#problem('was replaced while it was read', undefined), spots);
    }
    await pace();
    this.#known = entries;
    for (const name of this.#unsettled.keys()) {
      if (!entries.has(name)) this.#unsettled.delete(name);
    }
    return {
      scan: scanOf(identityOf(end.stat), entries, diagnostics),
      at: { path: end.path, identity: identityOf(end.stat) },
      spots: [...spots, ...[...entries.values()].flatMap((entry) => entry.spots)],
    };
  }

  /** What to look at: what was listed, and what was known. A listing may miss a name that is being replaced. */
  #placesOf(listed: readonly string[]): {
    places: ReadonlyMap<VassalName, EntryPlace>;
    diagnostics: Diagnostic[];
  } {
    const { directory } = this.#parts;
    const places = new Map<VassalName, EntryPlace>();
    const diagnostics: Diagnostic[] = [];
    for (const entry of listed) {
      const name = vassalNameOfFile(entry);
      if (name !== undefined) places.set(name, { name, path: `${directory}/${entry}` });
      else if (entry.endsWith('.ini') && !entry.startsWith('.'))
        diagnostics.push(illegalName(directory, entry));
    }
    for (const { name, path } of this.#known.values()) {
      if (!places.has(name)) places.set(name, { name, path });
    }
    return { places, diagnostics };
  }

  async #lookAt(
    places: ReadonlyMap<VassalName, EntryPlace>,
    { disk, walker, pace }: { readonly disk: Disk; readonly walker: Walker; readonly pace: Pace },
  ): Promise<Map<VassalName, Entry>> {
    const entries = new Map<VassalName, Entry>();
    const slow = new Set<VassalName>();
    for (const place of places.values()) {
      const turn = pace();
      if (turn !== undefined) await turn;
      const seen = await this.#look(place, disk, walker);
      if (seen === 'slow') slow.add(place.name);
      else if (seen !== undefined) entries.set(place.name, seen);
    }
    this.#slowLinks.keep(slow);
    if (slow.size === 0) return entries;
    await this.#slowLinks.settle(SLOW_LINKS_MS);
    for (const name of slow) {
      const place = places.get(name);
      if (place !== undefined)
        entries.set(name, this.#slowLinks.take(name) ?? this.#known.get(name) ?? notYet(place));
    }
    return entries;
  }

  /** undefined: nothing is there. */
  async #look(place: EntryPlace, disk: Disk, walker: Walker): Promise<Entry | 'slow' | undefined> {
    const { maxBytes, operators } = this.#parts;
    try {
      const stat = await disk.lstat(place.path);
      const known = this.#settled(place.name);
      if (stat.isSymbolicLink()) {
        if (!operators.has(Number(stat.uid))) return refusal(place, FOREIGN_LINK, NOTHING_KNOWN);
        const linked = await followLink(place, walker, disk, { entry: known, maxBytes, operators });
        if (linked !== undefined) return this.#remember(linked, known);
        this.#slowLinks.look(place);
        return 'slow';
      }
      if (known !== undefined && known.fingerprint === fingerprintOf(stat)) return known;
      return this.#remember(await readPlain(place, stat, disk, maxBytes), known);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      const why = { message: `cannot be looked at: ${errnoOf(error)}`, hint: undefined };
      return refusal(place, why, NOTHING_KNOWN);
    }
  }

  /** What is known of it, unless its content was too young when it was read and is old enough now. */
  #settled(name: VassalName): Entry | undefined {
    const due = this.#unsettled.get(name);
    return due !== undefined && this.#parts.clock.wall() >= due ? undefined : this.#known.get(name);
  }

  #remember(entry: Entry | undefined, known: Entry | undefined): Entry | undefined {
    if (entry === undefined || entry === known) return entry;
    this.#unsettled.delete(entry.name);
    if (entry.contentNs === undefined) return entry;
    const modifiedMs = Number(entry.contentNs / 1_000n) / 1_000;
    const ageMs = this.#parts.clock.wall() - modifiedMs;
    // A time in the future says nothing about when it was written.
    if (ageMs > -SETTLED_MS && ageMs < SETTLED_MS) {
      this.#unsettled.set(entry.name, modifiedMs + SETTLED_MS + TICK_MS);
    }
    return entry;
  }

  #unreachable(walk: Exclude<Walk, { is: 'found' }>): Diagnostic {
    const { directory } = this.#parts;
    if (walk.is === 'slow' || walk.errno === 'ETIMEDOUT') {
      return this.#problem(`timed out at ${walk.path}`, 'is its file system reachable?');
    }
    if (walk.errno === 'ENOENT') return this.#problem('does not exist', `install -d -m 755 ${directory}`);
    return this.#problem(`cannot be opened at ${walk.path}: ${walk.errno}`, undefined);
  }

  #problem(message: string, hint: string | undefined): Diagnostic {
    const { directory } = this.#parts;
    return {
      severity: 'error',
      file: directory,
      line: undefined,
      key: undefined,
      message: `the vassals directory ${message}; all vassals go on as they are`,
      hint,
    };
  }
}

const FOREIGN_LINK = { message: 'the link was not made by root', hint: 'remove it and make it as root' };

function notYet(place: EntryPlace): Entry {
  const why = { message: 'its file system has not answered yet', hint: undefined };
  return refusal(place, why, NOTHING_KNOWN);
}

function incomplete(diagnostic: Diagnostic, spots: readonly Spot[]): Pass {
  const scan: Scan = {
    complete: false,
    directory: undefined,
    files: new Map(),
    refused: new Map(),
    diagnostics: [diagnostic],
  };
  return { scan, at: undefined, spots };
}

function scanOf(
  directory: string,
  entries: ReadonlyMap<VassalName, Entry>,
  diagnostics: readonly Diagnostic[],
): Scan {
  const files = new Map<VassalName, SourceFile>();
  const refused = new Map<VassalName, RefusedFile>();
  for (const { name, outcome } of entries.values()) {
    if (outcome.is === 'file') files.set(name, outcome.file);
    else refused.set(name, outcome.refused);
  }
  return { complete: true, directory, files, refused, diagnostics };
}

function illegalName(directory: string, entry: string): Diagnostic {
  return {
    severity: 'error',
    file: `${directory}/${entry}`,
    line: undefined,
    key: undefined,
    message: 'not a legal vassal name, ignored',
    hint: 'use letters, digits, dot, dash and underscore, at most 63, the first a letter or digit',
  };
}

async function identityAt(disk: Disk, path: string): Promise<string | undefined> {
  try {
    return identityOf(await disk.lstat(path));
  } catch (error) {
    if (error instanceof TimedOut) throw error;
    return undefined;
  }
}

function readSlowMounts(): SlowMounts {
  return decodeSlowMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
}

function errnoOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}
