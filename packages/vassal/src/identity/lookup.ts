import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describeError, isErrno } from '@emperor/common/errors';
import type { Accounts, AccountsQuery, Group, Lookup, User } from '../spec/accounts.ts';

/** Where the databases are; tests bring their own. */
export type AccountSources = {
  readonly passwdFile: string;
  readonly groupFile: string;
  readonly nsswitchFile: string;
  readonly getent: string;
  readonly deadlineMs: number;
};

export const SYSTEM_ACCOUNTS: AccountSources = {
  passwdFile: '/etc/passwd',
  groupFile: '/etc/group',
  nsswitchFile: '/etc/nsswitch.conf',
  getent: '/usr/bin/getent',
  deadlineMs: 5_000,
};

/** What no database can hold, or getent would take for an option. */
const IMPOSSIBLE = /^-|[\s:,/]|^$/;
const MOST_KEYS = 500;
const NOT_FOUND = 2;

/**
 * The users and groups that a pass needs, asked once: first in the files, which belong to root, and only for what is
 * not there by one `getent` for all.
 */
export async function lookupAccounts(
  query: AccountsQuery,
  sources: AccountSources = SYSTEM_ACCOUNTS,
): Promise<Accounts> {
  const [users, groups] = await Promise.all([lookupUsers(query, sources), lookupGroups(query, sources)]);
  return {
    userByName: (name) => answer(users, (user) => user.name === name, name),
    userByUid: (uid) => answer(users, (user) => user.uid === uid, String(uid)),
    groupByName: (name) => answer(groups, (group) => group.name === name, name),
  };
}

/** `name:x:1001:1001:Alice:/home/alice:/bin/sh` lines; others are skipped. */
export function parsePasswd(text: string): readonly User[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid, , home] = line.split(':');
    if (name === undefined || home === undefined || IMPOSSIBLE.test(name) || !isId(uid) || !isId(gid))
      return [];
    return [{ uid: Number(uid), gid: Number(gid), name, home }];
  });
}

/** `name:x:44:alice,bob` lines; others are skipped. */
export function parseGroup(text: string): readonly Group[] {
  return text.split('\n').flatMap((line) => {
    const [name, , gid] = line.split(':');
    return name === undefined || IMPOSSIBLE.test(name) || !isId(gid) ? [] : [{ gid: Number(gid), name }];
  });
}

/** What a database said; `failed` are the keys about which it said nothing, and why. */
type Answers<T> = { readonly entries: readonly T[]; readonly failed: ReadonlyMap<string, string> };

type Database<T> = {
  readonly name: 'passwd' | 'group';
  readonly file: string;
  readonly parse: (text: string) => readonly T[];
  readonly isKnown: (entries: readonly T[], key: string) => boolean;
};

function lookupUsers({ userNames, uids }: AccountsQuery, sources: AccountSources): Promise<Answers<User>> {
  const database: Database<User> = {
    name: 'passwd',
    file: sources.passwdFile,
    parse: parsePasswd,
    isKnown: (entries, key) => entries.some(({ name, uid }) => name === key || String(uid) === key),
  };
  return ask(database, [...userNames, ...[...uids].map(String)], sources);
}

function lookupGroups({ groupNames }: AccountsQuery, sources: AccountSources): Promise<Answers<Group>> {
  const database: Database<Group> = {
    name: 'group',
    file: sources.groupFile,
    parse: parseGroup,
    isKnown: (entries, key) => entries.some(({ name }) => name === key),
  };
  return ask(database, [...groupNames], sources);
}

async function ask<T>(
  database: Database<T>,
  keys: readonly string[],
  sources: AccountSources,
): Promise<Answers<T>> {
  const local = readLocal(database);
  const missing = keys.filter((key) => !IMPOSSIBLE.test(key) && !database.isKnown(local.entries, key));
  if (missing.length === 0 || (await isFilesOnly(database.name, sources.nsswitchFile))) return local;
  const entries = [...local.entries];
  const failed = new Map<string, string>();
  for (let from = 0; from < missing.length; from += MOST_KEYS) {
    const some = missing.slice(from, from + MOST_KEYS);
    const said = await getent(database.name, some, sources);
    if (said.ok) entries.push(...database.parse(said.text));
    else for (const key of some) failed.set(key, said.reason);
  }
  return { entries, failed };
}

/** The texts of the databases as they were last read, by path; asked for at every scan, changed once a month. */
const TEXTS = new Map<string, { readonly identity: string; readonly text: string }>();

/** Root's own small files, on the root file system: read at once, and only when they changed. */
function readLocal<T>({ file, parse }: Database<T>): Answers<T> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    const identity = [dev, ino, size, mtimeNs, ctimeNs].join(':');
    const known = TEXTS.get(file);
    const text = known?.identity === identity ? known.text : readFileSync(file, 'utf8');
    TEXTS.set(file, { identity, text });
    return { entries: parse(text), failed: new Map() };
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return { entries: [], failed: new Map() };
    throw error;
  }
}

/** `passwd: files`: what is not in the file is nowhere. */
async function isFilesOnly(database: string, nsswitchFile: string): Promise<boolean> {
  try {
    const lines = (await readFile(nsswitchFile, 'utf8')).split('\n');
    const line = lines.find((text) => text.startsWith(`${database}:`));
    return line !== undefined && line.slice(database.length + 1).trim() === 'files';
  } catch {
    return false;
  }
}

type Said = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string };

function getent(
  database: string,
  keys: readonly string[],
  { getent: program, deadlineMs }: AccountSources,
): Promise<Said> {
  return new Promise((resolve) => {
    const options = {
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
      env: {},
      cwd: '/',
      maxBuffer: 4 * 1024 ** 2,
    } as const;
    execFile(program, [database, ...keys], options, (error, text) => {
      if (error === null || error.code === NOT_FOUND) return resolve({ ok: true, text });
      const reason =
        error.killed === true ? `getent took longer than ${deadlineMs} ms` : describeError(error);
      return resolve({ ok: false, reason });
    });
  });
}

function answer<T>({ entries, failed }: Answers<T>, matches: (entry: T) => boolean, key: string): Lookup<T> {
  const entry = entries.find(matches);
  if (entry !== undefined) return { is: 'found', entry };
  const reason = failed.get(key);
  return reason === undefined ? { is: 'absent' } : { is: 'failed', reason };
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1;
}
