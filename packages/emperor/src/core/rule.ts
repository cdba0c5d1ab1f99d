import type { LifecycleSpec } from '@emperor/vassal/spec/spec';

/** What the transitions need to know of a spec: its lifecycle options. */
export type RestartRule = LifecycleSpec;
