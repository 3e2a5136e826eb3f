"""The repaired twin: sessions on the server, new at every login, and a guest's apart from a user's."""

import flask

from common import cookies_named, new_id, password_is_right, serve_wsgi, the_only_known

USER, GUEST = "__Host-Http-session", "__Host-Http-session-guest"
app = flask.Flask(__name__)
sessions = {USER: {}, GUEST: {}}


def id_of(name):
    field = flask.request.environ.get("HTTP_COOKIE", "").encode("latin-1")
    return the_only_known(cookies_named([field], name), sessions[name].__contains__)


def current():
    return sessions[USER].get(id_of(USER)) or sessions[GUEST].get(id_of(GUEST)) or {}


def start(response, name, session):
    sid = new_id()
    sessions[name][sid] = session
    set_cookie(response, name, sid)


def end(response, name):
    if sessions[name].pop(id_of(name), None) is not None:
        set_cookie(response, name, "", max_age=0)


def set_cookie(response, name, value, **more):
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="Lax", **more)
    response.headers["Cache-Control"] = "no-store"


@app.get("/")
def page():
    return "welcome"


@app.post("/data")
def write():
    response, session = flask.make_response("ok"), current()
    session["data"] = flask.request.form["value"]
    if len(session) == 1:
        end(response, GUEST)
        start(response, GUEST, session)
    return response


@app.get("/data")
def read():
    return current().get("data", "")


@app.post("/login")
def login():
    user, password = flask.request.form["user"], flask.request.form["password"]
    if not password_is_right(user, password):
        return {"error": "wrong"}, 401
    response = flask.jsonify(subject=user)
    end(response, GUEST)
    end(response, USER)
    start(response, USER, {"user": user})
    # One field for the cookie: the removal gives way to the new one.
    fields = response.headers.getlist("Set-Cookie")
    last = {field.partition("=")[0]: field for field in fields}
    response.headers.setlist("Set-Cookie", list(last.values()))
    return response


@app.get("/whoami")
def whoami():
    return {"subject": current().get("user")}


@app.post("/logout")
def logout():
    response = flask.make_response("bye")
    end(response, USER)
    end(response, GUEST)
    return response


if __name__ == "__main__":
    serve_wsgi(app)
