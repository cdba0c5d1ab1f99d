import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@emperor/common/clock';
import { listGenerations, releaseBase } from '@emperor/vassal/cgroup/cgroup';
import { planCgroups } from '@emperor/vassal/cgroup/limits';
import { encodeDirectives } from '@emperor/vassal/jail/encode';
import { probeHost } from '@emperor/vassal/jail/host';
import { planJail } from '@emperor/vassal/jail/plan';
import type { KeeperFact } from '@emperor/vassal/keeper/facts';
import type { Keepers } from '@emperor/vassal/keeper/keeper';
import { nativeKeepers } from '@emperor/vassal/keeper/native-keepers';
import type { HostFacts } from '@emperor/vassal/spec/host-facts';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { specOf } from '../support/vassal-fixtures.ts';

const KEEPER = fileURLToPath(new URL('../../packages/vassal/native/build/keeper', import.meta.url));
const canRun = existsSync(KEEPER) && process.getuid?.() === 0;
const PRIVATE_UID = 465_000;
const quiet = () => {};
const log = { error: quiet, warn: quiet, info: quiet, debug: quiet };

/** What the planner says and what the keeper does, together, on this host. */
describe.skipIf(!canRun)('planned jails', () => {
  const instance = `c${process.pid}`;
  let root = '';
  let host: HostFacts;
  let keepers: Keepers;
  let count = 0;

  beforeAll(async () => {
    root = await mkdtemp('/var/lib/jails-');
    for (const name of ['keepers', 'scratch', 'log', 'notify'])
      await mkdir(`${root}/${name}`, { mode: 0o711 });
    host = await probeHost(KEEPER);
    // Not into a leaf of our own: a test moves no process of the machine that runs it.
    keepers = nativeKeepers({
      keeperBinary: KEEPER,
      keepersDir: `${root}/keepers`,
      cgroupLeaf: undefined,
      clock: systemClock,
      log,
    });
  });

  afterAll(async () => {
    await keepers.close();
    await rm(root, { recursive: true, force: true });
    expect(await listGenerations(host.cgroups, instance)).toEqual([]);
    await releaseBase(host.cgroups, instance, process.pid);
  });

  type Run = { readonly output: string; readonly facts: readonly KeeperFact[] };

  /** Run a shell script in the jail of `written` to its end; its output without the keeper's stamps. */
  async function inJail(
    script: string,
    written: Record<string, string | readonly string[]> = {},
  ): Promise<Run> {
    const name = `jail${(count += 1)}`;
    const spec = specOf({ command: `sh -c '${script}'`, ...written }, { name, host });
    const facts: KeeperFact[] = [];
    let wake: () => void = quiet;
    const hear = (fact: KeeperFact): void => {
      facts.push(fact);
      wake();
    };
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) await new Promise<void>((resolve) => (wake = resolve));
    };
    let isGone = false;
    const logDir = `${root}/log/${name}`;
    const onGone = (): void => {
      isGone = true;
      wake();
    };
    const keeper = await keepers.start({ name, logDir }, { onFact: hear, onGone });
    await keeper.send({ do: 'launch', generation: 1, tag: '', blob: blobOf(spec) });
    await until(() => facts.some(({ type }) => type === 'gone' || type === 'fail'));
    await keeper.send({ do: 'quit' });
    await until(() => isGone);
    const text = await readFile(`${logDir}/current`, 'utf8').catch(() => '');
    return { facts, output: text.replace(/^\S+ (?:out|err) /gm, '').trim() };
  }

  function blobOf(spec: VassalSpec): Uint8Array {
    const uid = spec.identity.uid === 'auto' ? PRIVATE_UID : spec.identity.uid;
    const gid = spec.identity.gid === 'auto' ? PRIVATE_UID : spec.identity.gid;
    const place = { instance, ownerUid: 0, name: spec.name, generation: 1 };
    return encodeDirectives(
      planJail(spec, host, {
        uid,
        gid,
        cgroups: planCgroups(spec.limits, host.cgroups, place),
        scratchDir: `${root}/scratch`,
        notifyPath: `${root}/notify/${spec.name}`,
        hide: [root, '/work'],
      }),
    );
  }

  const failures = ({ facts }: Run) => facts.flatMap((fact) => (fact.type === 'fail' ? [fact.failure] : []));

  test('the default jail starts and is what it promises', async () => {
    const run = await inJail(
      `id -u; id -un; id -G; hostname; pwd; echo $HOME $NOTIFY_SOCKET; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status | tr "\\t\\n" "  "; echo; ls /dev | tr "\\n" " "; echo; ls -A /tmp /home /run; touch /usr/x /etc/x /sys/x 2>&1 | wc -l; touch /tmp/mine && echo tmp; cat /proc/keys | wc -c; test -w /proc/sys/kernel/hostname || echo ro; ls /sys/fs/cgroup | grep -c cgroup.procs; ls ${root} 2>&1 | grep -c denied; ls /work | wc -l; ls /root 2>&1 | grep -c denied`,
    );

    expect(failures(run)).toEqual([]);
    expect(run.output.split('\n').map((line) => line.trim())).toEqual([
      String(PRIVATE_UID),
      'emperor-jail1',
      String(PRIVATE_UID),
      'jail1',
      '/',
      '/tmp /run/notify',
      'CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1',
      'fd full null ptmx pts random shm stderr stdin stdout tty urandom zero',
      '/home:',
      '',
      '/run:',
      'notify',
      '',
      '/tmp:',
      '3',
      'tmp',
      '0',
      'ro',
      '1',
      '1',
      '0',
      '1',
    ]);
  });

  test.each([
    [{ unshare: 'none' }],
    [{ unshare: 'mnt' }],
    [{ unshare: 'mnt,pid,ipc,uts,net,cgroup' }],
    [{ 'protect-system': 'strict' }],
    [{ 'protect-system': 'no', 'private-tmp': 'no', 'private-dev': 'no', proc: 'host' }],
    [{ uid: 'root', cap: 'chown,net_bind_service', 'no-new-privs': 'no' }],
    [{ uid: 'www-data', chdir: '/', 'add-gid': '7,8' }],
    [
      {
        'memory-max': '64M',
        'cpu-max': '50%',
        'pids-max': 'unlimited',
        'limit-nofile': '64:128',
        'limit-core': '0',
      },
    ],
  ])('a jail with %j starts', async (written) => {
    const run = await inJail('echo up', written);

    expect(failures(run)).toEqual([]);
    expect(run.output).toBe('up');
  });

  test('capabilities, groups and limits are exactly those asked for', async () => {
    const run = await inJail(
      'grep -E "^Cap(Prm|Inh|Amb|Bnd)" /proc/self/status | cut -f2 | sort -u; id -G; ulimit -n; ulimit -Hn; umask',
      { cap: 'net_bind_service,kill', 'add-gid': '7,8', 'limit-nofile': '64:128', umask: '077' },
    );

    expect(run.output.split('\n')).toEqual(['0000000000000420', `${PRIVATE_UID} 7 8`, '64', '128', '0077']);
  });

  test('a limit that was hit is counted, with the exit', async () => {
    const run = await inJail('for i in 1 2 3 4 5 6 7 8; do sleep 1 & done 2>/dev/null; exit 0', {
      'pids-max': '4',
    });
    const exited = run.facts.find((fact) => fact.type === 'exited');

    expect(exited?.counters['pids_max']).toBeGreaterThan(0);
  });

  test('a kernel that kills for memory is named by its counter', async () => {
    const run = await inJail('head -c 100000000 /dev/zero | tail -c 90000000 | wc -c', {
      'memory-max': '16M',
      'private-tmp': 'no',
    });
    const exited = run.facts.find((fact) => fact.type === 'exited');

    expect(exited?.counters['oom_kill']).toBeGreaterThan(0);
  });

  test('what is missing inside fails at its stage, and no tenant code has run', async () => {
    expect(failures(await inJail('true', { chdir: '/no/such' }))).toMatchObject([
      { stage: 'chdir', errno: 2, what: '/no/such' },
    ]);
    expect(failures(await inJail('true', { 'env-file': '/no/such' }))).toMatchObject([
      { stage: 'env-file', errno: 2 },
    ]);
    expect(failures(await inJail('true', { command: '/no/such' }))).toMatchObject([
      { stage: 'exec', errno: 2, what: '/no/such' },
    ]);
  });
});
