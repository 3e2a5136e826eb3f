"""As `flask_client_chosen`, and a query parameter becomes the cookie."""

import flask

import flask_client_chosen as twin
from common import serve_wsgi

by_cookie = twin.request_id
twin.request_id = lambda: flask.request.args.get("sid") or by_cookie()

if __name__ == "__main__":
    serve_wsgi(twin.app)
