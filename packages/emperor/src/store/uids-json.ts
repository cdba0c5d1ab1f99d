import { EmperorError } from '@emperor/common/errors';

/** One private uid. `freedAt` is wall-clock ms, undefined while its vassal exists. */
export type Given = {
  readonly name: string;
  readonly ownerUid: number;
  readonly uid: number;
  readonly freedAt: number | undefined;
};

export function encodeLedger(given: readonly Given[]): string {
  const rows = given.map(({ name, ownerUid, uid, freedAt }) => [name, ownerUid, uid, freedAt ?? null]);
  return `${JSON.stringify({ format: 1, given: rows })}\n`;
}

/**
 * Uids must never be guessed: a ledger that cannot be read is an error, not an empty one.
 * @throws EmperorError('state_unwritable')
 */
export function decodeLedger(text: string): readonly Given[] {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('given' in value) || !Array.isArray(value.given))
    damaged();
  return value.given.map(decodeRow);
}

function decodeRow(row: unknown): Given {
  if (!Array.isArray(row)) damaged();
  const [name, ownerUid, uid, freedAt]: readonly unknown[] = row;
  if (typeof name !== 'string' || typeof ownerUid !== 'number' || typeof uid !== 'number') damaged();
  return { name, ownerUid, uid, freedAt: typeof freedAt === 'number' ? freedAt : undefined };
}

function damaged(): never {
  throw new EmperorError('state_unwritable', 'the record of private ids is damaged', {
    hint: 'restore it, or remove it and chown what the vassals own',
  });
}
