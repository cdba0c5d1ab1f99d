import { initCallsOf } from '../seccomp/init-calls.ts';
import type { HostFacts } from '../spec/host-facts.ts';
import type { VassalSpec } from '../spec/spec.ts';
import type { Directive } from './directive.ts';
import { landlockDirectives } from './landlock.ts';
import { seccompProgram } from './seccomp.ts';

/** The words of the blob for this group. */
export function filterDirectives(
  spec: VassalSpec,
  host: Pick<HostFacts, 'landlockAbi' | 'architecture'>,
): readonly Directive[] {
  const { apparmor, selinux } = spec.filters;
  return [
    ...landlockDirectives(spec, host.landlockAbi),
    ...(apparmor === undefined ? [] : [{ word: 'apparmor', args: [apparmor] } as const]),
    ...(selinux === undefined ? [] : [{ word: 'selinux', args: [selinux] } as const]),
    ...seccompDirectives(spec, host),
  ];
}

function seccompDirectives(
  { filters, hooks, identity, lifecycle }: VassalSpec,
  { architecture }: Pick<HostFacts, 'architecture'>,
): readonly Directive[] {
  const words = filters.seccomp;
  if (words === undefined || architecture === undefined || !identity.noNewPrivs) return [];
  const program = seccompProgram({
    words,
    architecture,
    capabilities: identity.caps,
    needed: initCallsOf({
      probes: lifecycle.ready.by === 'tcp',
      touches: lifecycle.touchReload.length > 0,
      hooks: hooks.byPhase['as-user'].length > 0,
    }),
  });
  return [{ word: 'seccomp', args: [program] }];
}
