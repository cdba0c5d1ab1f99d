import type { Applied, Memory } from './memory.ts';

const FORMAT = 1;

export function encodeMemory(memory: Memory): string {
  return `${JSON.stringify({ format: FORMAT, ...memory })}\n`;
}

/** undefined for anything that this version did not write: forgetting is safe, misreading is not. */
export function decodeMemory(text: string): Memory | undefined {
  const value = parse(text);
  if (!isRecord(value) || value['format'] !== FORMAT) return undefined;
  const { mtime, textHash, stamp, ownerUid, stopped } = value;
  if (typeof mtime !== 'string' || typeof textHash !== 'string' || typeof stamp !== 'string')
    return undefined;
  if (typeof ownerUid !== 'number' || typeof stopped !== 'boolean') return undefined;
  const good = decodeGood(value['good']);
  const applied = decodeApplied(value['applied']);
  return { mtime, textHash, stamp, ownerUid, stopped, good, applied };
}

function decodeGood(value: unknown): Memory['good'] {
  if (!isRecord(value)) return undefined;
  const { text, ownerUid } = value;
  return typeof text === 'string' && typeof ownerUid === 'number' ? { text, ownerUid } : undefined;
}

function decodeApplied(value: unknown): Applied | undefined {
  if (!isRecord(value)) return undefined;
  const { generation, keeperPid, revision, stamp } = value;
  if (typeof generation !== 'number' || typeof keeperPid !== 'number') return undefined;
  if (typeof revision !== 'string' || typeof stamp !== 'string') return undefined;
  return { generation, keeperPid, revision, stamp };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
