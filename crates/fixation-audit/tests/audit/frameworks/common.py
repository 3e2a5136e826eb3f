"""Serving on a free port of this machine. The address is the first line on standard output."""

import logging
import socket

PASSWORDS = {"alice": "alice-password", "bob": "bob-password"}


def announce(port):
    print(f"listening on http://127.0.0.1:{port}", flush=True)


def wsgi(app):
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    announce(server.server_port)
    server.serve_forever()


def asgi(app):
    import uvicorn

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    announce(listener.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
