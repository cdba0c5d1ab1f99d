import { assertNever } from '@emperor/common/assert';
import { HOOK_PHASES, type Hook, type HookAccount } from '../options/hook.ts';
import type { VassalSpec } from '../spec/spec.ts';
import type { Directive } from './directive.ts';
import type { JailRun } from './run.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The words of the blob for this group. */
export function hookDirectives(spec: VassalSpec, run: JailRun): readonly Directive[] {
  const { byPhase, timeoutMs } = spec.hooks;
  const directives = HOOK_PHASES.flatMap((phase) =>
    byPhase[phase].flatMap((hook): readonly Directive[] => [
      { word: 'hook', args: [phase, hook.action, String(timeoutMs), hook.label] },
      ...argumentsOf(hook, run).map((argument): Directive => ({ word: 'hook-arg', args: [argument] })),
    ]),
  );
  return directives.length === 0 ? [] : [...environmentOf(spec, run), ...directives];
}

/** What every program of a hook finds; the keeper adds the phase, and the pid of the jail where there is one. */
function environmentOf(spec: VassalSpec, run: JailRun): readonly Directive[] {
  const variables = {
    PATH,
    LANG: 'C.UTF-8',
    EMPEROR_VASSAL: spec.name,
    EMPEROR_UID: String(run.uid),
    EMPEROR_GID: String(run.gid),
  };
  return Object.entries(variables).map(([name, value]) => ({ word: 'hook-env', args: [`${name}=${value}`] }));
}

/** In the order in which native/hook_actions.c takes them. */
function argumentsOf(hook: Hook, run: JailRun): readonly string[] {
  switch (hook.action) {
    case 'exec':
      return hook.words;
    case 'mount':
      return [
        hook.kind,
        hook.recursive ? '1' : '0',
        hook.fsType,
        hook.source,
        hook.target,
        ...[hook.set, hook.clear, hook.propagation, hook.flags].map(String),
        hook.data,
      ];
    case 'umount':
      return [hook.target, String(hook.flags), hook.recursive ? '1' : '0'];
    case 'mkdir':
    case 'chmod':
      return [hook.path, hook.mode.toString(8)];
    case 'chown':
      return [hook.path, idOf(hook.user, run.uid), idOf(hook.group, run.gid)];
    case 'symlink':
      return [hook.target, hook.path];
    case 'write':
      return [hook.path, hook.text];
    case 'sethostname':
    case 'ifup':
      return [hook.name];
    case 'print':
      return [hook.text];
    default:
      return assertNever(hook);
  }
}

function idOf(account: HookAccount, own: number): string {
  switch (account.by) {
    case 'id':
      return String(account.id);
    case 'auto':
      return String(own);
    case 'keep':
      return '-';
    case 'name':
      throw new Error(`the name ${account.name} of a hook was not looked up`);
    default:
      return assertNever(account);
  }
}
