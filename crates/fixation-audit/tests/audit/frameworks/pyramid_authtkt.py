"""Pyramid's security policy over its ticket cookie, as in its tutorial."""

import secrets

from pyramid.authentication import AuthTktCookieHelper
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther, HTTPUnauthorized
from pyramid.response import Response
from pyramid.security import forget, remember

from common import PASSWORDS, wsgi


class Policy:
    def __init__(self):
        self.helper = AuthTktCookieHelper(
            secrets.token_hex(32), hashalg="sha512", http_only=True, samesite="Lax"
        )

    def identity(self, request):
        return self.helper.identify(request)

    def authenticated_userid(self, request):
        identity = self.identity(request)
        return identity["userid"] if identity else None

    def permits(self, request, context, permission):
        return True

    def remember(self, request, userid, **more):
        return self.helper.remember(request, userid, **more)

    def forget(self, request, **more):
        return self.helper.forget(request, **more)


def login(request):
    user = request.POST["user"]
    if PASSWORDS.get(user) != request.POST["password"]:
        raise HTTPUnauthorized()
    return HTTPSeeOther("/", headers=remember(request, user))


def logout(request):
    return HTTPSeeOther("/", headers=forget(request))


with Configurator() as config:
    config.set_security_policy(Policy())
    for name, pattern in [("page", "/"), ("login", "/login"), ("whoami", "/whoami"), ("logout", "/logout")]:
        config.add_route(name, pattern)
    config.add_view(lambda request: Response("welcome"), route_name="page")
    config.add_view(login, route_name="login", request_method="POST")
    config.add_view(
        lambda request: {"subject": request.authenticated_userid}, route_name="whoami", renderer="json"
    )
    config.add_view(logout, route_name="logout", request_method="POST")
    app = config.make_wsgi_app()

if __name__ == "__main__":
    wsgi(app)
