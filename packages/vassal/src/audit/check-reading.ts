import type { Finding, Subject } from './finding.ts';

/** What is there and was not looked at: a promise about it may be broken. */
export function checkReading({ found }: Subject): readonly Finding[] {
  const ofProcesses = found.processes.flatMap(({ pid, unread }) => unread.map((each) => ({ ...each, pid })));
  return [...found.unread, ...ofProcesses].map(({ group, what, why, pid }) => ({
    group,
    what,
    promised: 'all of it can be looked at',
    found: 'not all of it could be',
    verdict: 'cannot-tell',
    reason: why,
    pid,
  }));
}
