import { commaList, flag, optional, parsed, repeated, text } from '@emperor/common/options/kinds';
import { nearestName } from '@emperor/common/options/nearest';
import { type Decoded, type Kind, option } from '@emperor/common/options/option';

/** A user or group as the file names it; looked up when the spec is built. */
export type AccountRef =
  | { readonly by: 'name'; readonly name: string }
  | { readonly by: 'id'; readonly id: number };

export type UserRef = AccountRef | { readonly by: 'auto' };

/** `count` ids inside a user namespace, from `inside` on, and which they are outside, from `outside` on. */
export type IdMap = { readonly inside: number; readonly outside: number; readonly count: number };

const group = 'identity';

/** Capability names in the order of their numbers, without `CAP_`. */
export const CAPABILITIES: readonly string[] = [
  'chown',
  'dac_override',
  'dac_read_search',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'linux_immutable',
  'net_bind_service',
  'net_broadcast',
  'net_admin',
  'net_raw',
  'ipc_lock',
  'ipc_owner',
  'sys_module',
  'sys_rawio',
  'sys_chroot',
  'sys_ptrace',
  'sys_pacct',
  'sys_admin',
  'sys_boot',
  'sys_nice',
  'sys_resource',
  'sys_time',
  'sys_tty_config',
  'mknod',
  'lease',
  'audit_write',
  'audit_control',
  'setfcap',
  'mac_override',
  'mac_admin',
  'syslog',
  'wake_alarm',
  'block_suspend',
  'audit_read',
  'perfmon',
  'bpf',
  'checkpoint_restore',
];

/** Linux keeps capability sets in 64 bits. */
const LAST_POSSIBLE_CAPABILITY = 63;
/** -1 means "unchanged" to setuid and its kin. */
const LAST_ID = 2 ** 32 - 2;

/** `net_bind_service`, or the number where it has no name here. */
export function capabilityName(number: number): string {
  return CAPABILITIES[number] ?? String(number);
}

const account: Kind<AccountRef> = parsed(text, decodeAccount, {
  name: 'account',
  hint: 'name or number',
  format: (ref) => [formatAccount(ref)],
});

const user: Kind<UserRef> = parsed(text, decodeUser, {
  name: 'user',
  hint: 'user name, number, or auto',
  format: (ref) => [ref.by === 'auto' ? 'auto' : formatAccount(ref)],
});

const capability: Kind<number> = parsed(text, decodeCapability, {
  name: 'capability',
  hint: 'capability such as net_bind_service, or its number',
  format: (number) => [capabilityName(number)],
});

/** In the order of their bits; each has a lock one bit above. */
const SECUREBITS = ['noroot', 'no-setuid-fixup', 'keep-caps', 'no-cap-ambient-raise'] as const;
const SECUREBIT_WORDS: readonly string[] = SECUREBITS.flatMap((word) => [word, `${word}-locked`]);

const securebit: Kind<number> = parsed(text, decodeSecurebit, {
  name: 'securebit',
  hint: `one of ${SECUREBIT_WORDS.join(', ')}`,
  format: (bit) => [SECUREBIT_WORDS[bit] ?? String(bit)],
});

const idMap: Kind<IdMap> = parsed(text, decodeIdMap, {
  name: 'id map',
  hint: 'INSIDE OUTSIDE COUNT, such as 0 300000 65536',
  format: ({ inside, outside, count }) => [`${inside} ${outside} ${count}`],
});

/** Who the app is, and what that one may do. */
export const identity = {
  uid: option({
    kind: optional(user),
    default: undefined,
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group,
    help: "The user the app runs as; `auto` is a private one from the emperor's range, stable for this vassal. Without it: auto for root's files, the file's owner for a tenant's. Nothing runs as root unless this says so.",
  }),
  gid: option({
    kind: optional(account),
    default: undefined,
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group,
    help: "The app's group. Without it: the user's primary group; for a bare number the same number.",
  }),
  'add-gid': option({
    kind: commaList(account),
    default: [],
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'Supplementary groups. The app is in exactly these and in `gid`.',
  }),
  cap: option({
    kind: commaList(capability),
    default: [],
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'Capabilities the app has, by name or number; exactly these, in all five sets.',
  }),
  securebits: option({
    kind: commaList(securebit),
    default: [],
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help: "What uid 0 and setuid programs no longer mean for capabilities; `-locked` forbids to change it back, for the app and all that it starts. `keep-caps` itself is forgotten by the kernel when the app's program starts.",
  }),
  'uid-map': option({
    kind: repeated(idMap),
    default: [],
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help: "Which users the jail has: `INSIDE OUTSIDE COUNT`, may be repeated. Needs `user` in `unshare`. Without it: all of 0 to 65535 are ids of the vassal's own range (idmap-range of emperor.ini), but the app's own uid stays itself, and root inside is the first of the range: nobody outside. `uid` is always the id inside.",
  }),
  'gid-map': option({
    kind: repeated(idMap),
    default: [],
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'The same for groups; without it `gid` and `add-gid` stay themselves.',
  }),
  'no-new-privs': option({
    kind: flag,
    default: true,
    since: '0.1',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'Programs that are setuid or have file capabilities gain nothing by them.',
  }),
};

function decodeUser(written: string): Decoded<UserRef> {
  return written === 'auto' ? { ok: true, value: { by: 'auto' } } : decodeAccount(written);
}

/** A name or a number, not looked up. */
export function decodeAccount(written: string): Decoded<AccountRef> {
  if (/^\d+$/.test(written)) {
    const id = Number(written);
    return id <= LAST_ID
      ? { ok: true, value: { by: 'id', id } }
      : { ok: false, message: `expected a number up to ${LAST_ID}` };
  }
  // What getent and the passwd file could mistake for a field or an option is no name.
  if (!/^[^\s:,/-][^\s:,/]{0,255}$/.test(written))
    return { ok: false, message: 'expected a name or a number' };
  return { ok: true, value: { by: 'name', name: written } };
}

function formatAccount(ref: AccountRef): string {
  return ref.by === 'name' ? ref.name : String(ref.id);
}

function decodeCapability(written: string): Decoded<number> {
  if (/^\d{1,4}$/.test(written)) {
    const number = Number(written);
    return number <= LAST_POSSIBLE_CAPABILITY
      ? { ok: true, value: number }
      : {
          ok: false,
          message: `there is no capability ${number}: the last possible one is ${LAST_POSSIBLE_CAPABILITY}`,
        };
  }
  const name = written.toLowerCase().replace(/^cap_/, '');
  const number = CAPABILITIES.indexOf(name);
  if (number >= 0) return { ok: true, value: number };
  const nearest = nearestName(name, CAPABILITIES);
  return {
    ok: false,
    message: `there is no such capability${nearest === undefined ? '' : `, did you mean ${nearest}?`}`,
  };
}

function decodeSecurebit(written: string): Decoded<number> {
  const bit = SECUREBIT_WORDS.indexOf(written.toLowerCase().replaceAll('_', '-'));
  return bit >= 0
    ? { ok: true, value: bit }
    : { ok: false, message: `expected one of ${SECUREBIT_WORDS.join(', ')}` };
}

function decodeIdMap(written: string): Decoded<IdMap> {
  const [, inside = '', outside = '', count = ''] =
    /^(\d{1,10})[\s:]+(\d{1,10})[\s:]+(\d{1,10})$/.exec(written) ?? [];
  const map = { inside: Number(inside), outside: Number(outside), count: Number(count) };
  if (count === '') return { ok: false, message: 'expected INSIDE OUTSIDE COUNT, such as 0 300000 65536' };
  const isPossible =
    map.count > 0 && map.inside + map.count - 1 <= LAST_ID && map.outside + map.count - 1 <= LAST_ID;
  return isPossible
    ? { ok: true, value: map }
    : { ok: false, message: `expected ids up to ${LAST_ID}, and at least one` };
}
