import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { EmperorUnderTest, sharedEmperor } from '../support/emperor-under-test.ts';
import { ProbeFacts } from '../support/probe.ts';

const emperor = sharedEmperor();

const allCpus = Array.from(cpus().keys()).join(',');
const scheduling = (facts: ProbeFacts) =>
  ['nice', 'sched', 'ionice', 'oom-score-adj'].map((kind) => facts.get(kind));

test('without a word an app has what is usual', async () => {
  const facts = await emperor.facts('blog', []);

  expect(scheduling(facts)).toEqual(['0', '0:0', '0:0', '0']);
});

test.each([
  [
    ['nice = 7', 'ionice = best-effort:6', 'sched = batch', 'oom-score-adj = 500'],
    ['7', '3:0', '2:6', '500'],
  ],
  [
    ['nice = -5', 'ionice = realtime:2', 'sched = other'],
    ['-5', '0:0', '1:2', '0'],
  ],
  [
    ['ionice = idle', 'sched = idle'],
    ['0', '5:0', '3:0', '0'],
  ],
])('%j is what the app has', async (lines, expected) => {
  expect(scheduling(await emperor.facts('blog', [], ...lines))).toEqual(expected);
});

/** On v1 a group of CPU time has no real time until somebody gives it some. */
const isDivided = existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us');

test.skipIf(!isDivided)('real time is not granted where the group of the emperor has none', async () => {
  const facts = await emperor.facts('blog', [], 'sched = fifo:3');

  expect(facts.get('sched')).toBe('0:0');
  expect((await emperor.diagnostics('blog'))[0]).toContain('kernel gives other: the emperor');
});

test('sched = fifo and rr are real time', async () => {
  const own = new EmperorUnderTest();
  onTestFinished(async () => expect(await own.dispose()).toEqual([]));
  if (isDivided) writeFileSync(`${own.cgroup.controller('cpu')}/cpu.rt_runtime_us`, '10000');
  await own.start();

  expect((await own.facts('one', [], 'sched = fifo:3')).get('sched')).toBe('1:3');
  expect((await own.facts('two', [], 'sched = rr:1', 'nice = 5')).get('sched')).toBe('2:1');
});

test('what the keeper has is not handed on: priority, I/O priority, policy, CPUs, who dies first', async () => {
  emperor.write('blog.ini', emperor.probeFile('facts '));
  await emperor.printed('blog', 'facts end');
  const { keeperPid, pid } = await emperor.running('blog');
  const keeper = String(keeperPid);
  execFileSync('renice', ['-n', '9', '-p', keeper]);
  execFileSync('ionice', ['-c', '2', '-n', '7', '-p', keeper]);
  execFileSync('chrt', ['--batch', '-p', '0', keeper]);
  execFileSync('taskset', ['-pc', '0', keeper]);
  writeFileSync(`/proc/${keeper}/oom_score_adj`, '300');

  process.kill(pid, 'SIGKILL');
  const again = await emperor.running('blog', pid);
  const lines = await emperor.printed('blog', 'facts end', 2);

  expect(again.keeperPid).toBe(keeperPid);
  const facts = new ProbeFacts(lines.slice(lines.findIndex((line) => line === 'facts end') + 1));
  expect(scheduling(facts)).toEqual(['0', '0:0', '0:0', '0']);
  expect(facts.get('affinity')).toBe(allCpus);
});

test('an edit of scheduling gives a fresh jail', async () => {
  emperor.write('blog.ini', emperor.probeFile('facts '));
  await emperor.printed('blog', 'facts end');
  const { pid } = await emperor.running('blog');

  emperor.write('blog.ini', emperor.probeFile('facts ', 'nice = 3'));

  expect((await emperor.running('blog', pid)).generation).toBe(2);
  expect(new ProbeFacts(await emperor.printed('blog', 'facts end', 2)).get('nice')).toBe('3');
});

test('every resource limit is set for the app', async () => {
  const limits: Readonly<Record<string, string>> = {
    'limit-as': '1073741824',
    'limit-core': '0',
    'limit-cpu': '1000',
    'limit-data': '536870912',
    'limit-fsize': '10485760',
    'limit-locks': '11',
    'limit-memlock': '65536',
    'limit-msgqueue': '4096',
    'limit-nice': '0',
    'limit-nofile': '123',
    'limit-nproc': '77',
    'limit-rss': '8388608',
    'limit-rtprio': '0',
    'limit-rttime': '500000',
    'limit-sigpending': '99',
    'limit-stack': '1048576',
  };
  const lines = Object.entries(limits).map(([name, value]) => `${name} = ${value}`);

  const facts = await emperor.facts('blog', [], ...lines);

  expect(await emperor.diagnostics('blog')).toEqual([]);
  for (const [name, value] of Object.entries(limits))
    expect([name, facts.get('rlimit', name.slice('limit-'.length))]).toEqual([name, `${value}:${value}`]);
});
