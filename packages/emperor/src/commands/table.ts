import { type CommandRow, DEFAULT_RUNTIME_DIR, type OptionRow } from './command.ts';
import { runHandover } from './handover.ts';
import { runReload, runRestart, runStart, runStop } from './lifecycle.ts';
import { runLogs } from './logs.ts';
import { runShutdown } from './shutdown.ts';
import { runStatus } from './status.ts';
import { runWhy } from './why.ts';

/** Options of every command. */
export const GLOBAL_OPTIONS: Readonly<Record<string, OptionRow>> = {
  json: { help: 'Print JSON instead of text.' },
  'runtime-dir': {
    value: 'DIR',
    help: `Where the emperor keeps its sockets (or EMPEROR_RUNTIME_DIR; else ${DEFAULT_RUNTIME_DIR}).`,
  },
};

const CHOOSE: Readonly<Record<string, OptionRow>> = {
  all: { help: 'Every vassal, instead of names.' },
  'no-wait': { help: 'Return as soon as the wish is recorded; do not wait for the outcome.' },
};

const NAMES = 'A NAME may be a pattern such as `web-*` (quote it). The outcome of each vassal is reported.';

/** All commands, in the order of `--help`. The only list of commands in the repository. */
export const COMMANDS: readonly CommandRow[] = [
  {
    name: 'run',
    operands: '',
    fewest: 0,
    most: 0,
    summary: 'Run the emperor in the foreground.',
    details:
      'SIGTERM and SIGINT stop all vassals and exit; SIGUSR1 exits and leaves all running (`emperor handover`); ' +
      'SIGHUP looks again at everything. A second emperor on the same runtime directory is refused. ' +
      'A default configuration file that does not exist is fine, one named by `--config` must.',
    options: {
      config: { value: 'FILE', help: "The emperor's own file (else /etc/emperor/emperor.ini)." },
      vassals: { value: 'DIR', help: 'The vassals directory (else /etc/emperor/vassals).' },
      'log-dir': { value: 'DIR', help: 'Logs of the vassals (else /var/log/emperor).' },
      'state-dir': { value: 'DIR', help: 'What survives a reboot (else /var/lib/emperor).' },
      'log-level': {
        value: 'LEVEL',
        help: "The emperor's own log: error, warn, info (the default) or debug.",
      },
      'log-format': { value: 'FORMAT', help: "The emperor's own log: text (the default) or json." },
    },
    examples: ['emperor run', 'emperor run --vassals ./vassals --runtime-dir /run/mine --log-level debug'],
    load: async () => (await import('./run.ts')).runRun,
  },
  {
    name: 'status',
    operands: '[NAME…]',
    fewest: 0,
    most: Number.POSITIVE_INFINITY,
    summary: 'Show all vassals as a table, or one as a page.',
    details:
      'With one NAME: every fact, diagnostics with file and line, and the last log lines; exits 3 when it is not ' +
      'running and 4 when there is no such vassal. With several names or a pattern: the table of those. ' +
      '`--json` prints the stable document of format 1.',
    options: {},
    examples: ['emperor status', 'emperor status blog', "emperor status 'web-*'", 'emperor status --json'],
    load: async () => runStatus,
  },
  {
    name: 'start',
    operands: '[NAME…]',
    fewest: 0,
    most: Number.POSITIVE_INFINITY,
    summary: 'Start vassals that were stopped, and end their stop mark.',
    details: NAMES,
    options: CHOOSE,
    examples: ['emperor start blog'],
    load: async () => runStart,
  },
  {
    name: 'stop',
    operands: '[NAME…]',
    fewest: 0,
    most: Number.POSITIVE_INFINITY,
    summary: 'Stop vassals; they stay stopped until `start`, also over a restart of the emperor.',
    details: NAMES,
    options: CHOOSE,
    examples: ['emperor stop blog', 'emperor stop --all'],
    load: async () => runStop,
  },
  {
    name: 'restart',
    operands: '[NAME…]',
    fewest: 0,
    most: Number.POSITIVE_INFINITY,
    summary: 'Stop vassals, then start them in a fresh jail; starts a stopped one.',
    details: NAMES,
    options: CHOOSE,
    examples: ["emperor restart 'web-*'"],
    load: async () => runRestart,
  },
  {
    name: 'reload',
    operands: '[NAME…]',
    fewest: 0,
    most: Number.POSITIVE_INFINITY,
    summary: 'Reload vassals by the way their file names; exits 3 for a stopped one.',
    details: `${NAMES} To touch the vassal file does the same.`,
    options: CHOOSE,
    examples: ['emperor reload blog'],
    load: async () => runReload,
  },
  {
    name: 'logs',
    operands: 'NAME…',
    fewest: 1,
    most: Number.POSITIVE_INFINITY,
    summary: 'Show what vassals wrote to stdout and stderr.',
    details: 'Lines of several vassals carry the name in front. A NAME may be a pattern.',
    options: {
      follow: { short: 'f', help: 'Go on with every new line until interrupted.' },
      lines: { value: 'COUNT', short: 'n', default: '50', help: 'How many of the last lines to begin with.' },
    },
    examples: ['emperor logs blog', 'emperor logs -f -n 0 blog shop'],
    load: async () => runLogs,
  },
  {
    name: 'check',
    operands: '[FILE|DIR…]',
    fewest: 0,
    most: Number.POSITIVE_INFINITY,
    summary: 'Check vassal files without an emperor; exits 78 when one has errors.',
    details:
      'Prints every problem of every file as `file:line: key: message`. Nothing is started or changed. ' +
      '`--config` adds the [defaults] and [force] of an emperor.ini. ' +
      '`--host` prints what this kernel and these privileges give to vassals, and why not more.',
    options: {
      config: { value: 'FILE', help: 'The emperor.ini whose [defaults] and [force] apply.' },
      host: { help: 'What this host gives: privileges, namespaces, control groups, filters.' },
    },
    examples: ['emperor check blog.ini', 'emperor check /etc/emperor/vassals', 'emperor check --host'],
    load: async () => (await import('./check.ts')).runCheck,
  },
  {
    name: 'plan',
    operands: 'FILE|NAME',
    fewest: 1,
    most: 1,
    summary: 'Show what a vassal file means: every option and where it stands, and the jail step by step.',
    details:
      'A FILE (with a slash, or ending in .ini) needs no emperor, a NAME asks the running one and shows what applying ' +
      'the file would do to what runs. Exits 78 when the file has errors. `--config` adds the [defaults] and [force] ' +
      'of an emperor.ini to a FILE.',
    options: {
      config: { value: 'FILE', help: 'The emperor.ini whose [defaults] and [force] apply to a FILE.' },
    },
    examples: ['emperor plan blog', 'emperor plan ./blog.ini --json'],
    load: async () => (await import('./plan.ts')).runPlan,
  },
  {
    name: 'audit',
    operands: 'NAME',
    fewest: 1,
    most: 1,
    summary: 'Compare the running jail with what was promised, by /proc and the control groups.',
    details:
      'Namespaces, mounts, identity, capabilities, limits, control groups, descriptors, sockets, environment, of every ' +
      'process of the jail. Exits 0 only when all of it holds, 1 otherwise, 3 when it is not running. What cannot be ' +
      'told although it was promised does not hold.',
    options: {},
    examples: ['emperor audit blog', 'emperor audit blog --json'],
    load: async () => (await import('./audit.ts')).runAudit,
  },
  {
    name: 'drill',
    operands: 'NAME',
    fewest: 1,
    most: 1,
    summary: 'Try to break out of a copy of the jail, and tell what was denied and what was not.',
    details:
      'A harmless prober runs in a copy of the jail; the vassal itself is left alone and need not run. Exits 0 when ' +
      'nothing unexpected was allowed, 1 otherwise.',
    options: {},
    examples: ['emperor drill blog', 'emperor drill blog --json'],
    load: async () => (await import('./drill.ts')).runDrill,
  },
  {
    name: 'why',
    operands: 'NAME',
    fewest: 1,
    most: 1,
    summary: 'Explain the state of a vassal: what happened, its last output, what to do.',
    details: 'Exits 0 whenever it answered, whatever the state.',
    options: {},
    examples: ['emperor why blog'],
    load: async () => runWhy,
  },
  {
    name: 'handover',
    operands: '',
    fewest: 0,
    most: 0,
    summary: 'End the running emperor and leave every vassal running, for an upgrade.',
    details:
      'The next `emperor run` on the same directories adopts them. While none runs, nothing dead is replaced.',
    options: {},
    examples: ['emperor handover'],
    load: async () => runHandover,
  },
  {
    name: 'shutdown',
    operands: '',
    fewest: 0,
    most: 0,
    summary: 'Stop every vassal as its file says, then end the running emperor.',
    details:
      'Waits until it is gone. Unlike `emperor stop --all` nothing is remembered: the next `emperor run` starts what ran. ' +
      'This is what emperor-vassals.service does when the machine goes down.',
    options: {},
    examples: ['emperor shutdown'],
    load: async () => runShutdown,
  },
];
