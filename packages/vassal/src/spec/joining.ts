import type { Values } from '@emperor/common/options/option';
import { plain } from '../jail/path.ts';
import type { joining } from '../options/joining.ts';
import { type Draft, grant, isExplicit, type Rule, type RuleContext, report } from './draft.ts';
import type { Namespace, VassalSpec } from './spec.ts';

/** Namespaces of others, and ours for others. */
export type JoiningSpec = {
  /** What is joined at most: what a directory or socket has not is not. */
  readonly setns: { readonly path: string; readonly namespaces: readonly Namespace[] } | undefined;
  readonly socket:
    | { readonly path: string; readonly skip: readonly Namespace[]; readonly preopen: boolean }
    | undefined;
};

/** The part of a spec that the options of this group make. */
export function joiningOf(
  values: Values<typeof joining> & { readonly unshare: readonly Namespace[] },
): JoiningSpec {
  const { setns, 'setns-socket': socket } = values;
  return {
    setns:
      setns === undefined
        ? undefined
        : {
            path: plain(setns),
            namespaces: joinedBy(setns).filter((kind) => !values.unshare.includes(kind)),
          },
    socket:
      socket === undefined
        ? undefined
        : { path: plain(socket), skip: values['setns-socket-skip'], preopen: values['setns-preopen'] },
  };
}

/** What a spec holds for each option of this group. */
export const JOINING_VALUES: { readonly [K in keyof typeof joining]: (spec: VassalSpec) => unknown } = {
  setns: (spec) => spec.joining.setns,
  'setns-socket': (spec) => spec.joining.socket?.path,
  'setns-socket-skip': (spec) => spec.joining.socket?.skip,
  'setns-preopen': (spec) => spec.joining.socket?.preopen,
};

/** uWSGI hands out no user namespace, and a directory's is rarely one that others may live in. */
const ALL: readonly Namespace[] = ['mnt', 'pid', 'ipc', 'uts', 'net', 'cgroup', 'time'];

/** What a path can bring, by its name: one file of /proc/PID/ns or of ip-netns, or else everything. */
export function joinedBy(written: string): readonly Namespace[] {
  const path = plain(written);
  const [, named] = /^\/proc\/[^/]+(?:\/task\/\d+)?\/ns\/([a-z]+)(?:_for_children)?$/.exec(path) ?? [];
  const one = [...ALL, 'user' as const].find((kind) => kind === named);
  if (one !== undefined) return [one];
  return /^(\/var)?\/run\/netns\/[^/]+$/.test(path) ? ['net'] : ALL;
}

/** What is joined is not made too: `unshare` says what is left to make. */
const setnsRule: Rule = (draft, context) => {
  const { setns, unshare } = draft.values;
  if (setns === undefined) return draft;
  const joined = joinedBy(setns);
  const both = unshare.filter((kind) => joined.includes(kind));
  if (both.length === 0) return draft;
  if (!isExplicit(context.source, 'unshare')) {
    const left = unshare.filter((kind) => !joined.includes(kind));
    return grant(draft, 'unshare', left, `setns joins ${both.join(',')}`);
  }
  if (joined.length > 1) return draft;
  return report(draft, context, {
    severity: 'error',
    key: 'setns',
    message: `joins ${both.join(',')}, and unshare makes it too`,
    hint: `remove ${both.join(',')} from unshare, or this line`,
  });
};

/** What says how the socket serves needs the socket. A line that is refused already is not judged once more. */
const socketRule: Rule = (draft, context) => {
  const hasError = (key: string) =>
    draft.diagnostics.some((diagnostic) => diagnostic.severity === 'error' && diagnostic.key === key);
  if (draft.values['setns-socket'] !== undefined || hasError('setns-socket')) return draft;
  const idle = (['setns-socket-skip', 'setns-preopen'] as const).filter(
    (key) => isExplicit(context.source, key) && !hasError(key),
  );
  return idle.reduce((before: Draft, key) => reportIdle(before, context, key), draft);
};

function reportIdle(draft: Draft, context: RuleContext, key: 'setns-socket-skip' | 'setns-preopen'): Draft {
  const hint = 'say which socket: setns-socket = /run/NAME, or remove this line';
  return report(draft, context, { severity: 'error', key, message: 'needs setns-socket', hint });
}

/** Rules about options of this group, in the order in which they apply. */
export const JOINING_RULES: readonly Rule[] = [setnsRule, socketRule];
