"""The whole session in a signed cookie: well made, but nothing ends it before its time."""

import secrets

import flask
from itsdangerous import BadSignature, URLSafeTimedSerializer

from common import cookies_named, password_is_right, serve_wsgi

NAME = "__Host-Http-session"
app = flask.Flask(__name__)
serializer = URLSafeTimedSerializer(secrets.token_bytes(32))


def opened(value):
    try:
        return serializer.loads(value, max_age=86400)
    except BadSignature:
        return None


@app.before_request
def load():
    field = flask.request.environ.get("HTTP_COOKIE", "").encode("latin-1")
    sessions = [session for value in cookies_named([field], NAME) if (session := opened(value))]
    flask.g.session = sessions[0] if len(sessions) == 1 else {}
    flask.g.before = dict(flask.g.session)


@app.after_request
def save(response):
    if flask.g.session != flask.g.before or flask.request.path == "/login":
        value = serializer.dumps(flask.g.session)
        response.set_cookie(NAME, value, path="/", secure=True, httponly=True, samesite="Lax")
    return response


@app.get("/")
def page():
    return "welcome"


@app.post("/data")
def write():
    flask.g.session["data"] = flask.request.form["value"]
    return "ok"


@app.get("/data")
def read():
    return flask.g.session.get("data", "")


@app.post("/login")
def login():
    user, password = flask.request.form["user"], flask.request.form["password"]
    if not password_is_right(user, password):
        return {"error": "wrong"}, 401
    flask.g.session["user"] = user
    return {"subject": user}


@app.get("/whoami")
def whoami():
    return {"subject": flask.g.session.get("user")}


@app.post("/logout")
def logout():
    flask.g.session.clear()
    return "bye"


if __name__ == "__main__":
    serve_wsgi(app)
