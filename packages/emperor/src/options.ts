import { integer, oneOf, optional, parsed, path, text } from '@emperor/common/options/kinds';
import { type Kind, option, type Values } from '@emperor/common/options/option';

/** The private uids that `uid = auto` is served from, both ends included. */
export type UidRange = { readonly from: number; readonly to: number };

/** Emperors on one machine share the range in blocks of this size. */
const FEWEST_UIDS = 256;
/** Below are people and system accounts; 65534 is nobody, and the last values of uid_t have meanings of their own. */
const LOWEST_PRIVATE_UID = 65_536;
const HIGHEST_PRIVATE_UID = 4_294_967_293;

const uidRange: Kind<UidRange> = parsed(
  text,
  (value) => {
    const [, from = '', to = ''] = /^(\d{1,10})-(\d{1,10})$/.exec(value) ?? [];
    const range = { from: Number(from), to: Number(to) };
    const isLegal =
      range.from >= LOWEST_PRIVATE_UID &&
      range.to <= HIGHEST_PRIVATE_UID &&
      range.to - range.from + 1 >= FEWEST_UIDS;
    if (to !== '' && isLegal) return { ok: true, value: range };
    return {
      ok: false,
      message: `expected FIRST-LAST, at least ${FEWEST_UIDS} uids from ${LOWEST_PRIVATE_UID} up, such as 400000-465535`,
    };
  },
  {
    name: 'uid range',
    hint: 'uid range such as 400000-465535',
    schema: { type: 'string', pattern: '^[0-9]+-[0-9]+$' },
    format: ({ from, to }) => [`${from}-${to}`],
  },
);

/** Whole blocks of 16 times 65,536 ids. */
const FEWEST_MAPPED_IDS = 16 * 65_536;

const idmapRange: Kind<UidRange> = parsed(
  uidRange,
  (range) =>
    range.from % 65_536 === 0 && range.to - range.from + 1 >= FEWEST_MAPPED_IDS
      ? { ok: true, value: range }
      : {
          ok: false,
          message: `expected FIRST-LAST, FIRST a multiple of 65536, at least ${FEWEST_MAPPED_IDS} ids`,
        },
  {
    name: 'id range',
    hint: 'range of ids such as 1879048192-2147352575',
    schema: { type: 'string', pattern: '^[0-9]+-[0-9]+$' },
    format: ({ from, to }) => [`${from}-${to}`],
  },
);

const row = { since: '0.1', who: 'operator', onChange: 'restart', group: 'emperor' } as const;

/** The options of [emperor] in emperor.ini: the emperor's own table. A flag of `emperor run` outranks its row. */
export const emperorOptions = {
  vassals: option({ ...row, kind: path, default: '/etc/emperor/vassals', help: 'The vassals directory.' }),
  'runtime-dir': option({
    ...row,
    kind: path,
    default: '/run/emperor',
    help: 'Control socket and keeper sockets; gone at a reboot.',
  }),
  'log-dir': option({
    ...row,
    kind: path,
    default: '/var/log/emperor',
    help: 'The log of each vassal is log-dir/NAME/current.',
  }),
  'state-dir': option({
    ...row,
    kind: path,
    default: '/var/lib/emperor',
    help: 'Last good revisions, stop marks and private uids; survives a reboot.',
  }),
  group: option({
    ...row,
    kind: optional(text, 'none'),
    default: undefined,
    help: 'Group (name or gid) that may open the control socket, with the power over every vassal.',
  }),
  'uid-range': option({
    ...row,
    kind: uidRange,
    default: { from: 400_000, to: 465_535 },
    help: 'Where the private uids of `uid = auto` come from.',
  }),
  'idmap-range': option({
    ...row,
    since: '0.2',
    kind: idmapRange,
    default: { from: 0x7000_0000, to: 0x7ffd_ffff },
    help: 'Where the 65,536 ids of each vassal with a user namespace (`user` in `unshare`) come from; outside of what login.defs gives for subordinate ids and of what systemd-nspawn takes.',
  }),
  'uid-claims': option({
    ...row,
    kind: path,
    default: '/var/lib/emperor-uids',
    help: 'Which private uids are taken on this machine, by any emperor.',
  }),
  'max-starting': option({
    ...row,
    kind: integer(1, 4096),
    default: 64,
    help: 'How many launches may be under way at once.',
  }),
  'log-level': option({
    ...row,
    kind: oneOf('error', 'warn', 'info', 'debug'),
    default: 'info',
    help: "What the emperor's own log tells.",
  }),
  'log-format': option({
    ...row,
    kind: oneOf('text', 'json'),
    default: 'text',
    help: "The form of the emperor's own log.",
  }),
};

export type EmperorOptions = typeof emperorOptions;
export type EmperorValues = Values<EmperorOptions>;
