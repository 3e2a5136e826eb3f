//! The servers in `../python`.

use super::Truth;

/// A Python program in `python/`, and whether it speaks of itself by OpenAPI (otherwise by `cookies.toml`).
pub(crate) struct PythonServer {
    pub(crate) truth: Truth,
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "for the command only")
    )]
    pub(crate) by_openapi: bool,
}

const KEPT_EVERYWHERE: &[&str] = &[
    "id-kept-at-login",
    "planted-cookie-authenticated",
    "id-kept-at-reauth",
    "id-kept-at-switch",
    "late-response-restores-cookie",
    "cookie-no-host-prefix",
    "missing-no-store",
    "duplicate-cookies",
];

const CHOSEN: &[&str] = &[
    "id-kept-at-login",
    "planted-cookie-authenticated",
    "chosen-id-adopted",
    "id-kept-at-reauth",
    "id-kept-at-switch",
    "late-response-restores-cookie",
    "cookie-no-host-prefix",
    "missing-no-store",
    "duplicate-cookies",
];

const BY_QUERY: &[&str] = &[
    "id-kept-at-login",
    "planted-cookie-authenticated",
    "chosen-id-adopted",
    "id-kept-at-reauth",
    "id-kept-at-switch",
    "id-from-url",
    "late-response-restores-cookie",
    "cookie-no-host-prefix",
    "missing-no-store",
    "duplicate-cookies",
];

const IN_COOKIE: &[&str] = &[
    "id-kept-at-reauth",
    "old-id-alive-after-switch",
    "data-survives-login",
    "data-survives-switch",
    "token-alive-after-logout",
    "missing-no-store",
];

pub(crate) fn python_servers() -> Vec<PythonServer> {
    let bearer: &[&str] = &[
        "token-alive-after-logout",
        "token-not-verified",
        "token-lifetime",
    ];
    let rows: [(&str, &str, &str, bool, &[&str]); 8] = [
        (
            "fastapi_signed_kept",
            "FastAPI",
            "one HMAC-signed id from the first visit on",
            false,
            KEPT_EVERYWHERE,
        ),
        (
            "fastapi_correct",
            "FastAPI",
            "its repaired twin",
            false,
            &[],
        ),
        (
            "fastapi_bearer",
            "FastAPI",
            "bearer tokens that never end, and with any algorithm",
            true,
            bearer,
        ),
        (
            "fastapi_bearer_correct",
            "FastAPI",
            "its repaired twin",
            true,
            &[],
        ),
        (
            "flask_client_chosen",
            "Flask",
            "a store keyed by whatever id the client sends",
            false,
            CHOSEN,
        ),
        (
            "flask_query_cookie",
            "Flask",
            "the same, and a query parameter becomes the cookie",
            false,
            BY_QUERY,
        ),
        (
            "flask_session_cookie",
            "Flask",
            "the whole session in a signed cookie, with nothing to end it",
            false,
            IN_COOKIE,
        ),
        (
            "flask_correct",
            "Flask",
            "the repaired twin of the three",
            false,
            &[],
        ),
    ];
    rows.into_iter()
        .map(
            |(name, written_with, what, by_openapi, expected)| PythonServer {
                truth: Truth {
                    name,
                    written_with,
                    what,
                    expected,
                },
                by_openapi,
            },
        )
        .collect()
}
