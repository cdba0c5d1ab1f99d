import { integer, size } from '@emperor/common/options/kinds';
import { option } from '@emperor/common/options/option';

const group = 'output';

/** What becomes of the app's standard output and error. */
export const output = {
  'log-max-size': option({
    kind: size(64 * 1024, 1024 ** 4),
    default: 16 * 1024 ** 2,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'The log is rotated when it has reached this size. 128M at most for a tenant.',
  }),
  'log-keep': option({
    kind: integer(0, 100),
    default: 5,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Rotated logs that are kept. 10 at most for a tenant.',
  }),
  'log-rate': option({
    kind: integer(0, 1_000_000_000),
    default: 0,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Lines per second that are written; more are dropped and counted. 0 = no limit.',
  }),
};
