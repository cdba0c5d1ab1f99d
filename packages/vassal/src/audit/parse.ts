import { unescapeOctal } from '../jail/path.ts';
import { RLIMITS } from '../jail/rlimits.ts';
import type { IdMap } from '../options/identity.ts';
import type { CapabilitySets, Limit, Mount, Status, UnixSocket } from './found.ts';

// A tenant writes some of what is read here (names of sockets, paths, whatever its memory holds): every parser takes
// any text, keeps a bounded part of it, and leaves out what it does not understand.

const MOST_MOUNTS = 4_096;
const MOST_LINES = 65_536;
const MOST_ENTRIES = 4_096;

/** Lines of mountinfo; undefined when there are too many to judge. */
export function parseMountinfo(text: string): readonly Mount[] | undefined {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length > MOST_MOUNTS) return undefined;
  return lines.flatMap((line) => parseMount(line) ?? []);
}

function parseMount(line: string): Mount | undefined {
  const words = line.split(' ');
  const dash = words.indexOf('-', 6);
  const [id, parent, device, root, point, options] = words;
  const [type, source, superOptions] = words.slice(dash + 1);
  if (dash < 0 || options === undefined || type === undefined || point === undefined || root === undefined) {
    return undefined;
  }
  return {
    id: Number(id),
    parent: Number(parent),
    device: device ?? '',
    root: unescapeOctal(root),
    point: unescapeOctal(point),
    options: new Set(options.split(',')),
    type,
    source: unescapeOctal(source ?? ''),
    superOptions: new Set((superOptions ?? '').split(',')),
  };
}

/** What /proc/PID/status tells of rights; undefined for a text that is none. */
export function parseStatus(text: string): Status | undefined {
  const fields = new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const at = line.indexOf(':');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()]];
    }),
  );
  const caps = parseCapabilities(fields);
  const uids = numbersOf(fields.get('Uid'));
  const gids = numbersOf(fields.get('Gid'));
  if (caps === undefined || uids.length !== 4 || gids.length !== 4) return undefined;
  return {
    uids,
    gids,
    groups: numbersOf(fields.get('Groups')),
    caps,
    noNewPrivs: fields.get('NoNewPrivs') === '1',
    seccompMode: numbersOf(fields.get('Seccomp'))[0],
    seccompFilters: numbersOf(fields.get('Seccomp_filters'))[0],
  };
}

const SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'] as const;

function parseCapabilities(fields: ReadonlyMap<string, string>): CapabilitySets | undefined {
  const sets = SETS.map((name) => {
    const digits = fields.get(name) ?? '';
    return /^[0-9a-f]{1,16}$/.test(digits) ? BigInt(`0x${digits}`) : undefined;
  });
  const [CapInh, CapPrm, CapEff, CapBnd, CapAmb] = sets;
  if (CapInh === undefined || CapPrm === undefined || CapEff === undefined) return undefined;
  if (CapBnd === undefined || CapAmb === undefined) return undefined;
  return { CapInh, CapPrm, CapEff, CapBnd, CapAmb };
}

function numbersOf(text: string | undefined): readonly number[] {
  return (text ?? '')
    .split(/\s+/)
    .filter((word) => /^\d{1,10}$/.test(word))
    .map(Number);
}

/** /proc/PID/limits by the names of prlimit(1). */
export function parseLimits(text: string): ReadonlyMap<string, Limit> {
  const found = new Map<string, Limit>();
  for (const [name, title] of RLIMITS) {
    const at = text.indexOf(`${title} `);
    const [soft, hard] =
      at < 0
        ? []
        : text
            .slice(at + title.length, at + 200)
            .trim()
            .split(/\s+/);
    if (soft !== undefined && hard !== undefined)
      found.set(name, { soft: limitOf(soft), hard: limitOf(hard) });
  }
  return found;
}

function limitOf(word: string): number | undefined {
  return word === 'unlimited' ? undefined : Number(word);
}

/** Start time (field 22), nice value (19) and threads (20) of /proc/PID/stat; a name in it may hold anything. */
export function parseStat(
  text: string,
): { readonly start: string; readonly nice: number; readonly threads: number } | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [start, nice, threads] = [fields[19], fields[16], fields[17]];
  if (start === undefined || nice === undefined || threads === undefined) return undefined;
  return { start, nice: Number(nice), threads: Number(threads) };
}

/** Lines of uid_map or gid_map. */
export function parseIdMap(text: string): readonly IdMap[] {
  return text.split('\n').flatMap((line): IdMap[] => {
    const [inside, outside, count] = numbersOf(line);
    return inside === undefined || outside === undefined || count === undefined
      ? []
      : [{ inside, outside, count }];
  });
}

const ACCEPTS = 0x1_0000;

/** /proc/net/unix: those that listen or have a name. */
export function parseUnixSockets(text: string): readonly UnixSocket[] {
  return text
    .split('\n', MOST_LINES)
    .slice(1)
    .flatMap((line): UnixSocket[] => {
      const [, flags, path] = /^\S+: \S+ \S+ (\S+) \S+ \S+\s+\d+ (.+)$/.exec(line) ?? [];
      if (flags === undefined || path === undefined) return [];
      return [{ path, isListening: (Number.parseInt(flags, 16) & ACCEPTS) !== 0 }];
    });
}

const LISTEN = '0A';

/** Ports of /proc/net/tcp and tcp6 on which somebody listens, lowest first. */
export function parseTcpListeners(text: string): readonly string[] {
  const ports = text.split('\n', MOST_LINES).flatMap((line): number[] => {
    const [, port, state] = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line) ?? [];
    return port === undefined || state !== LISTEN ? [] : [Number.parseInt(port, 16)];
  });
  return [...new Set(ports)].toSorted((a, b) => a - b).map(String);
}

/** NUL-terminated words, as environ has them. */
export function parseWords(text: string): readonly string[] {
  return text.split('\0', MOST_ENTRIES).filter((word) => word !== '');
}
