import type { Clock } from '@emperor/common/clock';
import type { Log } from '@emperor/common/log/log';
import { lookupAccounts } from '@emperor/vassal/identity/lookup';
import type { DecoderParts } from '../decoder.ts';
import type { Emperor } from '../emperor.ts';
import type { Host } from '../host.ts';
import type { Proof } from '../ports.ts';
import { Auditor } from './audit.ts';
import { Drills, sweepSoon } from './drill.ts';
import { planOfHeld } from './plan.ts';

export type ProofParts = {
  readonly emperor: Emperor;
  readonly host: Host;
  readonly clock: Clock;
  readonly log: Log;
  readonly layers: DecoderParts['layers'];
};

/** Plan, audit and drill of the vassals that the emperor holds. */
export function proofOf({ emperor, host, clock, log, layers }: ProofParts): Proof {
  const auditor = new Auditor(host, clock);
  const drills = new Drills({ host, clock, log });
  sweepSoon(drills, log);
  // Not the emperor's own user database: whom it knows must not depend on who looks at a plan.
  const parts = { clock, host: host.facts, hostname: host.hostname, ask: lookupAccounts, layers };
  return {
    plan: async (name) => {
      const held = emperor.vassals.get(name);
      return held === undefined ? undefined : planOfHeld(host, parts, held);
    },
    audit: async (name) => {
      const held = emperor.vassals.get(name);
      return held === undefined ? undefined : auditor.audit(held);
    },
    drill: async (name) => {
      const held = emperor.vassals.get(name);
      return held === undefined ? undefined : drills.drill(held);
    },
  };
}
