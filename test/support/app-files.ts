/** A Flask application: / says who answers, /pid which worker, /slow?s=N takes its time. */
export const FLASK_APP = `import os, time
from flask import Flask, request

app = Flask(__name__)

@app.route("/")
def hello():
    return "hello from %s as %d\\n" % (os.environ.get("EMPEROR_VASSAL"), os.getuid())

@app.route("/pid")
def pid():
    return str(os.getpid())

@app.route("/slow")
def slow():
    print("slow request begins", flush=True)
    time.sleep(float(request.args.get("s", "1")))
    return "finished\\n"
`;

/** A Node HTTP server that finishes what it accepted on SIGTERM. Port in its first argument. */
export const NODE_SERVER = `import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const slow = /^\\/slow\\?s=([\\d.]+)/.exec(request.url);
  if (slow) console.log('slow request begins');
  setTimeout(() => response.end(\`hello from \${process.env.EMPEROR_VASSAL} as \${process.getuid()}\\n\`), slow ? slow[1] * 1000 : 0);
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
process.on('SIGTERM', () => {
  console.log('finishing');
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
`;

/** nginx in the foreground as an ordinary user, before one TCP server. */
export function nginxConfig(port: number, upstreamPort: number): string {
  return `daemon off;
pid /tmp/nginx.pid;
error_log stderr;
worker_processes 1;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://127.0.0.1:${upstreamPort}; }
  }
}
`;
}

/** Celery tasks over redis: one that takes its time and writes a file at its end. */
export function celeryTasks(redisPort: number, donePath: string): string {
  return `import time
from celery import Celery

app = Celery("tasks", broker="redis://127.0.0.1:${redisPort}/0")

@app.task
def slow(seconds):
    print("task begins", flush=True)
    time.sleep(seconds)
    with open("${donePath}", "w") as done:
        done.write("done")
`;
}
