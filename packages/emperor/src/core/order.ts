import type { VassalName } from '@emperor/common/name';

/** start-after as a graph: who waits for whom. */
export type Edges = ReadonlyMap<VassalName, readonly VassalName[]>;

/**
 * Names that wait for themselves by way of others (and any between two such rings): what is left when everybody who
 * waits for nobody, and everybody for whom nobody waits, has been taken away again and again. Their start-after is
 * ignored and diagnosed, or they would wait for ever.
 */
export function cyclic(edges: Edges): ReadonlySet<VassalName> {
  const reverse = dependents(edges);
  const left = new Set<VassalName>(edges.keys());
  let queue = [...left];
  while (queue.length > 0) {
    const touched = new Set<VassalName>();
    for (const name of queue) {
      const waits = (edges.get(name) ?? []).filter((other) => left.has(other));
      const waitedFor = (reverse.get(name) ?? []).filter((other) => left.has(other));
      if (!left.has(name) || (waits.length > 0 && waitedFor.length > 0)) continue;
      left.delete(name);
      for (const other of [...waits, ...waitedFor]) touched.add(other);
    }
    queue = [...touched];
  }
  return left;
}

/** Who was to be started after a name: the reverse of the edges. */
export function dependents(edges: Edges): ReadonlyMap<VassalName, readonly VassalName[]> {
  const reverse = new Map<VassalName, VassalName[]>();
  for (const [name, befores] of edges) {
    for (const before of befores) {
      const known = reverse.get(before);
      if (known === undefined) reverse.set(before, [name]);
      else known.push(name);
    }
  }
  return reverse;
}
