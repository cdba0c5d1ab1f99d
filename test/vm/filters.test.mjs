// What only a usual server's kernel has: AppArmor, and the Landlock of Debian 12 (6.1) and 13 (6.12).
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { test } from 'node:test';
import {
  forget,
  isAlive,
  output,
  printed,
  run,
  running,
  setUp,
  vassalWhen,
  why,
  write,
  writeProbe,
} from './guest.mjs';

const SHELF = '/srv/shelf';
const PROFILE = '/etc/apparmor.d/emperor-test';
const [major, minor] = release().split('.').map(Number);
/** The first kernel of each thing that Landlock can do. */
const since = (at, below) => major > at || (major === at && minor >= below);
const hasTruncate = since(6, 2);
const hasPorts = since(6, 7);
const hasScopes = since(6, 12);

setUp();

mkdirSync(`${SHELF}/open`, { recursive: true });
mkdirSync(`${SHELF}/shut`, { recursive: true });
for (const path of ['open/book', 'shut/book']) writeFileSync(`${SHELF}/${path}`, 'words\n', { mode: 0o644 });

/** What the probe found out about `attempts` in a jail with these lines; `KIND KEY` → value. */
async function found(name, attempts, ...lines) {
  writeProbe(name, `facts ${attempts.join(' ')}`, ...lines);
  await printed(name, /^facts end$/);
  const facts = output(name).filter((line) => line.startsWith('{"fact"'));
  const entries = facts
    .map((line) => JSON.parse(line))
    .map(({ fact, key, value }) => [`${fact} ${key}`, value]);
  return new Map(entries);
}

test('AppArmor confines a vassal', async () => {
  writeFileSync(
    PROFILE,
    `profile emperor-test flags=(attach_disconnected, mediate_deleted) {
  capability, network, signal, ptrace, unix,
  file,
  deny ${SHELF}/shut/** rwx,
}
`,
  );
  await run('apparmor_parser', ['-r', PROFILE]);

  const facts = await found(
    'confined',
    [`read:${SHELF}/open/book`, `read:${SHELF}/shut/book`],
    'apparmor = emperor-test',
  );

  const { pid, diagnostics } = await running('confined');
  assert.deepEqual(diagnostics, []);
  assert.equal(readFileSync(`/proc/${pid}/attr/current`, 'utf8').trim(), 'emperor-test (enforce)');
  assert.equal(facts.get(`read ${SHELF}/open/book`), 'ok');
  assert.equal(facts.get(`read ${SHELF}/shut/book`), 'EACCES');
  await forget('confined');
});

test('without the option nothing confines it: the profile was what denied', async () => {
  const facts = await found('free', [`read:${SHELF}/shut/book`]);

  assert.equal(facts.get(`read ${SHELF}/shut/book`), 'ok');
  await forget('free');
});

test('a profile that is not loaded fails the launch, and why names it', async () => {
  write('unloaded', 'command = /srv/app/probe pause', 'apparmor = no-such-profile', 'restart-max = 1');

  await vassalWhen('unloaded', ({ state }) => state === 'failed' || state === 'backing-off');

  assert.match(JSON.stringify(await why('unloaded')), /no-such-profile/);
  assert.ok(!output('unloaded').includes('up'));
  await forget('unloaded');
});

test('Landlock lists close everything else', async () => {
  const attempts = [
    `read:${SHELF}/open/book`,
    `read:${SHELF}/shut/book`,
    `write:${SHELF}/open`,
    'read:/etc/hostname',
  ];

  const facts = await found('shelf', attempts, `landlock-ro = ${SHELF}/open`);

  const messages = (await running('shelf')).diagnostics.map(({ message }) => message).join('\n');
  if (hasTruncate) assert.equal(messages, '');
  else
    assert.match(messages, /^asked landlock-ro=.*kernel gives all but truncate: .*Landlock is of ABI [12]$/);
  assert.equal(facts.get(`read ${SHELF}/open/book`), 'ok');
  assert.equal(facts.get(`read ${SHELF}/shut/book`), 'EACCES');
  assert.equal(facts.get(`write ${SHELF}/open`), 'EACCES');
  assert.equal(facts.get('read /etc/hostname'), 'ok');
  await forget('shelf');
});

test('tcp-bind holds where the kernel can, and is said where it cannot', async () => {
  const facts = await found(
    'ports',
    ['bind:9301', 'bind:9302'],
    'tcp-bind = 9301',
    'when-unsupported = warn',
  );

  const { diagnostics } = await running('ports');
  assert.equal(facts.get('bind 9301'), 'ok');
  if (hasPorts) {
    assert.deepEqual(diagnostics, []);
    assert.equal(facts.get('bind 9302'), 'EACCES');
  } else {
    assert.equal(facts.get('bind 9302'), 'ok');
    assert.match(
      diagnostics.map(({ message }) => message).join('\n'),
      /asked tcp-bind=9301, kernel gives .*Landlock/,
    );
  }
  await forget('ports');
});

test('by default tcp-bind is refused where the kernel cannot hold it', {
  skip: hasPorts && 'this kernel can',
}, async () => {
  writeProbe('refused', 'pause', 'tcp-bind = 9301');

  const { diagnostics } = await vassalWhen(
    'refused',
    ({ state }) => state === 'failed' || state === 'stopped',
  );

  assert.match(JSON.stringify(diagnostics), /tcp-bind/);
  assert.ok(!output('refused').includes('up'));
  await forget('refused');
});

test("a neighbour's abstract socket is out of reach", {
  skip: !hasScopes && 'Landlock scopes since 6.12',
}, async () => {
  writeProbe('listener', 'abstract vm-neighbour');
  await printed('listener', /^abstract up$/);

  const facts = await found('visitor', ['connect:@vm-neighbour']);

  assert.equal(facts.get('connect @vm-neighbour'), 'EPERM');
  await forget('visitor');
  await forget('listener');
});

test('every app runs under seccomp, without new privileges and without capabilities', async () => {
  writeProbe('bare', 'pause');
  const { pid } = await running('bare');

  const status = readFileSync(`/proc/${pid}/status`, 'utf8');

  assert.match(status, /^Seccomp:\t2$/m);
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^CapBnd:\t0{16}$/m);
  assert.ok(isAlive(pid));
  await forget('bare');
});
