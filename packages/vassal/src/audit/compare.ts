import type { AuditFindingJson } from '@emperor/common/control/proof';
import { checkGroups } from './check-groups.ts';
import { checkMounts } from './check-mounts.ts';
import {
  checkDescriptors,
  checkFilters,
  checkIdentity,
  checkNamespaces,
  checkRlimits,
  checkScheduling,
} from './check-processes.ts';
import { checkReading } from './check-reading.ts';
import { checkEnvironment, checkSockets } from './check-surroundings.ts';
import type { Check, Finding, Subject } from './finding.ts';

/** What an audit looks at, in this order. */
const CHECKS: readonly Check[] = [
  checkNamespaces,
  checkMounts,
  checkIdentity,
  checkFilters,
  checkRlimits,
  checkScheduling,
  checkGroups,
  checkDescriptors,
  checkSockets,
  checkEnvironment,
  checkReading,
];

/** Nothing is violated, and nothing that was promised cannot be told. */
export function holds(findings: readonly Pick<Finding, 'verdict'>[]): boolean {
  return findings.every(({ verdict }) => verdict === 'ok' || verdict === 'note');
}

/** All findings about a jail; what is the same for several processes is said once. */
export function compareJail(subject: Subject): readonly AuditFindingJson[] {
  const findings = CHECKS.flatMap((check) => check(subject));
  const groups = [...new Set(findings.map(({ group }) => group))];
  return said(groups.flatMap((group) => findings.filter((finding) => finding.group === group)));
}

function said(findings: readonly Finding[]): readonly AuditFindingJson[] {
  const byText = new Map<string, AuditFindingJson>();
  for (const { group, what, promised, found, verdict, reason, pid } of findings) {
    const key = JSON.stringify([group, what, promised, found, verdict, reason]);
    const known = byText.get(key);
    const one = known === undefined || known.pid === pid ? (pid ?? null) : null;
    byText.set(key, { group, what, promised, found, verdict, reason: reason ?? null, pid: one });
  }
  return [...byText.values()];
}
