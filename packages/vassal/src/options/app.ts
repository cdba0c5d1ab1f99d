import { flag, mode, optional, parsed, path, repeated, text, words } from '@emperor/common/options/kinds';
import { type Kind, option } from '@emperor/common/options/option';

export type EnvVariable = { readonly name: string; readonly value: string };

const group = 'app';

const environmentVariable: Kind<EnvVariable> = parsed(
  text,
  (written) => {
    const at = written.indexOf('=');
    const name = written.slice(0, Math.max(at, 0));
    if (!/^[^\s=]+$/.test(name)) return { ok: false, message: 'expected NAME=VALUE' };
    return { ok: true, value: { name, value: written.slice(at + 1) } };
  },
  {
    name: 'variable',
    hint: 'NAME=VALUE',
    schema: { type: 'string', pattern: '^[^\\s=]+=' },
    format: ({ name, value }) => [`${name}=${value}`],
  },
);

/** What runs, and what it finds around it. */
export const app = {
  command: option({
    kind: optional(words),
    default: undefined,
    since: '0.1',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: 'The program to run and its arguments. Split into words at blanks, with quotes as in a shell; no shell runs it. Looked up in PATH inside the jail. Required.',
  }),
  chdir: option({
    kind: optional(path),
    default: undefined,
    since: '0.1',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: "The app's working directory, entered inside the jail as the app's user. Without it: the home directory of a user of the user database, else /.",
  }),
  env: option({
    kind: repeated(environmentVariable),
    default: [],
    since: '0.1',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: "A variable of the app's environment. The app gets nothing of the emperor's own environment.",
  }),
  'env-file': option({
    kind: optional(path),
    default: undefined,
    since: '0.1',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: "A file of NAME=VALUE lines, read inside the jail as the app's user; `env` overrides it.",
  }),
  umask: option({
    kind: mode(0o777),
    default: 0o022,
    since: '0.1',
    who: 'tenant',
    onChange: 'reload',
    group,
    help: 'Permission bits that files made by the app do not get.',
  }),
  autostart: option({
    kind: flag,
    default: true,
    since: '0.1',
    who: 'tenant',
    onChange: 'live',
    group,
    help: 'Start as soon as the file is there. With false it waits for `emperor start`.',
  }),
};
