import type { Diagnostic } from '@emperor/common/diagnostic';
import { renderDiagnostic } from '@emperor/common/diagnostic';
import { accountsAsked } from '@emperor/vassal/spec/build';
import { NO_LIMITS } from '@emperor/vassal/spec/limits';
import { expect, test } from 'vitest';
import { ALICE, built, hostFacts, sourceOf, specOf } from '../../../support/vassal-fixtures.ts';

const lines = (diagnostics: readonly Diagnostic[]): string[] =>
  diagnostics.map((diagnostic) => renderDiagnostic({ ...diagnostic, hint: undefined }));

test('a command alone is a whole vassal: private uid, full jail, no capability', () => {
  const { spec, diagnostics } = built({ command: 'node server.js' });

  expect(diagnostics).toEqual([]);
  expect(spec).toMatchObject({
    name: 'blog',
    app: { command: ['node', 'server.js'], umask: 0o022, autostart: true, env: [] },
    identity: { uid: 'auto', gid: 'auto', groups: [], user: undefined, caps: [], noNewPrivs: true },
    jail: {
      namespaces: ['mnt', 'pid', 'ipc', 'uts', 'cgroup'],
      hostname: 'blog',
      privateTmp: true,
      privateDev: true,
      proc: 'private',
      protectSystem: 'full',
    },
    limits: { ...NO_LIMITS, pidsMax: 512 },
    scheduling: { nice: 0, ionice: undefined, sched: { policy: 'other' }, oomScoreAdj: 0 },
    lifecycle: { restart: 'always', stopSignal: 15, stopTimeoutMs: 30_000, ready: { by: 'auto' } },
    output: { logMaxBytes: 16_777_216, logKeep: 5, logRate: 0 },
  });
});

test('all problems of a file are told at once, in the order of its lines', () => {
  const { spec, diagnostics } = built({
    'memory-max': '12 parsecs',
    uid: 'nobodyatall',
    colour: 'red',
    umask: '9',
  });

  expect(spec).toBeUndefined();
  expect(lines(diagnostics)).toEqual([
    'blog.ini: command: is missing',
    'blog.ini:2: memory-max: expected a size such as 512M, at least 1M',
    'blog.ini:3: uid: there is no user nobodyatall',
    'blog.ini:4: colour: unknown option',
    'blog.ini:5: umask: expected an octal mode such as 022',
  ]);
});

test("every operator's key of a tenant's file is refused with its line", () => {
  const { spec, diagnostics } = built(
    { command: 'true', uid: 'root', hostname: 'x', unshare: 'none', cap: 'kill' },
    { owner: ALICE },
  );

  expect(spec).toBeUndefined();
  expect(lines(diagnostics)).toEqual([
    'blog.ini:3: uid: only the operator may set this, and the file belongs to alice',
    'blog.ini:5: unshare: only the operator may set this, and the file belongs to alice',
    'blog.ini:6: cap: only the operator may set this, and the file belongs to alice',
  ]);
});

test("what the operator sets for a tenant in his own layers is not the tenant's", () => {
  const source = built({ command: 'true', proc: 'host' }, { owner: ALICE, layer: 'defaults' });

  expect(source.diagnostics).toEqual([]);
  expect(source.spec?.jail.proc).toBe('host');
});

test("a tenant's file runs as its owner and the owner's group, within a tenant's bounds", () => {
  const { spec, diagnostics } = built({ command: 'true' }, { owner: ALICE });

  expect(diagnostics).toEqual([]);
  expect(spec?.identity).toMatchObject({
    uid: 1001,
    gid: 1001,
    groups: [],
    user: 'alice',
    home: '/home/alice',
  });
  expect(spec?.limits).toMatchObject({ memoryMaxBytes: 536_870_912, pidsMax: 512 });
});

test('a tenant who asks for more than tenants get is told what he gets', () => {
  const asked = {
    command: 'true',
    'restart-delay': '1ms',
    stable: '0',
    'stop-timeout': '1h',
    'memory-max': 'unlimited',
    'pids-max': 'unlimited',
  };
  const { spec, diagnostics } = built(asked, { owner: ALICE });

  expect(spec?.lifecycle).toMatchObject({ restartDelayMs: 100, stableMs: 1000, stopTimeoutMs: 600_000 });
  expect(spec?.limits).toMatchObject({ memoryMaxBytes: 536_870_912, pidsMax: 512 });
  expect(diagnostics.every(({ severity }) => severity === 'warning')).toBe(true);
  expect(lines(diagnostics)).toEqual([
    'blog.ini:3: restart-delay: asked 1ms, policy gives 100ms: a tenant may not go lower',
    'blog.ini:4: stable: asked 0, policy gives 1s: a tenant may not go lower',
    'blog.ini:5: stop-timeout: asked 1h, policy gives 10m: a tenant may not go higher',
    'blog.ini:6: memory-max: asked unlimited, policy gives 512M: a tenant always has a limit',
    'blog.ini:7: pids-max: asked unlimited, policy gives 512: a tenant always has a limit',
  ]);
});

test("a tenant's file cannot fill the machine's pids or the disk of the logs", () => {
  const asked = { command: 'true', 'pids-max': '4194304', 'log-max-size': '1T', 'log-keep': '100' };
  const { spec } = built(asked, { owner: ALICE });

  expect(spec?.limits.pidsMax).toBe(4_096);
  expect(spec?.output).toMatchObject({ logMaxBytes: 134_217_728, logKeep: 10 });
  expect(built(asked).spec?.output).toMatchObject({ logMaxBytes: 1024 ** 4, logKeep: 100 });
});

test("a tenant's swap is bounded, and where the kernel counts none nothing is said unless it was asked", () => {
  const host = hostFacts();
  const asked = { command: 'true', 'swap-max': '8G' };
  const { memory } = Object.fromEntries(host.cgroups.v1);
  if (memory === undefined) throw new Error('the fixture has memory');
  const blind = { ...memory, files: new Set<string>() };
  const without = hostFacts({
    cgroups: { ...host.cgroups, v1: new Map([...host.cgroups.v1, ['memory', blind]]) },
  });

  expect(built({ command: 'true' }, { owner: ALICE }).spec?.limits.swapMaxBytes).toBe(512 * 1024 ** 2);
  expect(built(asked, { owner: ALICE }).spec?.limits.swapMaxBytes).toBe(4 * 1024 ** 3);
  expect(built({ ...asked, 'memory-max': '1G' }).spec?.limits.swapMaxBytes).toBe(8 * 1024 ** 3);
  expect(lines(built({ command: 'true' }, { owner: ALICE, host: without }).diagnostics)).toEqual([]);
  expect(built(asked, { owner: ALICE, host: without }).diagnostics.map(({ key }) => key)).toContain(
    'swap-max',
  );
});

test('an owner without a user entry, or whose primary group is root, runs nothing', () => {
  const stranger = built({ command: 'true' }, { owner: { uid: 4711, name: undefined, powers: 'tenant' } });
  const mallory = built({ command: 'true' }, { owner: { uid: 1002, name: 'mallory', powers: 'tenant' } });

  expect([stranger.spec, mallory.spec]).toEqual([undefined, undefined]);
  expect(lines(stranger.diagnostics)).toEqual(['blog.ini: the file belongs to uid 4711, which is no user']);
  expect(lines(mallory.diagnostics)).toEqual(['blog.ini: the primary group of mallory is root']);
});

test.each([
  [{ uid: 'www-data' }, { uid: 33, gid: 33, user: 'www-data', home: '/var/www' }],
  [{ uid: '4711' }, { uid: 4711, gid: 4711, user: undefined, home: undefined }],
  [{ uid: '1001' }, { uid: 1001, gid: 1001, user: 'alice', home: '/home/alice' }],
  [
    { uid: 'auto', gid: 'audio' },
    { uid: 'auto', gid: 29, user: undefined, home: undefined },
  ],
  [
    { uid: 'www-data', 'add-gid': 'audio,7,29' },
    { uid: 33, gid: 33, groups: [7, 29] },
  ],
  [{ uid: 'root' }, { uid: 0, gid: 0, user: 'root', home: '/root' }],
  [{ uid: '0' }, { uid: 0, gid: 0, user: 'root' }],
])("%j in root's file is %j", (written, identity) => {
  expect(specOf(written).identity).toMatchObject(identity);
});

test.each([
  [{ uid: 'toor' }, 'blog.ini:3: uid: nothing runs as root unless its own file says uid = root'],
  [
    { uid: 'www-data', gid: '0' },
    'blog.ini:4: gid: nothing runs as root unless its own file says uid = root',
  ],
  [{ gid: 'root' }, 'blog.ini:3: gid: nothing runs as root unless its own file says uid = root'],
  [{ 'add-gid': 'root' }, 'blog.ini:3: add-gid: nothing runs as root unless its own file says uid = root'],
  [{ uid: 'mallory' }, 'blog.ini: gid: nothing runs as root unless its own file says uid = root'],
  [{ gid: 'no-such' }, 'blog.ini:3: gid: there is no group no-such'],
  [{ uid: 'slow' }, 'blog.ini:3: uid: user slow could not be looked up: getent took longer than 5s'],
])('%j is refused: %s', (written, line) => {
  const { spec, diagnostics } = built({ command: 'true', ...written });

  expect(spec).toBeUndefined();
  expect(lines(diagnostics)).toEqual([line]);
});

test('a default of the operator for all files does not make anything root', () => {
  const { spec } = built({ command: 'true', uid: 'root' }, { layer: 'defaults' });

  expect(spec).toBeUndefined();
});

test('a default that needs a namespace the file leaves out falls away, and plan can say why', () => {
  const { spec, granted } = built({ command: 'true', unshare: 'net' });

  expect(spec?.jail).toEqual({
    namespaces: ['net'],
    hostname: undefined,
    privateTmp: false,
    privateDev: false,
    proc: 'host',
    protectSystem: 'no',
    whenUnsupported: 'default',
  });
  expect(granted.find(({ key }) => key === 'proc')).toEqual({
    key: 'proc',
    layer: 'built-in',
    file: undefined,
    line: undefined,
    asked: undefined,
    granted: 'host',
    reason: 'needs mnt and pid in unshare',
  });
});

test.each([
  ['hostname', 'web', 'needs uts in unshare'],
  ['private-tmp', 'yes', 'needs mnt in unshare'],
  ['private-dev', 'yes', 'needs mnt in unshare'],
  ['proc', 'private', 'needs mnt and pid in unshare'],
  ['protect-system', 'strict', 'needs mnt in unshare'],
])('%s = %s written without its namespace is an error', (key, value, message) => {
  const { spec, diagnostics } = built({ command: 'true', unshare: 'ipc', [key]: value });

  expect(spec).toBeUndefined();
  expect(lines(diagnostics)).toEqual([`blog.ini:4: ${key}: ${message}`]);
});

test('an explicit no needs no namespace', () => {
  const written = {
    unshare: 'none',
    'private-tmp': 'no',
    'private-dev': 'no',
    proc: 'host',
    'protect-system': 'no',
  };

  expect(specOf(written).jail.namespaces).toEqual([]);
});

test('a restart delay above the preset longest delay lifts it; both written, it is an error', () => {
  expect(specOf({ 'restart-delay': '5m' }).lifecycle.restartMaxDelayMs).toBe(300_000);
  expect(
    lines(built({ command: 'true', 'restart-delay': '5m', 'restart-max-delay': '1m' }).diagnostics),
  ).toEqual(['blog.ini:3: restart-delay: is longer than restart-max-delay']);
});

test('a ready delay that outlasts ready-timeout, and waiting for oneself, are errors', () => {
  const { diagnostics } = built({ command: 'true', ready: 'delay:60s', 'start-after': 'db,blog' });

  expect(lines(diagnostics)).toEqual([
    'blog.ini:3: ready: the delay is not shorter than ready-timeout',
    'blog.ini:4: start-after: a vassal cannot start after itself',
  ]);
});

test('what the jail covers with something of its own is a warning before it is a failed launch', () => {
  const written = { command: '/tmp/app/run', chdir: '/tmp', 'env-file': '/run//app/../env' };

  expect(lines(built(written).diagnostics)).toEqual([
    'blog.ini:2: command: /tmp/app/run is not in the jail, which has a /tmp of its own',
    'blog.ini:4: env-file: /run//app/../env is not in the jail, which has a /run of its own',
  ]);
  expect(built({ ...written, 'private-tmp': 'no', 'env-file': '/etc/env' }).diagnostics).toEqual([]);
  expect(built({ ...written, unshare: 'pid' }).diagnostics).toEqual([]);
});

test('more than a keeper can be told is refused with its line', () => {
  const many = (count: number, text: string) =>
    Array.from({ length: count }, (_, index) => `${text}${index}`);
  const { diagnostics } = built({
    command: many(1001, 'w').join(' '),
    env: many(481, 'V=').map((text) => text.padEnd(200, 'x')),
    'add-gid': many(65, '1').join(','),
  });

  expect(lines(diagnostics)).toEqual([
    'blog.ini:2: command: has 1001 words, at most 1000 are possible',
    'blog.ini:2: command: and env have 101576 bytes together, at most 92160 are possible',
    'blog.ini:3: env: has 481 variables, at most 480 are possible',
    'blog.ini:4: add-gid: has 65 groups, at most 64 are possible',
  ]);
});

test('a limit whose controller the kernel has not is a warning and not granted', () => {
  const host = hostFacts({ cgroups: { v2: undefined, v1: new Map() } });
  const { spec, diagnostics } = built(
    { command: 'true', 'memory-max': '512M', 'pids-max': 'unlimited' },
    { host },
  );

  expect(spec?.limits.memoryMaxBytes).toBeUndefined();
  expect(diagnostics).toMatchObject([
    {
      severity: 'warning',
      line: 3,
      message: 'asked memory-max=512M, kernel gives none: no memory controller',
    },
  ]);
});

test('capabilities that kernel or emperor do not have are refused', () => {
  const { spec, diagnostics } = built({ command: 'true', cap: 'kill,sys_resource,41' });

  expect(spec).toBeUndefined();
  expect(lines(diagnostics)).toEqual([
    'blog.ini:3: cap: asked cap=sys_resource, kernel gives none: the emperor itself has it not',
    'blog.ini:3: cap: asked cap=41, kernel gives none: its last capability is 40',
  ]);
});

test('capabilities are a set: named twice, by name or number, in any order', () => {
  expect(specOf({ cap: ['kill,10', 'NET_BIND_SERVICE,5'] }).identity.caps).toEqual([5, 10]);
});

test("a hard limit above the emperor's own is cut to it", () => {
  const { spec, diagnostics } = built({ command: 'true', 'limit-nofile': '1000:100000', 'limit-core': '0' });

  expect(spec?.limits.rlimits).toEqual([
    { resource: 'core', soft: 0, hard: 0 },
    { resource: 'nofile', soft: 1000, hard: 20_000 },
  ]);
  expect(diagnostics).toMatchObject([
    {
      severity: 'warning',
      message: "asked limit-nofile=1000:100000, kernel gives 1000:20000: it is the emperor's own hard limit",
    },
  ]);
});

test('with CAP_SYS_RESOURCE the operator may raise limits up to what the kernel allows, a tenant may not', () => {
  const host = hostFacts({ canRaiseRlimits: true });

  expect(specOf({ 'limit-nofile': '100000' }, { host }).limits.rlimits[0]?.hard).toBe(100_000);
  expect(specOf({ 'limit-nofile': 'unlimited' }, { host }).limits.rlimits[0]?.hard).toBe(1_048_576);
  expect(specOf({ 'limit-nofile': '100000' }, { host, owner: ALICE }).limits.rlimits[0]?.hard).toBe(20_000);
});

test('the accounts that a file asks for are known before it is built', () => {
  const written = { uid: 'blog', gid: '12', 'add-gid': ['audio, 44', 'video'] };

  expect(accountsAsked([sourceOf(written), sourceOf({ uid: '77' }), sourceOf({ uid: 'auto' })])).toEqual({
    userNames: new Set(['blog']),
    uids: new Set([0, 77]),
    groupNames: new Set(['audio', 'video']),
  });
});

test('what a tenant may not set costs no question to the databases', () => {
  const written = { uid: 'blog', gid: 'staff', 'add-gid': 'a,b,c' };

  expect(accountsAsked([sourceOf(written, { owner: ALICE })])).toEqual({
    userNames: new Set(),
    uids: new Set([1001]),
    groupNames: new Set(),
  });
  expect(accountsAsked([sourceOf(written, { owner: ALICE, layer: 'force' })]).userNames).toEqual(
    new Set(['blog']),
  );
});
