import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { allPids, peek } from './processes.ts';

const V1_CONTROLLERS = ['memory', 'cpu', 'cpuset', 'pids', 'blkio', 'freezer'];

/**
 * A control group of our own in every hierarchy that matters. The emperor under test is started inside it and has
 * to stay below it, so whatever lives or is left below it belongs to this test and to nobody else on the machine.
 */
export class OwnCgroup {
  readonly name: string;
  readonly dirs: readonly string[];

  constructor(name: string) {
    this.name = name;
    this.dirs = placesForGroups().map((place) => join(place, name));
    for (const dir of this.dirs) {
      mkdirSync(dir);
      fillCpuset(dir);
    }
  }

  /** The directory in the v1 hierarchy of this controller, or undefined. */
  controller(controller: string): string | undefined {
    return this.dirs.find((dir) => dir.startsWith(`/sys/fs/cgroup/${controller}/`));
  }

  /** Shell words that move the shell itself into the group. */
  get joinScript(): string {
    return this.dirs.map((dir) => `echo 0 > ${dir}/cgroup.procs`).join('; ');
  }

  /** Every process in or below the group, zombies included. */
  pids(): readonly number[] {
    return allPids().filter((pid) => peek(`/proc/${pid}/cgroup`)?.includes(`/${this.name}`) === true);
  }

  /** Directories made below the group, relative to it. */
  directories(): readonly string[] {
    return [...new Set(this.dirs.flatMap((dir) => below(dir, '')))].toSorted();
  }

  /** Take it away; what is still inside must have ended. */
  remove(): void {
    for (const dir of this.dirs) {
      for (const path of below(dir, '').toReversed()) rmdirIfEmpty(join(dir, path));
      rmdirIfEmpty(dir);
    }
  }
}

/** v1: no process may enter before it has CPUs and memory nodes. */
function fillCpuset(dir: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const ofParent = peek(join(dirname(dir), file))?.trim() ?? '';
    if (
      peek(join(dir, file))?.trim() === '' &&
      ofParent !== '' &&
      !existsSync(join(dir, 'cgroup.controllers'))
    )
      writeFileSync(join(dir, file), ofParent);
  }
}

function placesForGroups(): readonly string[] {
  const own = new Map(
    (peek('/proc/self/cgroup') ?? '').split('\n').map((line) => {
      const [, controllers = '', ...path] = line.split(':');
      return [controllers, path.join(':')];
    }),
  );
  const mounts = (peek('/proc/self/mountinfo') ?? '').split('\n').map((line) => line.split(' '));
  return mounts.flatMap((words) => {
    const type = words[words.indexOf('-') + 1];
    const point = words[4] ?? '';
    if (type === 'cgroup2') return [join(point, own.get('') ?? '/')];
    const controller = V1_CONTROLLERS.find(
      (name) => type === 'cgroup' && words.at(-1)?.split(',').includes(name),
    );
    const path = [...own].find(
      ([names]) => controller !== undefined && names.split(',').includes(controller),
    )?.[1];
    return path === undefined ? [] : [join(point, path)];
  });
}

/** Parents before children. */
function below(dir: string, prefix: string): readonly string[] {
  if (!existsSync(dir)) return [];
  const names = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names.flatMap((entry) => [
    `${prefix}${entry.name}`,
    ...below(join(dir, entry.name), `${prefix}${entry.name}/`),
  ]);
}

function rmdirIfEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch {
    // Still in use: the leak check has told already.
  }
}
