import { ATTEMPTS, type DrillWorld } from '@emperor/vassal/audit/drill-expectations';
import { judgeDrill, parseDrill } from '@emperor/vassal/audit/drill-judge';
import { drillPlan, forksOf } from '@emperor/vassal/audit/drill-plan';
import type { Directive } from '@emperor/vassal/jail/directive';
import type { VassalSpec } from '@emperor/vassal/spec/spec';
import { expect, test } from 'vitest';
import { specOf } from '../../../support/spec-of.ts';

const BARE = specOf('blog');
const SPEC: VassalSpec = {
  ...BARE,
  filters: { ...BARE.filters, seccomp: ['default'] },
  limits: { ...BARE.limits, pidsMax: 512 },
};
const DONE = { isComplete: true, isOutOfMemory: false };
const ALL_DENIED = ATTEMPTS.map(({ name }) => `${name} denied 1 it was`);
const HIDING: readonly Directive[] = [{ word: 'hide', args: ['/home'] }];

function worldOf(changes: Partial<VassalSpec> = {}, uid = 1001): DrillWorld {
  const spec = { ...SPEC, ...changes };
  return { spec, host: { landlockAbi: 6, architecture: 'x86-64' }, uid, directives: HIDING };
}

function allowed(name: string, world: DrillWorld) {
  const lines = ALL_DENIED.map((line) => (line.startsWith(`${name} `) ? `${name} allowed 0 it opens` : line));
  return judgeDrill(lines, world, DONE).find((attempt) => attempt.name === name);
}

test('a jail in which everything was denied holds', () => {
  expect(judgeDrill(ALL_DENIED, worldOf(), DONE).filter(({ ok }) => !ok)).toEqual([]);
});

test.each(ATTEMPTS.map(({ name }) => name).filter((name) => name !== 'loopback'))(
  'in a default jail %s must not be allowed',
  (name) => {
    expect(allowed(name, worldOf())).toMatchObject({ ok: false, expected: 'denied' });
  },
);

test('a right that was granted may be used, a way out may not', () => {
  const caps = (...numbers: readonly number[]) => ({ identity: { ...SPEC.identity, caps: numbers } });
  const sysAdmin = caps(21);

  expect(allowed('kernel-module', worldOf(caps(16)))).toMatchObject({ ok: true, reason: 'cap = sys_module' });
  expect(allowed('mount', worldOf(sysAdmin))).toMatchObject({ ok: true });
  expect(allowed('mount', worldOf({ ...sysAdmin, jail: { ...SPEC.jail, namespaces: [] } }))).toMatchObject({
    ok: false,
    reason: "unshare leaves out mnt: it would be the host's",
  });
  expect(allowed('setns', worldOf(sysAdmin))).toMatchObject({ ok: false });
  expect(allowed('become-root', worldOf({}, 0))).toMatchObject({ ok: true, reason: 'uid = root' });
  const mayGain = { identity: { ...SPEC.identity, noNewPrivs: false } };
  expect(allowed('setuid-programs', worldOf(mayGain))).toMatchObject({ ok: true });
});

test('an attempt that the prober did not tell of is not ok, but for a bomb that met its limit of memory', () => {
  const untold = ALL_DENIED.filter((line) => !/^(mount|fork-bomb) /.test(line));

  const died = judgeDrill(untold, worldOf(), { isComplete: false, isOutOfMemory: true });

  expect(died.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['mount']);
  expect(died.at(-1)).toMatchObject({ name: 'fork-bomb', verdict: 'denied' });
});

test.each([
  ['skipped 1 no process for it', ['default', '~fork'], true],
  ['skipped 38 no pipe', ['default', '~pipe2'], true],
  ['skipped 11 no process for it', ['default', '~fork'], false],
  ['skipped 0 it hangs', ['default', '~fork'], false],
  ['skipped 1 no process for it', ['default'], false],
  [undefined, ['default', '~fork'], false],
] as const)('an attempt that was %s under seccomp = %j: ok is %s', (told, seccomp, ok) => {
  const world = worldOf({ filters: { ...SPEC.filters, seccomp } });
  const others = ALL_DENIED.filter((line) => !line.startsWith('mount '));

  const judged = judgeDrill(told === undefined ? others : [...others, `mount ${told}`], world, DONE);

  expect(judged.filter((attempt) => !attempt.ok).map(({ name }) => name)).toEqual(ok ? [] : ['mount']);
});

test('lines that are none are left out', () => {
  const told = parseDrill(['mount denied 1 EPERM', 'mount perhaps 1 x', 'end', '', 'MOUNT denied 1 x']);

  expect([...told]).toEqual([['mount', { verdict: 'denied', errno: 1, detail: 'EPERM' }]]);
});

const TARGETS = { outsiderPid: 7, shmKey: 8, port: 9, name: 'x', hidden: ['/run/emperor'], sockets: ['/s'] };

test('the copy has the prober for its command, and does without what answers to others', () => {
  const directives: readonly Directive[] = [
    { word: 'uid', args: ['1'] },
    { word: 'ready-tcp', args: ['::1', '80'] },
    { word: 'touch', args: ['/x'] },
    { word: 'setns-socket', args: ['/run/s', '1'] },
    { word: 'arg', args: ['sleep'] },
  ];

  const { directives: copy, notes } = drillPlan(SPEC, directives, TARGETS);

  expect(copy.filter(({ word }) => word !== 'drill')).toEqual([{ word: 'uid', args: ['1'] }]);
  expect(copy.flatMap(({ word, args }) => (word === 'drill' ? [args.join(' ')] : []))).toEqual(
    expect.arrayContaining(['outsider 7', 'hidden /run/emperor', 'socket /s', `forks ${forksOf(SPEC)}`]),
  );
  expect(notes).toEqual([]);
});

test('hooks that change more than the copy are left out and named', () => {
  const hook = (phase: string, action: string): readonly Directive[] => [
    { word: 'hook', args: [phase, action, '30000', `${action}:it`] },
    { word: 'hook-arg', args: ['it'] },
  ];

  const { directives, notes } = drillPlan(
    SPEC,
    [...hook('post-jail', 'exec'), ...hook('as-root', 'mount'), ...hook('post-stop', 'umount')],
    TARGETS,
  );

  expect(directives.filter(({ word }) => word.startsWith('hook'))).toEqual(hook('as-root', 'mount'));
  expect(notes).toEqual([
    'not done in the copy: hook post-jail: exec:it',
    'not done in the copy: hook post-stop: umount:it',
  ]);
});
