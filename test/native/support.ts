import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { allPids, peek, processFacts } from '../support/processes.ts';
import { PATIENCE_MS, pauseMs, waitUntil } from '../support/wait-until.ts';

export const NATIVE: string = join(import.meta.dirname, '../../packages/vassal/native');
const TENANT_SOURCE = join(import.meta.dirname, 'tenant.c');

/** The suite runs against this program; sanitized.test.ts sets another. */
const BINARY: string = process.env['KEEPER_BINARY'] ?? join(NATIVE, 'build/keeper');
export const isSanitized: boolean = process.env['KEEPER_BINARY'] !== undefined;

export const isRoot: boolean = process.getuid?.() === 0;
if (!isRoot) process.stdout.write('test/native: skipped, since only root can make jails\n');

export const TENANT_UID = 412_001;
export const CLONE = {
  NEWNS: 0x0002_0000,
  NEWCGROUP: 0x0200_0000,
  NEWUTS: 0x0400_0000,
  NEWIPC: 0x0800_0000,
  NEWPID: 0x2000_0000,
  NEWNET: 0x4000_0000,
} as const;
const DEFAULT_NAMESPACES: number = CLONE.NEWNS | CLONE.NEWCGROUP | CLONE.NEWUTS | CLONE.NEWIPC | CLONE.NEWPID;

/** Where the v2 hierarchy is mounted, alone or beside v1. */
export const V2: string = existsSync('/sys/fs/cgroup/unified') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';

export type Words = readonly string[];

export type JailOptions = {
  readonly namespaces?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Instead of `caps 0`. */
  readonly caps?: string;
  /** Put before the mounts that every jail has. */
  readonly mounts?: readonly Words[];
  /** Put after them. */
  readonly mountsAfter?: readonly Words[];
  readonly extra?: readonly Words[];
  /** Without its own group. */
  readonly noCgroup?: boolean;
};

let serial = 0;

/**
 * A directory, a spawner, control groups and any number of keepers of one test. `end` takes everything away and
 * says what was left behind.
 */
export class NativeWorld {
  readonly base: string;
  readonly name: string;
  readonly tenant: string;
  readonly #spawner: ChildProcess;
  readonly #answers: Lines = new Lines();
  readonly #keepers: TestKeeper[] = [];
  readonly #mountsBefore: string;

  private constructor(base: string, wrap: Words, binary: string) {
    this.base = base;
    this.name = `nt${process.pid}-${serial++}`;
    this.tenant = join(base, 'tenant');
    this.#mountsBefore = readFileSync('/proc/self/mountinfo', 'utf8');
    const [program, ...args] = [...wrap, binary, 'spawner', join(base, 'keepers'), '-'];
    const env = {
      ASAN_OPTIONS: `detect_leaks=0:log_path=${join(base, 'sanitizer')}`,
      SECRET: 'of the emperor',
    };
    this.#spawner = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], env });
    this.#spawner.stdout?.on('data', (chunk: Buffer) => this.#answers.take(chunk));
  }

  /** `wrap`: words before the program, e.g. of strace. */
  static create(wrap: Words = [], binary: string = BINARY): NativeWorld {
    mkdirSync('/srv', { recursive: true });
    const base = mkdtempSync('/srv/native-');
    chmodSync(base, 0o755);
    for (const [dir, mode] of [
      ['keepers', 0o700],
      ['logs', 0o755],
      ['scratch', 0o755],
      ['open', 0o1777],
    ] as const) {
      mkdirSync(join(base, dir));
      chmodSync(join(base, dir), mode);
    }
    execFileSync('install', ['-m', '755', tenantProgram(), join(base, 'tenant')]);
    return new NativeWorld(base, wrap, binary);
  }

  get spawnerPid(): number {
    return this.#spawner.pid ?? 0;
  }

  get keepersDir(): string {
    return join(this.base, 'keepers');
  }

  /** What a spawner says to one line. */
  async ask(line: string): Promise<string> {
    this.#spawner.stdin?.write(`${line}\n`);
    return this.#answers.next('');
  }

  async keeper(): Promise<TestKeeper> {
    const id = `k${serial++}`;
    const logDir = join(this.base, 'logs', id);
    const answer = await this.ask(`spawn ${id} ${this.name} ${logDir}`);
    const pid = Number(/^spawned \S+ (\d+)$/.exec(answer)?.[1]);
    if (!(pid > 0)) throw new Error(`spawner: ${answer}`);
    const keeper = new TestKeeper(join(this.keepersDir, id), logDir, pid);
    this.#keepers.push(keeper);
    await keeper.connect();
    return keeper;
  }

  cgroup(generation: number): string {
    return join(V2, this.name, String(generation));
  }

  /** The words of a jail as the emperor would plan it, then `command`. */
  jail(generation: number, command: Words, options: JailOptions = {}): readonly Words[] {
    const namespaces = options.namespaces ?? DEFAULT_NAMESPACES;
    const uid = options.uid ?? TENANT_UID;
    return [
      ...(options.noCgroup === true ? [] : [['cgroup', this.cgroup(generation)]]),
      ...(namespaces === 0 ? [] : [['unshare', String(namespaces)]]),
      ...(namespaces & CLONE.NEWNS
        ? [...this.#mounts(options.mounts ?? []), ...(options.mountsAfter ?? []), ['notify', '/run/notify']]
        : []),
      ...(namespaces & CLONE.NEWUTS ? [['hostname', 'jailed']] : []),
      ['gid', String(options.gid ?? uid)],
      ['uid', String(uid)],
      ['caps', options.caps ?? '0'],
      ['no-new-privs'],
      ['landlock-scope', '3'],
      ['env', 'PATH=/usr/bin:/bin'],
      ['env', 'NOTIFY_SOCKET=/run/notify'],
      ...(options.extra ?? []),
      ...command.map((word) => ['arg', word]),
    ];
  }

  #mounts(more: readonly Words[]): readonly Words[] {
    return [
      ['scratch', join(this.base, 'scratch')],
      ['private-tmp', String(64 * 1024 ** 2), '10000'],
      ['private-dev'],
      ...['/usr', '/boot', '/efi', '/etc'].map((path) => ['readonly', path]),
      ...more,
      ['hide', '/root'],
      ['dev'],
      ['tmp'],
      ['run'],
      ['proc', '2'],
      ['mask', '/proc/kcore'],
      ['mask', '/proc/timer_list'],
      ['readonly', '/proc/sys'],
      ['readonly', '/proc/no-such-thing'],
      ['sysfs'],
      ['cgroup2', '/sys/fs/cgroup'],
    ];
  }

  /** End everything; what is left behind, one line each. */
  async end(): Promise<readonly string[]> {
    for (const keeper of this.#keepers) await keeper.end();
    const ended = new Promise((resolve) => {
      this.#spawner.once('close', resolve);
    });
    this.#spawner.stdin?.end();
    if (this.#spawner.exitCode === null && this.#spawner.signalCode === null) await ended;
    await waitUntil('keepers to be gone', () => (this.#left().length === 0 ? true : undefined), 3_000).catch(
      () => {},
    );
    const leaks = this.#leaks();
    rmSync(this.base, { recursive: true, force: true });
    return leaks;
  }

  #left(): readonly string[] {
    return allPids().flatMap((pid) => {
      const facts = processFacts(pid);
      const isOurs = facts?.cmdline.join(' ').includes(this.name) === true && facts.state !== 'Z';
      return isOurs ? [`process ${pid}: ${facts.cmdline.join(' ')}`] : [];
    });
  }

  #leaks(): readonly string[] {
    const groups = ['', 'memory', 'pids', 'cpu'].map((controller) =>
      join(controller === '' ? V2 : join('/sys/fs/cgroup', controller), this.name),
    );
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    return [
      ...this.#left(),
      ...groups.filter((path) => existsSync(path)).map((path) => `control group ${path}`),
      ...readdirSync(this.keepersDir).map((file) => `socket ${file}`),
      ...mounts.filter((line) => line.includes(this.base) && !this.#mountsBefore.includes(line)),
      ...readdirSync(this.base).flatMap((file) =>
        file.startsWith('sanitizer') ? [readFileSync(join(this.base, file), 'utf8')] : [],
      ),
    ];
  }
}

/** The keeper's socket as a test sees it. */
export class TestKeeper {
  readonly path: string;
  readonly logDir: string;
  readonly pid: number;
  #socket: Socket | undefined;
  #lines: Lines = new Lines();

  constructor(path: string, logDir: string, pid: number) {
    this.path = path;
    this.logDir = logDir;
    this.pid = pid;
  }

  /** A new connection, after its replay; the lines of the replay. */
  async connect(): Promise<readonly string[]> {
    this.#socket?.destroy();
    const lines = new Lines();
    const socket = connect(this.path);
    socket.on('data', (chunk: Buffer) => lines.take(chunk));
    socket.on('close', () => lines.end());
    socket.on('error', () => {});
    this.#socket = socket;
    this.#lines = lines;
    await lines.next('replayed');
    return [...lines.all];
  }

  /** All lines of this connection. */
  get heard(): readonly string[] {
    return this.#lines.all;
  }

  get isClosed(): boolean {
    return this.#lines.isEnded;
  }

  send(line: string, bytes: Uint8Array = new Uint8Array()): void {
    this.#socket?.write(Buffer.concat([Buffer.from(`${line}\n`), bytes]));
  }

  write(bytes: string | Uint8Array): void {
    this.#socket?.write(bytes);
  }

  /** Stop reading, as a stuck peer does. */
  pause(): void {
    this.#socket?.pause();
  }

  /** The next line that starts with `start`; lines before it are passed over. */
  hear(start: string, patienceMs: number = PATIENCE_MS): Promise<string> {
    return this.#lines.next(start, patienceMs);
  }

  /** The errno of the acknowledgement. */
  async ask(line: string): Promise<number> {
    this.send(line);
    const [word = ''] = line.split(' ');
    return Number((await this.hear(`ack ${word} `)).split(' ')[3]);
  }

  /** Send a launch; its acknowledgement. */
  async launch(generation: number, words: readonly Words[], tag = ''): Promise<number> {
    const blob = Buffer.from(
      words
        .flat()
        .map((word) => `${word}\0`)
        .join(''),
    );
    this.send(
      `launch ${generation} ${Buffer.byteLength(tag)} ${blob.length}`,
      Buffer.concat([Buffer.from(tag), blob]),
    );
    return Number((await this.hear(`ack launch ${generation} `)).split(' ')[3]);
  }

  /** Launch and wait for `launched`: the host's pids of init and app. */
  async run(
    generation: number,
    words: readonly Words[],
  ): Promise<{ readonly init: number; readonly app: number }> {
    await this.launch(generation, words);
    const line = await this.hear('');
    if (!line.startsWith(`launched ${generation} `)) throw new Error(line);
    const [, , , init, app] = line.split(' ');
    return { init: Number(init), app: Number(app) };
  }

  /** Run to the end: the log lines of this keeper, without their stamps, and the `exited` fact without its time. */
  async output(
    generation: number,
    words: readonly Words[],
  ): Promise<{ readonly lines: readonly string[]; readonly exit: string }> {
    await this.run(generation, words);
    const exited = await this.hear(`exited ${generation} `);
    await this.hear(`gone ${generation}`);
    return { lines: this.texts(), exit: exited.split(' ').slice(3).join(' ') };
  }

  log(file = 'current'): string {
    return peek(join(this.logDir, file)) ?? '';
  }

  /** Lines of the log without stamp and stream. */
  texts(): readonly string[] {
    return this.log()
      .split('\n')
      .slice(0, -1)
      .map((line) => line.slice('2026-11-20T10:00:00.123Z out '.length));
  }

  /** Kill what lives, forget, quit; by SIGKILL when the keeper does not. */
  async end(): Promise<void> {
    try {
      const facts = await this.connect();
      const living = facts.flatMap((line) => /^(?:launching|launched) (\d+) /.exec(line)?.[1] ?? []);
      const over = facts.flatMap((line) => /^gone (\d+)/.exec(line)?.[1] ?? []);
      for (const generation of living.filter((id) => !over.includes(id))) {
        this.send(`kill ${generation}`);
        await waitUntil('the jail to end', () =>
          this.heard.some((line) => new RegExp(`^(?:gone|fail) ${generation}\\b`).test(line))
            ? true
            : undefined,
        );
      }
      this.send('quit');
      await waitUntil('the keeper to end', () => (this.isClosed ? true : undefined));
    } catch {
      if (processFacts(this.pid)?.cmdline[0]?.startsWith('keeper ') === true)
        process.kill(this.pid, 'SIGKILL');
      rmSync(this.path, { force: true });
    } finally {
      this.#socket?.destroy();
    }
  }
}

/** Lines as they come, with a reader that moves forward. */
class Lines {
  readonly all: string[] = [];
  isEnded = false;
  #partial = '';
  #read = 0;

  take(chunk: Buffer): void {
    const parts = (this.#partial + chunk.toString('latin1')).split('\n');
    this.#partial = parts.pop() ?? '';
    this.all.push(...parts);
  }

  end(): void {
    this.isEnded = true;
  }

  next(start: string, patienceMs: number = PATIENCE_MS): Promise<string> {
    return waitUntil(
      () => Promise.resolve(`"${start}" after ${JSON.stringify(this.all)}`),
      () => {
        for (; this.#read < this.all.length; this.#read++) {
          const line = this.all[this.#read];
          if (line?.startsWith(start) !== true) continue;
          this.#read++;
          return line;
        }
        if (this.isEnded)
          throw new Error(`the connection ended before "${start}": ${JSON.stringify(this.all)}`);
        return undefined;
      },
      patienceMs,
    );
  }
}

/** The program that tests run as the app; compiled when its source is newer. */
function tenantProgram(): string {
  const dir = join(import.meta.dirname, '../../node_modules/.cache/native-tenant');
  mkdirSync(dir, { recursive: true });
  const program = join(dir, 'tenant');
  execFileSync('sh', ['-c', '[ "$1" -nt "$0" ] || cc -static -O1 -o "$1" "$0"', TENANT_SOURCE, program]);
  return program;
}

/** Does the kernel or the machine have this? Says so when not. */
export function has(what: string, answer: boolean): boolean {
  if (!answer) process.stdout.write(`test/native: skipped, this machine has no ${what}\n`);
  return answer;
}

export { pauseMs, waitUntil };
