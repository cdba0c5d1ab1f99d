import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type ProcessFacts = {
  readonly pid: number;
  readonly ppid: number;
  readonly state: string;
  readonly comm: string;
  readonly cmdline: readonly string[];
};

/** Contents of a file that may vanish while it is read; undefined when it did. */
export function peek(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Target of a link in /proc that may vanish. */
export function peekLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Names in a directory that may vanish. */
export function peekDir(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

export function allPids(): readonly number[] {
  return peekDir('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? [Number(entry)] : []));
}

/** Facts of a process, zombies included; undefined when it is gone. */
export function processFacts(pid: number): ProcessFacts | undefined {
  const stat = peek(`/proc/${pid}/stat`);
  const match = stat === undefined ? null : /^\d+ \((.*)\) (\S) (\d+)/s.exec(stat);
  if (match === null) return undefined;
  const words = (peek(`/proc/${pid}/cmdline`) ?? '').split('\0');
  return {
    pid,
    comm: match[1] ?? '',
    state: match[2] ?? '',
    ppid: Number(match[3]),
    cmdline: words.filter((word) => word !== ''),
  };
}

/** Is there a process with this pid that is not a zombie? */
export function isAlive(pid: number): boolean {
  const facts = processFacts(pid);
  return facts !== undefined && facts.state !== 'Z' && facts.state !== 'X';
}

/** The value of one line of /proc/PID/status. */
export function statusLine(pid: number, key: string): string | undefined {
  const line = peek(`/proc/${pid}/status`)
    ?.split('\n')
    .find((candidate) => candidate.startsWith(`${key}:`));
  return line?.slice(key.length + 1).trim();
}

/** All processes below `root`, by parent links. */
export function descendants(root: number): readonly number[] {
  const parents = new Map(allPids().map((pid) => [pid, processFacts(pid)?.ppid ?? 0]));
  const found = [root];
  for (const pid of found) {
    for (const [child, parent] of parents) if (parent === pid) found.push(child);
  }
  return found.slice(1);
}

/** Is this the process that makes keepers? */
export function isSpawner(facts: ProcessFacts): boolean {
  return facts.comm === 'keeper' && /\bspawner\b/.test(facts.cmdline.join(' '));
}

/** SIGKILL; a process that is gone already is fine. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
