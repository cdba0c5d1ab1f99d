import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@emperor/common/clock';
import type {
  Action,
  EmperorJson,
  ErrorJson,
  OutcomeJson,
  StatusJson,
  VassalJson,
  WhyJson,
} from '@emperor/common/control/api';
import type { CommandIo } from '../../../../packages/emperor/src/commands/command.ts';

export const NOW_MS = Date.parse('2026-11-20T10:05:00.000Z');

/** A healthy vassal that has been running for five minutes, with changes. */
export function vassalJson(changes: Partial<VassalJson> = {}): VassalJson {
  return {
    name: 'blog',
    file: '/etc/emperor/vassals/blog.ini',
    owner: 'root',
    state: 'running',
    ready: true,
    since: '2026-11-20T10:00:00.000Z',
    pid: 4711,
    keeperPid: 4702,
    generation: 3,
    revision: '9f2c',
    user: null,
    uid: 400_001,
    gid: 400_001,
    restarts: 2,
    lastExit: { by: 'code', code: 1 },
    oomKills: 0,
    pidsMaxHits: 0,
    memoryHighHits: 0,
    throttledMs: 0,
    throttledPercent: null,
    daemons: [],
    sockets: [],
    namespaces: ['mnt', 'pid', 'ipc', 'uts', 'cgroup'],
    memoryBytes: 12_582_912,
    cpuPercent: 0.4,
    tasks: 5,
    note: null,
    diagnostics: [],
    ...changes,
  };
}

type Reply = { readonly status?: number; readonly body: unknown };
export type ActAnswer = OutcomeJson | ErrorJson | undefined;

/** An emperor that only answers: what it shows and says is set by the test. */
export class FakeEmperor {
  readonly runtimeDir: string;
  readonly requests: string[] = [];
  emperor: EmperorJson = {
    version: '0.1.0',
    pid: 812,
    since: '2026-11-20T09:00:00.000Z',
    vassals: 0,
    diagnostics: [],
  };
  vassals: readonly VassalJson[] = [];
  why: WhyJson | undefined;
  logs: Readonly<Record<string, readonly string[]>> = {};
  act: (action: Action, name: string) => ActAnswer = () => undefined;
  readonly #server: Server;

  constructor() {
    this.runtimeDir = mkdtempSync(join(tmpdir(), 'fake-emperor-'));
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  listen(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(join(this.runtimeDir, 'control.sock'), resolve);
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
    rmSync(this.runtimeDir, { recursive: true, force: true });
  }

  /** An outcome as the real emperor would give it. */
  outcome(action: Action, name: string, changes: Partial<OutcomeJson> = {}): OutcomeJson {
    return {
      format: 1,
      name,
      action,
      ok: true,
      message: 'running (pid 4711)',
      hint: null,
      vassal: null,
      ...changes,
    };
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? '/', 'http://emperor');
    this.requests.push(`${request.method} ${pathname}${search}`);
    const lines = /^\/v1\/vassals\/([^/]+)\/logs$/.exec(pathname)?.[1];
    if (lines !== undefined && this.logs[lines] !== undefined) {
      response.end(this.logs[lines].map((line) => `${line}\n`).join(''));
      return;
    }
    const { status = 200, body } = this.#reply(pathname);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }

  #reply(pathname: string): Reply {
    const emperor = { ...this.emperor, vassals: this.vassals.length };
    if (pathname === '/v1/emperor') return { body: emperor };
    if (pathname === '/v1/vassals') {
      const body: StatusJson = { format: 1, emperor, vassals: this.vassals };
      return { body };
    }
    const [, name = '', verb] = /^\/v1\/vassals\/([^/]+)(?:\/(\w+))?$/.exec(pathname) ?? [];
    return this.#replyOf(name, verb) ?? { status: 404, body: unknownVassal(name) };
  }

  #replyOf(name: string, verb: string | undefined): Reply | undefined {
    const vassal = this.vassals.find((each) => each.name === name);
    if (vassal === undefined) return undefined;
    if (verb === undefined) return { body: vassal };
    if (verb === 'why') return this.why === undefined ? undefined : { body: this.why };
    const answer = this.act(verb as Action, name);
    if (answer === undefined) return undefined;
    return 'error' in answer ? { status: 409, body: answer } : { body: answer };
  }
}

function unknownVassal(name: string): ErrorJson {
  return { error: { code: 'vassal_unknown', message: `no such vassal: ${name}`, hint: null } };
}

/** A command's view of the world that remembers what was written. */
export class RecordingIo implements CommandIo {
  stdout = '';
  stderr = '';
  readonly colors: boolean;
  readonly clock: Clock = { ...systemClock, wall: () => NOW_MS };
  readonly #abort = new AbortController();
  readonly signal = this.#abort.signal;

  constructor({ colors = false }: { readonly colors?: boolean } = {}) {
    this.colors = colors;
  }

  readonly out = (text: string): void => {
    this.stdout += text;
  };

  readonly err = (text: string): void => {
    this.stderr += text;
  };

  abort(): void {
    this.#abort.abort();
  }
}
