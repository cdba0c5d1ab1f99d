import { realpath } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import type { Diagnostic } from '@emperor/common/diagnostic';
import { hasErrors, renderDiagnostic } from '@emperor/common/diagnostic';
import { isErrno } from '@emperor/common/errors';
import { type ReadOwned, readOwned } from '@emperor/common/fs/read-owned';
import { vassalNameOfFile } from '@emperor/common/name';
import { neutralise } from '@emperor/common/terminal';
import { readVassalFile } from '../file/check.ts';
import { probeHost } from '../host/probe.ts';
import { readList } from '../host/read-list.ts';
import { lookupAccounts } from '../identity/lookup.ts';
import { vassalOptions } from '../options/index.ts';
import { accountsAsked, type BuiltSpec, buildSpec } from '../spec/build.ts';
import type { HostFacts } from '../spec/host-facts.ts';
import { powersOf } from '../spec/owner.ts';
import { type CommandIo, KEEPER_BINARY } from './command.ts';

const MOST_BYTES = 64 * 1024;

/** One vassal file, read and judged on this host as an emperor without an emperor.ini would. */
export type Loaded = BuiltSpec & { readonly host: HostFacts };

const REFUSALS: Readonly<Record<Exclude<ReadOwned, { ok: true }>['reason'], string>> = {
  missing: 'there is no such file',
  link: 'is a symlink',
  'not-regular': 'is not a regular file',
  'hard-links': 'has another hard link',
  'writable-by-others': 'is writable by its group or by others',
  'too-large': 'is larger than 64K',
  'not-text': 'is not UTF-8 text',
  unreadable: 'cannot be read',
};

/**
 * What `file` means here, with everything that is wrong with it; never throws for what is on disk. `prepare`: what is
 * made of the host before, and known of it then.
 */
export async function loadVassal(
  file: string,
  prepare: (host: HostFacts) => Promise<HostFacts> = async (host) => host,
): Promise<Loaded> {
  const host = await prepare(await probeHost(KEEPER_BINARY));
  const name = vassalNameOfFile(basename(file));
  if (name === undefined) return refused(host, file, 'its name makes no vassal name: call it NAME.ini');
  const path = resolve(file);
  const read = await readTarget(path);
  if (!read.ok) return refused(host, file, REFUSALS[read.reason]);
  const nobody = { userNames: new Set<string>(), uids: new Set([read.uid]), groupNames: new Set<string>() };
  const owner = (await lookupAccounts(nobody)).userByUid(read.uid);
  const user = owner.is === 'found' ? owner.entry : undefined;
  const source = readVassalFile({
    text: read.text,
    file,
    name,
    owner: { uid: read.uid, name: user?.name, powers: powersOf(read.uid, host.rootless) },
    home: user?.home,
    hostname: hostname(),
    dir: dirname(path),
    defaults: undefined,
    force: undefined,
    table: vassalOptions,
  });
  const accounts = await lookupAccounts(accountsAsked([source]));
  const built = buildSpec(source, { accounts, host, readList });
  return { ...built, host };
}

/** Print what is wrong; true when the file can be used. */
export function showDiagnostics({ diagnostics }: Loaded, io: CommandIo): boolean {
  for (const line of diagnostics.flatMap((diagnostic) => renderDiagnostic(diagnostic).split('\n'))) {
    io.err(`${neutralise(line)}\n`);
  }
  return !hasErrors(diagnostics);
}

async function readTarget(path: string): Promise<ReadOwned> {
  try {
    return await readOwned(await realpath(path), { maxBytes: MOST_BYTES });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return { ok: false, reason: 'missing', errno: 'ENOENT' };
    if (isErrno(error, 'EACCES', 'ELOOP')) return { ok: false, reason: 'unreadable', errno: undefined };
    throw error;
  }
}

function refused(host: HostFacts, file: string, message: string): Loaded {
  const diagnostic: Diagnostic = {
    severity: 'error',
    file,
    line: undefined,
    key: undefined,
    message,
    hint: undefined,
  };
  return { spec: undefined, diagnostics: [diagnostic], granted: [], host };
}
