/**
 * What a launch carries so that a later emperor knows what runs: the keeper gives it back unread. Short keys,
 * because a tag holds at most 512 bytes.
 */
export type Tag = {
  readonly revision: string;
  readonly stamp: string;
  /** The file as it was then: its mtime, and the hash of its text. */
  readonly mtime: string;
  readonly textHash: string;
  readonly ownerUid: number;
  readonly failures: number;
  readonly restarts: number;
  /** 0: ready as soon as exec succeeded; a delay; undefined: the keeper will say `ready`. */
  readonly readyAfterMs: number | undefined;
};

export function encodeTag(tag: Tag): string {
  const { revision, stamp, mtime, textHash, ownerUid, failures, restarts, readyAfterMs } = tag;
  return JSON.stringify({
    r: revision,
    s: stamp,
    m: mtime,
    h: textHash,
    o: ownerUid,
    f: failures,
    n: restarts,
    a: readyAfterMs,
  });
}

type Key = 'r' | 's' | 'm' | 'h' | 'o' | 'f' | 'n' | 'a';

/** undefined for a tag that no emperor of this kind wrote. */
export function decodeTag(text: string): Tag | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { r, s, m, h, o, f, n, a }: Partial<Record<Key, unknown>> = value;
  if (typeof r !== 'string' || typeof s !== 'string' || typeof o !== 'number' || typeof f !== 'number') {
    return undefined;
  }
  const readyAfterMs = typeof a === 'number' ? a : undefined;
  const [mtime, textHash] = [textOr(m, s), textOr(h, '')];
  const restarts = typeof n === 'number' ? n : 0;
  return { revision: r, stamp: s, mtime, textHash, ownerUid: o, failures: f, restarts, readyAfterMs };
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}
