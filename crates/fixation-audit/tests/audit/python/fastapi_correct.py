"""The repaired twin: no session before the login, a new id at every login, a prefixed name, a strict reader."""

from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse

from common import cookies_named, new_id, password_is_right, serve_asgi, the_only_known

NAME = "__Host-Http-sid"
app = FastAPI()
users = {}


def sid_of(request):
    fields = [value for key, value in request.scope["headers"] if key == b"cookie"]
    return the_only_known(cookies_named(fields, NAME), users.__contains__)


def with_cookie(response, value, **more):
    response.set_cookie(NAME, value, path="/", secure=True, httponly=True, samesite="lax", **more)
    response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/")
async def page():
    return "welcome"


@app.post("/login")
async def login(request: Request, user: str = Form(), password: str = Form()):
    if not password_is_right(user, password):
        return JSONResponse({"error": "wrong"}, 401)
    sid = new_id()
    users[sid] = user
    users.pop(sid_of(request), None)
    return with_cookie(JSONResponse({"subject": user}), sid)


@app.get("/whoami")
async def whoami(request: Request):
    return {"subject": users.get(sid_of(request))}


@app.post("/logout")
async def logout(request: Request):
    users.pop(sid_of(request), None)
    return with_cookie(JSONResponse("bye"), "", max_age=0)


if __name__ == "__main__":
    serve_asgi(app)
