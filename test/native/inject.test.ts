import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { architectureOf, CALL_TABLES } from '../../packages/vassal/src/seccomp/architecture.ts';
import { compileFilter, encodeProgram } from '../../packages/vassal/src/seccomp/compile.ts';
import { filterOf } from '../../packages/vassal/src/seccomp/filter.ts';
import { initCallsOf } from '../../packages/vassal/src/seccomp/init-calls.ts';
import { peekLink } from '../support/processes.ts';
import {
  CLONE,
  isRoot,
  isSanitized,
  NativeWorld,
  TENANT_UID,
  type TestKeeper,
  type Words,
} from './support.ts';

/**
 * A launch is run once to write down each system call of each process on its way; then it is run once for each of
 * them, with that call failing. New steps are covered by being there.
 */

/** No code handles it as something it expected, as it does ENOENT or EEXIST. */
const EIO = 5;
const AT_ONCE = 10;
const PATIENCE_MS = 20_000;

const architecture = architectureOf(process.arch) ?? 'x86-64';
const NAMES = new Map([...CALL_TABLES[architecture].numbers].map(([name, number]) => [number, name]));

type Call = { readonly process: number; readonly name: string; readonly nr: number; readonly nth: number };
type Outcome = Call & {
  /** As the keeper told it, or `launched`. */
  readonly fact: string;
  readonly stage: string | undefined;
  readonly errno: number;
  readonly what: string;
  readonly problems: readonly string[];
  /** What a jail that was launched all the same lacks, or has too much. */
  readonly differs: readonly string[];
};

/** Words of a jail that runs `command`, and what else the test knows of it. */
type Jail = (world: NativeWorld, generation: number, command: Words) => readonly Words[];

const ALL_NAMESPACES = Object.values(CLONE).reduce((sum, flag) => sum | flag, 0);
const NEWUSER = 0x1000_0000;
const NEWTIME = 0x80;
const RANGE = 2_100_000_000;

const hook = (phase: string, action: string, ...args: Words): readonly Words[] => [
  ['hook', phase, action, '20000', `${action}:${args.join(' ')}`],
  ...args.map((arg) => ['hook-arg', arg]),
];

function filter(): Words {
  const needed = initCallsOf({ probes: false, touches: true, hooks: true });
  const words = ['default', '~ptrace'];
  return [
    'seccomp',
    encodeProgram(compileFilter(filterOf({ words, architecture, capabilities: [], needed }))),
  ];
}

const JAILS: Readonly<Record<string, Jail>> = {
  'everything of a jail in the tree of the host': (world, generation, command) =>
    world.jail(generation, command, {
      namespaces: ALL_NAMESPACES,
      caps: '400',
      mounts: [
        ['bind', join(world.base, 'open'), '/mnt', 'rsd'],
        ['keep', world.base],
        ['file', '/etc/hosts', 'mine\n'],
        ['tmpfs', '/media', '65536'],
      ],
      extra: [
        ['cgroup-set', world.cgroup(generation), 'cgroup.max.depth', '1'],
        ['counter', 'depth', `${world.cgroup(generation)}/cgroup.max.depth`, ''],
        ['loopback'],
        ['rlimit', '7', '1024', '4096'],
        ['nice', '1'],
        ['add-gid', '1234'],
        ['umask', '27'],
        filter(),
        ['ready-notify'],
        ['touch', join(world.base, 'touched')],
        ['chdir', '/usr'],
        ['env-file', join(world.base, 'env')],
      ],
    }),
  'every hook': (world, generation, command) =>
    world.jail(generation, command, {
      namespaces: ALL_NAMESPACES,
      extra: [
        ['hook-env', 'PATH=/usr/bin:/bin'],
        ...hook('pre-jail', 'mkdir', join(world.base, 'open/made/deep'), '711'),
        ...hook('pre-jail', 'write', join(world.base, `open/before-${generation}`), 'x'),
        ...hook('post-jail', 'mount', 'new', '0', 'tmpfs', 'none', '/mnt', '0', '0', '0', '6', ''),
        ...hook('post-jail', 'mount', 'bind', '1', 'none', '/usr', '/media', '7', '0', '262144', '0', ''),
        ...hook('as-root', 'umount', '/mnt', '0', '1'),
        ...hook('as-root', 'sethostname', 'by-a-hook'),
        ...hook('as-user', 'exec', '/bin/true'),
        ...hook('post-stop', 'write', join(world.base, `open/after-${generation}`), 'x'),
      ],
    }),
  'a root of its own in a user namespace': (world, generation, command) => [
    ...world.jail(generation, command, {
      namespaces: ALL_NAMESPACES | NEWUSER | NEWTIME,
      mounts: [
        ['dir', '/etc', '755'],
        ['file', '/etc/hosts', 'mine\n'],
        ['link', '/bin', 'usr/bin'],
        ['link', '/lib', 'usr/lib'],
        ['link', '/lib64', 'usr/lib64'],
        ['bind', '/usr', '/usr', 'rsd'],
        ['bind', join(world.base, 'open'), join(world.base, 'open'), 'sd'],
        ['overlay', '/opt', '/usr/share:/usr/lib', ''],
      ],
      extra: [
        ['root', 'tmpfs', '/', '-'],
        ['uid-map', '0', String(RANGE), '65536'],
        ['uid-map', String(TENANT_UID), String(TENANT_UID), '1'],
        ['gid-map', '0', String(RANGE), '65536'],
        ['gid-map', String(TENANT_UID), String(TENANT_UID), '1'],
        ['loopback'],
      ],
    }),
  ],
};

/** Everything that a jail is, in words that are the same in each. */
const LOOK = [
  'umask; pwd; hostname; env | sort',
  'grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|CoreDumping)" /proc/self/status; cat /proc/self/limits',
  'for n in /proc/self/ns/*; do echo ns $n $(readlink $n); done',
  'echo adj $(cat /proc/self/oom_score_adj); ls /proc/self/fd | wc -l; ls /sys/class/net; cat /sys/class/net/lo/flags',
  'cat /proc/self/mountinfo',
].join('; ');

test.skipIf(!isRoot || isSanitized).each(Object.keys(JAILS))(
  '%s: each system call that fails is told with its stage and errno, runs nothing, leaves nothing',
  async (title) => {
    const jail = JAILS[title];
    if (jail === undefined) throw new Error(title);
    const { calls, baseline } = await writeDown(jail);
    const outcomes = await failEach(jail, calls, baseline);

    if (process.env['INJECT_SHOW'] !== undefined) show(outcomes);
    expect(calls.length).toBeGreaterThan(150);
    expect(
      outcomes.flatMap(({ problems, ...call }) => problems.map((text) => `${nameOf(call)}: ${text}`)),
    ).toEqual([]);
    expect(outcomes.filter(({ fact, errno }) => fact === 'fail' && errno !== EIO).map(told)).toEqual([]);
    expect(
      outcomes
        .filter(({ differs }) => differs.length > 0)
        .map((one) => `${nameOf(one)}: ${one.differs.join(' | ')}`),
    ).toEqual([]);
    expect(outOfOrder(outcomes)).toEqual([]);
    expect(outcomes.filter(({ fact }) => fact === 'fail').length).toBeGreaterThan(calls.length / 2);
  },
  240_000,
);

/** Run it once, whole: the calls of all processes until they exec, and what the app saw. */
async function writeDown(
  jail: Jail,
): Promise<{ readonly calls: readonly Call[]; readonly baseline: readonly string[] }> {
  const { log, seen } = await withKeepers(jail, ['log'], async ({ keeper, generation, words }) => {
    await keeper.launch(generation, words);
    const fact = await keeper.hear('');
    if (!fact.startsWith('launched')) throw new Error(fact);
    await keeper.hear(`exited ${generation}`);
    await keeper.hear(`gone ${generation}`);
    return keeper.texts();
  });
  const counts = new Map<string, number>();
  const calls: Call[] = [];
  let isServed = false;
  for (const line of log) {
    const [kind, , process = 0, , nr = 0] = line
      .split(' ')
      .map((word, index) => (index === 0 ? word : Number(word))) as [string, ...number[]];
    if (kind !== 'call') continue;
    const name = NAMES.get(nr) ?? String(nr);
    if (process === 0 && name === 'accept4' && !isServed) {
      isServed = true;
      counts.clear();
      calls.length = 0;
    }
    const key = `${process} ${nr}`;
    const nth = (counts.get(key) ?? 0) + 1;
    counts.set(key, nth);
    calls.push({ process, name, nr, nth });
  }
  return { calls: sampled(calls).filter(isWorthIt(calls)), baseline: seen[0] ?? [] };
}

/**
 * Some are enough of the same call again and again, as for each signal or capability; and what a process begins with
 * as one before it did (every hook has such a process) is the same code.
 */
function sampled(calls: readonly Call[]): readonly Call[] {
  const known = new Set<string>();
  return [...new Set(calls.map(({ process }) => process))].flatMap((process) => {
    const own = calls.filter((call) => call.process === process);
    let path = '';
    return own.filter((call, index) => {
      path += ` ${call.nr}`;
      const isNew = !known.has(path);
      known.add(path);
      const isInside = own[index - 1]?.nr === call.nr && own[index + 1]?.nr === call.nr;
      return isNew && (!isInside || call.nth % 16 === 0);
    });
  });
}

/** Ends, and what a process waits with: the number of such calls depends on the moment. */
const ENDS = ['exit', 'exit_group'];
const NEVER_FAIL = ['getpid', 'getppid', 'gettid', 'umask', 'close', 'rt_sigaction', 'rt_sigprocmask'];
const WAITS = ['poll', 'ppoll', 'wait4', 'restart_syscall'];
/** The keeper's talk with its client, and its reading of what arrives. */
const TALK = ['getsockopt', 'recvfrom', 'sendto', 'recvmsg', 'read', 'accept4', 'close', 'madvise'];

/** Of the keeper only what it does until the child is made: from then on it listens. */
function isWorthIt(calls: readonly Call[]): (call: Call) => boolean {
  const last = calls.findLast(({ process, name }) => process === 0 && name === 'clone3');
  const after = new Set(last === undefined ? [] : calls.slice(calls.indexOf(last) + 1));
  return (call) => {
    if ([...ENDS, ...NEVER_FAIL, ...WAITS].includes(call.name)) return false;
    return call.process !== 0 || (!TALK.includes(call.name) && !after.has(call));
  };
}

async function failEach(
  jail: Jail,
  calls: readonly Call[],
  baseline: readonly string[],
): Promise<readonly Outcome[]> {
  const plans = calls.map(({ process, nr, nth }) => `${process} ${nr} ${nth} ${EIO}`);
  const normal = normalized(baseline);
  const { log, seen, left } = await withKeepers(jail, plans, async ({ world, keeper, generation, words }) => {
    const failure = await tried({ world, keeper, generation, words });
    const seenInside = failure === undefined ? normalized(keeper.texts()) : [];
    return {
      stage: undefined,
      errno: 0,
      what: '',
      problems: [],
      ...failure,
      fact: failure === undefined ? 'launched' : 'fail',
      differs: failure === undefined ? difference(normal, seenInside) : [],
    };
  });
  expect(left).toEqual([]);
  const fired = new Set(log.filter((line) => line.startsWith('fired ')));
  return seen.flatMap((one, index) => {
    const call = calls[index];
    return call === undefined || !fired.has(`fired ${index}`) ? [] : [{ ...call, ...one }];
  });
}

/** Launch it: what failed, or undefined when it ran to its end. */
async function tried({ world, keeper, generation, words }: Turn): Promise<Failure | undefined> {
  const problems: string[] = [];
  let failure: Failure | undefined;
  try {
    await keeper.launch(generation, words);
    let fact = '';
    while (!/^(?:fail|launched) /.test(fact)) fact = await keeper.hear('', PATIENCE_MS);
    if (fact.startsWith('launched')) {
      await keeper.hear(`exited ${generation}`, PATIENCE_MS);
      await keeper.hear(`gone ${generation}`, PATIENCE_MS);
    } else {
      const [, , stage, errno, ...what] = fact.split(' ');
      failure = { stage, errno: Number(errno), what: what.join(' '), problems };
      if (what.join('') === '') problems.push('it does not say what');
      if (existsSync(join(world.base, `open/ran-${generation}`))) problems.push('the app ran');
    }
    if ((await keeper.ask(`forget ${generation}`)) !== 0) problems.push('it cannot be forgotten');
  } catch (error) {
    problems.push(String(error));
  }
  if (existsSync(world.cgroup(generation))) problems.push('the control group is left');
  return failure ?? (problems.length > 0 ? { stage: undefined, errno: 0, what: '', problems } : undefined);
}

type Failure = Pick<Outcome, 'stage' | 'errno' | 'what' | 'problems'>;

type Turn = {
  readonly world: NativeWorld;
  readonly keeper: TestKeeper;
  readonly generation: number;
  readonly words: readonly Words[];
};

/** A keeper for each line of the plan, several at once, each with one launch; then everything is looked for. */
async function withKeepers<T>(
  jail: Jail,
  plans: readonly string[],
  run: (turn: Turn) => Promise<T>,
): Promise<{
  readonly log: readonly string[];
  readonly seen: readonly T[];
  readonly left: readonly string[];
}> {
  const dir = mkdtempSync(join(tmpdir(), 'inject-'));
  const [plan, log] = [join(dir, 'plan'), join(dir, 'log')];
  writeFileSync(plan, plans.map((line) => `${line}\n`).join(''));
  const world = NativeWorld.create([injector(), plan, log]);
  const seen: T[] = [];
  let left: readonly string[] = [];
  try {
    writeFileSync(join(world.base, 'env'), 'FROM_FILE=yes\n');
    // Of the keepers each would leave it to the others.
    mkdirSync(join(world.cgroup(1), '..'));
    for (let first = 0; first < plans.length; first += AT_ONCE) {
      const keepers: TestKeeper[] = [];
      while (keepers.length < AT_ONCE && first + keepers.length < plans.length)
        keepers.push(await world.keeper());
      const turns = keepers.map(async (keeper, offset) => {
        const generation = first + offset + 1;
        const command = ['sh', '-c', `echo > ${world.base}/open/ran-${generation}; ${LOOK}`];
        const result = await run({ world, keeper, generation, words: jail(world, generation, command) });
        await keeper.end();
        return result;
      });
      seen.push(...(await Promise.all(turns)));
    }
  } finally {
    rmdirSync(join(world.cgroup(1), '..'));
    left = await world.end();
  }
  const lines = readFileSync(log, 'utf8').split('\n');
  rmSync(dir, { recursive: true });
  return { log: lines, seen, left };
}

/** What differs from launch to launch says nothing about the jail. */
function normalized(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => !/ \/(?:srv|mnt)\/(?!native)\S+ /.test(line))
    .map((line) => {
      const mount = /^\d+ \d+ \d+:\d+ (\S+) (\S+) (\S+) .*- (\S+)/.exec(line);
      const text = mount === null ? line : `mount ${mount[1]} ${mount[2]} ${mount[3]} ${mount[4]}`;
      const [kind, path = '', value] = text.split(' ');
      if (kind === 'ns') return `${path} is ${peekLink(path) === value ? 'of the host' : 'its own'}`;
      return text
        .replaceAll(/native-\w+/g, 'WORLD')
        .replaceAll(/nt\d+-\d+/g, 'NAME')
        .replaceAll(/\/\d+(?=[ /]|$)/g, '/N');
    });
}

/** What the keeper writes into the log when it cannot clean up: it is told, as it should be. */
const TOLD = 'hook-post-stop failed: ';

function difference(expected: readonly string[], seen: readonly string[]): readonly string[] {
  return [
    ...expected.filter((line) => !seen.includes(line)).map((line) => `- ${line}`),
    ...seen.filter((line) => !expected.includes(line) && !line.startsWith(TOLD)).map((line) => `+ ${line}`),
  ].slice(0, 6);
}

/**
 * The stages on the way, in the order in which one process or another comes through them: the keeper, the starter, the
 * init with a late user namespace, the app. One that is told out of it is a wrong one.
 */
const WAY: readonly string[] = [
  ...'spec log namespaces mounts cgroup notify init hook-post-stop cgroup'.split(' '),
  ...'namespaces init cgroup hook-pre-jail init namespaces init cgroup namespaces'.split(' '),
  ...'limits mounts namespaces hook-post-jail lsm mounts root mounts root'.split(' '),
  ...'limits namespaces hostname network hook-as-root identity lsm landlock seccomp'.split(' '),
  ...'hook-as-user init touch init chdir env-file init exec'.split(' '),
];

function outOfOrder(outcomes: readonly Outcome[]): readonly string[] {
  const wrong: string[] = [];
  const reached = new Map<number, number>();
  for (const outcome of outcomes) {
    if (outcome.stage === undefined) continue;
    const from = reached.get(outcome.process) ?? 0;
    const at = WAY.indexOf(outcome.stage, from);
    if (at < 0) wrong.push(`${told(outcome)}: after ${WAY[from]}`);
    else reached.set(outcome.process, at);
  }
  return wrong;
}

function nameOf({ process, name, nth }: Call): string {
  return `process ${process} ${name} ${nth}`;
}

function told(outcome: Outcome): string {
  return `${nameOf(outcome)} -> ${outcome.fact} ${outcome.stage} ${outcome.errno} ${outcome.what}`;
}

function show(outcomes: readonly Outcome[]): void {
  writeFileSync(
    '/tmp/inject-outcomes',
    `${outcomes.map((one) => `${told(one)} ${one.differs.join('|')} ${one.problems.join('|')}`).join('\n')}\n`,
    { flag: 'a' },
  );
}

/** Compiled when its source is newer. */
function injector(): string {
  const dir = join(import.meta.dirname, '../../node_modules/.cache/native-inject');
  mkdirSync(dir, { recursive: true });
  const [source, program] = [join(import.meta.dirname, 'inject.c'), join(dir, 'inject')];
  execFileSync('sh', ['-c', '[ "$1" -nt "$0" ] || cc -O1 -o "$1" "$0"', source, program]);
  return program;
}
