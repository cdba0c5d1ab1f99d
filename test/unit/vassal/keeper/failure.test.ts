import { errorName, hintForFailure } from '@emperor/vassal/keeper/failure';
import { STAGES } from '@emperor/vassal/keeper/stages';
import { expect, test } from 'vitest';
import { ALICE, specOf } from '../../../support/vassal-fixtures.ts';

const ENOENT = 2;
const EACCES = 13;

test('every stage has a message with its object and a hint, whatever the errno', () => {
  for (const stage of STAGES) {
    for (const errno of [1, ENOENT, EACCES, 12, 99_999]) {
      const { message, hint } = hintForFailure({ stage, errno, what: '/the/object' });

      expect(message).not.toBe('');
      expect(hint).not.toBe('');
    }
    expect(hintForFailure({ stage, errno: 5, what: '/the/object' }).message).toMatch(
      / failed: \/the\/object: .*\(EIO\)$/,
    );
  }
});

test('a program that is not there is told with where it was looked for', () => {
  const missing = (what: string) => hintForFailure({ stage: 'exec', errno: ENOENT, what }).message;

  expect(missing('gunicorn')).toBe('no such program: gunicorn (looked up in PATH inside the jail)');
  expect(missing('bin/app')).toBe('no such program: bin/app (looked up below the working directory)');
  expect(missing('/opt/app')).toBe('no such program: /opt/app');
});

test.each([
  ['/tmp/app', 'private-tmp gives the app a /tmp of its own: put it elsewhere, or say private-tmp = no'],
  ['/run/app', 'the jail has a /run of its own: put it elsewhere'],
  ['/home/bob/app', 'homes of others are hidden from the app: put it into your own'],
])('a program that the jail covers is told with what covers it: %s', (what, hint) => {
  const spec = specOf({}, { owner: ALICE });

  expect(hintForFailure({ stage: 'exec', errno: ENOENT, what }, spec).hint).toBe(hint);
  expect(hintForFailure({ stage: 'exec', errno: ENOENT, what }, specOf({ unshare: 'none' })).hint).not.toBe(
    hint,
  );
});

test('a program that Landlock closes is told with the list that opens it', () => {
  const hint = (spec: ReturnType<typeof specOf>) =>
    hintForFailure({ stage: 'exec', errno: EACCES, what: '/srv/app/run' }, spec).hint;

  expect(hint(specOf({ 'landlock-ro': '/srv' }))).toContain('landlock-exec');
  expect(hint(specOf({}))).toContain('chmod +x');
});

test('a directory that cannot be entered is told with who could not', () => {
  const failure = { stage: 'chdir', errno: EACCES, what: '/srv/blog' } as const;

  expect(hintForFailure(failure, specOf({})).message).toBe(
    'the private uid of the vassal may not enter /srv/blog',
  );
  expect(hintForFailure(failure, specOf({ uid: 'www-data' })).message).toBe(
    'www-data may not enter /srv/blog',
  );
  expect(hintForFailure(failure, specOf({ uid: '77' })).message).toBe('uid 77 may not enter /srv/blog');
});

test('a home that does not exist is told as such', () => {
  const failure = { stage: 'chdir', errno: ENOENT, what: '/var/www' } as const;

  expect(hintForFailure(failure, specOf({ uid: 'www-data' })).message).toBe(
    'the home directory /var/www does not exist',
  );
  expect(hintForFailure(failure, specOf({ chdir: '/var/www' })).message).toBe(
    'there is no directory /var/www inside the jail',
  );
});

test('an errno has its name, or its number', () => {
  expect([errorName(ENOENT), errorName(99_999)]).toEqual(['ENOENT', 'errno 99999']);
});
