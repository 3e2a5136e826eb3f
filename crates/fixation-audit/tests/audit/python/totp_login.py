"""A login of two steps, the second a code of an authenticator app: totp_login.py MODE

correct   a new identifier with each step
kept      the identifier of the first visit, all the way
"""

import base64
import hashlib
import hmac
import struct
import sys
import time

import flask

from common import cookies_named, new_id, password_is_right, serve_wsgi, the_only_known

KEPT = sys.argv[1] == "kept"
NAME = "__Host-Http-session"
SECRET = base64.b32decode("JBSWY3DPEHPK3PXP")
app = flask.Flask(__name__)
sessions = {}


def code(at):
    digest = hmac.new(SECRET, struct.pack(">Q", at), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06}"


def is_current(given):
    now = int(time.time()) // 30
    return any(hmac.compare_digest(given, code(at)) for at in (now - 1, now, now + 1))


def current():
    field = flask.request.environ.get("HTTP_COOKIE", "").encode("latin-1")
    return the_only_known(cookies_named([field], NAME), sessions.__contains__)


def answer(body, session, status=200):
    """The session under the identifier it has, or under a new one."""
    old = current()
    response = flask.make_response(body, status)
    if KEPT and old:
        sessions[old].update(session)
        return response
    sessions.pop(old, None)
    sid = new_id()
    sessions[sid] = session
    response.set_cookie(NAME, sid, path="/", secure=True, httponly=True, samesite="Lax")
    response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/")
def page():
    return "welcome" if current() else answer("welcome", {"visits": 1})


@app.post("/login")
def login():
    user, password = flask.request.form["user"], flask.request.form["password"]
    if not password_is_right(user, password):
        return "wrong", 401
    return answer("the code, please", {"waiting": user, "user": None})


@app.post("/code")
def second():
    session = sessions.get(current()) or {}
    if not session.get("waiting") or not is_current(flask.request.form["code"]):
        return "wrong code", 401
    return answer("welcome back", {"user": session["waiting"], "waiting": None})


@app.get("/whoami")
def whoami():
    return {"subject": (sessions.get(current()) or {}).get("user")}


@app.post("/logout")
def logout():
    sessions.pop(current(), None)
    response = flask.make_response("bye")
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="Lax")
    return response


if __name__ == "__main__":
    serve_wsgi(app)
