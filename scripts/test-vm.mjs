// `npm run test:vm`: the tests in test/vm, in machines with systemd as pid 1, control groups v2 and Debian's own kernels:
// what most servers have and a container or this machine may not. Not part of `npm test`. Needs x86-64 and QEMU, no KVM
// (slower without: minutes), no network in the machine. As root it installs the Debian packages it misses.
//
//   npm run test:vm -- [--suite trixie|bookworm]... [--only FILE]... [--console DIR]
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** Debian release → how its machine comes by a Node of 20.19 or later. */
const SUITES = {
  trixie: {
    what: 'Debian 13: systemd 257, Linux 6.12, its own Node 20.19',
    machine: ['--package', 'nodejs'],
  },
  bookworm: {
    what: "Debian 12: systemd 252, Linux 6.1, this host's Node",
    machine: ['--add', `${process.execPath}:/usr/local/bin/node`],
  },
};
const VM_RUN = join(import.meta.dirname, 'vm/vm-run');
const LONGEST_S = 3_600;

process.chdir(`${import.meta.dirname}/..`);
const { values } = parseArgs({
  options: {
    suite: { type: 'string', multiple: true, default: Object.keys(SUITES) },
    only: { type: 'string', multiple: true, default: [] },
    console: { type: 'string' },
  },
});
const unknown = values.suite.filter((suite) => SUITES[suite] === undefined);
if (unknown.length > 0)
  fail(`no such suite: ${unknown.join(' ')}`, `one of ${Object.keys(SUITES).join(' ')}`);
if (process.arch !== 'x64' || process.platform !== 'linux')
  fail(`the machines are x86-64 and so must be this one; it is ${process.platform} ${process.arch}`);

step('building', process.execPath, ['scripts/build.mjs']);
const stage = mkdtempSync(join(tmpdir(), 'emperor-vm-'));
process.on('exit', () => rmSync(stage, { recursive: true, force: true }));
pack();

const outcomes = values.suite.map((suite) => ({ suite, ok: runSuite(suite) }));
for (const { suite, ok } of outcomes)
  process.stdout.write(`test:vm: ${suite}: ${ok ? 'OK' : 'FAILED'} (${SUITES[suite].what})\n`);
for (const suite of Object.keys(SUITES)) {
  if (!values.suite.includes(suite)) process.stdout.write(`test:vm: ${suite}: SKIPPED, not asked for\n`);
}
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1;

/** What the machine gets: the built program without its maps, the units, the tests and their probe. */
function pack() {
  mkdirSync(join(stage, 'lib'));
  cpSync('packages/emperor/bin', join(stage, 'lib/bin'), { recursive: true });
  cpSync('packages/emperor/dist', join(stage, 'lib/dist'), {
    recursive: true,
    filter: (path) => !path.endsWith('.map'),
  });
  copyFileSync('packages/emperor/package.json', join(stage, 'lib/package.json'));
  cpSync('packages/emperor/systemd', join(stage, 'systemd'), { recursive: true });
  cpSync('test/vm', join(stage, 'vm'), { recursive: true });
  step('compiling the probe', 'cc', ['-static', '-O1', '-o', join(stage, 'probe'), 'test/support/probe.c']);
  chmodSync(stage, 0o755);
}

function runSuite(suite) {
  const { what, machine } = SUITES[suite];
  process.stdout.write(`test:vm: ${suite}: ${what}\n`);
  const files = readdirSync('test/vm').filter((name) => name.endsWith('.test.mjs'));
  const chosen =
    values.only.length === 0
      ? files
      : files.filter((name) => values.only.some((part) => name.includes(part)));
  for (const name of files) {
    if (!chosen.includes(name))
      process.stdout.write(`test:vm: ${suite}: SKIPPED: test/vm/${name}, not asked for\n`);
  }
  const guest = chosen.map((name) => `/srv/emperor/vm/${name}`).join(' ');
  const job =
    '/srv/emperor/vm/install.sh && exec node --test --test-concurrency=1 --test-reporter=spec ' + guest;
  const argv = [
    '--suite',
    suite,
    ...machine,
    '--add',
    `${stage}:/srv/emperor`,
    '--timeout',
    String(LONGEST_S),
  ];
  if (process.getuid() === 0) argv.push('--install-deps');
  if (values.console !== undefined) {
    mkdirSync(values.console, { recursive: true });
    argv.push('--console', join(values.console, `${suite}.log`));
  }
  const { status } = spawnSync(VM_RUN, [...argv, '--', 'sh', '-c', job], { stdio: 'inherit' });
  return status === 0;
}

function step(what, program, args) {
  process.stdout.write(`test:vm: ${what}\n`);
  const { status, error } = spawnSync(program, args, { stdio: 'inherit' });
  if (error !== undefined)
    fail(`cannot run ${program}: ${error.message}`, 'apt-get install gcc libc6-dev make');
  if (status !== 0) fail(`${what} failed`);
}

function fail(message, hint) {
  process.stderr.write(`test:vm: ${message}\n`);
  if (hint !== undefined) process.stderr.write(`hint: ${hint}\n`);
  process.exit(1);
}
