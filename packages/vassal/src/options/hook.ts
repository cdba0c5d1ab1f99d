import { assertNever } from '@emperor/common/assert';
import { nearestName } from '@emperor/common/options/nearest';
import type { Decoded } from '@emperor/common/options/option';
import { splitWords } from '@emperor/common/options/words';
import { decodeMount, decodeUmount, type HookMount, type HookUmount, plainPath } from './hook-mount.ts';
import { decodeAccount, type UserRef } from './identity.ts';

/** When hooks run, in this order. */
export const HOOK_PHASES = ['pre-jail', 'post-jail', 'as-root', 'as-user', 'post-stop'] as const;
export type HookPhase = (typeof HOOK_PHASES)[number];

/** `auto` is the app's own id, `keep` leaves what is there. */
export type HookAccount = UserRef | { readonly by: 'keep' };

/** What a hook does. Paths are absolute and plain. */
export type HookAction =
  | { readonly action: 'exec'; readonly words: readonly string[] }
  | ({ readonly action: 'mount' } & HookMount)
  | ({ readonly action: 'umount' } & HookUmount)
  | { readonly action: 'mkdir'; readonly path: string; readonly mode: number }
  | {
      readonly action: 'chown';
      readonly path: string;
      readonly user: HookAccount;
      readonly group: HookAccount;
    }
  | { readonly action: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly action: 'symlink'; readonly target: string; readonly path: string }
  | { readonly action: 'write'; readonly path: string; readonly text: string }
  | { readonly action: 'sethostname'; readonly name: string }
  | { readonly action: 'ifup'; readonly name: string }
  | { readonly action: 'print'; readonly text: string };

/** One hook: `written` as in the file; `label` as people are told, without the argument of a private one. */
export type Hook = HookAction & { readonly written: string; readonly label: string };

type ActionName = HookAction['action'];

/** Each action with the form of its argument. */
const FORMS: Readonly<Record<ActionName, string>> = {
  exec: 'exec:PROGRAM [ARGUMENT…]',
  mount: 'mount:TYPE SOURCE TARGET [FLAG,FLAG… [DATA]]',
  umount: 'umount:TARGET [rec,detach,force]',
  mkdir: 'mkdir:DIRECTORY [MODE]',
  chown: 'chown:FILE USER GROUP',
  chmod: 'chmod:FILE MODE',
  symlink: 'symlink:WHERE-TO LINK',
  write: 'write:FILE TEXT',
  sethostname: 'sethostname:NAME',
  ifup: 'ifup:INTERFACE',
  print: 'print:TEXT',
};
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of that record, which has no others
export const HOOK_ACTIONS = Object.keys(FORMS) as readonly ActionName[];

const MOST_WORDS = 256;
const DIRECTORY_MODE = 0o755;

/** `ACTION:ARGUMENT`, with `!` before it when the argument is nobody's business. */
export function decodeHook(written: string): Decoded<Hook> {
  const isPrivate = written.startsWith('!');
  const [name, argument] = splitAt(isPrivate ? written.slice(1) : written, ':');
  if (argument === undefined) return { ok: false, message: 'expected ACTION:ARGUMENT' };
  const action = actionOf(name.trim());
  if (!action.ok) return action;
  const decoded = decodeAction(action.value, argument.trim());
  if (!decoded.ok) return { ok: false, message: `${decoded.message} (${FORMS[action.value]})` };
  const label = isPrivate ? `!${action.value}:…` : written;
  return { ok: true, value: { ...decoded.value, written, label } };
}

function actionOf(name: string): Decoded<ActionName> {
  const known = HOOK_ACTIONS.find((action) => action === (name === 'hostname' ? 'sethostname' : name));
  if (known !== undefined) return { ok: true, value: known };
  const nearest = nearestName(name, HOOK_ACTIONS);
  const hint =
    nearest === undefined ? `the actions are ${HOOK_ACTIONS.join(', ')}` : `did you mean ${nearest}?`;
  return { ok: false, message: `unknown action ${name.slice(0, 40)}: ${hint}` };
}

/** The two that take a text as it is; all others are words. */
function decodeAction(action: ActionName, argument: string): Decoded<HookAction> {
  if (argument === '') return refuse('expected an argument');
  if (action === 'print') return { ok: true, value: { action, text: argument } };
  const split = splitWords(argument);
  if (!split.ok) return split;
  if (split.value.length > MOST_WORDS) return refuse(`expected at most ${MOST_WORDS} words`);
  return decodeWords(action, split.value);
}

function decodeWords(action: Exclude<ActionName, 'print'>, words: readonly string[]): Decoded<HookAction> {
  const [first = '', second, third] = words;
  switch (action) {
    case 'exec':
      return first === '' ? refuse('expected a program') : { ok: true, value: { action, words } };
    case 'mount':
      return named(action, decodeMount(words));
    case 'umount':
      return named(action, decodeUmount(words));
    case 'mkdir':
      return withMode(action, words, DIRECTORY_MODE);
    case 'chmod':
      return withMode(action, words, undefined);
    case 'chown':
      return words.length === 3
        ? decodeChown(first, second ?? '', third ?? '')
        : refuse('expected three words');
    case 'symlink':
      return words.length === 2 ? decodeSymlink(first, second ?? '') : refuse('expected two words');
    case 'write':
      return onPath(first, (path) => ({ action, path, text: words.slice(1).join(' ') }));
    case 'sethostname':
      return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(first) && words.length === 1
        ? { ok: true, value: { action, name: first } }
        : refuse('expected one host name');
    case 'ifup':
      return /^[^\s/]{1,15}$/.test(first) && words.length === 1
        ? { ok: true, value: { action, name: first } }
        : refuse('expected one interface');
    default:
      return assertNever(action);
  }
}

function named<A extends 'mount' | 'umount', T>(
  action: A,
  decoded: Decoded<T>,
): Decoded<T & { readonly action: A }> {
  return decoded.ok ? { ok: true, value: { action, ...decoded.value } } : decoded;
}

function withMode(
  action: 'mkdir' | 'chmod',
  words: readonly string[],
  preset: number | undefined,
): Decoded<HookAction> {
  const [path = '', written] = words;
  const mode = written === undefined ? preset : modeOf(written);
  if (mode === undefined || words.length > 2) return refuse('expected an octal mode such as 750');
  return onPath(path, (plain) => ({ action, path: plain, mode }));
}

function modeOf(written: string): number | undefined {
  return /^[0-7]{3,4}$/.test(written) ? Number.parseInt(written, 8) : undefined;
}

function decodeChown(path: string, user: string, group: string): Decoded<HookAction> {
  const [owner, owners] = [decodeId(user), decodeId(group)];
  if (!owner.ok) return owner;
  if (!owners.ok) return owners;
  return onPath(path, (plain) => ({ action: 'chown', path: plain, user: owner.value, group: owners.value }));
}

function decodeId(written: string): Decoded<HookAccount> {
  if (written === 'auto') return { ok: true, value: { by: 'auto' } };
  return written === '-' ? { ok: true, value: { by: 'keep' } } : decodeAccount(written);
}

function decodeSymlink(target: string, link: string): Decoded<HookAction> {
  if (target === '') return refuse('expected where the link leads to');
  return onPath(link, (path) => ({ action: 'symlink', target, path }));
}

function onPath(written: string, make: (path: string) => HookAction): Decoded<HookAction> {
  const path = plainPath(written);
  return path === undefined
    ? refuse('expected an absolute path without . and ..')
    : { ok: true, value: make(path) };
}

function splitAt(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function refuse(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
