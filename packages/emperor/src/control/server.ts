import { createServer } from 'node:http';

import type { Clock } from '@emperor/common/clock';
import type { StatusJson } from '@emperor/common/control/api';
import { describeError } from '@emperor/common/errors';
import type { Log } from '@emperor/common/log/log';
import { getRequestListener } from '@hono/node-server';

import type { ControlPort, ControlServer } from '../ports.ts';
import { guardConnections, SERVER_OPTIONS } from './connections.ts';
import { errorJson } from './failure.ts';
import { controlRoutes } from './routes.ts';
import { listenAt } from './socket.ts';

export type ControlServerParts = {
  readonly port: ControlPort;
  /** A status as OpenMetrics text, piece by piece. */
  readonly metricsOf: (status: StatusJson) => Iterable<string>;
  readonly socketPath: string;
  /** Who besides root may open it: the gid of the control group. */
  readonly group: number | undefined;
  readonly version: string;
  readonly log: Log;
  readonly clock: Clock;
};

/** Serve the operators' control socket; rejects with EmperorError('state_unwritable') when it cannot be made. */
export async function serveControl(parts: ControlServerParts): Promise<ControlServer> {
  const { port, metricsOf, socketPath, group, version, log, clock } = parts;
  const routes = controlRoutes({ port, metricsOf, caller: { rank: 'operator' }, clock, log });
  const listener = getRequestListener(routes.fetch, {
    hostname: 'emperor',
    overrideGlobalObjects: false,
    errorHandler: () =>
      Response.json(errorJson('request_invalid', 'the request has no usable path'), { status: 400 }),
  });
  const server = createServer(SERVER_OPTIONS);
  guardConnections(server, clock, (request, response) => {
    response.setHeader('server', `emperor/${version}`);
    void listener(request, response);
  });
  const remove = await listenAt(server, socketPath, group);
  server.on('error', (error) => log.error('the control socket failed', { error: describeError(error) }));
  return {
    close: async () => {
      remove();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
