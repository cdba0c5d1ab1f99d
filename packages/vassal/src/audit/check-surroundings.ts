import { isBelow } from '../jail/path.ts';
import type { Finding, Subject } from './finding.ts';

/** Sockets that can be reached: abstract ones and TCP listeners of the same net namespace, and the emperor's. */
export function checkSockets(subject: Subject): readonly Finding[] {
  return [...abstractSockets(subject), ...emperorSockets(subject), ...tcpListeners(subject)];
}

/** The first Landlock that can scope abstract sockets. */
const SCOPING_ABI = 6;

function abstractSockets({ spec, host, found }: Subject): readonly Finding[] {
  const finding = { group: 'sockets', what: 'abstract sockets' };
  if (!found.unixSockets.ok) {
    return [{ ...finding, promised: '', found: '', verdict: 'cannot-tell', reason: found.unixSockets.why }];
  }
  const open = found.unixSockets.value.filter(({ path, isListening }) => isListening && path.startsWith('@'));
  const seen = open.length === 0 ? 'none' : `${open.length}: ${firstOf(open.map(({ path }) => path))}`;
  if (spec.jail.namespaces.includes('net')) {
    return [{ ...finding, promised: "the jail's own only", found: seen, verdict: 'ok' }];
  }
  if (spec.identity.noNewPrivs && host.landlockAbi >= SCOPING_ABI) {
    const reason = 'Landlock keeps them out of reach, and leaves no trace in /proc: emperor drill tries it';
    return [
      {
        ...finding,
        promised: 'none in reach',
        found: `in the same namespace ${seen}`,
        verdict: 'note',
        reason,
      },
    ];
  }
  const reason = 'the net namespace is shared, and this kernel or no-new-privs = no gives no Landlock scope';
  return [{ ...finding, promised: 'nothing', found: seen, verdict: 'note', reason }];
}

/** Without a mount namespace of its own, only their modes keep them closed. */
function emperorSockets({ spec, run, found }: Subject): readonly Finding[] {
  if (!found.unixSockets.ok || spec.jail.namespaces.includes('mnt')) return [];
  const own = found.unixSockets.value.filter(
    ({ path, isListening }) => isListening && run.hide.some((directory) => isBelow(path, directory)),
  );
  return [
    {
      group: 'sockets',
      what: "the emperor's sockets",
      promised: 'closed by their modes',
      found: `${own.length} can be seen`,
      verdict: 'note',
      reason: 'unshare leaves out mnt',
    },
  ];
}

function tcpListeners({ spec, found }: Subject): readonly Finding[] {
  const finding = { group: 'sockets', what: 'TCP listeners' };
  if (!found.tcpListeners.ok) {
    return [{ ...finding, promised: '', found: '', verdict: 'cannot-tell', reason: found.tcpListeners.why }];
  }
  const ports = found.tcpListeners.value;
  const seen = ports.length === 0 ? 'none' : `ports ${firstOf(ports)}`;
  if (spec.jail.namespaces.includes('net')) {
    return [{ ...finding, promised: "the jail's own only", found: seen, verdict: 'ok' }];
  }
  const reason = 'the loopback is shared with the host and its neighbours: net in unshare ends that';
  return [{ ...finding, promised: 'nothing', found: seen, verdict: 'note', reason }];
}

const MOST_SHOWN = 5;

function firstOf(items: readonly string[]): string {
  const rest = items.length - MOST_SHOWN;
  return `${items.slice(0, MOST_SHOWN).join(' ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** What shells and programs set by themselves. */
const OF_SHELLS: ReadonlySet<string> = new Set(['PWD', 'OLDPWD', 'SHLVL', '_', 'TERM', 'LINES', 'COLUMNS']);

/**
 * The environment of the app: what was given. A program may write over the memory in which the kernel finds it, so an
 * entry that was not given proves nothing by itself; one that the emperor has too, with the same value, does.
 */
export function checkEnvironment({ directives, found }: Subject): readonly Finding[] {
  const finding = { group: 'environment', what: 'environment' };
  const given = new Set(
    directives.flatMap(({ word, args }) => (word === 'env' ? [nameOf(args[0] ?? '')] : [])),
  );
  const promised = `${given.size} variables${directives.some(({ word }) => word === 'env-file') ? ' and those of env-file' : ''}`;
  if (!found.environment.ok) {
    return [{ ...finding, promised, found: '', verdict: 'cannot-tell', reason: found.environment.why }];
  }
  const strange = found.environment.value.filter((entry) => !given.has(nameOf(entry)));
  const ours = new Set(found.host.environment);
  const leaked = strange.filter(
    (entry) => ours.has(entry) && !OF_SHELLS.has(nameOf(entry)) && !entry.endsWith('='),
  );
  if (leaked.length > 0) {
    const seen = `of the emperor's own: ${firstOf(leaked.map(nameOf))}`;
    return [{ ...finding, promised, found: seen, verdict: 'violated' }];
  }
  const seen = `${found.environment.value.length} entries, none of the emperor's`;
  const others = strange.length === 0 ? [] : [`${strange.length} that the app or its env-file set`];
  return [{ ...finding, promised, found: [seen, ...others].join(', '), verdict: 'ok' }];
}

function nameOf(entry: string): string {
  const at = entry.indexOf('=');
  return (at < 0 ? entry : entry.slice(0, at)).slice(0, 64);
}
