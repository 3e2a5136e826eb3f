"""Flask-Session: sessions on the server, with a new identifier at each login as its documentation advises.

With `kept`: without that advice.
"""

import secrets
import sys

import flask
from cachelib.simple import SimpleCache
from flask_session import Session

from common import PASSWORDS, wsgi

KEPT = sys.argv[1:] == ["kept"]
app = flask.Flask(__name__)
app.secret_key = secrets.token_hex(32)
app.config.update(
    SESSION_TYPE="cachelib",
    SESSION_CACHELIB=SimpleCache(),
    SESSION_COOKIE_SAMESITE="Lax",
    SESSION_PERMANENT=False,
)
Session(app)


@app.get("/")
def page():
    return "welcome"


@app.post("/cart")
def cart():
    flask.session["cart"] = flask.request.form["item"]
    return "kept"


@app.post("/login")
def login():
    name = flask.request.form["user"]
    if PASSWORDS.get(name) != flask.request.form["password"]:
        return "wrong", 401
    if not KEPT:
        flask.session.clear()
    flask.session["user"] = name
    if not KEPT:
        app.session_interface.regenerate(flask.session)
    return flask.redirect("/")


@app.get("/whoami")
def whoami():
    return {"subject": flask.session.get("user")}


@app.post("/logout")
def logout():
    flask.session.clear()
    return flask.redirect("/")


if __name__ == "__main__":
    wsgi(app)
