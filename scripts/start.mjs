// `npm start`: the emperor in the foreground on a copy of vassals.d, for a first look. Ctrl-C stops all of it and
// removes the copy. The copy is the starter's own and readable by everybody, so it does not matter where the clone
// lies, whose it is and which umask made it.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

const REPOSITORY = join(import.meta.dirname, '..');
const EXAMPLES = join(REPOSITORY, 'vassals.d');
const EMPEROR = join(REPOSITORY, 'packages/emperor/bin/emperor.js');
const CLAIMS = '/var/lib/emperor-uids';
// Every jail hides /tmp, /run and the homes; what apps shall see lies elsewhere.
const ROOT_BASES = ['/srv', '/var/lib', '/opt'];
const JAIL_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

const uid = process.getuid();
const isRoot = uid === 0;

if (!existsSync(join(REPOSITORY, 'packages/emperor/dist/cli.js'))) {
  process.stderr.write('the emperor is not built yet\nhint: npm ci\n');
  process.exit(1);
}

const base = makeBase();
const at = (name) => join(base, name);
for (const name of ['vassals', 'apps', 'run', 'log', 'state']) makeDirectory(at(name));
const examples = readdirSync(EXAMPLES).filter((entry) => entry.endsWith('.ini'));
for (const entry of examples) copyFile(join(EXAMPLES, entry), join(at('vassals'), entry));
copyTree(join(EXAMPLES, 'apps'), at('apps'));
writeFileSync(at('emperor.ini'), isRoot ? rootConfig() : userConfig(), { mode: 0o644 });
chmodSync(at('emperor.ini'), 0o644);

process.stdout.write(introduction());
const argv = ['run', '--config', at('emperor.ini'), '--vassals', at('vassals'), '--runtime-dir', at('run')];
argv.push('--log-dir', at('log'), '--state-dir', at('state'));
// A group of its own: Ctrl-C reaches the emperor once, through us.
const emperor = spawn(process.execPath, [EMPEROR, ...argv], { stdio: 'inherit', detached: true });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => emperor.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal));
}
emperor.on('error', (error) => {
  process.stderr.write(`cannot start the emperor: ${error.message}\n`);
  process.exitCode = 1;
});
emperor.on('exit', (code, signal) => {
  process.exitCode = code ?? 1;
  if (hasKeepers()) {
    const how = signal === null ? 'has gone' : `was ended by ${signal}`;
    process.stdout.write(`the emperor ${how} and left vassals running, so ${base} stays\n`);
    process.stdout.write(
      `hint: emperor ${argv.join(' ')} adopts them; Ctrl-C there stops them; then rm -r ${base}\n`,
    );
    return;
  }
  removeEverything();
  process.stdout.write(`all vassals have ended; ${base} is removed\n`);
});

function makeBase() {
  // A jail shows of the homes only its user's own, and has a /tmp of its own.
  const parents = isRoot ? ROOT_BASES : [homedir()];
  for (const parent of parents.filter((path) => existsSync(path))) {
    const made = tryToMake(parent);
    if (made !== undefined) return made;
  }
  return tryToMake(tmpdir());
}

function tryToMake(parent) {
  try {
    const made = mkdtempSync(join(parent, 'emperor-start-'));
    chmodSync(made, 0o755);
    return made;
  } catch (error) {
    if (parent !== tmpdir() && ['EACCES', 'EROFS', 'ENOSPC'].includes(error.code)) return undefined;
    throw error;
  }
}

function makeDirectory(path) {
  mkdirSync(path);
  chmodSync(path, 0o755);
}

function copyFile(from, to) {
  writeFileSync(to, readFileSync(from));
  chmodSync(to, 0o644);
}

function copyTree(from, to) {
  for (const entry of readdirSync(from)) {
    const [source, target] = [join(from, entry), join(to, entry)];
    if (statSync(source).isDirectory()) {
      makeDirectory(target);
      copyTree(source, target);
    } else {
      copyFile(source, target);
    }
  }
}

function rootConfig() {
  return '; Written by `npm start`: nothing but the defaults.\n[emperor]\n';
}

/** The jails of an ordinary user; below /tmp what they are to see lies in their way. */
function userConfig() {
  const isInTmp = base.startsWith(`${tmpdir()}/`);
  return [
    '; Written by `npm start` for an ordinary user: every vassal runs as that user, in namespaces of its own.',
    '[emperor]',
    `uid-claims = ${at('state')}/uid-claims`,
    ...(isInTmp ? ['[force]', 'private-tmp = no'] : []),
    '',
  ].join('\n');
}

function introduction() {
  const lines = [
    `emperor: running ${examples.length} examples of vassals.d from a copy of their own:`,
    `  ${at('vassals')}    edit, touch, add and remove .ini files here`,
    `  ${at('apps')}       the programs that they run`,
    '',
    'look at it from another terminal:',
    `  export PATH="${join(REPOSITORY, 'node_modules/.bin')}:$PATH" EMPEROR_RUNTIME_DIR=${at('run')}`,
    '  emperor status',
    '  emperor status hello',
    '  emperor logs -f hello',
    '  emperor why python-wsgi',
    '  curl http://127.0.0.1:8101/',
    '',
  ];
  const visible = JAIL_PATH.some((directory) => existsSync(join(directory, 'node')));
  if (!visible)
    lines.push(`node-web will fail: no node in ${JAIL_PATH.join(' ')}, and a jail hides homes`, '');
  if (!isRoot) lines.push(...reduced());
  lines.push('Ctrl-C stops all of it and removes the copy.', '', '');
  return lines.join('\n');
}

function reduced() {
  return [
    'you are not root, so this is a reduced show: every vassal runs as you, in namespaces of its own.',
    '  no other users, no control groups (unless delegated to you), so no limit of memory, cpu and processes;',
    '  `emperor status` names what was asked and not granted, `emperor check --host` why.',
    'all of it: sudo npm start',
    '',
  ];
}

function hasKeepers() {
  try {
    return readdirSync(join(at('run'), 'keepers')).length > 0;
  } catch {
    return false;
  }
}

function removeEverything() {
  if (isRoot) releaseClaims();
  rmSync(base, { recursive: true, force: true });
}

/** Private uids are claimed machine-wide, for good; those of a copy that is gone are free again. */
function releaseClaims() {
  if (!existsSync(CLAIMS)) return;
  for (const entry of readdirSync(CLAIMS)) {
    const path = join(CLAIMS, entry);
    if (statSync(path).isFile() && readFileSync(path, 'utf8').trim() === at('state')) unlinkSync(path);
  }
}
