import type { HostPaths } from '../spec/host-facts.ts';
import type { VassalSpec } from '../spec/spec.ts';
import type { Directive } from './directive.ts';
import type { JailRun } from './run.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Homes that say "none" in a user database. */
const NO_HOMES: readonly string[] = ['', '/nonexistent', '/dev/null'];

/** The lines of the host's databases that fit beside a vassal's other directives. */
const MOST_DATABASE_BYTES = 16 * 1024;
const FIRST_PERSON = 1_000;

/** Where the app speaks to us; inside a private /run it always stands at the same place. undefined = nowhere. */
export function notifyPathOf(spec: VassalSpec, run: Pick<JailRun, 'notifyPath'>): string | undefined {
  const { by } = spec.root.form;
  if (by === 'pivot' || by === 'chroot') return undefined;
  return spec.jail.namespaces.includes('mnt') ? '/run/notify' : run.notifyPath;
}

/** The home directory as the app is told: a user's own, or one that a private uid can write. */
export function homeOf({ identity, jail }: VassalSpec): string {
  if (identity.home !== undefined && !NO_HOMES.includes(identity.home)) return identity.home;
  return jail.privateTmp ? '/tmp' : '/';
}

/** Where the app starts. */
export function workingDirectoryOf(spec: VassalSpec): string {
  if (spec.app.chdir !== undefined) return spec.app.chdir;
  const { home } = spec.identity;
  return home !== undefined && !NO_HOMES.includes(home) ? home : '/';
}

/** The whole environment, in the order in which later words win: what everyone gets, env-file, env. */
export function environmentDirectives(spec: VassalSpec, run: JailRun): readonly Directive[] {
  const user = userNameOf(spec, run);
  const notifyPath = notifyPathOf(spec, run);
  const given: readonly (readonly [string, string])[] = [
    ['PATH', PATH],
    ['HOME', homeOf(spec)],
    ['USER', user],
    ['LOGNAME', user],
    ['LANG', 'C.UTF-8'],
    ['EMPEROR_VASSAL', spec.name],
    ...(notifyPath === undefined ? [] : ([['NOTIFY_SOCKET', notifyPath]] as const)),
    ...(spec.lifecycle.watchdogMs === undefined ? [] : [watchdogVariable(spec.lifecycle.watchdogMs)]),
  ];
  return [
    ...given.map(([name, value]) => variable(name, value)),
    ...(spec.app.envFile === undefined ? [] : [{ word: 'env-file', args: [spec.app.envFile] } as const]),
    ...spec.app.env.map(({ name, value }) => variable(name, value)),
  ];
}

/**
 * A private uid has a name inside its jail: system accounts and its own line, no other tenant's. So has every user in a
 * minimal root; a directory as root has its own accounts.
 */
export function accountDirectives(spec: VassalSpec, run: JailRun, paths: HostPaths): readonly Directive[] {
  const { identity, jail, root } = spec;
  const { by } = root.form;
  const isPrivate = identity.uid === 'auto' && by === 'host';
  if (!jail.namespaces.includes('mnt') || !(isPrivate || by === 'minimal')) return [];
  const name = userNameOf(spec, run);
  const user = `${name}:x:${run.uid}:${run.gid}::${homeOf(spec)}:/usr/sbin/nologin`;
  const isOwnGroup = identity.gid === 'auto' || (by === 'minimal' && run.gid >= FIRST_PERSON);
  return [
    { word: 'file', args: ['/etc/passwd', database(paths.systemUsers, userLines(paths, run.uid, user))] },
    {
      word: 'file',
      args: ['/etc/group', database(paths.systemGroups, isOwnGroup ? [`${name}:x:${run.gid}:`] : [])],
    },
  ];
}

function userLines({ systemUsers }: HostPaths, uid: number, own: string): readonly string[] {
  return systemUsers.some((line) => line.split(':')[2] === String(uid)) ? [] : [own];
}

function userNameOf({ identity, name }: VassalSpec, run: JailRun): string {
  if (identity.uid === 'auto') return `emperor-${name}`;
  return identity.user ?? String(run.uid);
}

function watchdogVariable(ms: number): readonly [string, string] {
  return ['WATCHDOG_USEC', String(ms * 1_000)];
}

function variable(name: string, value: string): Directive {
  return { word: 'env', args: [`${name}=${value}`] };
}

function database(system: readonly string[], own: readonly string[]): string {
  const lines: string[] = [];
  let bytes = 0;
  for (const line of system) {
    bytes += Buffer.byteLength(line) + 1;
    if (bytes > MOST_DATABASE_BYTES) break;
    lines.push(line);
  }
  return [...lines, ...own].map((line) => `${line}\n`).join('');
}
