import { decodeBytes, formatBytes } from '@emperor/common/bytes';
import type { Decoded } from '@emperor/common/options/option';
import type { CgroupOption, CpuRange, IoMax } from '../spec/limits.ts';

const LAST_CPU = 8_191;

/** `0-3`, `8` → ranges in order, none touching another. */
export function decodeCpuset(items: readonly string[]): Decoded<readonly CpuRange[]> {
  const ranges: CpuRange[] = [];
  for (const item of items) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(item) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || from > to || to > LAST_CPU)
      return { ok: false, message: 'expected CPUs such as 0-3,8' };
    ranges.push({ from, to });
  }
  return { ok: true, value: mergeRanges(ranges) };
}

/** The text of the kernel's own lists, such as `0-3,8`; empty for texts of no sense. */
export function parseCpuList(written: string): readonly CpuRange[] {
  const decoded = decodeCpuset(written.trim() === '' ? [] : written.trim().split(','));
  return decoded.ok ? decoded.value : [];
}

/** As the kernel reads and writes it: `0-3,8`. */
export function formatCpuset(ranges: readonly CpuRange[]): string {
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** What is in both. */
export function commonCpus(a: readonly CpuRange[], b: readonly CpuRange[]): readonly CpuRange[] {
  return mergeRanges(
    a.flatMap((one) =>
      b.flatMap((other) => {
        const [from, to] = [Math.max(one.from, other.from), Math.min(one.to, other.to)];
        return from <= to ? [{ from, to }] : [];
      }),
    ),
  );
}

function mergeRanges(ranges: readonly CpuRange[]): readonly CpuRange[] {
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

const IO_WORDS: readonly string[] = ['rbps', 'wbps', 'riops', 'wiops'];

/** `/dev/sda rbps=10M wiops=100`; the device also as `8:0`. */
export function decodeIoMax(written: string): Decoded<IoMax> {
  const [device = '', ...words] = written.split(/\s+/);
  if (!/^(\/dev\/[A-Za-z0-9._!/-]{1,200}|\d{1,4}:\d{1,7})$/.test(device) || device.includes('/..'))
    return { ok: false, message: 'expected a device such as /dev/sda or 8:0, then its limits' };
  const limits = new Map<string, number>();
  for (const word of words) {
    const [, key = '', amount = ''] = /^([a-z]+)=(.+)$/.exec(word) ?? [];
    const value = key.endsWith('iops') ? decodeCount(amount) : decodeBytes(amount);
    const isWrong = !IO_WORDS.includes(key) || limits.has(key) || value === undefined || value < 1;
    if (isWrong)
      return { ok: false, message: 'expected limits such as rbps=10M wbps=1M riops=100 wiops=100' };
    limits.set(key, value);
  }
  if (limits.size === 0) return { ok: false, message: 'expected at least one of rbps wbps riops wiops' };
  const [readBytes, writeBytes, readOperations, writeOperations] = IO_WORDS.map((key) => limits.get(key));
  return { ok: true, value: { device, readBytes, writeBytes, readOperations, writeOperations } };
}

export function formatIoMax(limit: IoMax): string {
  const { device, readBytes, writeBytes, readOperations, writeOperations } = limit;
  const bytes = [readBytes, writeBytes].map((value) => value && formatBytes(value));
  const values = [...bytes, readOperations, writeOperations];
  return [
    device,
    ...IO_WORDS.flatMap((key, index) => (values[index] === undefined ? [] : [`${key}=${values[index]}`])),
  ].join(' ');
}

function decodeCount(written: string): number | undefined {
  return /^\d{1,9}$/.test(written) ? Number(written) : undefined;
}

/** They move processes or end them: the keeper's business. */
const KEEPERS_FILES: ReadonlySet<string> = new Set([
  'cgroup.procs',
  'cgroup.threads',
  'cgroup.kill',
  'cgroup.type',
  'cgroup.subtree_control',
  'tasks',
]);

/** `FILE=VALUE`, and uWSGI's `FILE:VALUE`. */
export function decodeCgroupOption(written: string): Decoded<CgroupOption> {
  const [, file, value] = /^([^=:\s]+)\s*[=:]\s*(.+)$/.exec(written) ?? [];
  if (file === undefined || value === undefined || !isPlainName(file))
    return { ok: false, message: 'expected FILE=VALUE such as memory.oom.group=1' };
  if (KEEPERS_FILES.has(file))
    return { ok: false, message: `${file} is the keeper's: it says which processes are where` };
  if (!file.includes('.'))
    return { ok: false, message: 'expected a file such as memory.oom.group: a controller, a dot, a name' };
  return { ok: true, value: { file, value } };
}

/** One component of a path that is what it says. */
export function isPlainName(name: string): boolean {
  return name !== '' && !name.startsWith('.') && !/[/\s]/.test(name);
}
