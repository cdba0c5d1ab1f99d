import { CALL_TABLES } from './architecture.ts';
import { CHECKS, type Check } from './checks.ts';
import type { SeccompFilter, Verdict } from './filter.ts';

/** One instruction of classic BPF (linux/filter.h). */
export type Instruction = {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
};

/** The instructions that filters are made of. */
export const BPF = {
  LOAD: 0x20,
  JUMP: 0x05,
  IF_EQUAL: 0x15,
  IF_AT_LEAST: 0x35,
  IF_ANY: 0x45,
  RETURN: 0x06,
} as const;

/** What a filter answers (linux/seccomp.h). */
export const RETURNS = {
  allow: 0x7fff_0000,
  deny: 0x0005_0000 + 1,
  unknown: 0x0005_0000 + 38,
  kill: 0x8000_0000,
} as const;

/** Offsets in struct seccomp_data. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const ARGUMENTS_AT = 16;
const ARGUMENT_BYTES = 8;

const LAST_NUMBER = 0xffff_ffff;
/** An offset of a conditional jump is one byte. */
const LONGEST_JUMP = 255;

/** Numbers from `from` up to the next range have one verdict; `kill` for calls of a foreign interface. */
type Range = { readonly from: number; readonly verdict: Verdict | 'kill' };

/**
 * The program of a filter: architecture first, then a balanced search by number, so that the kernel, which runs it once
 * for each number to learn what is always allowed, has few steps to do.
 */
export function compileFilter(filter: SeccompFilter): readonly Instruction[] {
  return [
    load(ARCHITECTURE_AT),
    jump(BPF.IF_EQUAL, CALL_TABLES[filter.architecture].audit, 1, 0),
    answer('kill'),
    load(NUMBER_AT),
    ...search(rangesOf(filter)),
  ];
}

/** The bytes of struct sock_filter, little-endian as both machines are, in hexadecimal. */
export function encodeProgram(program: readonly Instruction[]): string {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jt, index * 8 + 2);
    bytes.writeUInt8(jf, index * 8 + 3);
    bytes.writeUInt32LE(k, index * 8 + 4);
  }
  return bytes.toString('hex');
}

/** All numbers in order, neighbours with the same verdict as one range. */
function rangesOf({ architecture, verdicts, others }: SeccompFilter): readonly Range[] {
  const { foreignFrom = LAST_NUMBER } = CALL_TABLES[architecture];
  const numbers = [...verdicts.keys()].toSorted((a, b) => a - b);
  const ranges: Range[] = [];
  const add = (from: number, verdict: Range['verdict']): void => {
    if (ranges.at(-1)?.verdict !== verdict) ranges.push({ from, verdict });
  };
  let next = 0;
  for (const number of numbers) {
    if (number > next) add(next, others);
    add(number, verdicts.get(number) ?? others);
    next = number + 1;
  }
  add(next, others);
  if (foreignFrom !== LAST_NUMBER) add(foreignFrom, 'kill');
  return ranges;
}

function search(ranges: readonly Range[]): readonly Instruction[] {
  const [first, second, third] = ranges;
  if (first === undefined) return [];
  if (second === undefined) return leaf(first.verdict);
  const isOne = third?.from === second.from + 1 && third.verdict === first.verdict;
  if (ranges.length === 3 && isOne)
    return either(BPF.IF_EQUAL, second.from, leaf(second.verdict), leaf(first.verdict));
  const middle = Math.ceil(ranges.length / 2);
  const [lower, upper] = [ranges.slice(0, middle), ranges.slice(middle)];
  return either(BPF.IF_AT_LEAST, upper[0]?.from ?? 0, search(upper), search(lower));
}

/** `then` when the condition holds, else `otherwise`; both end by themselves. */
function either(
  code: number,
  k: number,
  then: readonly Instruction[],
  otherwise: readonly Instruction[],
): readonly Instruction[] {
  if (otherwise.length <= LONGEST_JUMP) return [jump(code, k, otherwise.length, 0), ...otherwise, ...then];
  const far: Instruction = { code: BPF.JUMP, jt: 0, jf: 0, k: otherwise.length };
  return [jump(code, k, 0, 1), far, ...otherwise, ...then];
}

function leaf(verdict: Range['verdict']): readonly Instruction[] {
  switch (verdict) {
    case 'allow':
    case 'deny':
    case 'unknown':
    case 'kill':
      return [answer(verdict)];
    case 'clone':
    case 'unshare':
    case 'ioctl':
    case 'personality':
    case 'socket':
      return checkArgument(CHECKS[verdict]);
  }
}

function checkArgument(check: Check): readonly Instruction[] {
  // The low half comes first on a little-endian machine.
  const argument = load(ARGUMENTS_AT + check.argument * ARGUMENT_BYTES);
  switch (check.is) {
    case 'without':
      return [argument, jump(BPF.IF_ANY, check.bits, 0, 1), answer('deny'), answer('allow')];
    case 'none-of':
      return [argument, ...compareAll(check.values), answer('allow'), answer('deny')];
    case 'one-of':
      return [argument, ...compareAll(check.values), answer('deny'), answer('allow')];
  }
}

/** Falls through when the loaded value is none of these, else skips one instruction behind them. */
function compareAll(values: readonly number[]): readonly Instruction[] {
  return values.map((value, index) => jump(BPF.IF_EQUAL, value, values.length - index, 0));
}

function load(offset: number): Instruction {
  return { code: BPF.LOAD, jt: 0, jf: 0, k: offset };
}

function jump(code: number, k: number, jt: number, jf: number): Instruction {
  return { code, jt, jf, k };
}

function answer(verdict: keyof typeof RETURNS): Instruction {
  return { code: BPF.RETURN, jt: 0, jf: 0, k: RETURNS[verdict] };
}
