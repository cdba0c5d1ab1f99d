import { ARM64_CALLS } from './calls-arm64.ts';
import { X86_64_CALLS } from './calls-x86-64.ts';

/** A machine whose system calls the emperor knows by number. */
export type Architecture = 'x86-64' | 'arm64';

/** What a filter has to know of a machine. */
export type CallTable = {
  /** AUDIT_ARCH_* of linux/audit.h: what the kernel says of a call made the native way. */
  readonly audit: number;
  readonly numbers: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
  /** Calls from this number on are those of another interface of the same machine (x32). */
  readonly foreignFrom: number | undefined;
};

/** The calls of each machine, by name and by number. */
export const CALL_TABLES: Readonly<Record<Architecture, CallTable>> = {
  'x86-64': tableOf({ audit: 0xc000_003e, foreignFrom: 0x4000_0000 }, X86_64_CALLS),
  arm64: tableOf({ audit: 0xc000_00b7, foreignFrom: undefined }, ARM64_CALLS),
};

/** What Node calls the machine, as a filter needs it; undefined where no filter can be made. */
export function architectureOf(nodeArch: string): Architecture | undefined {
  if (nodeArch === 'x64') return 'x86-64';
  return nodeArch === 'arm64' ? 'arm64' : undefined;
}

/** Is there a call of this name on any machine? A list may name calls that only another machine has. */
export function isCallName(name: string): boolean {
  return Object.values(CALL_TABLES).some(({ numbers }) => numbers.has(name));
}

/** Every name of every machine. */
export function allCallNames(): readonly string[] {
  return [...new Set(Object.values(CALL_TABLES).flatMap(({ numbers }) => [...numbers.keys()]))];
}

function tableOf(machine: Pick<CallTable, 'audit' | 'foreignFrom'>, text: string): CallTable {
  const numbers = new Map<string, number>();
  for (const line of text.trim().split('\n')) {
    const [first, ...names] = line.split(' ');
    for (const [index, name] of names.entries()) numbers.set(name, Number(first) + index);
  }
  return { ...machine, numbers, names: new Map([...numbers].map(([name, number]) => [number, name])) };
}
