import { commaList, flag, optional, parsed, path } from '@emperor/common/options/kinds';
import { type Kind, option } from '@emperor/common/options/option';
import { namespaceName } from './isolation.ts';

const group = 'joining';
const row = { since: '0.2', who: 'operator', onChange: 'restart', group } as const;

const LONGEST_SOCKET_PATH = 200;

const socketPath: Kind<string> = parsed(
  path,
  (value) =>
    value.length > 1 && !value.endsWith('/') && Buffer.byteLength(value) <= LONGEST_SOCKET_PATH
      ? { ok: true, value }
      : {
          ok: false,
          message: `expected the absolute path of a socket, at most ${LONGEST_SOCKET_PATH} bytes`,
        },
  { hint: 'absolute path of a socket' },
);

/** Namespaces of others, and ours for others. */
export const joining = {
  setns: option({
    ...row,
    kind: optional(path),
    default: undefined,
    help: 'Join namespaces that are there: all of a directory such as /proc/PID/ns, one file such as /run/netns/blue or /proc/PID/ns/net, or those that a unix socket hands out (setns-socket, or that of uWSGI). What is joined is not made: `unshare` loses it, and a part of the default jail that needs it falls away. Of a directory or socket, what `unshare` names in this file is made anew and not joined.',
  }),
  'setns-socket': option({
    ...row,
    kind: optional(socketPath),
    default: undefined,
    help: "A unix socket, root's alone, that hands out the namespaces of this vassal while it runs, in the way of uWSGI: for the `setns` of other vassals and of uwsgi.",
  }),
  'setns-socket-skip': option({
    ...row,
    kind: commaList(namespaceName),
    default: [],
    help: 'Namespaces that setns-socket does not hand out. `user` is never handed out.',
  }),
  'setns-preopen': option({
    ...row,
    kind: flag,
    default: false,
    help: 'What setns-socket hands out is opened at the launch, before anything of the app runs, and held until the end; without it, it is opened for each who asks.',
  }),
};
