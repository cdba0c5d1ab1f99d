// A web application that finishes what it accepted: on SIGTERM it takes no new connection, answers, and ends.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const port = Number(process.env.PORT);
let served = 0;

const server = createServer((request, response) => {
  served += 1;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(
    `hello from ${hostname()}, pid ${process.pid}, uid ${process.getuid()}, request ${served}: ${request.url}\n`,
  );
});

server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}/`));

process.on('SIGTERM', () => {
  console.log(`asked to stop after ${served} requests`);
  server.close();
  server.closeIdleConnections();
});
