"""A store on the server, keyed by whatever id the client sends."""

import flask

from common import first_cookie, new_id, password_is_right, serve_wsgi

app = flask.Flask(__name__)
sessions = {}


@app.before_request
def load():
    flask.g.sid = request_id() or new_id()
    flask.g.session = sessions.setdefault(flask.g.sid, {})


def request_id():
    field = flask.request.environ.get("HTTP_COOKIE", "").encode("latin-1")
    return first_cookie([field], "sid")


@app.after_request
def save(response):
    response.set_cookie("sid", flask.g.sid, secure=True, httponly=True, samesite="Lax")
    return response


@app.get("/")
def page():
    return "welcome"


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
