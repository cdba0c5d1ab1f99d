import type { AuditVerdict } from '@emperor/common/control/proof';
import type { Directive } from '../jail/directive.ts';
import type { JailRun } from '../jail/run.ts';
import type { HostFacts } from '../spec/host-facts.ts';
import type { VassalSpec } from '../spec/spec.ts';
import type { FoundJail, FoundProcess } from './found.ts';

/** One thing that was promised, and what is there. */
export type Finding = {
  readonly group: string;
  readonly what: string;
  readonly promised: string;
  readonly found: string;
  readonly verdict: AuditVerdict;
  readonly reason?: string | undefined;
  readonly pid?: number | undefined;
};

/** A promise, and the jail that should keep it. */
export type Subject = {
  readonly spec: VassalSpec;
  readonly host: HostFacts;
  readonly run: JailRun;
  /** The plan of the running generation. */
  readonly directives: readonly Directive[];
  readonly found: FoundJail;
};

/** Looks at one side of a jail. Pure. */
export type Check = (subject: Subject) => readonly Finding[];

/** ok when `found` is what was promised, word by word. */
export function equal(parts: Omit<Finding, 'verdict'>): Finding {
  return { ...parts, verdict: parts.promised === parts.found ? 'ok' : 'violated' };
}

/** In a user namespace that it made itself: rights inside it are worth nothing outside. */
export function isNested({ found }: Subject, process: FoundProcess): boolean {
  const own = process.namespaces.get('user');
  const init = found.processes.find(({ role }) => role === 'init');
  return (
    own !== undefined && own !== init?.namespaces.get('user') && own !== found.host.namespaces.get('user')
  );
}
