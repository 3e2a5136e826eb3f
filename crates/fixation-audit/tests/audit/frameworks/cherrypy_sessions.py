"""CherryPy's sessions tool, with `regenerate` at the login as its documentation advises."""

import cherrypy

from common import PASSWORDS, wsgi


class Site:
    @cherrypy.expose
    def index(self):
        return "welcome"

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    def login(self, user, password):
        if PASSWORDS.get(user) != password:
            raise cherrypy.HTTPError(401)
        cherrypy.session.clear()
        cherrypy.session.regenerate()
        cherrypy.session["user"] = user
        raise cherrypy.HTTPRedirect("/")

    @cherrypy.expose
    @cherrypy.tools.json_out()
    def whoami(self):
        return {"subject": cherrypy.session.get("user")}

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    def logout(self):
        cherrypy.session.delete()
        raise cherrypy.HTTPRedirect("/")


if __name__ == "__main__":
    cherrypy.config.update({"environment": "embedded", "log.screen": False})
    settings = {
        "tools.sessions.on": True,
        "tools.sessions.httponly": True,
        "tools.sessions.timeout": 60,
    }
    wsgi(cherrypy.Application(Site(), "", {"/": settings}))
