import { describe, expect, test } from 'vitest';
import {
  type Decode,
  type FileState,
  type FileText,
  type Remembered,
  readFile,
  recollect,
  refuseFile,
} from '../../../../packages/emperor/src/core/file-state.ts';
import { specOf } from '../../../support/spec-of.ts';

const hash = (text: string): string => `#${text}`;
/** Texts are `good…` or broken; `root…` is good for root only. */
const decode: Decode = ({ text, ownerUid }) => {
  const valid = text.startsWith('good') || (text.startsWith('root') && ownerUid === 0);
  const diagnostic = {
    severity: 'error',
    file: 'f',
    line: 1,
    key: undefined,
    message: 'broken',
    hint: undefined,
  } as const;
  return valid
    ? { spec: specOf('blog', {}, ownerUid), revision: `${text}/${ownerUid}`, diagnostics: [] }
    : { spec: undefined, revision: undefined, diagnostics: [diagnostic] };
};
const file = (text: string, mtime: string, ownerUid = 0): FileText => ({
  path: 'f',
  target: 'f',
  ownerUid,
  mtime,
  text,
});
const read = (before: FileState | Remembered | undefined, next: FileText): FileState =>
  readFile(before, next, decode, hash);

describe('touch and edit', () => {
  const first = read(undefined, file('good', '1'));

  test('the same text with a new mtime is a touch', () => {
    expect(read(first, file('good', '2')).stamp).toBe('2');
  });

  test('another text is an edit and no touch', () => {
    expect(read(first, file('good 2', '2'))).toMatchObject({ stamp: '1', good: { revision: 'good 2/0' } });
  });

  test('a broken edit that is taken back is nothing at all', () => {
    const back = read(read(first, file('bad', '2')), file('good', '3'));

    expect([back.stamp, back.good?.revision]).toEqual([first.stamp, first.good?.revision]);
  });

  test('the same mtime is nothing', () => {
    expect(read(first, file('good', '1'))).toEqual(first);
  });
});

describe('last good', () => {
  const first = read(undefined, file('root good', '1'));

  test('a broken edit keeps it and says what is wrong', () => {
    expect(read(first, file('bad', '2'))).toMatchObject({
      good: { text: 'root good' },
      revoked: false,
      diagnostics: [{ message: 'broken' }],
    });
  });

  test('a file that never was valid has none, and nothing is revoked', () => {
    expect(read(undefined, file('bad', '1'))).toMatchObject({ good: undefined, revoked: false });
  });

  test('it is no way round another owner: what that owner may not do is revoked', () => {
    expect(read(first, file('root good', '1', 1001))).toMatchObject({ good: undefined, revoked: true });
    expect(read(first, file('bad', '2', 1001))).toMatchObject({ good: undefined, revoked: true });
  });

  test('a revoked file stays revoked until it is valid for its owner', () => {
    const revoked = read(first, file('bad', '2', 1001));

    expect(read(revoked, file('worse', '3', 1001)).revoked).toBe(true);
    expect(read(revoked, file('good', '3', 1001))).toMatchObject({
      revoked: false,
      good: { ownerUid: 1001 },
    });
  });

  test('what the new owner may do as well goes on as theirs', () => {
    const plain = read(undefined, file('good', '1'));

    expect(read(plain, file('bad', '2', 1001))).toMatchObject({
      revoked: false,
      good: { revision: 'good/1001' },
    });
  });
});

describe('what an earlier emperor remembered', () => {
  const memory: Remembered = {
    mtime: '5',
    textHash: hash('good'),
    stamp: '3',
    good: { text: 'good', ownerUid: 0 },
  };

  test('an untouched file has its old stamp', () => {
    expect(read(memory, file('good', '5')).stamp).toBe('3');
  });

  test('a touch meanwhile is a touch', () => {
    expect(read(memory, file('good', '6')).stamp).toBe('6');
  });

  test('an edit meanwhile is an edit', () => {
    expect(read(memory, file('good 2', '6'))).toMatchObject({ stamp: '3', good: { revision: 'good 2/0' } });
  });

  test('a file broken meanwhile runs what was good', () => {
    expect(read(memory, file('bad', '6'))).toMatchObject({ good: { revision: 'good/0' }, revoked: false });
  });

  test('a file broken and given away meanwhile is judged under its new owner', () => {
    const rooted: Remembered = { ...memory, good: { text: 'root', ownerUid: 0 } };

    expect(read(rooted, file('bad', '6', 1001))).toMatchObject({ good: undefined, revoked: true });
  });
});

describe('refusal', () => {
  const first = read(undefined, file('good', '1'));
  const diagnostic = {
    severity: 'error',
    file: 'f',
    line: undefined,
    key: undefined,
    message: 'no',
    hint: undefined,
  } as const;

  test('of the same owner keeps what runs', () => {
    expect(refuseFile(first, { path: 'f', ownerUid: 0, diagnostic })).toMatchObject({
      good: first.good,
      revoked: false,
    });
  });

  test('of another owner ends it', () => {
    expect(refuseFile(first, { path: 'f', ownerUid: 7, diagnostic })).toMatchObject({
      good: undefined,
      revoked: true,
    });
  });
});

describe('what is recollected of a file after a crash of the emperor', () => {
  const noted: Remembered = {
    mtime: '1',
    textHash: hash('old'),
    stamp: '1',
    good: { text: 'old', ownerUid: 0 },
  };
  const launched: Remembered = { mtime: '2', textHash: hash('good'), stamp: '1', good: undefined };

  test('a launch knows what notes that lag behind do not', () => {
    expect(recollect(noted, launched, file('good', '2'), hash)).toEqual({ ...launched, good: noted.good });
  });

  test('without notes the launch is all there is', () => {
    expect(read(recollect(undefined, launched, file('good', '2'), hash), file('good', '2')).stamp).toBe('1');
  });

  test('notes that know the file win', () => {
    expect(recollect(noted, launched, file('old', '1'), hash)).toBe(noted);
  });

  test('a file that neither knows was edited meanwhile', () => {
    expect(recollect(noted, launched, file('new', '9'), hash)).toBe(noted);
  });
});
