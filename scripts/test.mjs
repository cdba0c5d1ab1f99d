// `npm test`: the gate, then every test that needs root, namespaces and real servers. As root it first installs the
// Debian packages that tests need and lack; as an ordinary user it says what it skips and why.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Package → the file that proves it is here. */
const PACKAGES = {
  acl: '/usr/bin/setfacl',
  'clang-format-14': '/usr/bin/clang-format-14',
  curl: '/usr/bin/curl',
  gcc: '/usr/bin/gcc',
  gunicorn: '/usr/bin/gunicorn',
  'libc6-dev': '/usr/include/stdlib.h',
  make: '/usr/bin/make',
  mmdebstrap: '/usr/bin/mmdebstrap',
  'musl-tools': '/usr/bin/musl-gcc',
  'nginx-light': '/usr/sbin/nginx',
  procps: '/usr/bin/ps',
  'python3-celery': '/usr/lib/python3/dist-packages/celery/__init__.py',
  'python3-flask': '/usr/lib/python3/dist-packages/flask/__init__.py',
  'python3-redis': '/usr/lib/python3/dist-packages/redis/__init__.py',
  'redis-server': '/usr/bin/redis-server',
  strace: '/usr/bin/strace',
  'uwsgi-core': '/usr/bin/uwsgi-core',
  'uwsgi-plugin-python3': '/usr/lib/uwsgi/plugins/python3_plugin.so',
};
const POLICY = '/usr/sbin/policy-rc.d';
const ASIDE = `${POLICY}.emperor-test`;

const isRoot = process.getuid() === 0;
const begin = process.hrtime.bigint();
process.chdir(`${import.meta.dirname}/..`);

if (isRoot) installMissing();
run('the gate', 'npm', ['run', '--silent', 'check']);
if (isRoot) {
  run('system tests', 'npx', ['vitest', 'run', '--project', 'system']);
  finish(0, 'all tests passed');
}
process.stdout.write(
  '\ntest: SKIPPED: system tests (native, contract, e2e, fault): they make namespaces, control groups,\n',
);
process.stdout.write('test:          users and mounts, and that needs root. All of it: sudo npm test\n');
finish(0, 'the gate passed; system tests were skipped because you are not root');

function installMissing() {
  const missing = Object.entries(PACKAGES).flatMap(([name, proof]) => (existsSync(proof) ? [] : [name]));
  if (missing.length === 0) return;
  if (!existsSync('/usr/bin/apt-get'))
    finish(1, `this is no Debian; install by hand what tests need: ${missing.join(' ')}`);
  process.stdout.write(`test: installing ${missing.join(' ')}\n`);
  withoutServiceStarts(() => {
    apt(['update', '-qq']);
    apt(['install', '-y', '-qq', '--no-install-recommends', ...missing]);
  });
  const absent = missing.filter((name) => !existsSync(PACKAGES[name]));
  if (absent.length > 0) finish(1, `these packages are still missing: ${absent.join(' ')}`);
}

function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status } = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env,
  });
  if (status !== 0) throw new Error(`apt-get ${args.join(' ')} ended with ${status}`);
}

/** Packages of servers start them; a policy of ours forbids it while they are being installed. */
function withoutServiceStarts(install) {
  const hadPolicy = lstatSync(POLICY, { throwIfNoEntry: false }) !== undefined;
  if (hadPolicy) renameSync(POLICY, ASIDE);
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n');
  chmodSync(POLICY, 0o755);
  let trouble;
  try {
    install();
  } catch (error) {
    trouble = error.message;
  }
  rmSync(POLICY, { force: true });
  if (hadPolicy) renameSync(ASIDE, POLICY);
  if (trouble !== undefined) finish(1, trouble);
}

function run(what, command, args) {
  process.stdout.write(`test: ${what}\n`);
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) finish(1, `${what} failed`);
}

function finish(code, what) {
  const seconds = Number((process.hrtime.bigint() - begin) / 1_000_000_000n);
  process.stdout.write(
    `\ntest: ${code === 0 ? 'OK' : 'FAILED'}: ${what} (${Math.floor(seconds / 60)} min ${seconds % 60} s)\n`,
  );
  process.exit(code);
}
