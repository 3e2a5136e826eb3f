"""Tornado's signed cookies with its XSRF cookie, as in its guide to authentication."""

import asyncio
import secrets

import tornado.netutil
import tornado.web
from tornado.httpserver import HTTPServer

from common import PASSWORDS, announce


class Base(tornado.web.RequestHandler):
    def get_current_user(self):
        user = self.get_signed_cookie("user")
        return user.decode() if user else None


class Page(Base):
    def get(self):
        self.write(f"<form>{self.xsrf_form_html()}</form>")


class Login(Base):
    def post(self):
        user = self.get_argument("user")
        if PASSWORDS.get(user) != self.get_argument("password"):
            raise tornado.web.HTTPError(401)
        self.set_signed_cookie("user", user, httponly=True, samesite="Lax")
        self.redirect("/", status=303)


class WhoAmI(Base):
    def get(self):
        self.write({"subject": self.current_user})


class Logout(Base):
    def post(self):
        self.clear_cookie("user")
        self.redirect("/", status=303)


async def main():
    routes = [("/", Page), ("/login", Login), ("/whoami", WhoAmI), ("/logout", Logout)]
    app = tornado.web.Application(routes, cookie_secret=secrets.token_hex(32), xsrf_cookies=True)
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    HTTPServer(app).add_sockets(sockets)
    announce(sockets[0].getsockname()[1])
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
