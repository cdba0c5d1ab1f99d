import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@emperor/common/clock';
import { encodeDirectives } from '@emperor/vassal/jail/encode';
import type { KeeperFact } from '@emperor/vassal/keeper/facts';
import type { Keepers } from '@emperor/vassal/keeper/keeper';
import { nativeKeepers } from '@emperor/vassal/keeper/native-keepers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive } from '../support/processes.ts';
import { waitUntil } from '../support/wait-until.ts';

const KEEPER = fileURLToPath(new URL('../../packages/vassal/native/build/keeper', import.meta.url));
const it = test.skipIf(!existsSync(KEEPER) || process.getuid?.() !== 0);
const SIGTERM = 15;
const PATIENT = { signal: SIGTERM, timeoutMs: 20_000 };
const CLONE_NEWPID = 0x2000_0000;

const quiet = () => {};
const log = { error: quiet, warn: quiet, info: quiet, debug: quiet };
let directory = '';
let keepersDir = '';
let keepers: Keepers;
let pids: number[] = [];

beforeEach(async () => {
  directory = await mkdtemp('/tmp/frozen-');
  keepersDir = `${directory}/k`;
  await mkdir(keepersDir, { mode: 0o700 });
  pids = [];
  keepers = nativeKeepers({
    keeperBinary: KEEPER,
    keepersDir,
    cgroupLeaf: undefined,
    clock: systemClock,
    log,
  });
});
afterEach(async () => {
  await keepers.close();
  for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL');
  await rm(directory, { recursive: true });
});

/** A keeper in which `words` run; resolves with its socket once they do. */
async function running(...words: readonly string[]): Promise<string> {
  const blob = encodeDirectives([
    { word: 'unshare', args: [String(CLONE_NEWPID)] },
    { word: 'gid', args: ['65534'] },
    { word: 'uid', args: ['65534'] },
    { word: 'caps', args: ['0'] },
    { word: 'no-new-privs', args: [] },
    { word: 'chdir', args: ['/'] },
    { word: 'env', args: ['PATH=/usr/bin:/bin'] },
    ...words.map((word) => ({ word: 'arg', args: [word] }) as const),
  ]);
  let resolve = quiet;
  const launched = new Promise<void>((done) => (resolve = done));
  const onFact = (fact: KeeperFact): void => {
    if (fact.type === 'hello') pids.push(fact.pid);
    if (fact.type !== 'launched') return;
    pids.push(fact.initPid, fact.appPid);
    resolve();
  };
  const keeper = await keepers.start({ name: 'blog', logDir: directory }, { onFact, onGone: quiet });
  await keeper.send({ do: 'launch', generation: 1, tag: 't', blob });
  await launched;
  // A client that stays would come back and take the connection.
  keeper.detach();
  const [id = ''] = await readdir(keepersDir);
  return `${keepersDir}/${id}`;
}

async function expectNothingLeft(): Promise<void> {
  expect(await readdir(keepersDir)).toEqual([]);
  await waitUntil('keeper, init and app to be gone', () => (pids.some(isAlive) ? undefined : true));
  expect(pids).toHaveLength(3);
}

it('a keeper and what it runs are ended by the frozen core alone', async () => {
  const path = await running('sleep', '60');

  await keepers.endForeign(path, PATIENT);

  await expectNothingLeft();
});

it('an app that ignores its signal is killed', async () => {
  const path = await running('sh', '-c', 'trap "" TERM; while :; do sleep 60; done');

  await keepers.endForeign(path, { ...PATIENT, timeoutMs: 300 });

  await expectNothingLeft();
});

it('a keeper that is gone has ended', async () => {
  const path = await running('sleep', '60');
  await keepers.endForeign(path, PATIENT);

  await expect(keepers.endForeign(path, PATIENT)).resolves.toBeUndefined();
});
