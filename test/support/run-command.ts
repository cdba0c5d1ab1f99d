import { spawn } from 'node:child_process';
import { systemClock } from '@emperor/common/clock';

export type CommandResult = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type CommandSettings = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly patienceMs?: number;
};

/** Run a program to its end; stdin is closed. A program that takes longer than the patience is killed. */
export function runCommand(
  argv: readonly [string, ...string[]],
  settings: CommandSettings = {},
): Promise<CommandResult> {
  const { patienceMs = 60_000, env, ...rest } = settings;
  const [file, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      ...rest,
      env: env === undefined ? process.env : { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => out.push(piece));
    child.stderr.on('data', (piece: Buffer) => err.push(piece));
    const cancel = systemClock.after(patienceMs, () => child.kill('SIGKILL'));
    child.on('error', reject);
    child.on('close', (code) => {
      cancel();
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}
