import type { Diagnostic } from '@emperor/common/diagnostic';
import type { VassalSpec } from '@emperor/vassal/spec/spec';

/** A vassal file as the monitor read it; what of it decides anything. */
export type FileText = {
  readonly path: string;
  readonly target: string;
  readonly ownerUid: number;
  readonly mtime: string;
  readonly text: string;
};

/** What a text means under its owner's present powers; `spec` undefined when it means nothing valid. */
export type Decoded = {
  readonly spec: VassalSpec | undefined;
  readonly revision: string | undefined;
  readonly diagnostics: readonly Diagnostic[];
};

export type Decode = (file: FileText) => Decoded;

/** A text that was valid, with what it means. */
export type Good = {
  readonly text: string;
  readonly ownerUid: number;
  readonly spec: VassalSpec;
  readonly revision: string;
};

/**
 * Everything known about one vassal file. `stamp` changes with a touch and only then; an edit keeps it, so that a
 * broken edit taken back is nothing at all.
 */
export type FileState = {
  readonly path: string;
  readonly ownerUid: number | undefined;
  readonly mtime: string;
  readonly text: string;
  readonly stamp: string;
  readonly good: Good | undefined;
  readonly revoked: boolean;
  readonly diagnostics: readonly Diagnostic[];
};

/** What an earlier emperor wrote down about the file. */
export type Remembered = {
  readonly mtime: string;
  readonly textHash: string;
  readonly stamp: string;
  readonly good: { readonly text: string; readonly ownerUid: number } | undefined;
};

/**
 * Of what was written down and what the running generation was launched with, whichever knows the file as it is: a
 * launch is never older than what it is about, notes may lag behind or be missing.
 */
export function recollect(
  noted: Remembered | undefined,
  launched: Remembered | undefined,
  file: FileText,
  hash: (text: string) => string,
): Remembered | undefined {
  if (launched === undefined || noted?.mtime === file.mtime) return noted;
  const isKnown = launched.mtime === file.mtime || launched.textHash === hash(file.text);
  return noted === undefined || isKnown ? { ...launched, good: noted?.good } : noted;
}

/** The next state of a file that was read. `hash` is the one `Remembered.textHash` was made with. */
export function readFile(
  before: FileState | Remembered | undefined,
  file: FileText,
  decode: Decode,
  hash: (text: string) => string,
): FileState {
  const decoded = decode(file);
  const facts = {
    path: file.path,
    ownerUid: file.ownerUid,
    mtime: file.mtime,
    text: file.text,
    stamp: stampOf(before, file, hash),
    diagnostics: decoded.diagnostics,
  };
  if (decoded.spec !== undefined && decoded.revision !== undefined) {
    const good = { text: file.text, ownerUid: file.ownerUid, spec: decoded.spec, revision: decoded.revision };
    return { ...facts, good, revoked: false };
  }
  return { ...facts, ...lastGood(before, file, decode) };
}

function stampOf(
  before: FileState | Remembered | undefined,
  file: FileText,
  hash: (text: string) => string,
): string {
  if (before === undefined) return file.mtime;
  if (before.mtime === file.mtime) return before.stamp;
  const same = 'text' in before ? before.text === file.text : before.textHash === hash(file.text);
  return same ? file.mtime : before.stamp;
}

/**
 * A broken edit leaves the last good text in force, judged again under the present owner: a right that was taken
 * away ends. Without a change of owner it stays good whatever else changed around it (a deleted user, say).
 */
function lastGood(
  before: FileState | Remembered | undefined,
  file: FileText,
  decode: Decode,
): Pick<FileState, 'good' | 'revoked'> {
  if (before !== undefined && 'revoked' in before && before.revoked && before.ownerUid === file.ownerUid) {
    return { good: undefined, revoked: true };
  }
  const last = before?.good;
  if (last === undefined) return { good: undefined, revoked: false };
  if ('spec' in last && last.ownerUid === file.ownerUid) return { good: last, revoked: false };
  const again = decode({ ...file, text: last.text });
  if (again.spec === undefined || again.revision === undefined) {
    return { good: undefined, revoked: last.ownerUid !== file.ownerUid };
  }
  return {
    good: { text: last.text, ownerUid: file.ownerUid, spec: again.spec, revision: again.revision },
    revoked: false,
  };
}

/** The next state of a file that may not be read at all. Only content is forgiven: another owner ends what runs. */
export function refuseFile(
  before: FileState | undefined,
  refusal: { readonly path: string; readonly ownerUid: number | undefined; readonly diagnostic: Diagnostic },
): FileState {
  const { path, ownerUid, diagnostic } = refusal;
  const nothing = { mtime: '', text: '', stamp: '', good: undefined, revoked: false };
  const kept = before ?? nothing;
  const another = ownerUid !== undefined && kept.good !== undefined && kept.good.ownerUid !== ownerUid;
  return {
    path,
    ownerUid,
    mtime: kept.mtime,
    text: kept.text,
    stamp: kept.stamp,
    good: another ? undefined : kept.good,
    revoked: another || kept.revoked,
    diagnostics: [diagnostic],
  };
}
