// What the tests in the machine share: the emperor's control socket, its unit, its groups. Emulated, everything is 30 to
// 80 times slower than on a real machine, so nothing here measures time: it waits until something is so.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { after, afterEach, before } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

export const VASSALS = '/etc/emperor/vassals';
export const PROBE = '/srv/app/probe';
const PATIENCE_MS = 240_000;
const LOOK_AGAIN_MS = 200;
/** No command takes that long, however slow the machine. */
const LONGEST_MS = 300_000;

/** Run a program; resolves with what it wrote, rejects with it when the exit code is not among `codes`. */
export function run(program, args, codes = [0]) {
  return new Promise((resolve, reject) => {
    const settings = { encoding: 'utf8', maxBuffer: 10_000_000, timeout: LONGEST_MS };
    execFile(program, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (codes.includes(code)) resolve({ code, stdout, stderr });
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`));
    });
  });
}

export async function systemctl(...args) {
  return (await run('systemctl', args)).stdout.trim();
}

/** A property of a unit, as `systemctl show` has it. */
export function property(unit, name) {
  return systemctl('show', '--value', '-p', name, unit);
}

/** Ask the emperor; the decoded answer, undefined for 404 and while nobody listens. */
export function ask(path, runDir = '/run/emperor') {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath: `${runDir}/control.sock`, path, headers: { connection: 'close' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve(response.statusCode === 200 ? JSON.parse(text) : undefined));
      },
    );
    asked.on('error', (error) => {
      if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes(error.code)) resolve(undefined);
      else reject(error);
    });
    asked.end();
  });
}

/** Wait until `look` gives something; `what` is for the one who reads why it did not. */
export async function until(what, look) {
  const deadline = performance.now() + PATIENCE_MS;
  let last;
  while (performance.now() < deadline) {
    last = await look();
    if (last !== undefined && last !== false) return last;
    await pause(LOOK_AGAIN_MS);
  }
  throw new Error(`waited in vain for ${typeof what === 'function' ? await what() : what}`);
}

/** Wait until a vassal is as `isSo` wants it. */
export function vassalWhen(name, isSo) {
  const said = async () =>
    `${name}; it is ${JSON.stringify(await ask(`/v1/vassals/${name}`))}\n${JSON.stringify(await why(name))}`;
  return until(said, async () => {
    const seen = await ask(`/v1/vassals/${name}`);
    return seen !== undefined && isSo(seen) ? seen : undefined;
  });
}

/** Wait until it runs, under another pid than `old`. */
export function running(name, old) {
  return vassalWhen(name, ({ state, pid }) => state === 'running' && pid !== null && pid !== old);
}

export function why(name) {
  return ask(`/v1/vassals/${name}/why`);
}

/** Write a vassal file as an editor does. */
export function write(name, ...lines) {
  writeFileSync(`${VASSALS}/.${name}.tmp`, `[vassal]\n${lines.join('\n')}\n`, { mode: 0o644 });
  renameSync(`${VASSALS}/.${name}.tmp`, `${VASSALS}/${name}.ini`);
}

/** A vassal that runs the probe in this mode. */
export function writeProbe(name, mode, ...lines) {
  write(name, `command = ${PROBE} ${mode}`, ...lines);
}

/** Take a vassal's file away and wait until nothing of it is known. */
export async function forget(name) {
  rmSync(`${VASSALS}/${name}.ini`, { force: true });
  await until(`${name} to be forgotten`, async () => (await ask(`/v1/vassals/${name}`)) === undefined);
}

/** What the app of a vassal printed, without the stamps. */
export function output(name) {
  const path = `/var/log/emperor/${name}/current`;
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^\S+ (out|err) /, ''));
}

/** Wait until the app printed a line that matches. */
export function printed(name, pattern) {
  const said = () => `${pattern} in the log of ${name}, which has:\n${output(name).join('\n')}`;
  return until(said, () => output(name).find((line) => pattern.test(line)));
}

export function isAlive(pid) {
  return existsSync(`/proc/${pid}/stat`);
}

/** The v2 directory of a process. */
export function groupOf(pid) {
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
  return `/sys/fs/cgroup${path}`;
}

/** A file of the group that a process is in. */
export function limitOf(pid, file) {
  return readFileSync(`${groupOf(pid)}/${file}`, 'utf8').trim();
}

/** The unit's group for vassals, by whichever unit holds it. */
export function groupsOfEmperor() {
  return ['emperor.service', 'emperor-jails.service'].flatMap((unit) => {
    const dir = `/sys/fs/cgroup/system.slice/${unit}`;
    const entries = existsSync(dir) ? readdirSync(dir) : [];
    return entries.filter((entry) => /^emperor-[0-9a-f]{8}$/.test(entry)).map((entry) => `${dir}/${entry}`);
  });
}

export function mountCount() {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length;
}

/** For every file of tests: the emperor is up before the first, and the units' journal is shown after a failure. */
export function setUp() {
  let failed = false;
  before(up);
  afterEach((context) => {
    failed ||= context.passed === false;
  });
  after(async () => {
    if (!failed) return;
    const journal = await run('journalctl', ['--no-pager', '-n', '80', '-u', 'emperor*'], [0, 1]);
    process.stderr.write(`--- journal of the units\n${journal.stdout}\n`);
  });
}

/** Start the emperor if it does not run, and wait until it answers. */
async function up() {
  await systemctl('start', 'emperor.service');
  await until('the emperor to answer', () => ask('/v1/emperor'));
}
