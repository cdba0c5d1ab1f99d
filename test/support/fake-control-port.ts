import type { EventJson, StatusJson, VassalJson, WhyJson } from '@emperor/common/control/api';
import { EmperorError } from '@emperor/common/errors';

import type { ActRequest, ControlPort } from '../../packages/emperor/src/ports.ts';

/** A vassal as clients see it. */
export function vassalJson(name: string, more: Partial<VassalJson> = {}): VassalJson {
  return {
    name,
    file: `/etc/emperor/vassals/${name}.ini`,
    owner: 'root',
    state: 'running',
    ready: true,
    since: '2026-11-20T10:00:00.000Z',
    pid: 4711,
    keeperPid: 4702,
    generation: 3,
    revision: '9f2c',
    user: name,
    uid: 1001,
    gid: 1001,
    restarts: 2,
    lastExit: { by: 'code', code: 1 },
    oomKills: 0,
    pidsMaxHits: 0,
    memoryHighHits: 0,
    throttledMs: 0,
    throttledPercent: null,
    daemons: [],
    sockets: [],
    namespaces: ['mnt', 'pid'],
    memoryBytes: 12_582_912,
    cpuPercent: 0.4,
    tasks: 5,
    note: null,
    diagnostics: [
      { severity: 'warning', file: 'blog.ini', line: 3, key: 'cap', message: 'not granted', hint: null },
    ],
    ...more,
  };
}

/** An emperor that knows the vassals it was given and remembers what it was asked. */
export class FakeControlPort implements ControlPort {
  readonly vassals = new Map<string, VassalJson>();
  readonly acts: ActRequest[] = [];
  readonly listeners = new Set<(event: EventJson) => void>();
  statusCalls = 0;
  /** The lines of every log. */
  log: string[] = [];
  /** Awaited by every status. */
  beforeStatus: () => Promise<void> = async () => undefined;
  /** Awaited by every act. */
  beforeOutcome: Promise<void> = Promise.resolve();

  constructor(...names: string[]) {
    for (const name of names) this.vassals.set(name, vassalJson(name));
  }

  readonly status = async (): Promise<StatusJson> => {
    this.statusCalls += 1;
    await this.beforeStatus();
    const vassals = [...this.vassals.values()];
    const emperor = {
      version: '0.1.0',
      pid: 812,
      since: '2026-11-20T10:00:00.000Z',
      vassals: vassals.length,
      diagnostics: [],
    };
    return { format: 1, emperor, vassals };
  };

  readonly vassal = async (name: string): Promise<VassalJson | undefined> => this.vassals.get(name);

  readonly why = async (name: string): Promise<WhyJson | undefined> => {
    if (name === 'poison') throw new Error('a bug with secret details');
    const vassal = this.vassals.get(name);
    if (vassal === undefined) return undefined;
    const history = [{ at: '2026-11-20T10:00:00.000Z', what: 'ready', afterMs: 12.5 }];
    return { format: 1, vassal, answer: 'it runs', hint: null, history, output: ['hello'] };
  };

  readonly act: ControlPort['act'] = async (request) => {
    this.acts.push(request);
    await this.beforeOutcome;
    const vassal = this.vassals.get(request.name);
    if (vassal === undefined) return undefined;
    if (vassal.state === 'stopped' && request.action === 'reload') {
      throw new EmperorError('vassal_not_running', `vassal ${request.name} is stopped`, { hint: 'start it' });
    }
    const { name, action } = request;
    return { format: 1, name, action, ok: true, message: 'running', hint: null, vassal };
  };

  readonly logs: ControlPort['logs'] = {
    tail: async (_name, count) => this.log.slice(-count),
    follow: (_name, count, signal) => this.#follow(count, signal),
  };

  readonly proof: ControlPort['proof'] = {
    plan: async () => undefined,
    audit: async () => undefined,
    drill: async () => undefined,
  };

  readonly subscribe = (listener: (event: EventJson) => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly lookAgain = (): void => undefined;

  tell(event: string): void {
    for (const listener of this.listeners) {
      listener({ at: '2026-11-20T10:00:00.000Z', vassal: null, event, detail: null });
    }
  }

  async *#follow(count: number, signal: AbortSignal): AsyncIterable<string> {
    let at = Math.max(this.log.length - count, 0);
    while (!signal.aborted) {
      const line = this.log[at];
      if (line === undefined) {
        await new Promise((resolve) => setImmediate(resolve));
      } else {
        at += 1;
        yield line;
      }
    }
  }
}
