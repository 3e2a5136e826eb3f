//! What the repair of a check is called in each framework.

use super::Framework;

/// The checks of a row, and the repair in each framework where it is known.
type Row = (
    &'static [&'static str],
    &'static [(Framework, &'static str)],
);

pub(super) fn of(framework: Framework, check: &str) -> Option<&'static str> {
    let (_, repairs) = ROWS.iter().find(|(ids, _)| ids.contains(&check))?;
    let (_, repair) = repairs.iter().find(|(own, _)| *own == framework)?;
    Some(repair)
}

#[cfg(test)]
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    ROWS.iter().flat_map(|(ids, _)| ids.iter().copied())
}

use Framework::{AspNet, Axum, Django, Express, Flask, Laravel, Rails, Spring, Starlette};

static ROWS: &[Row] = &[
    (
        &[
            "id-kept-at-login",
            "old-id-alive-after-login",
            "planted-cookie-authenticated",
            "chosen-id-adopted",
            "id-kept-at-reauth",
            "id-kept-at-switch",
            "id-kept-at-elevation",
            "old-id-alive-after-elevation",
            "old-id-alive-after-switch",
        ],
        &[
            (
                Django,
                "Log in with django.contrib.auth.login(), which gives the session a new key; where you log in yourself, and after a second factor, call request.session.cycle_key()",
            ),
            (
                Flask,
                "Call session.clear() before you store the user; with Flask-Session, call app.session_interface.regenerate(session) at the login and at each change of privilege",
            ),
            (
                Starlette,
                "Call request.session.clear() before you store the user; keep a new random id for a session on the server, for SessionMiddleware has none",
            ),
            (
                Express,
                "Call req.session.regenerate() at the login and at each change of privilege, before the user is stored (Passport does so from 0.6 on)",
            ),
            (
                Rails,
                "Call reset_session before the user's id is stored, and after a second factor",
            ),
            (
                Spring,
                "Leave sessionManagement().sessionFixation() at changeSessionId(), its default; where you log in yourself, call request.changeSessionId()",
            ),
            (
                AspNet,
                "Call HttpContext.Session.Clear() and delete the .AspNetCore.Session cookie before SignInAsync; let the ticket of SignInAsync, and not the session, say who is logged in",
            ),
            (
                Laravel,
                "Call $request->session()->regenerate() after Auth::attempt() and after a second factor",
            ),
            (
                Axum,
                "Call session.cycle_id().await of tower-sessions at the login and at each change of privilege (axum-login does so at the login)",
            ),
        ],
    ),
    (
        &[
            "old-id-alive-after-logout",
            "token-alive-after-logout",
            "session-back-after-logout",
        ],
        &[
            (
                Django,
                "Log out with django.contrib.auth.logout(), which flushes the session; SESSION_ENGINE must not be django.contrib.sessions.backends.signed_cookies, which nothing can end",
            ),
            (
                Flask,
                "Flask's own session is in the cookie, and nothing can end it: set SESSION_TYPE of Flask-Session to \"redis\" or the like, and call session.clear() at the logout",
            ),
            (
                Starlette,
                "SessionMiddleware keeps the session in the cookie, and nothing can end it: keep sessions on the server, and let the cookie hold an id only",
            ),
            (
                Express,
                "Call req.session.destroy() at the logout; cookie-session has nothing that could be ended, express-session has",
            ),
            (
                Rails,
                "Call reset_session at the logout, and set config.session_store to :cache_store or :active_record_store, for what is in a cookie store cannot be ended",
            ),
            (
                Spring,
                "Leave logout().invalidateHttpSession(true), its default, and log out through Spring Security's LogoutFilter",
            ),
            (
                AspNet,
                "Set CookieAuthenticationOptions.SessionStore to an ITicketStore, so that SignOutAsync ends the ticket on the server; or call UpdateSecurityStampAsync at the logout and shorten SecurityStampValidatorOptions.ValidationInterval",
            ),
            (
                Laravel,
                "Call Auth::logout(), $request->session()->invalidate() and $request->session()->regenerateToken(); SESSION_DRIVER must not be cookie",
            ),
            (
                Axum,
                "Call session.flush().await of tower-sessions at the logout",
            ),
        ],
    ),
    (
        &["data-survives-login", "data-survives-switch"],
        &[
            (
                Django,
                "Call request.session.flush() before login() where a guest's data must not be carried; login() itself flushes only when another user was logged in",
            ),
            (Flask, "Call session.clear() before you store the user"),
            (
                Starlette,
                "Call request.session.clear() before you store the user",
            ),
            (
                Express,
                "Call req.session.regenerate() at the login and carry over only the keys that are meant to be",
            ),
            (
                Rails,
                "Call reset_session at the login and carry over only the keys that are meant to be",
            ),
            (
                Spring,
                "Set sessionFixation().newSession(), which carries no attributes over",
            ),
            (
                AspNet,
                "Call HttpContext.Session.Clear() before SignInAsync",
            ),
            (
                Laravel,
                "Call $request->session()->invalidate() before the user is stored, in place of regenerate()",
            ),
            (
                Axum,
                "Call session.flush().await of tower-sessions before the user is stored",
            ),
        ],
    ),
    (
        &["csrf-survives-login"],
        &[
            (
                Django,
                "Log in with django.contrib.auth.login(), or call django.middleware.csrf.rotate_token(request)",
            ),
            (
                Flask,
                "Call session.clear() at the login: Flask-WTF keeps its secret in the session",
            ),
            (
                Express,
                "Derive the token from req.session.id, and call req.session.regenerate() at the login",
            ),
            (
                Rails,
                "Call reset_session at the login: the token is kept in the session",
            ),
            (
                Spring,
                "Leave CsrfAuthenticationStrategy in place; where you log in yourself, call CsrfTokenRepository.saveToken(null, request, response)",
            ),
            (
                AspNet,
                "Let UseAuthentication run before the antiforgery token is made: it is then bound to the user",
            ),
            (
                Laravel,
                "Call $request->session()->regenerateToken() at the login",
            ),
        ],
    ),
    (
        &["cookie-not-secure"],
        &[
            (
                Django,
                "Set SESSION_COOKIE_SECURE = True, and SECURE_PROXY_SSL_HEADER behind a proxy",
            ),
            (Flask, "Set SESSION_COOKIE_SECURE = True"),
            (
                Starlette,
                "Pass https_only=True to SessionMiddleware, or secure=True to set_cookie()",
            ),
            (
                Express,
                "Set cookie: { secure: true } in express-session, and app.set(\"trust proxy\", 1) behind a proxy",
            ),
            (Rails, "Set config.force_ssl = true"),
            (Spring, "Set server.servlet.session.cookie.secure=true"),
            (
                AspNet,
                "Set options.Cookie.SecurePolicy = CookieSecurePolicy.Always",
            ),
            (Laravel, "Set SESSION_SECURE_COOKIE=true"),
            (
                Axum,
                "Call SessionManagerLayer::with_secure(true) of tower-sessions",
            ),
        ],
    ),
    (
        &["cookie-not-httponly"],
        &[
            (Django, "Set SESSION_COOKIE_HTTPONLY = True"),
            (Flask, "Set SESSION_COOKIE_HTTPONLY = True"),
            (
                Starlette,
                "Pass httponly=True to set_cookie(); SessionMiddleware does so itself",
            ),
            (Express, "Set cookie: { httpOnly: true } in express-session"),
            (Rails, "Leave httponly: true in config.session_store"),
            (Spring, "Set server.servlet.session.cookie.http-only=true"),
            (AspNet, "Set options.Cookie.HttpOnly = true"),
            (Laravel, "Set 'http_only' => true in config/session.php"),
            (
                Axum,
                "Call SessionManagerLayer::with_http_only(true) of tower-sessions",
            ),
        ],
    ),
    (
        &["cookie-no-samesite"],
        &[
            (Django, "Set SESSION_COOKIE_SAMESITE = \"Lax\""),
            (Flask, "Set SESSION_COOKIE_SAMESITE = \"Lax\""),
            (
                Starlette,
                "Pass same_site=\"lax\" to SessionMiddleware, or samesite=\"lax\" to set_cookie()",
            ),
            (
                Express,
                "Set cookie: { sameSite: \"lax\" } in express-session",
            ),
            (
                Rails,
                "Set config.action_dispatch.cookies_same_site_protection = :lax",
            ),
            (Spring, "Set server.servlet.session.cookie.same-site=lax"),
            (AspNet, "Set options.Cookie.SameSite = SameSiteMode.Lax"),
            (Laravel, "Set 'same_site' => 'lax' in config/session.php"),
            (
                Axum,
                "Call SessionManagerLayer::with_same_site(SameSite::Lax) of tower-sessions",
            ),
        ],
    ),
    (
        &["cookie-domain-scope"],
        &[
            (Django, "Leave SESSION_COOKIE_DOMAIN at None"),
            (Flask, "Leave SESSION_COOKIE_DOMAIN unset"),
            (
                Starlette,
                "Leave domain out of SessionMiddleware and set_cookie()",
            ),
            (
                Express,
                "Leave domain out of the cookie option of express-session",
            ),
            (Rails, "Leave domain out of config.session_store"),
            (Spring, "Leave server.servlet.session.cookie.domain unset"),
            (AspNet, "Leave options.Cookie.Domain unset"),
            (Laravel, "Leave SESSION_DOMAIN at null"),
            (Axum, "Leave with_domain() out of SessionManagerLayer"),
        ],
    ),
    (
        &["cookie-no-host-prefix"],
        &[
            (
                Django,
                "Set SESSION_COOKIE_NAME = \"__Host-sessionid\", with SESSION_COOKIE_SECURE = True",
            ),
            (
                Flask,
                "Set SESSION_COOKIE_NAME = \"__Host-session\", with SESSION_COOKIE_SECURE = True",
            ),
            (
                Starlette,
                "Pass session_cookie=\"__Host-session\" and https_only=True to SessionMiddleware",
            ),
            (
                Express,
                "Set name: \"__Host-sid\" in express-session, with cookie: { secure: true, path: \"/\" }",
            ),
            (
                Rails,
                "Set key: \"__Host-session\" and secure: true in config.session_store",
            ),
            (
                Spring,
                "Set server.servlet.session.cookie.name=__Host-SESSION, with secure=true and path=/",
            ),
            (
                AspNet,
                "Set options.Cookie.Name = \"__Host-session\", with CookieSecurePolicy.Always and Path = \"/\"",
            ),
            (
                Laravel,
                "Set SESSION_COOKIE=__Host-session, with SESSION_SECURE_COOKIE=true and SESSION_PATH=/",
            ),
            (
                Axum,
                "Call SessionManagerLayer::with_name(\"__Host-id\") of tower-sessions, with with_secure(true)",
            ),
        ],
    ),
    (
        &["missing-no-store"],
        &[
            (
                Django,
                "Decorate the login view with django.views.decorators.cache.never_cache",
            ),
            (
                Flask,
                "Set response.headers[\"Cache-Control\"] = \"no-store\" in an after_request function",
            ),
            (
                Starlette,
                "Set response.headers[\"Cache-Control\"] = \"no-store\" where the session changes",
            ),
            (
                Express,
                "Call res.set(\"Cache-Control\", \"no-store\") where the session changes",
            ),
            (
                Rails,
                "Set response.headers[\"Cache-Control\"] = \"no-store\" in a before_action of the sessions controller",
            ),
            (Spring, "Leave headers().cacheControl() on, its default"),
            (
                AspNet,
                "Put [ResponseCache(NoStore = true, Location = ResponseCacheLocation.None)] on the login's action",
            ),
            (
                Laravel,
                "Put the middleware cache.headers:no_store on the login's routes",
            ),
            (
                Axum,
                "Add tower-http's SetResponseHeaderLayer with Cache-Control: no-store",
            ),
        ],
    ),
    (
        &["removal-ignored"],
        &[
            (
                Django,
                "Call response.delete_cookie() with the path, domain and samesite that the cookie was set with",
            ),
            (
                Flask,
                "Call response.delete_cookie() with the path, domain, secure and samesite that the cookie was set with",
            ),
            (
                Starlette,
                "Call response.delete_cookie() with the path, domain, secure and samesite that the cookie was set with",
            ),
            (
                Express,
                "Call res.clearCookie() with the options that the cookie was set with",
            ),
            (
                Rails,
                "Call cookies.delete() with the path and domain that the cookie was set with",
            ),
            (
                Spring,
                "Call deleteCookies() with the cookie's own name; for another path or Secure, add a CookieClearingLogoutHandler with the whole cookie",
            ),
            (
                AspNet,
                "Call Response.Cookies.Delete() with the CookieOptions that the cookie was set with",
            ),
            (
                Laravel,
                "Call Cookie::forget() with the path and domain that the cookie was set with",
            ),
        ],
    ),
    (
        &["id-from-url"],
        &[
            (Spring, "Set server.servlet.session.tracking-modes=cookie"),
            (
                AspNet,
                "On ASP.NET Framework set <sessionState cookieless=\"UseCookies\">",
            ),
        ],
    ),
    (
        &["id-low-entropy", "id-predictable"],
        &[(
            Express,
            "Leave genid out of express-session: its own ids are random",
        )],
    ),
];
