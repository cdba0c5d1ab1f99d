import type { VassalOptionName, VassalValues } from '../options/index.ts';
import { type Draft, grant, isExplicit, type Rule, type RuleContext, report } from './draft.ts';
import type { Namespace } from './spec.ts';

/** A vassal without a program is nothing. */
export const commandRule: Rule = (draft, context) =>
  draft.values.command !== undefined || context.source.raw.has('command')
    ? draft
    : report(draft, context, {
        severity: 'error',
        key: 'command',
        message: 'is missing',
        hint: 'say what to run: command = /usr/bin/node server.js',
      });

/** What a keeper can be told in one launch. */
const MOST_WORDS = 1_000;
const MOST_VARIABLES = 480;
const MOST_GROUPS = 64;
const MOST_TEXT_BYTES = 90 * 1_024;

/** More than the keeper takes is refused here, with a line, not at the launch. */
export const sizeRule: Rule = (draft, context) => {
  const { command = [], env, 'add-gid': groups } = draft.values;
  const text = [...command, ...env.map(({ name, value }) => `${name}=${value}`)];
  const bytes = Buffer.byteLength(text.join('\n'));
  const problems: readonly (readonly [VassalOptionName, boolean, string])[] = [
    [
      'command',
      command.length > MOST_WORDS,
      `has ${command.length} words, at most ${MOST_WORDS} are possible`,
    ],
    [
      'env',
      env.length > MOST_VARIABLES,
      `has ${env.length} variables, at most ${MOST_VARIABLES} are possible`,
    ],
    [
      'add-gid',
      groups.length > MOST_GROUPS,
      `has ${groups.length} groups, at most ${MOST_GROUPS} are possible`,
    ],
    [
      'command',
      bytes > MOST_TEXT_BYTES,
      `and env have ${bytes} bytes together, at most ${MOST_TEXT_BYTES} are possible`,
    ],
  ];
  const hint = 'put variables into an env-file, and long commands into a script';
  let judged = draft;
  for (const [key, isWrong, message] of problems) {
    if (isWrong) judged = report(judged, context, { severity: 'error', key, message, hint });
  }
  return judged;
};

/** A restart cannot be due both later than `restart-delay` and sooner. */
export const restartDelayRule: Rule = (draft, context) => {
  const { 'restart-delay': delayMs, 'restart-max-delay': mostMs } = draft.values;
  if (delayMs <= mostMs) return draft;
  if (!isExplicit(context.source, 'restart-max-delay')) {
    return grant(draft, 'restart-max-delay', delayMs, 'not shorter than restart-delay');
  }
  return report(draft, context, {
    severity: 'error',
    key: 'restart-delay',
    message: 'is longer than restart-max-delay',
    hint: 'raise restart-max-delay or lower restart-delay',
  });
};

/** A vassal that is ready only after its time is over never becomes ready. */
export const readyDelayRule: Rule = (draft, context) => {
  const { ready, 'ready-timeout': timeoutMs } = draft.values;
  if (ready.by !== 'delay' || ready.ms < timeoutMs) return draft;
  return report(draft, context, {
    severity: 'error',
    key: 'ready',
    message: 'the delay is not shorter than ready-timeout',
    hint: 'raise ready-timeout',
  });
};

/** Nobody waits for himself. */
export const startAfterRule: Rule = (draft, context) =>
  draft.values['start-after'].includes(context.source.name)
    ? report(draft, context, {
        severity: 'error',
        key: 'start-after',
        message: 'a vassal cannot start after itself',
        hint: undefined,
      })
    : draft;

/** An option that means something only in some namespaces: its value when they are missing. */
type Need<K extends VassalOptionName> = {
  readonly key: K;
  readonly namespaces: readonly Namespace[];
  readonly without: VassalValues[K];
};

/** `hostname` needs `uts`; the vassal's name is its default. */
export const hostnameRule: Rule = (draft, context) => {
  const named = draft.values.hostname === undefined ? withHostname(draft, context.source.name) : draft;
  return need(named, context, { key: 'hostname', namespaces: ['uts'], without: undefined });
};

/** `private-tmp` needs `mnt`. */
export const privateTmpRule: Rule = (draft, context) =>
  need(draft, context, { key: 'private-tmp', namespaces: ['mnt'], without: false });

/** `private-dev` needs `mnt`. */
export const privateDevRule: Rule = (draft, context) =>
  need(draft, context, { key: 'private-dev', namespaces: ['mnt'], without: false });

/** `proc = private` needs `mnt` to mount it and `pid` to show the jail's own processes. */
export const procRule: Rule = (draft, context) =>
  need(draft, context, { key: 'proc', namespaces: ['mnt', 'pid'], without: 'host' });

/** `protect-system` needs `mnt`. */
export const protectSystemRule: Rule = (draft, context) =>
  need(draft, context, { key: 'protect-system', namespaces: ['mnt'], without: 'no' });

/** All rules about options that concern each other, in the order in which they apply. */
export const CROSS_OPTION_RULES: readonly Rule[] = [
  commandRule,
  sizeRule,
  restartDelayRule,
  readyDelayRule,
  startAfterRule,
  hostnameRule,
  privateTmpRule,
  privateDevRule,
  procRule,
  protectSystemRule,
];

/** A default that needs a missing namespace falls away; written explicitly it is an error. */
function need<K extends VassalOptionName>(
  draft: Draft,
  context: RuleContext,
  { key, namespaces, without }: Need<K>,
): Draft {
  const missing = namespaces.filter((namespace) => !draft.values.unshare.includes(namespace));
  if (missing.length === 0 || draft.values[key] === without) return draft;
  const needs = `needs ${namespaces.join(' and ')} in unshare`;
  if (!isExplicit(context.source, key)) return grant(draft, key, without, needs);
  const hint = `add ${missing.join(',')} to unshare, or remove this line`;
  return report(draft, context, { severity: 'error', key, message: needs, hint });
}

function withHostname(draft: Draft, hostname: string): Draft {
  return { ...draft, values: { ...draft.values, hostname } };
}
