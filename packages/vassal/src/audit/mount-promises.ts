import type { Directive, DirectiveWord } from '../jail/directive.ts';

/** What a directive promises about one path of the jail. */
export type MountPromise = {
  readonly path: string;
  readonly promised: string;
  /** Options that the mount there must have. */
  readonly options: readonly string[];
  /** Something is mounted on the path itself, of one of these file system types when any are named. */
  readonly exact: boolean;
  readonly types: readonly string[];
  /** Part of the file system that must be shown; undefined = whatever it is. */
  readonly root: RegExp | undefined;
  /** `tree`: what is mounted below is read-only too. `open`: what is mounted below is as its source has it. */
  readonly below: 'tree' | 'open' | 'own';
  /** Only if the path is there: a missing one is skipped. */
  readonly optional: boolean;
};

type Made = Partial<MountPromise> & Pick<MountPromise, 'promised'>;
type Maker = (args: readonly string[]) => readonly (readonly [path: string, made: Made])[];

const ROOTS: Readonly<Record<string, string>> = {
  host: "the host's",
  tmpfs: 'a root of its own, read-only',
  tree: 'a directory of the host, with what is mounted below',
  single: 'a directory of the host',
  overlay: 'layers of its own',
};

const CLOSED = ['ro', 'nosuid', 'nodev', 'noexec'];

/** The directives that put something into the view, or take it out. */
const MAKERS: { readonly [K in DirectiveWord]?: Maker } = {
  root: ([kind = 'host', , flags = '-']) => [
    [
      '/',
      {
        promised: `${ROOTS[kind] ?? kind}${flagsText(flags)}`,
        options: bindOptions(flags),
        exact: kind !== 'host',
      },
    ],
  ],
  overlay: ([path = '']) => [
    [path, { promised: 'layers of its own', options: ['nosuid', 'nodev'], types: ['overlay'] }],
  ],
  tmpfs: ([path = '']) => [
    [path, { promised: 'an empty file system of its own', options: ['nosuid', 'nodev'], types: ['tmpfs'] }],
  ],
  write: ([path = '']) => [[path, { promised: "the host's, writable", below: 'open', exact: false }]],
  readonly: ([path = '/']) => [
    [
      path,
      {
        promised: 'read-only with everything below',
        options: ['ro'],
        below: 'tree',
        optional: true,
        exact: false,
      },
    ],
  ],
  hide: ([path = '']) => [
    [
      path,
      { promised: 'hidden', options: CLOSED, types: ['tmpfs'], root: /^\/hide\/.*\/=$/, optional: true },
    ],
  ],
  mask: ([path = '']) => [
    [
      path,
      {
        promised: 'masked',
        options: ['ro', 'nosuid', 'noexec'],
        root: /^\/(empty|(dev\/)?null)$/,
        optional: true,
      },
    ],
  ],
  keep: ([path = '']) => [[path, { promised: "the host's", below: 'open', optional: true, exact: false }]],
  bind: ([, path = '', flags = '-']) => [
    [
      path,
      {
        promised: `the host's${flagsText(flags)}`,
        options: bindOptions(flags),
        below: 'open',
        // A source that may be missing leaves what is there.
        exact: !flags.includes('m'),
        optional: flags.includes('m'),
      },
    ],
  ],
  file: ([path = '']) => [
    [path, { promised: 'a file of its own, read-only', options: CLOSED, types: ['tmpfs'] }],
  ],
  tmp: () => ['/tmp', '/var/tmp'].map((path) => [path, OWN_TMP]),
  dev: () => [
    [
      '/dev',
      {
        promised: 'its own, read-only',
        options: ['ro', 'nosuid', 'noexec'],
        types: ['tmpfs'],
        root: /^\/dev$/,
      },
    ],
    ['/dev/pts', { promised: 'its own terminals', options: ['nosuid', 'noexec'], types: ['devpts'] }],
    ['/dev/shm', { ...OWN_TMP, promised: 'nosuid and nodev', types: [] }],
  ],
  run: () => [
    ['/run', { promised: 'its own, read-only', options: CLOSED, types: ['tmpfs'], root: /^\/run\/\d+$/ }],
  ],
  proc: () => [
    ['/proc', { promised: 'its own', options: ['nosuid', 'nodev', 'noexec'], types: ['proc'], root: /^\/$/ }],
  ],
  sysfs: () => [['/sys', { promised: 'read-only', options: CLOSED, types: ['sysfs'], below: 'tree' }]],
  cgroup2: ([path = '']) => [
    [path, { promised: 'its own group, read-only', options: CLOSED, types: ['cgroup2'] }],
  ],
};

const OWN_TMP: Made = {
  promised: 'its own, nosuid and nodev',
  options: ['nosuid', 'nodev'],
  types: ['tmpfs'],
};

/** What a plan promises about paths; of two promises about one path the later counts. */
export function mountPromises(directives: readonly Directive[]): readonly MountPromise[] {
  const promises = new Map<string, MountPromise>();
  for (const { word, args } of directives) {
    for (const [path, made] of MAKERS[word]?.(args) ?? []) {
      promises.set(path, { ...BARE, path, ...made });
    }
  }
  return [...promises.values()];
}

const BARE: Omit<MountPromise, 'path' | 'promised'> = {
  options: [],
  exact: true,
  types: [],
  root: undefined,
  below: 'own',
  optional: false,
};

function bindOptions(flags: string): readonly string[] {
  const names: readonly (readonly [string, string])[] = [
    ['r', 'ro'],
    ['s', 'nosuid'],
    ['d', 'nodev'],
    ['x', 'noexec'],
  ];
  return names.filter(([letter]) => flags.includes(letter)).map(([, option]) => option);
}

function flagsText(flags: string): string {
  const options = bindOptions(flags);
  return options.length === 0 ? '' : ` (${options.join(', ')})`;
}
