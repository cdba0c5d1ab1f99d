import { expect, test } from 'vitest';
import { CALL_TABLES, isCallName } from '../../../../packages/vassal/src/seccomp/architecture.ts';
import { compileFilter } from '../../../../packages/vassal/src/seccomp/compile.ts';
import { deniedByDefault } from '../../../../packages/vassal/src/seccomp/default-list.ts';
import { filterOf, stubbornCalls, type Verdict } from '../../../../packages/vassal/src/seccomp/filter.ts';
import { callsOfGroup, GROUPS } from '../../../../packages/vassal/src/seccomp/groups.ts';
import { INIT_CALLS, initCallsOf } from '../../../../packages/vassal/src/seccomp/init-calls.ts';
import { decodeWord, splitList } from '../../../../packages/vassal/src/seccomp/words.ts';
import { peek } from '../../../support/processes.ts';

const SYS_ADMIN = 21;
const SYS_PTRACE = 19;

function verdictOf(call: string, words: string, capabilities: readonly number[] = []): Verdict | undefined {
  const filter = filterOf({
    words: splitList(words),
    architecture: 'x86-64',
    capabilities,
    needed: INIT_CALLS,
  });
  return filter.verdicts.get(CALL_TABLES['x86-64'].numbers.get(call) ?? -1);
}

test.each([
  ['x86-64', '/usr/include/x86_64-linux-gnu/asm/unistd_64.h'],
  ['arm64', '/usr/include/aarch64-linux-gnu/asm/unistd_64.h'],
] as const)('the numbers of %s are those of the kernel’s header, where it is', (machine, header) => {
  const { numbers } = CALL_TABLES[machine];
  const lines = [...(peek(header) ?? '').matchAll(/^#define __NR_(\w+) (\d+)$/gm)];

  for (const [, name = '', number] of lines)
    expect([name, numbers.get(name)]).toEqual([name, Number(number)]);
});

test('what both machines have since 5.1 has one number', () => {
  const [first, second] = [CALL_TABLES['x86-64'], CALL_TABLES.arm64];
  const shared = [...first.numbers].filter(([name, number]) => number >= 424 && second.numbers.has(name));

  expect(shared.length).toBeGreaterThan(45);
  for (const [name, number] of shared) expect([name, second.numbers.get(name)]).toEqual([name, number]);
});

test('no number of a table is there twice', () => {
  for (const { numbers, names } of Object.values(CALL_TABLES)) expect(names.size).toBe(numbers.size);
});

test('every member of every group is a call or a group, and so is what init needs', () => {
  const unknown = [...GROUPS.values()].flat().filter((member) => !(GROUPS.has(member) || isCallName(member)));
  const needed = initCallsOf({ probes: true, touches: true, hooks: true });

  expect(unknown).toEqual([]);
  expect(needed.filter((call) => !isCallName(call))).toEqual([]);
  expect([...deniedByDefault([])].filter((call) => !isCallName(call))).toEqual([]);
});

test('what init needs is there whatever init has to do, no more than it has to do', () => {
  const least = initCallsOf({ probes: false, touches: false, hooks: false });

  for (const call of ['socket', 'connect', 'inotify_init1', 'pipe2', 'ioctl', 'unlink', 'openat2'])
    expect([call, least.includes(call)]).toEqual([call, false]);
  expect(initCallsOf({ probes: true, touches: false, hooks: false })).toContain('connect');
});

test('the default list denies what reaches the machine and leaves ordinary programs alone', () => {
  const denied = [
    'mount',
    'bpf',
    'ptrace',
    'init_module',
    'kexec_load',
    'setns',
    'keyctl',
    'io_uring_setup',
    'swapon',
  ];
  for (const call of denied) expect([call, verdictOf(call, 'default')]).toEqual([call, 'deny']);
  for (const call of callsOfGroup('@default') ?? []) {
    if (CALL_TABLES['x86-64'].numbers.has(call))
      expect([call, verdictOf(call, 'default')]).toEqual([call, 'allow']);
  }
  for (const call of ['clone', 'unshare', 'ioctl', 'personality', 'socket'])
    expect([call, verdictOf(call, 'default')]).toEqual([call, call]);
  expect(verdictOf('clone3', 'default')).toBe('unknown');
});

test('a capability brings its calls along, and no other', () => {
  expect(verdictOf('ptrace', 'default', [SYS_PTRACE])).toBe('allow');
  expect(verdictOf('mount', 'default', [SYS_PTRACE])).toBe('deny');
  for (const call of ['mount', 'unshare', 'clone', 'clone3', 'setns', 'bpf'])
    expect([call, verdictOf(call, 'default', [SYS_ADMIN])]).toEqual([call, 'allow']);
  expect(verdictOf('ioctl', 'default', [SYS_ADMIN])).toBe('ioctl');
});

test.each([
  ['default,ptrace', 'ptrace', 'allow'],
  ['default,~@network-io', 'bind', 'deny'],
  ['default,@debug,~ptrace', 'ptrace', 'deny'],
  ['~ptrace,default,ptrace', 'ptrace', 'deny'],
  ['~ptrace', 'mount', 'allow'],
  ['~ptrace', 'clone', 'allow'],
  ['@process', 'clone', 'clone'],
  ['@process', 'clone3', 'unknown'],
  ['@process,clone', 'clone', 'allow'],
  ['default,clone3', 'clone3', 'allow'],
  ['read', 'unlink', 'deny'],
  ['read', 'execve', 'allow'],
  ['~execve', 'execve', 'allow'],
  ['~@process', 'clone', 'clone'],
] as const)('with %s, %s is %s', (words, call, verdict) => {
  expect(verdictOf(call, words)).toBe(verdict);
});

test('what a list denies and init needs is told', () => {
  const wish = {
    words: ['default', '~@network-io', '~ptrace'],
    architecture: 'x86-64',
    capabilities: [],
  } as const;

  expect(stubbornCalls({ ...wish, needed: INIT_CALLS }).toSorted()).toEqual([
    'recvfrom',
    'recvmsg',
    'sendmsg',
    'sendto',
  ]);
});

test('words are calls, groups and default, with or without ~; anything else is refused with a guess', () => {
  for (const word of ['default', 'read', '~read', '@mount', '~@mount', 'arch_prctl'])
    expect(decodeWord(word)).toEqual({ ok: true, value: word });
  expect(decodeWord('~@monut')).toEqual({
    ok: false,
    message: 'there is no group of system calls "@monut", did you mean @mount?',
  });
  expect(decodeWord('sendmgs')).toEqual({
    ok: false,
    message: 'there is no system call "sendmgs", did you mean sendmsg?',
  });
  for (const word of ['~default', '', '~', '@', 'none', '42', '~~read'])
    expect([word, decodeWord(word).ok]).toEqual([word, false]);
});

test('the program of the default list is small: its cost is that of its length and depth', () => {
  for (const architecture of ['x86-64', 'arm64'] as const) {
    const filter = filterOf({ words: ['default'], architecture, capabilities: [], needed: INIT_CALLS });
    expect(compileFilter(filter).length).toBeLessThan(200);
  }
});
