"""Django with its own sessions and logins, as `startproject` sets them up. With `otp`: django-otp's second factor too."""

import sys
import tempfile

import django
from django.conf import settings

from common import PASSWORDS, wsgi

OTP = sys.argv[1:] == ["otp"]
# A key for the test alone: what a phone would hold.
TOTP_KEY = "48656c6c6f21deadbeef"
settings.configure(
    SECRET_KEY="only for this process " + tempfile.mktemp(),
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        *(["django_otp", "django_otp.plugins.otp_totp"] if OTP else []),
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        *(["django_otp.middleware.OTPMiddleware"] if OTP else []),
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": tempfile.mktemp(".sqlite3"),
            "OPTIONS": {"timeout": 20},
        }
    },
    # Passwords are not what is audited, and the slow hashes would be most of the time.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {
                            "registration/login.html": "<form method=post>{% csrf_token %}{{ form }}</form>",
                            "account.html": "<form method=post action=/logout/>{% csrf_token %}</form>",
                        },
                    )
                ],
                "context_processors": ["django.template.context_processors.request"],
            },
        }
    ],
    LOGIN_REDIRECT_URL="/account/",
    LOGOUT_REDIRECT_URL="/login/",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.auth.views import LoginView, LogoutView  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, HttpResponseForbidden, JsonResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.urls import path  # noqa: E402


def account(request):
    return render(request, "account.html")


def whoami(request):
    return JsonResponse({"subject": request.user.username or None})


def verify(request):
    from django_otp import login, match_token

    device = match_token(request.user, request.POST.get("code", ""))
    if device is None:
        return HttpResponseForbidden("wrong code")
    login(request, device)
    return HttpResponse("verified")


def verified(request):
    return JsonResponse({"verified": request.user.is_authenticated and request.user.is_verified()})


urlpatterns = [
    path("login/", LoginView.as_view()),
    path("logout/", LogoutView.as_view()),
    path("account/", account),
    path("whoami/", whoami),
]
if OTP:
    urlpatterns += [path("verify/", verify), path("verified/", verified)]

call_command("migrate", verbosity=0)
for name, password in PASSWORDS.items():
    user = User.objects.create_user(name, password=password)
    if OTP:
        from django_otp.plugins.otp_totp.models import TOTPDevice

        TOTPDevice.objects.create(user=user, name="phone", key=TOTP_KEY, confirmed=True)

if __name__ == "__main__":
    wsgi(get_wsgi_application())
