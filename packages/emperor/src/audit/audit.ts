import type { Clock } from '@emperor/common/clock';
import { STATUS_FORMAT } from '@emperor/common/control/api';
import { type AuditFindingJson, type AuditJson } from '@emperor/common/control/proof';
import { EmperorError } from '@emperor/common/errors';
import { compareJail, holds } from '@emperor/vassal/audit/compare';
import type { Held } from '../held.ts';
import type { Host } from '../host.ts';
import { planOf } from '../jails.ts';
import { Collector } from './collect.ts';
import { within } from './proc.ts';

const PATIENCE_MS = 8_000;

/** Compares running jails with what was promised. */
export class Auditor {
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #collector: Collector;

  constructor(host: Host, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
    this.#collector = new Collector(clock);
  }

  /** @throws EmperorError('vassal_not_running') when nothing runs, or it ended meanwhile */
  async audit(held: Held): Promise<AuditJson> {
    const audited = await within(this.#clock, PATIENCE_MS, this.#look(held), undefined);
    if (audited !== undefined) return audited;
    throw new EmperorError(
      'outcome_failed',
      `the audit of ${held.name} took longer than ${PATIENCE_MS / 1_000} s`,
      {
        hint: 'is the machine overloaded, or does a process of the jail hang? try again',
      },
    );
  }

  async #look({ name, state, attempt, keeper }: Held): Promise<AuditJson> {
    const pids = 'pids' in state ? state.pids : undefined;
    if (pids === undefined || !('generation' in state)) throw notRunning(name);
    if (attempt?.spec === undefined) {
      throw new EmperorError('outcome_failed', `what ${name} was promised is not known`, {
        hint: `an earlier emperor started it, from a file that changed since: emperor restart ${name}`,
      });
    }
    const { spec, revision } = attempt;
    const { generation } = state;
    const { run, directives } = await planOf(this.#host, spec, generation);
    const place = {
      initPid: pids.init,
      appPid: pids.app,
      keeperPid: keeper?.pid,
      cgroups: run.cgroups,
      directives,
    };
    const found = await this.#collector.collect(place);
    if (found === undefined) throw notRunning(name);
    const findings: readonly AuditFindingJson[] = compareJail({
      spec,
      host: this.#host.facts,
      run,
      directives,
      found,
    });
    return {
      format: STATUS_FORMAT,
      name,
      generation,
      revision,
      processes: { seen: found.processes.length, all: found.all },
      holds: holds(findings),
      findings,
    };
  }
}

function notRunning(name: string): EmperorError {
  return new EmperorError('vassal_not_running', `${name} is not running: there is no jail to look at`, {
    hint: `emperor start ${name}; emperor drill ${name} tries a copy of its jail`,
  });
}
