"""Starlette's SessionMiddleware, as FastAPI uses it: the session is a signed cookie."""

import secrets

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

from common import PASSWORDS, asgi

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=secrets.token_hex(32))


@app.get("/")
def page():
    return "welcome"


@app.post("/login")
def login(request: Request, user: str = Form(), password: str = Form()):
    if PASSWORDS.get(user) != password:
        raise HTTPException(401)
    request.session["user"] = user
    return RedirectResponse("/", 303)


@app.get("/whoami")
def whoami(request: Request):
    return {"subject": request.session.get("user")}


@app.post("/logout")
def logout(request: Request):
    request.session.clear()
    return RedirectResponse("/", 303)


if __name__ == "__main__":
    asgi(app)
