import { describeError, EmperorError, EXIT, isErrno, isErrorCode } from '@emperor/common/errors';
import { expect, test } from 'vitest';

test('an error keeps code, cause and hint and knows its exit code', () => {
  const cause = new Error('deep');
  const error = new EmperorError('vassal_unknown', 'no such vassal: blog', { cause, hint: 'emperor status' });

  expect(error).toMatchObject({
    code: 'vassal_unknown',
    hint: 'emperor status',
    cause,
    exitCode: EXIT.unknown,
  });
  expect(new EmperorError('usage', 'what?')).toMatchObject({ hint: undefined, exitCode: 2 });
});

test('an error is described with all that caused it, outermost first', () => {
  const inner = new Error('ENOENT', { cause: 'text' });

  expect(describeError(new EmperorError('jail_failed', 'mounts', { cause: inner }))).toBe(
    'mounts: ENOENT: text',
  );
  expect(describeError('plain')).toBe('plain');
});

test('a system error is known by its errno name', () => {
  const error = Object.assign(new Error('x'), { code: 'ENOENT' });

  expect(isErrno(error, 'EACCES', 'ENOENT')).toBe(true);
  expect(isErrno(error, 'EACCES')).toBe(false);
  expect(isErrno({ code: 'ENOENT' }, 'ENOENT')).toBe(false);
  expect(isErrno(Object.assign(new Error('x'), { code: 5 }), '5')).toBe(false);
});

test('only codes of the table are ours', () => {
  expect(isErrorCode('not_permitted')).toBe(true);
  expect(isErrorCode('toString')).toBe(false);
  expect(isErrorCode(undefined)).toBe(false);
});
