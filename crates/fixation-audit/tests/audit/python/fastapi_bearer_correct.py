"""The repaired twin: one algorithm, an hour of life, and a list of revoked tokens."""

import hmac
import json
import secrets
import time

import fastapi_bearer as twin
from common import serve_asgi

revoked = set()


def issue(claims):
    now = int(time.time())
    claims |= {"iat": now, "exp": now + 3600, "jti": secrets.token_hex(16)}
    return genuine_issue(claims)


def verified(token):
    text, _, signature = (token or "").rpartition(".")
    if not hmac.compare_digest(signature.encode(), twin.mac(text).encode()):
        return None
    claims = json.loads(twin.decode(text.split(".")[1]))
    good = claims["exp"] > time.time() and claims["jti"] not in revoked
    return claims if good else None


genuine_issue, twin.issue, twin.verified = twin.issue, issue, verified


@twin.app.middleware("http")
async def revoke(request, call_next):
    if request.url.path == "/logout":
        claims = verified(request.headers.get("authorization", "").removeprefix("Bearer "))
        if claims:
            revoked.add(claims["jti"])
    return await call_next(request)


if __name__ == "__main__":
    serve_asgi(twin.app)
