import { decodeVassalName } from '@emperor/common/name';
import {
  commaList,
  duration,
  integer,
  oneOf,
  optional,
  parsed,
  path,
  repeated,
  signal,
  text,
} from '@emperor/common/options/kinds';
import { type Kind, option } from '@emperor/common/options/option';
import type { ReloadMode } from '../spec/spec.ts';
import { ready } from './ready.ts';

const group = 'lifecycle';
const MOST_TOUCH_PATHS = 8;
const LONGEST_WAIT_MS = 7 * 86_400_000;
const TERM = 15;
const HUP = 1;

const vassalName = parsed(
  text,
  (written) => {
    const name = decodeVassalName(written);
    return name === undefined
      ? { ok: false, message: 'expected the name of a vassal' }
      : { ok: true, value: name };
  },
  { name: 'vassal', hint: 'name of a vassal' },
);

const reloadMode: Kind<ReloadMode> = parsed(
  oneOf('auto', 'restart', 'signal', 'overlap'),
  (mode) =>
    mode === 'overlap'
      ? { ok: false, message: 'overlap comes with a later release' }
      : { ok: true, value: mode },
  { hint: 'auto, restart or signal', schema: { type: 'string', enum: ['auto', 'restart', 'signal'] } },
);

const touchPaths: Kind<readonly string[]> = parsed(repeated(path), (paths) =>
  paths.length <= MOST_TOUCH_PATHS
    ? { ok: true, value: paths }
    : { ok: false, message: `expected at most ${MOST_TOUCH_PATHS} paths` },
);

/** When the app starts, stops and starts again. */
export const lifecycle = {
  restart: option({
    kind: oneOf('always', 'on-failure', 'never'),
    default: 'always',
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'When to start the app again after it exits. on-failure: unless its exit code was 0.',
  }),
  'restart-delay': option({
    kind: duration(0, LONGEST_WAIT_MS),
    default: 100,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'A first exit is replaced at once; the n-th quick exit in a row waits this long times 2^(n-2). A tenant has at least 100ms.',
  }),
  'restart-max-delay': option({
    kind: duration(0, LONGEST_WAIT_MS),
    default: 60_000,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'The longest wait before a restart.',
  }),
  'restart-max': option({
    kind: integer(0, 1_000_000),
    default: 0,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Quick exits in a row after which the vassal is failed and waits for an edit or a command; 0 = never.',
  }),
  stable: option({
    kind: duration(0, LONGEST_WAIT_MS),
    default: 10_000,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Up for this long, the vassal is stable: its earlier exits are forgiven. A tenant has at least 1s.',
  }),
  'stop-signal': option({
    kind: signal,
    default: TERM,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'The signal that asks the app to finish.',
  }),
  'stop-timeout': option({
    kind: duration(0, LONGEST_WAIT_MS),
    default: 30_000,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'How long the app may take to finish before everything in its jail is killed. A tenant has 10m at most.',
  }),
  'kill-mode': option({
    kind: oneOf('mixed', 'control-group'),
    default: 'mixed',
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Who gets the stop signal. mixed: the app alone. control-group: every process of the jail. What is left is killed.',
  }),
  reload: option({
    kind: reloadMode,
    default: 'auto',
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'How a touch or an edit reaches the app. auto and restart: stop, then start. signal: send `reload-signal`, the jail stays (edits still restart).',
  }),
  'reload-signal': option({
    kind: signal,
    default: HUP,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'The signal that `reload = signal` sends.',
  }),
  ready: option({
    kind: ready,
    default: { by: 'auto' },
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'What proves that the app can serve. auto and spawn: its program was started. notify: READY=1 on NOTIFY_SOCKET. tcp: a connection from inside. log: a line of its output with this text. delay: up for so long.',
  }),
  'ready-timeout': option({
    kind: duration(1, LONGEST_WAIT_MS),
    default: 60_000,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'How long the app may take to become ready.',
  }),
  watchdog: option({
    kind: optional(duration(100, LONGEST_WAIT_MS), 'none'),
    default: undefined,
    since: '0.1',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: 'The app sends WATCHDOG=1 on NOTIFY_SOCKET at least this often, or it is taken for hung and replaced.',
  }),
  'start-after': option({
    kind: commaList(vassalName),
    default: [],
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Vassals that are ready before this one starts; at the end they stop after it.',
  }),
  'touch-reload': option({
    kind: touchPaths,
    default: [],
    since: '0.1',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: 'A path, as the app sees it; when it changes, the vassal reloads. At most 8.',
  }),
};
