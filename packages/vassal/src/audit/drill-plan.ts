import type { Directive } from '../jail/directive.ts';
import { homeOf } from '../jail/environment.ts';
import type { VassalSpec } from '../spec/spec.ts';

/** What the prober aims at. */
export type DrillTargets = {
  readonly outsiderPid: number;
  readonly shmKey: number;
  readonly port: number;
  readonly name: string;
  /** Directories that the jail should hide. */
  readonly hidden: readonly string[];
  /** Sockets of the emperor. */
  readonly sockets: readonly string[];
};

/** The words of a launch that a copy does without: what would answer to others, or wait for the app. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'arg',
  'touch',
  'ready-notify',
  'ready-log',
  'ready-tcp',
  'setns-socket',
  'setns-preopen',
]);

/** Hooks that change nothing but the copy's own namespaces; the others would be done to the host once more. */
const REPEATABLE: ReadonlySet<string> = new Set(['mount', 'umount', 'mkdir', 'sethostname', 'ifup']);

/** The most that the bomb may grow to. */
const MOST_FORKS = 5_000;

export type DrillPlan = { readonly directives: readonly Directive[]; readonly notes: readonly string[] };

/** The plan of a jail with the prober in the place of the app. */
export function drillPlan(
  spec: VassalSpec,
  directives: readonly Directive[],
  targets: DrillTargets,
): DrillPlan {
  const { kept, dropped } = withoutHooks(directives);
  const aims: readonly (readonly [string, string])[] = [
    ['forks', String(forksOf(spec))],
    ['outsider', String(targets.outsiderPid)],
    ['shm', String(targets.shmKey)],
    ['port', String(targets.port)],
    ['name', targets.name],
    ['home', homeOf(spec)],
    ...targets.hidden.slice(0, 16).map((path) => ['hidden', path] as const),
    ...targets.sockets.slice(0, 16).map((path) => ['socket', path] as const),
  ];
  return {
    directives: [
      ...kept.filter(({ word }) => !LEFT_OUT.has(word)),
      ...aims.map(([key, value]): Directive => ({ word: 'drill', args: [key, value] })),
    ],
    notes: dropped.map((label) => `not done in the copy: hook ${label}`),
  };
}

/** Where the uid's processes are counted over the whole host, a bomb would be felt by the vassal itself. */
export function forksOf({ limits }: VassalSpec): number {
  const { pidsMax, rlimits } = limits;
  if (pidsMax === undefined || pidsMax + 8 > MOST_FORKS) return 0;
  return rlimits.some(({ resource }) => resource === 'nproc') ? 0 : pidsMax + 8;
}

/** A hook is its word and the words of its arguments behind it. */
function withoutHooks(directives: readonly Directive[]): {
  readonly kept: readonly Directive[];
  readonly dropped: readonly string[];
} {
  const kept: Directive[] = [];
  const dropped: string[] = [];
  let isDropping = false;
  for (const directive of directives) {
    const { args } = directive;
    const word: string = directive.word;
    if (word === 'hook') {
      isDropping = !REPEATABLE.has(args[1] ?? '') || args[0] === 'post-stop';
      if (isDropping) dropped.push(`${args[0] ?? ''}: ${args[3] ?? args[1] ?? ''}`);
    }
    if (!isDropping || (word !== 'hook' && word !== 'hook-arg')) kept.push(directive);
  }
  return { kept, dropped };
}
