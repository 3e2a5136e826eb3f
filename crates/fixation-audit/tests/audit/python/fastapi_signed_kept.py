"""An HMAC-signed id from the first visit on, kept at the login: the signature says who made it, not for whom."""

import hashlib
import hmac
import secrets

from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse

from common import first_cookie, new_id, password_is_right, serve_asgi

KEY = secrets.token_bytes(32)
app = FastAPI()
users = {}


def sign(sid):
    return sid + "." + hmac.new(KEY, sid.encode(), hashlib.sha256).hexdigest()


@app.middleware("http")
async def session(request: Request, call_next):
    fields = [value for key, value in request.scope["headers"] if key == b"cookie"]
    cookie = first_cookie(fields, "sid") or ""
    sid, _, _ = cookie.rpartition(".")
    known = sid and hmac.compare_digest(sign(sid).encode(), cookie.encode())
    request.state.sid = sid if known else new_id()
    response = await call_next(request)
    if not known:
        response.set_cookie("sid", sign(request.state.sid), secure=True, httponly=True, samesite="lax")
    return response


@app.get("/")
async def page():
    return "welcome"


@app.post("/login")
async def login(request: Request, user: str = Form(), password: str = Form()):
    if not password_is_right(user, password):
        return JSONResponse({"error": "wrong"}, 401)
    users[request.state.sid] = user
    return {"subject": user}


@app.get("/whoami")
async def whoami(request: Request):
    return {"subject": users.get(request.state.sid)}


@app.post("/logout")
async def logout(request: Request):
    users.pop(request.state.sid, None)
    return "bye"


if __name__ == "__main__":
    serve_asgi(app)
