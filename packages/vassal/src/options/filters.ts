import { optional, parsed, path, repeated, text } from '@emperor/common/options/kinds';
import { type Decoded, type Kind, option } from '@emperor/common/options/option';
import { DEFAULT_WORD, decodeWord, splitList } from '../seccomp/words.ts';

/** What `seccomp` asks for: no filter, a list of words, or the words of a file. */
export type SeccompWish =
  | { readonly by: 'none' }
  | { readonly by: 'words'; readonly words: readonly string[] }
  | { readonly by: 'file'; readonly path: string };

const group = 'filters';

const LAST_PORT = 65_535;
/** What the keeper takes, with room for what is implied. */
const MOST_PATHS = 100;
const MOST_PORTS = 400;

const seccomp: Kind<SeccompWish> = parsed(repeated(text), decodeSeccomp, {
  name: 'system call list',
  hint: 'default, none, system calls and @groups with or without ~, or an absolute path',
  schema: { type: 'string', minLength: 1 },
  format: (wish) => [formatSeccomp(wish)],
});

const paths: Kind<readonly string[]> = parsed(repeated(path), (value) =>
  value.length <= MOST_PATHS
    ? { ok: true, value }
    : {
        ok: false,
        message: `has ${value.length} paths, at most ${MOST_PATHS} are possible`,
        index: MOST_PATHS,
      },
);

const ports: Kind<readonly number[]> = parsed(repeated(text), decodePorts, {
  name: 'port list',
  hint: 'TCP ports, several separated by commas, or none',
  schema: { type: 'string', pattern: '^(none|[0-9]+(\\s*,\\s*[0-9]+)*)$' },
  format: (value) => [value.length === 0 ? 'none' : value.join(',')],
});

const label: Kind<string> = parsed(
  text,
  (written) =>
    /^[^\s\p{Cc}]{1,512}$/u.test(written)
      ? { ok: true, value: written }
      : { ok: false, message: 'expected a name without blanks' },
  { name: 'label', hint: 'name without blanks' },
);

/** What the kernel refuses to the app beyond its rights. */
export const filters = {
  seccomp: option({
    kind: seccomp,
    default: { by: 'words', words: [DEFAULT_WORD] },
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'System calls. default: what no ordinary program needs is denied, much as container engines do; a capability in `cap` brings its calls along. A list: `~ptrace` or `~@clock` denies, alone from everything; words without `~` (`default`, `@system-service`, `read`) make an allow-list. Denied is denied wherever it stands. An absolute path: a file of root with such words. What init needs (`@init`) always stays. clone and unshare with new namespaces, ioctl TIOCSTI, personality and socket AF_VSOCK stay denied unless the call is named itself. Denied calls fail with EPERM, unknown newer ones and clone3 with ENOSYS; 32-bit programs are killed. Needs `no-new-privs`.',
  }),
  'landlock-ro': option({
    kind: paths,
    default: [],
    since: '0.2',
    who: 'tenant',
    onChange: 'restart',
    group,
    help: 'Paths to read and list, with what is below. With any landlock list everything else is closed but what programs need: /usr /bin /sbin /lib* to read and run, /etc and /sys and /run to read, /proc, the nodes of /dev, private /tmp, and the program and env-file themselves. Opened as the app; opens nothing that its user may not. Needs `no-new-privs`.',
  }),
  'landlock-rw': option({
    kind: paths,
    default: [],
    since: '0.2',
    who: 'tenant',
    onChange: 'restart',
    group,
    help: 'Paths to read, write, make and remove below; not to execute. See `landlock-ro`.',
  }),
  'landlock-exec': option({
    kind: paths,
    default: [],
    since: '0.2',
    who: 'tenant',
    onChange: 'restart',
    group,
    help: 'Paths to read and execute; a script needs its interpreter, a program its loader and libraries. See `landlock-ro`.',
  }),
  'tcp-bind': option({
    kind: optional(ports),
    default: undefined,
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'TCP ports that the app may bind, by Landlock; 0 is any free one. Without `net` in `unshare` the loopback is shared with neighbours. Says nothing of UDP. Needs `no-new-privs`.',
  }),
  'tcp-connect': option({
    kind: optional(ports),
    default: undefined,
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'TCP ports that the app may connect to, on any address; the port of `ready = tcp` in a file of the operator is always one. Says nothing of UDP. Needs `no-new-privs`.',
  }),
  apparmor: option({
    kind: optional(label),
    default: undefined,
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'The AppArmor profile that the app runs under; it must be loaded.',
  }),
  selinux: option({
    kind: optional(label),
    default: undefined,
    since: '0.2',
    who: 'operator',
    onChange: 'restart',
    group,
    help: 'The SELinux context that the app runs in.',
  }),
};

function decodeSeccomp(values: readonly string[]): Decoded<SeccompWish> {
  const [first = ''] = values;
  if (values.length === 1 && first.startsWith('/')) return { ok: true, value: { by: 'file', path: first } };
  const words: string[] = [];
  for (const [index, value] of values.entries()) {
    for (const word of splitList(value)) {
      if (word === 'none' && (values.length > 1 || value.trim() !== 'none'))
        return { ok: false, message: 'none excludes every other word', index };
      const decoded = word === 'none' ? { ok: true as const, value: word } : decodeWord(word);
      if (!decoded.ok) return { ...decoded, index };
      words.push(decoded.value);
    }
  }
  if (words.length === 0) return { ok: false, message: 'expected default, none, or system calls' };
  return {
    ok: true,
    value: words[0] === 'none' ? { by: 'none' } : { by: 'words', words: [...new Set(words)] },
  };
}

function formatSeccomp(wish: SeccompWish): string {
  switch (wish.by) {
    case 'none':
      return 'none';
    case 'file':
      return wish.path;
    case 'words':
      return wish.words.join(',');
  }
}

function decodePorts(values: readonly string[]): Decoded<readonly number[]> {
  if (values.length === 1 && values[0] === 'none') return { ok: true, value: [] };
  const numbers = new Set<number>();
  for (const [index, value] of values.entries()) {
    for (const word of value.split(',').map((part) => part.trim())) {
      if (!/^\d{1,5}$/.test(word) || Number(word) > LAST_PORT)
        return {
          ok: false,
          message: `expected ports from 0 to ${LAST_PORT}, separated by commas, or none`,
          index,
        };
      numbers.add(Number(word));
    }
  }
  if (numbers.size > MOST_PORTS)
    return { ok: false, message: `has ${numbers.size} ports, at most ${MOST_PORTS} are possible` };
  return { ok: true, value: [...numbers].toSorted((a, b) => a - b) };
}
