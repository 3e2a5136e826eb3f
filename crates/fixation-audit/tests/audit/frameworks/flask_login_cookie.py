"""Flask-Login over Flask's own sessions, which are a signed cookie, with its remember-me cookie."""

import secrets

import flask
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from common import PASSWORDS, wsgi

app = flask.Flask(__name__)
app.secret_key = secrets.token_hex(32)
manager = LoginManager(app)


class User(UserMixin):
    def __init__(self, name):
        self.id = name


@manager.user_loader
def load(name):
    return User(name) if name in PASSWORDS else None


@app.get("/")
def page():
    return "welcome"


@app.post("/login")
def login():
    name = flask.request.form["user"]
    if PASSWORDS.get(name) != flask.request.form["password"]:
        return "wrong", 401
    login_user(User(name), remember=True)
    return flask.redirect("/")


@app.get("/whoami")
def whoami():
    return {"subject": current_user.get_id() if current_user.is_authenticated else None}


@app.post("/logout")
def logout():
    logout_user()
    return flask.redirect("/")


if __name__ == "__main__":
    wsgi(app)
