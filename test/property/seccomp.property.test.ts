import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Architecture,
  allCallNames,
  CALL_TABLES,
} from '../../packages/vassal/src/seccomp/architecture.ts';
import { compileFilter, encodeProgram, RETURNS } from '../../packages/vassal/src/seccomp/compile.ts';
import { deniedByDefault } from '../../packages/vassal/src/seccomp/default-list.ts';
import { filterOf } from '../../packages/vassal/src/seccomp/filter.ts';
import { callsOfGroup, GROUPS } from '../../packages/vassal/src/seccomp/groups.ts';
import { INIT_CALLS } from '../../packages/vassal/src/seccomp/init-calls.ts';
import { runBpf } from '../support/bpf.ts';

const MACHINES: readonly Architecture[] = ['x86-64', 'arm64'];
const CAP_SYS_ADMIN = 21;
const LONGEST_PROGRAM = 4096;
const LARGEST = 2n ** 64n - 1n;

const machine = fc.constantFrom(...MACHINES);
const name = fc.constantFrom(...allCallNames(), ...GROUPS.keys());
const word = fc.oneof(
  { weight: 1, arbitrary: fc.constant('default') },
  { weight: 4, arbitrary: name },
  { weight: 3, arbitrary: name.map((text) => `~${text}`) },
);
const list = fc.array(word, { minLength: 1, maxLength: 30 });
/** Flags, ioctls and families that count, with rubbish in the upper half too. */
const argument = fc.oneof(
  fc.bigInt({ min: 0n, max: LARGEST }),
  fc.constantFrom(
    0n,
    0x11n,
    0x1000_0000n,
    0x80n,
    0x5412n,
    0x541cn,
    40n,
    1n,
    8n,
    0x2_0008n,
    0x4_0000n,
    0xffff_ffffn,
  ),
  fc.constantFrom(0x5412n, 0x1000_0000n, 40n, 8n).map((low) => low + (0xdead_beefn << 32n)),
);
const args = fc.array(argument, { minLength: 6, maxLength: 6 });
const capabilities = fc.subarray([17, 18, 19, CAP_SYS_ADMIN, 22, 25]);

type Wish = {
  readonly words: readonly string[];
  readonly machine: Architecture;
  readonly caps: readonly number[];
};

/** The rules of the list in prose order, one call at a time: what the program must agree with. */
function naive({ words, machine: on, caps }: Wish, number: number, values: readonly bigint[]): number {
  const call = CALL_TABLES[on].names.get(number);
  const plain = words.filter((entry) => !entry.startsWith('~'));
  if (on === 'x86-64' && number >= 0x4000_0000) return RETURNS.kill;
  if (call === undefined) return plain.length === 0 ? RETURNS.allow : RETURNS.unknown;
  const covers = (entry: string): boolean => entry === call || (callsOfGroup(entry) ?? []).includes(call);
  const isDenied = words.some((entry) => entry.startsWith('~') && covers(entry.slice(1)));
  const isDefault = plain.includes('default') && !deniedByDefault(caps).has(call);
  if (!isDenied && isFree(call, plain, caps)) return RETURNS.allow;
  if (call === 'clone3') return RETURNS.unknown;
  const isAllowed = (!isDenied && (isDefault || plain.some(covers))) || INIT_CALLS.includes(call);
  return isAllowed && isHarmless(call, values) ? RETURNS.allow : RETURNS.deny;
}

/** Allowed with any argument: named itself, everything is, or a capability makes looking pointless. */
function isFree(call: string, plain: readonly string[], caps: readonly number[]): boolean {
  const isAdmin = plain.includes('default') && caps.includes(CAP_SYS_ADMIN);
  return (
    plain.length === 0 || plain.includes(call) || (isAdmin && ['clone', 'clone3', 'unshare'].includes(call))
  );
}

function isHarmless(call: string, values: readonly bigint[]): boolean {
  const low = values.map((value) => value % 2n ** 32n);
  const [first = 0n, second = 0n] = low;
  const newNamespaces = [
    0x0200_0000n,
    0x1000_0000n,
    0x2000_0000n,
    0x4000_0000n,
    0x0800_0000n,
    0x0400_0000n,
    0x2_0000n,
  ];
  switch (call) {
    case 'clone':
      return newNamespaces.every((bit) => (first & bit) === 0n);
    case 'unshare':
      return [...newNamespaces, 0x80n].every((bit) => (first & bit) === 0n);
    case 'ioctl':
      return second !== 0x5412n && second !== 0x541cn;
    case 'personality':
      return [0n, 8n, 0x2_0000n, 0x2_0008n, 0xffff_ffffn].includes(first);
    case 'socket':
      return first !== 40n;
    default:
      return true;
  }
}

function compiled({ words, machine: on, caps }: Wish) {
  return compileFilter(filterOf({ words, architecture: on, capabilities: caps, needed: INIT_CALLS }));
}

test('the program says of every number and argument what the list says', () => {
  fc.assert(
    fc.property(list, machine, capabilities, args, (words, on, caps, values) => {
      const wish = { words, machine: on, caps };
      const program = compiled(wish);
      const { audit, names } = CALL_TABLES[on];
      const last = Math.max(...names.keys());
      for (let number = 0; number <= last + 3; number += 1) {
        const answer = runBpf(program, { number, audit, args: values });
        const expected = naive(wish, number, values);
        if (answer !== expected) expect({ number, answer }).toEqual({ number, answer: expected });
      }
    }),
    { numRuns: 40 },
  );
});

test('numbers far beyond the known ones, and those of x32, are answered too', () => {
  const far = fc.oneof(fc.nat(0x7fff_ffff), fc.integer({ min: 0x4000_0000, max: 0xffff_ffff }));
  fc.assert(
    fc.property(list, machine, far, args, (words, on, number, values) => {
      const wish = { words, machine: on, caps: [] };
      expect(runBpf(compiled(wish), { number, audit: CALL_TABLES[on].audit, args: values })).toBe(
        naive(wish, number, values),
      );
    }),
  );
});

test('a call by any other interface ends the process, whatever the list says', () => {
  fc.assert(
    fc.property(
      list,
      machine,
      fc.nat(600),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (words, on, number, audit) => {
        fc.pre(audit !== CALL_TABLES[on].audit);
        const program = compiled({ words, machine: on, caps: [] });
        expect(runBpf(program, { number, audit, args: [0n] })).toBe(RETURNS.kill);
      },
    ),
  );
});

test('no list makes a program that the kernel would not take', () => {
  fc.assert(
    fc.property(list, machine, (words, on) => {
      const program = compiled({ words, machine: on, caps: [] });
      expect(program.length).toBeLessThan(LONGEST_PROGRAM);
      for (const [at, { jt, jf, k }] of program.entries()) {
        expect(Math.max(jt, jf)).toBeLessThan(256);
        expect(at + Math.max(jt, jf)).toBeLessThan(program.length);
        expect(k).toBeGreaterThanOrEqual(0);
      }
      expect(encodeProgram(program)).toMatch(/^([0-9a-f]{16})+$/);
    }),
  );
});
