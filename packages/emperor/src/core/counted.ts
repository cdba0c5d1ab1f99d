/** What the kernel counted of a run, by name: see `CounterName` of the control groups. Names may be unknown or missing. */
export type Counters = Readonly<Partial<Record<string, number>>>;

/** The sum, name by name. */
export function addCounters(a: Counters, b: Counters): Counters {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}
