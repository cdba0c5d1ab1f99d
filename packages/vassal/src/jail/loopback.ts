import type { VassalSpec } from '../spec/spec.ts';

/** What the operator should know: without a network of its own the app meets its neighbours on the loopback. */
export function loopbackNotes({
  jail,
  joining,
  filters: { tcpBind, tcpConnect },
}: VassalSpec): readonly string[] {
  const joins = joining.setns?.namespaces.includes('net') === true;
  if (joins || jail.namespaces.includes('net') || (tcpBind !== undefined && tcpConnect !== undefined))
    return [];
  const open = [
    ...(tcpBind === undefined ? ['listen on any free port'] : []),
    ...(tcpConnect === undefined ? ['reach what others listen on'] : []),
  ];
  return [
    `the loopback is shared with the host and other vassals: the app may ${open.join(' and ')} (net in unshare, or tcp-bind and tcp-connect, end that)`,
  ];
}
