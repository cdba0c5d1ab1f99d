import { readdir, readFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { isErrno } from '@emperor/common/errors';
import type { LimitFacts } from '../spec/host-facts.ts';

const CAP_SYS_NICE = 23n;
const CAP_SYS_RESOURCE = 24n;

/** What this emperor may give its vassals of the kernel's attention, and the disks there are. */
export async function probeLimits(): Promise<LimitFacts> {
  const [, digits = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(await textOf('/proc/self/status')) ?? [];
  // In a user namespace of an ordinary user these capabilities show, and are worth nothing here.
  const isInitial = /^\s*0\s+0\s+4294967295\s*$/.test(await textOf('/proc/self/uid_map'));
  const has = (capability: bigint): boolean =>
    isInitial && ((BigInt(`0x${digits}`) >> capability) & 1n) === 1n;
  return {
    nice: getPriority(),
    oomScoreAdj: Number(await textOf('/proc/self/oom_score_adj')),
    canRaisePriority: has(CAP_SYS_NICE),
    canLowerOomScore: has(CAP_SYS_RESOURCE),
    blockDevices: await blockDevices(),
  };
}

/** Whole disks by name: `sda` → `8:0`; a device mapper's also as `mapper/NAME`. */
async function blockDevices(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of await entriesOf('/sys/block')) {
    const number = (await textOf(`/sys/block/${name}/dev`)).trim();
    const alias = (await textOf(`/sys/block/${name}/dm/name`)).trim();
    if (number === '') continue;
    // In /sys a slash of the name stands as `!`.
    found.set(name.replaceAll('!', '/'), number);
    if (alias !== '') found.set(`mapper/${alias}`, number);
  }
  return found;
}

async function entriesOf(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return [];
    throw error;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'EINVAL')) return '';
    throw error;
  }
}
