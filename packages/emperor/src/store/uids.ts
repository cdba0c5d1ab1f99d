import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@emperor/common/clock';
import { EmperorError, isErrno } from '@emperor/common/errors';
import { atomicWrite } from '@emperor/common/fs/atomic-write';
import { decodeLedger, encodeLedger, type Given } from './uids-json.ts';

/** How ids are given: so many to each, claimed from the machine so many at a time, noted in this file of the state. */
export type UidUnit = {
  readonly ids: number;
  readonly block: number;
  readonly file: string;
  /** As people call them, and the option that widens the range. */
  readonly what: string;
  readonly option: string;
};

/** One uid for one vassal. */
const ONE_UID: UidUnit = {
  ids: 1,
  block: 256,
  file: 'uids.json',
  what: 'private uid',
  option: 'uid-range',
};

/** 65,536 ids for the user namespace of one vassal; `uidOf` tells the first. */
export const ID_RANGE: UidUnit = {
  ids: 65_536,
  block: 16 * 65_536,
  file: 'id-ranges.json',
  what: 'range of ids',
  option: 'idmap-range',
};

/** Between one write and the next: a boot of 1,000 must not be 1,000 writes. The first waits for nothing. */
const GATHER_MS = 10;

/** Private uids: one per (name, owner), stable for ever. */
export type PrivateUids = {
  /** The uid of this vassal, given now if it has none; durable on disk when the promise resolves. */
  readonly uidOf: (name: string, ownerUid: number) => Promise<number>;
  /** Already given, or undefined. */
  readonly known: (name: string, ownerUid: number) => number | undefined;
  /** The vassal is gone: its uid may be used again once the whole range has been. */
  readonly free: (name: string) => void;
};

export type UidRange = { readonly from: number; readonly to: number };

export type PrivateUidsParts = {
  readonly stateDirectory: string;
  /** One directory for the whole machine: which emperor owns which block of 256 uids. */
  readonly claimsDirectory: string;
  readonly range: UidRange;
  readonly clock: Clock;
  /** Single uids unless told. */
  readonly unit?: UidUnit;
};

/**
 * Who has which uid stands in STATE/uids.json; which blocks of the range are this emperor's, in the claims directory
 * (a file per block, made exclusively), so that two emperors on one machine never give the same uid. A block whose
 * emperor is gone with its state directory may be claimed again. Ranges of ids are given in the same way.
 */
export function privateUids(parts: PrivateUidsParts): PrivateUids {
  return new Ledger({ unit: ONE_UID, ...parts });
}

type LedgerParts = Required<PrivateUidsParts>;

class Ledger implements PrivateUids {
  readonly #parts: LedgerParts;
  readonly #path: string;
  readonly #given = new Map<string, Given>();
  readonly #used = new Set<number>();
  readonly #blocks: number[];
  /** The block in which to look for one that nobody has, and from where in it: what was used stays so. */
  #searching = 0;
  #searchFrom = 0;
  #saved: Promise<void> = Promise.resolve();
  #unsaved = false;
  #savedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
    this.#path = join(parts.stateDirectory, parts.unit.file);
    mkdirSync(parts.claimsDirectory, { recursive: true, mode: 0o755 });
    this.#blocks = ownBlocks(parts);
    for (const given of load(this.#path)) {
      this.#given.set(keyOf(given.name, given.ownerUid), given);
      this.#used.add(given.uid);
    }
  }

  readonly known = (name: string, ownerUid: number): number | undefined =>
    this.#given.get(keyOf(name, ownerUid))?.uid;

  readonly uidOf = async (name: string, ownerUid: number): Promise<number> => {
    const key = keyOf(name, ownerUid);
    const known = this.#given.get(key);
    if (known !== undefined && known.freedAt === undefined) return known.uid;
    const uid = known?.uid ?? this.#next();
    this.#given.set(key, { name, ownerUid, uid, freedAt: undefined });
    this.#used.add(uid);
    try {
      await this.#save();
    } catch (cause) {
      if (known === undefined) this.#given.delete(key);
      throw new EmperorError(
        'state_unwritable',
        `cannot note the ${this.#parts.unit.what} of ${name} in ${this.#path}`,
        {
          cause,
        },
      );
    }
    return uid;
  };

  readonly free = (name: string): void => {
    const resting = [...this.#given].filter(
      ([, given]) => given.name === name && given.freedAt === undefined,
    );
    for (const [key, given] of resting) this.#given.set(key, { ...given, freedAt: this.#parts.clock.wall() });
    // Not noted, it merely counts as used: nothing to tell anybody.
    if (resting.length > 0) void this.#save().catch(() => undefined);
  };

  #next(): number {
    const { unit } = this.#parts;
    for (; this.#searching < this.#blocks.length; this.#searching += 1) {
      const block = this.#blocks[this.#searching] ?? 0;
      const from = Math.max(block, this.#searchFrom);
      for (let uid = from; uid < block + unit.block; uid += unit.ids) {
        this.#searchFrom = uid;
        if (!this.#used.has(uid)) return uid;
      }
      this.#searchFrom = 0;
    }
    const block = claimBlock(this.#parts);
    if (block !== undefined) {
      this.#blocks.push(block);
      return this.#next();
    }
    return this.#oldestFreed();
  }

  #oldestFreed(): number {
    const freed = [...this.#given].filter(([, given]) => given.freedAt !== undefined);
    const oldest = freed.toSorted(([, a], [, b]) => (a.freedAt ?? 0) - (b.freedAt ?? 0))[0];
    const { range, unit } = this.#parts;
    if (oldest === undefined) {
      throw new EmperorError('state_unwritable', `no ${unit.what} left in ${range.from}-${range.to}`, {
        hint: `widen ${unit.option} in emperor.ini, or give vassals a uid of their own`,
      });
    }
    this.#given.delete(oldest[0]);
    return oldest[1].uid;
  }

  /** One write serves everybody who asked before it began. */
  #save(): Promise<void> {
    if (this.#unsaved) return this.#saved;
    this.#unsaved = true;
    this.#saved = this.#saved
      .catch(() => undefined)
      .then(() => this.#gathered())
      .then(() => {
        this.#unsaved = false;
        return atomicWrite(this.#path, encodeLedger([...this.#given.values()]), {
          mode: 0o600,
          durable: true,
        });
      })
      .finally(() => {
        this.#savedAt = this.#parts.clock.now();
      });
    return this.#saved;
  }

  /** Resolves when the last write is long enough ago. */
  async #gathered(): Promise<void> {
    const { clock } = this.#parts;
    const restMs = this.#savedAt + GATHER_MS - clock.now();
    if (restMs > 0) await new Promise<void>((resolve) => clock.after(restMs, resolve));
  }
}

function keyOf(name: string, ownerUid: number): string {
  return `${ownerUid} ${name}`;
}

function load(path: string): readonly Given[] {
  try {
    return decodeLedger(readFileSync(path, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw new EmperorError('state_unwritable', `cannot read ${path}`, { cause: error });
  }
}

function ownBlocks(parts: LedgerParts): number[] {
  const { claimsDirectory, stateDirectory } = parts;
  const starts = readdirSync(claimsDirectory)
    .map(Number)
    .filter((start) => isInside(start, parts));
  return starts
    .filter((start) => claimant(claimsDirectory, start) === stateDirectory)
    .toSorted((a, b) => a - b);
}

function isInside(start: number, { range, unit }: LedgerParts): boolean {
  return Number.isInteger(start) && start >= range.from && start + unit.block - 1 <= range.to;
}

function claimant(claimsDirectory: string, start: number): string | undefined {
  try {
    return readFileSync(join(claimsDirectory, String(start)), 'utf8').trim();
  } catch {
    return undefined;
  }
}

function claimBlock(parts: LedgerParts): number | undefined {
  const { claimsDirectory, range, unit } = parts;
  for (let start = range.from; isInside(start, parts); start += unit.block) {
    if (tryClaim(parts, start)) return start;
  }
  for (let start = range.from; isInside(start, parts); start += unit.block) {
    const holder = claimant(claimsDirectory, start);
    if (
      holder !== undefined &&
      holder !== parts.stateDirectory &&
      !existsSync(holder) &&
      takeOver(parts, start)
    )
      return start;
  }
  return undefined;
}

function tryClaim({ claimsDirectory, stateDirectory, unit }: LedgerParts, start: number): boolean {
  try {
    writeFileSync(join(claimsDirectory, String(start)), `${stateDirectory}\n`, { flag: 'wx', mode: 0o644 });
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw new EmperorError('state_unwritable', `cannot claim a ${unit.what} in ${claimsDirectory}`, {
      cause: error,
    });
  }
}

/** rename(2) lets exactly one emperor move the dead claim away. */
function takeOver(parts: LedgerParts, start: number): boolean {
  const path = join(parts.claimsDirectory, String(start));
  const aside = `${path}.dead.${process.pid}`;
  try {
    renameSync(path, aside);
    unlinkSync(aside);
  } catch {
    return false;
  }
  return tryClaim(parts, start);
}
