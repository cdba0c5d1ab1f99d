"""The smallest WSGI application; nothing to install but gunicorn."""

import os
import socket


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    who = f"hello from {socket.gethostname()}, worker {os.getpid()}, uid {os.getuid()}"
    return [f"{who}: {environ['PATH_INFO']}\n".encode()]
