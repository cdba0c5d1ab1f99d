import { BPF, type Instruction } from '../../packages/vassal/src/seccomp/compile.ts';

/** What a seccomp filter sees of a call. */
export type CallData = { readonly number: number; readonly audit: number; readonly args: readonly bigint[] };

/** Run a program of classic BPF on one call as the kernel would; throws where the kernel would have refused to load it. */
export function runBpf(program: readonly Instruction[], { number, audit, args }: CallData): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(audit, 4);
  for (const [index, argument] of args.slice(0, 6).entries()) data.writeBigUInt64LE(argument, 16 + index * 8);
  let loaded = 0;
  for (let at = 0; at < program.length; at += 1) {
    const { code, jt, jf, k } = program[at] ?? missing(at);
    switch (code) {
      case BPF.LOAD:
        loaded = data.readUInt32LE(k);
        break;
      case BPF.JUMP:
        at += k;
        break;
      case BPF.IF_EQUAL:
        at += loaded === k ? jt : jf;
        break;
      case BPF.IF_AT_LEAST:
        at += loaded >= k ? jt : jf;
        break;
      case BPF.IF_ANY:
        at += (loaded & k) === 0 ? jf : jt;
        break;
      case BPF.RETURN:
        return k;
      default:
        throw new Error(`no such instruction: ${code}`);
    }
  }
  return missing(program.length);
}

function missing(at: number): never {
  throw new Error(`the program runs out of itself at ${at}`);
}
