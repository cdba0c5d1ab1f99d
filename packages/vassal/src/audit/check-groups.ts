import type { CgroupWrite } from '../cgroup/limits.ts';
import type { Finding, Subject } from './finding.ts';

/** Every process in every promised group, and the values that were written there. */
export function checkGroups({ spec, run, found }: Subject): readonly Finding[] {
  const { v2, v1, writes } = run.cgroups;
  return [
    ...[...(v2 === undefined ? [] : [v2]), ...v1].flatMap((dir) => membership(dir, found)),
    ...lasting(writes).map(({ dir, file, value }) => {
      const finding = valueFinding(`${dir}/${file}`, file, value, found);
      const isRaw = spec.limits.cgroupOptions.some((option) => option.file === file);
      // What a file of the operator's own choice shows need not be what was written into it.
      return isRaw && finding.verdict !== 'ok' ? { ...finding, verdict: 'note' as const } : finding;
    }),
  ];
}

/** Of several writes into one file the last is what counts; files of disks hold a line for each. */
function lasting(writes: readonly CgroupWrite[]): readonly CgroupWrite[] {
  const last = new Map(writes.map((write) => [keyOf(write), write]));
  return [...last.values()];
}

function keyOf({ dir, file, value }: CgroupWrite): string {
  return `${dir}/${file}${isPerDevice(file) ? ` ${value.split(' ')[0]}` : ''}`;
}

function isPerDevice(file: string): boolean {
  return file === 'io.max' || file.startsWith('blkio.');
}

function membership(dir: string, { members, processes }: Subject['found']): readonly Finding[] {
  const finding = { group: 'control groups', what: dir, promised: 'all its processes are in it' };
  const inside = members.get(dir);
  if (inside === undefined || !inside.ok) {
    const reason = inside === undefined ? 'not read' : inside.why;
    return [{ ...finding, found: 'it cannot be read', verdict: 'cannot-tell', reason }];
  }
  const outside = processes.filter(({ pid }) => !inside.value.has(pid));
  if (outside.length === 0) return [{ ...finding, found: 'they are', verdict: 'ok' }];
  return outside.map(({ pid }) => ({ ...finding, found: 'this one is not', verdict: 'violated', pid }));
}

function valueFinding(path: string, file: string, value: string, { groupFiles }: Subject['found']): Finding {
  const read = groupFiles.get(path);
  const finding = { group: 'control groups', what: path, promised: value };
  if (read === undefined || !read.ok) {
    const reason = read === undefined ? 'not read' : read.why;
    return { ...finding, found: 'it cannot be read', verdict: 'cannot-tell', reason };
  }
  const found = read.value.trim();
  return { ...finding, found, verdict: holds(file, value, found) ? 'ok' : 'violated' };
}

/** A line for the same device that has every word. */
function hasAll(found: string, promised: string): boolean {
  return found.split('\n').some((line) => {
    const words = new Set(line.split(' '));
    return promised.split(' ').every((word) => words.has(word));
  });
}

const PAGE_BYTES = 4_096;

/** As the kernel shows what was written: words passed on, sizes in whole pages. */
function holds(file: string, promised: string, found: string): boolean {
  if (file === 'cgroup.subtree_control') {
    const has = new Set(found.split(' '));
    return promised.split(' ').every((word) => has.has(word.replace(/^\+/, '')));
  }
  if (promised === found || found.split('\n').includes(promised)) return true;
  if (isPerDevice(file)) return hasAll(found, promised);
  if (!/^\d+$/.test(promised) || !/^\d+$/.test(found)) return false;
  return Math.floor(Number(promised) / PAGE_BYTES) * PAGE_BYTES === Number(found);
}
