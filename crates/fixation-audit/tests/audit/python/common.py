"""What the servers share: two accounts, ids, a strict reader of the Cookie field, and how to serve."""

import secrets
import socket


def password_is_right(user, password):
    return user in ("alice", "bob") and password == f"{user}-password"


def new_id():
    return secrets.token_hex(32)


def cookies_named(fields, name):
    """The different values of a cookie, compared byte for byte, from raw Cookie fields."""
    values = []
    for field in fields:
        for part in field.split(b";"):
            key, equals, value = part.strip(b" \t").partition(b"=")
            if equals and key == name.encode() and value not in values:
                values.append(value)
    return [value.decode("latin-1") for value in values]


def first_cookie(fields, name):
    """The easy way: the first of the name. Whoever plants a cookie before it decides."""
    values = cookies_named(fields, name)
    return values[0] if values else None


def the_only_known(values, is_known):
    """One good candidate counts; two different ones mean that somebody plants."""
    known = [value for value in values if is_known(value)]
    return known[0] if len(known) == 1 else None


def from_another_site(method, site):
    """Whether a page of another site sent this, by more than a link."""
    return method not in ("GET", "HEAD") and site == "cross-site"


def announce(port):
    print(f"listening on http://127.0.0.1:{port}", flush=True)


def serve_asgi(app):
    import uvicorn

    # With the protocol spelled out asyncio switches delayed sending off; otherwise each answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    announce(listener.getsockname()[1])

    async def guarded(scope, receive, send):
        site = dict(scope.get("headers", [])).get(b"sec-fetch-site", b"").decode("latin-1")
        if scope["type"] == "http" and from_another_site(scope["method"], site):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"another site"})
            return
        await app(scope, receive, send)

    config = uvicorn.Config(guarded, log_level="error")
    uvicorn.Server(config).run(sockets=[listener])


def serve_wsgi(app):
    import logging

    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    def guarded(environ, start_response):
        if from_another_site(environ["REQUEST_METHOD"], environ.get("HTTP_SEC_FETCH_SITE")):
            start_response("403 Forbidden", [])
            return [b"another site"]
        return app(environ, start_response)

    server = make_server("127.0.0.1", 0, guarded, threaded=True)
    announce(server.server_port)
    server.serve_forever()
