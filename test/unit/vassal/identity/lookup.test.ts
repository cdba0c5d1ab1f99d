import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AccountSources,
  lookupAccounts,
  parseGroup,
  parsePasswd,
} from '@emperor/vassal/identity/lookup';
import type { AccountsQuery } from '@emperor/vassal/spec/accounts';
import { afterEach, beforeEach, expect, test } from 'vitest';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lookup-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Databases of a test, and a getent that notes its arguments and then does as it is told. */
async function sourcesWith(
  getent: string,
  nsswitch = 'passwd: files ldap\ngroup: files ldap\n',
): Promise<AccountSources> {
  const at = (name: string): string => join(directory, name);
  await writeFile(at('passwd'), 'root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1001:,,,:/home/alice:/bin/sh\n');
  await writeFile(at('group'), 'root:x:0:\naudio:x:29:alice\n');
  await writeFile(at('nsswitch'), nsswitch);
  await writeFile(at('getent'), `#!/bin/sh\necho "$@" >> ${at('asked')}\n${getent}\n`, { mode: 0o755 });
  return {
    passwdFile: at('passwd'),
    groupFile: at('group'),
    nsswitchFile: at('nsswitch'),
    getent: at('getent'),
    deadlineMs: 2_000,
  };
}

const query = (userNames: string[], uids: number[] = [], groupNames: string[] = []): AccountsQuery => ({
  userNames: new Set(userNames),
  uids: new Set(uids),
  groupNames: new Set(groupNames),
});

async function asked(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return readFile(join(directory, 'asked'), 'utf8').catch(() => '');
}

test('what the files know is not asked elsewhere', async () => {
  const accounts = await lookupAccounts(query(['alice'], [0], ['audio']), await sourcesWith('exit 1'));

  expect(accounts.userByName('alice')).toEqual({
    is: 'found',
    entry: { uid: 1001, gid: 1001, name: 'alice', home: '/home/alice' },
  });
  expect(accounts.userByUid(0)).toMatchObject({ is: 'found', entry: { name: 'root' } });
  expect(accounts.groupByName('audio')).toEqual({ is: 'found', entry: { gid: 29, name: 'audio' } });
  expect(await asked()).toBe('');
});

test('everything else is asked in one go; what is not known there is absent', async () => {
  const accounts = await lookupAccounts(
    query(['alice', 'bob', 'nobodyatall', '-x', 'a:b'], [2002, 3003]),
    await sourcesWith(
      'echo bob:x:2001:100::/home/bob:/bin/sh; echo carol:x:2002:100::/home/carol:/bin/sh; exit 2',
    ),
  );

  expect(await asked()).toBe('passwd bob nobodyatall 2002 3003\n');
  expect(accounts.userByName('bob')).toMatchObject({ is: 'found', entry: { uid: 2001, gid: 100 } });
  expect(accounts.userByUid(2002)).toMatchObject({ is: 'found', entry: { name: 'carol' } });
  expect([accounts.userByName('nobodyatall'), accounts.userByUid(3003), accounts.userByName('-x')]).toEqual([
    { is: 'absent' },
    { is: 'absent' },
    { is: 'absent' },
  ]);
});

test('a lookup that fails is not an absence', async () => {
  const accounts = await lookupAccounts(query(['bob', 'alice'], [], ['wheel']), await sourcesWith('exit 3'));

  expect(accounts.userByName('bob')).toMatchObject({ is: 'failed' });
  expect(accounts.groupByName('wheel')).toMatchObject({ is: 'failed' });
  expect(accounts.userByName('alice')).toMatchObject({ is: 'found' });
});

test('a database that does not answer fails after the deadline', async () => {
  const sources = await sourcesWith('exec sleep 30');
  const accounts = await lookupAccounts(query(['bob']), { ...sources, deadlineMs: 100 });

  expect(accounts.userByName('bob')).toEqual({ is: 'failed', reason: 'getent took longer than 100 ms' });
});

test('where only files count, nothing else is asked', async () => {
  const accounts = await lookupAccounts(query(['bob']), await sourcesWith('exit 1', 'passwd:  files\n'));

  expect(accounts.userByName('bob')).toEqual({ is: 'absent' });
  expect(await asked()).toBe('');
});

test('lines of no sense are skipped', () => {
  expect(parsePasswd('\n#x\n+::::::\nx:y\na:x:-1:0::/h:\nb:x:4294967295:0::/h:\nok:x:5:6::/h:/s\n')).toEqual([
    { uid: 5, gid: 6, name: 'ok', home: '/h' },
  ]);
  expect(parseGroup('+\n::\nok:x:7:\n')).toEqual([{ gid: 7, name: 'ok' }]);
});
