import type { VassalSpec } from '../spec/spec.ts';
import { type Directive, directive } from './directive.ts';
import { plain } from './path.ts';

/** LANDLOCK_ACCESS_FS_* of linux/landlock.h. */
const EXECUTE = 1;
const WRITE_FILE = 1 << 1;
const READ_FILE = 1 << 2;
const READ_DIR = 1 << 3;
const IOCTL_DEV = 1 << 15;
/** LANDLOCK_ACCESS_NET_*. */
const BIND_TCP = 1;
const CONNECT_TCP = 1 << 1;

/** How many of the rights above each ABI knows, by the number of the last bit. */
const LAST_RIGHT: readonly (readonly [number, number])[] = [
  [5, 15],
  [3, 14],
  [2, 13],
  [1, 12],
];

const READ = READ_FILE | READ_DIR;
const RUN = READ | EXECUTE;
/** Everything but to execute: what is written is not run. */
const CHANGE = 0xffff & ~EXECUTE;
const USE = READ | WRITE_FILE;

/** Programs, their loaders and libraries, and what a program finds out about itself and its machine. */
const IMPLIED: readonly (readonly [number, readonly string[]])[] = [
  [RUN, ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']],
  [READ, ['/etc', '/sys', '/run']],
  [USE, ['/proc']],
  [USE | IOCTL_DEV, ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom']],
  [USE | IOCTL_DEV, ['/dev/tty', '/dev/ptmx', '/dev/pts']],
];
const PRIVATE_TMP: readonly string[] = ['/tmp', '/var/tmp', '/dev/shm'];

/** The Landlock words of a jail but the scoping: files where a list is given, ports where one is. */
export function landlockDirectives(spec: VassalSpec, abi: number): readonly Directive[] {
  return [...fileDirectives(spec, rightsOf(abi)), ...portDirectives(spec)];
}

function fileDirectives(spec: VassalSpec, known: number): readonly Directive[] {
  const lists = spec.filters.landlock;
  if (lists === undefined) return [];
  const asked: readonly (readonly [number, readonly string[]])[] = [
    [READ, lists.ro],
    [CHANGE, lists.rw],
    [RUN, lists.exec],
  ];
  return [
    directive('landlock-fs', hex(known)),
    ...rules('landlock-optional', [...IMPLIED, ...impliedBy(spec)], known),
    ...rules('landlock-path', asked, known),
  ];
}

/** What the file itself says that the app uses. */
function impliedBy({ app, jail }: VassalSpec): readonly (readonly [number, readonly string[]])[] {
  const [program = ''] = app.command;
  return [
    [CHANGE, jail.privateTmp ? PRIVATE_TMP : []],
    [RUN, program.startsWith('/') ? [plain(program)] : []],
    [READ, app.envFile === undefined ? [] : [app.envFile]],
  ];
}

function rules(
  word: 'landlock-path' | 'landlock-optional',
  entries: readonly (readonly [number, readonly string[]])[],
  known: number,
): readonly Directive[] {
  return entries.flatMap(([rights, paths]) =>
    paths.map((path) => directive(word, hex(rights & known), path)),
  );
}

function portDirectives({
  filters: { tcpBind, tcpConnect },
  lifecycle: { ready },
}: VassalSpec): readonly Directive[] {
  if (tcpBind === undefined && tcpConnect === undefined) return [];
  const handled = (tcpBind === undefined ? 0 : BIND_TCP) | (tcpConnect === undefined ? 0 : CONNECT_TCP);
  // The probe is restricted like the app, and init is its parent.
  const probed = ready.by === 'tcp' ? [ready.port] : [];
  const connect = tcpConnect === undefined ? [] : [...new Set([...tcpConnect, ...probed])];
  return [
    directive('landlock-net', hex(handled)),
    ...(tcpBind ?? []).map((port) => directive('landlock-port', hex(BIND_TCP), String(port))),
    ...connect.map((port) => directive('landlock-port', hex(CONNECT_TCP), String(port))),
  ];
}

function rightsOf(abi: number): number {
  const [, last = 0] = LAST_RIGHT.find(([since]) => abi >= since) ?? [];
  return 2 ** (last + 1) - 1;
}

function hex(rights: number): string {
  return rights.toString(16);
}
