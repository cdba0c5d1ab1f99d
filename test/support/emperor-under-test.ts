import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@emperor/common/clock';
import type { StatusJson, VassalJson, WhyJson } from '@emperor/common/control/api';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type ControlReply, controlRequest } from './control-request.ts';
import {
  findDescriptorLeaks,
  findLeaks,
  type LeakScope,
  ownProcesses,
  type Snapshot,
  takeSnapshot,
} from './leak-check.ts';
import { OwnCgroup } from './own-cgroup.ts';
import { compiledProbe, ProbeFacts } from './probe.ts';
import { endProcess, isAlive, peek, peekDir } from './processes.ts';
import { type CommandResult, type CommandSettings, runCommand } from './run-command.ts';
import { PATIENCE_MS, pauseMs, waitUntil } from './wait-until.ts';

export const REPOSITORY = join(import.meta.dirname, '../..');
const COMMAND = join(REPOSITORY, 'node_modules/.bin/emperor');

export type EmperorSettings = {
  /** Lines for `[emperor]` of emperor.ini, and after a blank line other sections. */
  readonly config?: string;
  /** How many private uids it has; 5,000 unless told. */
  readonly uidCount?: number;
  /** Given to every emperor of this test beside a secret that no app may see. */
  readonly env?: Readonly<Record<string, string>>;
};

/** How an emperor process ended. */
export type EmperorExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

type Running = { readonly child: ChildProcess; readonly pid: number; readonly ended: Promise<EmperorExit> };

/** A running vassal: what tests mostly ask for. */
export type RunningVassal = VassalJson & { readonly pid: number; readonly keeperPid: number };

/**
 * One emperor for tests, started through its command on directories of its own below /srv and in control groups
 * of its own, so that everything it leaves behind can be found, and nothing else is ever touched.
 */
export class EmperorUnderTest {
  readonly base: string;
  readonly vassals: string;
  readonly runDir: string;
  readonly logDir: string;
  readonly stateDir: string;
  /** Readable by every jail: programs and files of the tenants. */
  readonly appDir: string;
  /** Writable by everybody, seen by every jail. */
  readonly outDir: string;
  readonly config: string;
  readonly probe: string;
  readonly cgroup: OwnCgroup;
  readonly scope: LeakScope;
  readonly #settings: EmperorSettings;
  #running: Running | undefined;
  #before: Snapshot | undefined;
  readonly #mounted: string[] = [];

  constructor(settings: EmperorSettings = {}) {
    if (process.getuid?.() !== 0) throw new Error('system tests need root: npm test says what it skips');
    this.#settings = settings;
    this.base = mkdtempSync('/srv/emtest-');
    chmodSync(this.base, 0o755);
    [this.vassals, this.runDir, this.logDir] = this.#directories('vassals', 'run', 'log');
    [this.stateDir, this.appDir, this.outDir] = this.#directories('state', 'app', 'out');
    chmodSync(this.outDir, 0o1777);
    this.config = join(this.base, 'emperor.ini');
    this.probe = join(this.appDir, 'probe');
    copyFileSync(compiledProbe(), this.probe);
    chmodSync(this.probe, 0o755);
    this.cgroup = new OwnCgroup(this.base.slice('/srv/'.length));
    const firstUid = 1_000_000 + 5_000 * randomInt(100_000);
    this.scope = {
      base: this.base,
      runDir: this.runDir,
      cgroup: this.cgroup,
      uids: [firstUid, firstUid + (settings.uidCount ?? 5_000) - 1],
    };
    this.configure(settings.config ?? '');
  }

  /** Write emperor.ini: the lines that keep this emperor apart, then `lines`. */
  configure(lines: string): void {
    const [first, last] = this.scope.uids;
    const own = [`uid-range = ${first}-${last}`, `uid-claims = ${join(this.base, 'claims')}`];
    writeFileSync(this.config, `[emperor]\n${own.join('\n')}\n${lines}\n`);
  }

  get pid(): number {
    if (this.#running === undefined) throw new Error('the emperor under test does not run');
    return this.#running.pid;
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  get socket(): string {
    return join(this.runDir, 'control.sock');
  }

  // --- the emperor itself

  /** Start it and wait until it answers. */
  async start(): Promise<void> {
    const running = this.launch([this.probe, 'dressed']);
    this.#running = running;
    await waitUntil(
      async () => `the emperor to answer; it said:\n${this.said()}`,
      async () => {
        if (!isAlive(running.pid))
          throw new Error(`the emperor ended at its start; it said:\n${this.said()}`);
        const reply = await controlRequest(this.socket, 'GET', '/v1/emperor').catch(() => undefined);
        return reply?.status === 200 && reply.text.includes(`${running.pid}`) ? reply : undefined;
      },
      30_000,
    );
    this.#before ??= takeSnapshot(this.scope, running.pid);
  }

  /** Only start the process, under `wrapper` if given: for an emperor that is expected to end by itself. */
  launch(wrapper: readonly string[] = []): Running {
    const said = openSync(join(this.base, 'emperor.log'), 'a');
    // A descriptor without close-on-exec and a secret: nothing of them may reach an app. `probe dressed` adds more.
    const canary = openSync(this.probe, 'r');
    const script = `${this.cgroup.joinScript}; exec "$0" "$@"`;
    const [program = COMMAND, ...words] = [...wrapper, COMMAND, 'run', ...this.flags()];
    const child = spawn('/bin/sh', ['-c', script, program, ...words], {
      stdio: ['ignore', said, said, canary],
      env: { ...process.env, EMPEROR_TEST_SECRET: 'hunter2', ...this.#settings.env },
    });
    closeSync(said);
    closeSync(canary);
    const ended = new Promise<EmperorExit>((resolve) => {
      child.on('exit', (code, signal) => resolve({ code, signal }));
    });
    return { child, pid: child.pid ?? 0, ended };
  }

  flags(): readonly string[] {
    return [
      ...['--config', this.config, '--vassals', this.vassals, '--runtime-dir', this.runDir],
      ...['--log-dir', this.logDir, '--state-dir', this.stateDir],
    ];
  }

  /** Send a signal and wait for the end of the process. */
  async end(signal: NodeJS.Signals): Promise<EmperorExit> {
    const running = this.#running;
    if (running === undefined) throw new Error('the emperor under test does not run');
    running.child.kill(signal);
    const timeout = Symbol('timeout');
    const exit = await Promise.race([running.ended, pauseMs(60_000).then(() => timeout)]);
    if (typeof exit === 'symbol') throw new Error(`the emperor ignores ${signal}; it said:\n${this.said()}`);
    this.#running = undefined;
    return exit;
  }

  /** Resolves when the emperor ends by itself or by somebody else's hand. */
  async ended(): Promise<EmperorExit | undefined> {
    const exit = await this.#running?.ended;
    this.#running = undefined;
    return exit;
  }

  kill9(): Promise<EmperorExit> {
    return this.end('SIGKILL');
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Everything that this test's emperors printed; the last 60 lines. */
  said(): string {
    return (peek(join(this.base, 'emperor.log')) ?? '').split('\n').slice(-60).join('\n');
  }

  /** Put a small file system of its own under `dir`; before the first start. */
  mountTmpfs(dir: string, options: string): void {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'emtest', dir]);
    this.#mounted.push(dir);
  }

  // --- vassal files

  path(file: string): string {
    return join(this.vassals, file);
  }

  /** As an editor does it: a temporary file beside it, then a rename. */
  write(file: string, text: string): void {
    const temporary = this.path(`.${file}.tmp`);
    writeFileSync(temporary, text, { mode: 0o644 });
    renameSync(temporary, this.path(file));
  }

  touch(file: string): void {
    const now = systemClock.wall() / 1_000;
    utimesSync(this.path(file), now, now);
  }

  remove(file: string): void {
    rmSync(this.path(file));
  }

  /** A vassal file that runs the probe in this mode. */
  probeFile(mode: string, ...lines: readonly string[]): string {
    return vassalFile(`${this.probe} ${mode}`, ...lines);
  }

  // --- asking

  async status(): Promise<StatusJson> {
    const reply = await this.ask('GET', '/v1/vassals');
    if (reply.status !== 200) throw new Error(`GET /v1/vassals: ${reply.status} ${reply.text}`);
    return JSON.parse(reply.text);
  }

  async vassal(name: string): Promise<VassalJson | undefined> {
    const reply = await this.ask('GET', `/v1/vassals/${name}`);
    if (reply.status === 404) return undefined;
    if (reply.status !== 200) throw new Error(`GET /v1/vassals/${name}: ${reply.status} ${reply.text}`);
    return JSON.parse(reply.text);
  }

  async why(name: string): Promise<WhyJson> {
    const reply = await this.ask('GET', `/v1/vassals/${name}/why`);
    if (reply.status !== 200) throw new Error(`GET /v1/vassals/${name}/why: ${reply.status} ${reply.text}`);
    return JSON.parse(reply.text);
  }

  ask(method: string, path: string): Promise<ControlReply> {
    return controlRequest(this.socket, method, path);
  }

  /** The vassal as soon as `isIt` holds; the message of the failure tells all there is to know. */
  async waitFor(
    name: string,
    isIt: (vassal: VassalJson) => boolean,
    patienceMs = PATIENCE_MS,
  ): Promise<VassalJson> {
    let last: VassalJson | undefined;
    return waitUntil(
      async () => `vassal ${name}; it is\n${JSON.stringify(last)}\n${await this.#story(name)}`,
      async () => {
        last = await this.vassal(name);
        return last !== undefined && isIt(last) ? last : undefined;
      },
      patienceMs,
    );
  }

  /** The vassal once it is running and ready, and not the run with pid `notPid`. */
  async running(name: string, notPid?: number): Promise<RunningVassal> {
    const vassal = await this.waitFor(name, (seen) => isRunning(seen) && seen.pid !== notPid);
    const { pid, keeperPid } = vassal;
    if (pid === null || keeperPid === null)
      throw new Error(`running without a pid: ${JSON.stringify(vassal)}`);
    return { ...vassal, pid, keeperPid };
  }

  /** Resolves when the emperor knows no such vassal any more. */
  async forgotten(name: string, patienceMs = PATIENCE_MS): Promise<void> {
    await waitUntil(
      async () => `vassal ${name} to be forgotten; it is ${JSON.stringify(await this.vassal(name))}`,
      async () => ((await this.vassal(name)) === undefined ? true : undefined),
      patienceMs,
    );
  }

  /** Diagnostics of a vassal as `file:line key message`, file without its directory. */
  async diagnostics(name: string): Promise<readonly string[]> {
    const { diagnostics = [] } = (await this.vassal(name)) ?? {};
    return diagnostics.map(
      ({ file, line, key, message }) => `${file.split('/').at(-1)}:${line} ${key} ${message}`,
    );
  }

  /** The command line client, on this emperor. */
  cli(args: readonly string[], settings: CommandSettings = {}): Promise<CommandResult> {
    return runCommand([COMMAND, ...args], {
      ...settings,
      env: { EMPEROR_RUNTIME_DIR: this.runDir, NO_COLOR: '1', ...settings.env },
    });
  }

  // --- what apps printed

  /** Lines of the log file as the keeper wrote them. */
  rawLog(name: string): readonly string[] {
    return (peek(join(this.logDir, name, 'current')) ?? '').split('\n').filter((line) => line !== '');
  }

  /** What the app printed, without stamps and stream names. */
  log(name: string): readonly string[] {
    return this.rawLog(name).map((line) => line.replace(/^\S+ (?:out|err) ?/, ''));
  }

  /** Wait until the app has printed a line that contains `text`, `times` times. */
  async printed(name: string, text: string, times = 1): Promise<readonly string[]> {
    return waitUntil(
      async () =>
        `${name} to print ${text}; the log is\n${this.rawLog(name).join('\n')}\n${await this.#story(name)}`,
      () => {
        const lines = this.log(name);
        return lines.filter((line) => line.includes(text)).length >= times ? lines : undefined;
      },
    );
  }

  /** Run the probe as vassal `name` with these attempts and read what it saw. */
  async facts(name: string, attempts: readonly string[], ...lines: readonly string[]): Promise<ProbeFacts> {
    this.write(`${name}.ini`, this.probeFile(`facts ${attempts.join(' ')}`, ...lines));
    return new ProbeFacts(await this.printed(name, 'facts end'));
  }

  // --- the end

  /** Take all vassals away; returns what they left behind. */
  async reset(): Promise<readonly string[]> {
    mkdirSync(this.vassals, { recursive: true, mode: 0o755 });
    if (this.#running === undefined) await this.start();
    for (const file of peekDir(this.vassals)) rmSync(this.path(file), { recursive: true, force: true });
    await waitUntil(
      async () => `all vassals to go; left: ${JSON.stringify((await this.status()).vassals)}\n${this.said()}`,
      async () => ((await this.status()).vassals.length === 0 ? true : undefined),
      45_000,
    );
    for (const name of peekDir(this.logDir))
      rmSync(join(this.logDir, name), { recursive: true, force: true });
    return this.#leaks(this.pid);
  }

  /** Stop the emperor, end whatever it left, take the directories away; returns what was left behind. */
  async dispose(): Promise<readonly string[]> {
    const problems: string[] = [];
    try {
      if (this.#running !== undefined) {
        const exit = await this.end('SIGTERM');
        if (exit.code !== 0) problems.push(`the emperor ended with ${JSON.stringify(exit)}:\n${this.said()}`);
      }
      if (this.#before !== undefined) problems.push(...(await this.#leaks(undefined)));
    } catch (error) {
      problems.push(String(error));
    }
    await this.#clear();
    return problems;
  }

  async #leaks(emperorPid: number | undefined): Promise<readonly string[]> {
    const before = this.#before;
    if (before === undefined) return [];
    const look = () => [
      ...findLeaks(this.scope, before, emperorPid),
      ...(emperorPid === undefined ? [] : findDescriptorLeaks(before, emperorPid)),
    ];
    const until = systemClock.now() + 5_000;
    while (look().length > 0 && systemClock.now() < until) await pauseMs(50);
    return look();
  }

  async #clear(): Promise<void> {
    const until = systemClock.now() + 10_000;
    while (ownProcesses(this.scope).some(isAlive) && systemClock.now() < until) {
      for (const pid of ownProcesses(this.scope)) endProcess(pid);
      await pauseMs(20);
    }
    this.cgroup.remove();
    for (const dir of this.#mounted) execFileSync('umount', ['-l', dir]);
    if (process.env['EMPEROR_TEST_KEEP'] !== undefined) return;
    rmSync(this.base, { recursive: true, force: true });
  }

  async #story(name: string): Promise<string> {
    const why = await this.ask('GET', `/v1/vassals/${name}/why`).catch((error: unknown) => ({
      text: String(error),
    }));
    return `why: ${why.text}\nthe emperor said:\n${this.said()}`;
  }

  #directories(...names: readonly [string, string, string]): [string, string, string] {
    const [first, second, third] = names.map((name) => join(this.base, name));
    if (first === undefined || second === undefined || third === undefined) throw new Error('three names');
    for (const dir of [first, second, third]) if (!existsSync(dir)) mkdirSync(dir, { mode: 0o755 });
    return [first, second, third];
  }
}

/** One emperor for all tests of a file: checked for leaks after each of them and at the end. */
export function sharedEmperor(settings: EmperorSettings = {}): EmperorUnderTest {
  const emperor = new EmperorUnderTest(settings);
  beforeAll(() => emperor.start());
  afterEach(async () => {
    expect(await emperor.reset()).toEqual([]);
  });
  afterAll(async () => {
    expect(await emperor.dispose()).toEqual([]);
  });
  return emperor;
}

/** A vassal file with this command and these lines. */
export function vassalFile(command: string, ...lines: readonly string[]): string {
  return `[vassal]\ncommand = ${command}\n${lines.map((line) => `${line}\n`).join('')}`;
}

export function isRunning(vassal: VassalJson): boolean {
  return vassal.state === 'running' && vassal.ready && vassal.pid !== null;
}
