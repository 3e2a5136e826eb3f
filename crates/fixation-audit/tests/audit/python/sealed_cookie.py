"""The whole session in one cookie: sealed_cookie.py KIND MODE

compressed   itsdangerous, as Flask uses it, long enough to be compressed: `.eJ…`
django       the same as Django writes it: `.eJ…:time:signature`
tornado      Tornado's signed values: `2|1:0|…`
encrypted    Fernet, another value each time

for-good     nothing ends a session before its time
ended        a logout ends the session: its number is kept on the server
"""

import json
import secrets
import sys

import django.conf
import django.core.signing
import flask
import itsdangerous
import tornado.web
from cryptography.fernet import Fernet, InvalidToken

from common import cookies_named, password_is_right, serve_wsgi

KIND, MODE = sys.argv[1:]
NAME = "__Host-Http-session"
app = flask.Flask(__name__)
secret = secrets.token_hex(32)
serializer = itsdangerous.URLSafeTimedSerializer(secret)
fernet = Fernet(Fernet.generate_key())
ended = set()


def sealed(session):
    if KIND == "encrypted":
        return fernet.encrypt(json.dumps(session).encode()).decode()
    if KIND == "tornado":
        return tornado.web.create_signed_value(secret, NAME, json.dumps(session)).decode()
    if KIND == "django":
        return django.core.signing.dumps(session, key=secret, compress=True)
    return serializer.dumps(session)


def opened(value):
    try:
        if KIND == "encrypted":
            return json.loads(fernet.decrypt(value.encode()))
        if KIND == "tornado":
            data = tornado.web.decode_signed_value(secret, NAME, value)
            return json.loads(data) if data else None
        if KIND == "django":
            return django.core.signing.loads(value, key=secret, max_age=86400)
        return serializer.loads(value, max_age=86400)
    except (itsdangerous.BadSignature, django.core.signing.BadSignature, InvalidToken):
        return None


@app.before_request
def load():
    field = flask.request.environ.get("HTTP_COOKIE", "").encode("latin-1")
    sessions = [session for value in cookies_named([field], NAME) if (session := opened(value))]
    flask.g.session = sessions[0] if len(sessions) == 1 else {}
    if flask.g.session.get("number") in ended:
        flask.g.session = {}


def end():
    if MODE == "ended" and "number" in flask.g.session:
        ended.add(flask.g.session["number"])


def answer(body, session):
    response = flask.make_response(body)
    kept = {"path": "/", "secure": True, "httponly": True, "samesite": "Lax"}
    if session is None:
        response.delete_cookie(NAME, **kept)
    else:
        response.set_cookie(NAME, sealed(session), **kept)
    response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/")
def page():
    return "welcome"


@app.post("/login")
def login():
    user, password = flask.request.form["user"], flask.request.form["password"]
    if not password_is_right(user, password):
        return {"error": "wrong"}, 401
    end()
    session = {"user": user, "menu": ["overview", "orders", "addresses"] * 20}
    if MODE == "ended":
        session["number"] = secrets.token_hex(16)
    return answer({"subject": user}, session)


@app.get("/whoami")
def whoami():
    return {"subject": flask.g.session.get("user")}


@app.post("/logout")
def logout():
    end()
    return answer("bye", None)


if __name__ == "__main__":
    django.conf.settings.configure()
    serve_wsgi(app)
