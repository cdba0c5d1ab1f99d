import { type ReadOwned, readOwnedSync } from '@emperor/common/fs/read-owned';
import type { ListRead } from '../spec/draft.ts';

const MOST_BYTES = 64 * 1024;

const REFUSALS: Readonly<Record<Exclude<ReadOwned, { ok: true }>['reason'], string>> = {
  missing: 'does not exist',
  link: 'is a symlink',
  'not-regular': 'is not a regular file',
  'hard-links': 'has another hard link',
  'writable-by-others': 'is writable by its group or by others',
  'too-large': 'is larger than 64K',
  'not-text': 'is not UTF-8 text',
  unreadable: 'cannot be read',
};

/** The text of a file that an operator's option names: the emperor's own, writable by nobody else. */
export function readList(path: string): ListRead {
  const read = readOwnedSync(path, { maxBytes: MOST_BYTES });
  if (!read.ok) return { ok: false, reason: REFUSALS[read.reason] };
  return read.uid === 0 || read.uid === process.getuid?.()
    ? { ok: true, text: read.text }
    : { ok: false, reason: `belongs to uid ${read.uid}` };
}
