import { constants } from 'node:fs';
import { access, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Diagnostic } from '@emperor/common/diagnostic';
import { isErrno } from '@emperor/common/errors';
import { type RefusedFileRead, readOwned } from '@emperor/common/fs/read-owned';
import { vassalNameOfFile } from '@emperor/common/name';
import type { FileText } from '../core/file-state.ts';

const MOST_BYTES = 64 * 1024;

/** A vassal file named on the command line: `shown` as the user wrote it, and its text or why there is none. */
export type NamedFile = { readonly shown: string } & (
  | { readonly text: FileText }
  | { readonly refused: Diagnostic }
);

/** The vassal files that the operands mean: a file is itself, a directory its vassal files in order of name. */
export async function readVassalFiles(operands: readonly string[]): Promise<readonly NamedFile[]> {
  const files: NamedFile[] = [];
  for (const operand of operands) files.push(...(await readOperand(operand)));
  return files;
}

async function readOperand(operand: string): Promise<readonly NamedFile[]> {
  try {
    if (!(await stat(operand)).isDirectory()) return [await readOne(operand)];
    const entries = (await readdir(operand)).filter((entry) => vassalNameOfFile(entry) !== undefined);
    return await Promise.all(entries.toSorted().map((entry) => readOne(join(operand, entry))));
  } catch (error) {
    return [{ shown: operand, refused: refusal(operand, reasonOf(error)) }];
  }
}

async function readOne(shown: string): Promise<NamedFile> {
  const path = resolve(shown);
  if (vassalNameOfFile(basename(path)) === undefined) {
    const why = [
      'its name makes no vassal name',
      'call it NAME.ini, NAME of letters, digits and . _ -',
    ] as const;
    return { shown, refused: refusal(shown, why) };
  }
  let target: string;
  try {
    target = await realpath(path);
    await access(target, constants.R_OK);
  } catch (error) {
    return { shown, refused: refusal(shown, reasonOf(error)) };
  }
  const read = await readOwned(target, { maxBytes: MOST_BYTES });
  if (!read.ok) return { shown, refused: refusal(shown, REFUSALS[read.reason]) };
  return { shown, text: { path, target, ownerUid: read.uid, mtime: String(read.mtimeNs), text: read.text } };
}

type Reason = readonly [message: string, hint: string | undefined];

const REFUSALS: Readonly<Record<RefusedFileRead['reason'], Reason>> = {
  missing: ['there is no such file', undefined],
  link: ['is a symlink', undefined],
  'not-regular': ['is not a regular file', 'a vassal file is a regular file'],
  'hard-links': ['has another hard link', 'copy it instead of linking it'],
  'writable-by-others': ['is writable by its group or by others', 'chmod go-w on it'],
  'too-large': ['is larger than 64K', 'a vassal file has at most 64 KiB'],
  'not-text': ['is not UTF-8 text', 'a vassal file is UTF-8 text without NUL'],
  unreadable: ['cannot be read', 'run the command as its owner or as root'],
};

function reasonOf(error: unknown): Reason {
  if (isErrno(error, 'ENOENT', 'ENOTDIR')) return REFUSALS.missing;
  if (isErrno(error, 'EACCES', 'EPERM')) return REFUSALS.unreadable;
  if (isErrno(error, 'ELOOP')) return ['its link leads in a circle', 'remove the link or correct it'];
  throw error;
}

function refusal(file: string, [message, hint]: Reason): Diagnostic {
  return { severity: 'error', file, line: undefined, key: undefined, message, hint };
}
