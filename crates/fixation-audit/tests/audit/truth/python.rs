//! The servers in `../python`.

use super::Truth;

/// A Python program in `python/` (its name, then its arguments), and how it is described.
pub(crate) struct PythonServer {
    pub(crate) truth: Truth,
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "for the command only")
    )]
    pub(crate) described_by: DescribedBy,
}

/// How the server is described to the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DescribedBy {
    OpenApi,
    /// A file next to the server.
    File(&'static str),
}

const COOKIES: DescribedBy = DescribedBy::File("cookies.toml");
const SEALED: DescribedBy = DescribedBy::File("sealed.toml");
const TOTP: DescribedBy = DescribedBy::File("totp.toml");
const TOKENS: DescribedBy = DescribedBy::File("tokens.toml");

const KEPT_EVERYWHERE: &[&str] = &[
    "id-kept-at-login=high",
    "planted-cookie-authenticated=critical",
    "id-kept-at-reauth=low",
    "id-kept-at-switch=high",
    "late-response-restores-cookie=low",
    "cookie-no-host-prefix=low",
    "missing-no-store=low",
    "duplicate-cookies=low",
];

const CHOSEN: &[&str] = &[
    "id-kept-at-login=high",
    "planted-cookie-authenticated=critical",
    "chosen-id-adopted=critical",
    "id-kept-at-reauth=low",
    "id-kept-at-switch=high",
    "late-response-restores-cookie=low",
    "cookie-no-host-prefix=low",
    "missing-no-store=low",
    "duplicate-cookies=low",
];

const BY_QUERY: &[&str] = &[
    "id-kept-at-login=high",
    "planted-cookie-authenticated=critical",
    "chosen-id-adopted=critical",
    "id-kept-at-reauth=low",
    "id-kept-at-switch=high",
    "id-from-url=high",
    "late-response-restores-cookie=low",
    "cookie-no-host-prefix=low",
    "missing-no-store=low",
    "duplicate-cookies=low",
];

const IN_COOKIE: &[&str] = &[
    "old-id-alive-after-reauth=low",
    "old-id-alive-after-switch=low",
    "data-survives-login=low",
    "data-survives-switch=medium",
    "token-alive-after-logout=high",
];

const FOR_GOOD: &[&str] = &[
    "token-alive-after-logout=high",
    "old-id-alive-after-reauth=low",
    "old-id-alive-after-switch=low",
];

pub(crate) fn python_servers() -> Vec<PythonServer> {
    let bearer: &[&str] = &[
        "token-alive-after-logout=high",
        "token-not-verified=critical",
        "token-lifetime=medium",
    ];
    let rows: [(&str, &str, &str, DescribedBy, &[&str]); 23] = [
        (
            "fastapi_signed_kept",
            "FastAPI",
            "one HMAC-signed id from the first visit on",
            COOKIES,
            KEPT_EVERYWHERE,
        ),
        (
            "fastapi_correct",
            "FastAPI",
            "its repaired twin",
            COOKIES,
            &[],
        ),
        (
            "fastapi_bearer",
            "FastAPI",
            "bearer tokens that never end, and with any algorithm",
            DescribedBy::OpenApi,
            bearer,
        ),
        (
            "fastapi_bearer_correct",
            "FastAPI",
            "its repaired twin",
            DescribedBy::OpenApi,
            &[],
        ),
        (
            "flask_client_chosen",
            "Flask",
            "a store keyed by whatever id the client sends",
            COOKIES,
            CHOSEN,
        ),
        (
            "flask_query_cookie",
            "Flask",
            "the same, and a query parameter becomes the cookie",
            COOKIES,
            BY_QUERY,
        ),
        (
            "flask_session_cookie",
            "Flask",
            "the whole session in a signed cookie, with nothing to end it",
            COOKIES,
            IN_COOKIE,
        ),
        (
            "flask_correct",
            "Flask",
            "the repaired twin of the three",
            COOKIES,
            &[],
        ),
        (
            "sealed_cookie compressed for-good",
            "Flask",
            "a signed cookie, compressed (itsdangerous), with nothing to end it",
            SEALED,
            FOR_GOOD,
        ),
        (
            "sealed_cookie compressed ended",
            "Flask",
            "the same, and a logout ends it",
            SEALED,
            &[],
        ),
        (
            "sealed_cookie django for-good",
            "Flask",
            "a signed cookie, compressed (Django), with nothing to end it",
            SEALED,
            FOR_GOOD,
        ),
        (
            "sealed_cookie django ended",
            "Flask",
            "the same, and a logout ends it",
            SEALED,
            &[],
        ),
        (
            "sealed_cookie tornado for-good",
            "Flask",
            "a signed cookie (Tornado), with nothing to end it",
            SEALED,
            FOR_GOOD,
        ),
        (
            "sealed_cookie tornado ended",
            "Flask",
            "the same, and a logout ends it",
            SEALED,
            &[],
        ),
        (
            "sealed_cookie encrypted for-good",
            "Flask",
            "an encrypted cookie (Fernet), with nothing to end it",
            SEALED,
            FOR_GOOD,
        ),
        (
            "sealed_cookie encrypted ended",
            "Flask",
            "the same, and a logout ends it",
            SEALED,
            &[],
        ),
        (
            "totp_login correct",
            "Flask",
            "a password and a code, a new id with each",
            TOTP,
            &["late-response-restores-cookie=low"],
        ),
        (
            "totp_login kept",
            "Flask",
            "the same, under the id of the first visit",
            TOTP,
            &[
                "id-kept-at-login=high",
                "planted-cookie-authenticated=critical",
                "id-kept-at-reauth=low",
                "id-kept-at-switch=high",
                "late-response-restores-cookie=low",
            ],
        ),
        (
            "token_keys correct",
            "FastAPI",
            "RS256 with a published key, a short exp",
            TOKENS,
            &[],
        ),
        (
            "token_keys weak",
            "FastAPI",
            "HS256 under a secret from a tutorial",
            TOKENS,
            &["token-key-weak=critical"],
        ),
        (
            "token_keys header",
            "FastAPI",
            "the key comes from the header of the token",
            TOKENS,
            &["token-key-from-header=critical"],
        ),
        (
            "token_keys confused",
            "FastAPI",
            "the public key is taken for a secret",
            TOKENS,
            &["token-key-confused=critical"],
        ),
        (
            "token_keys undying",
            "FastAPI",
            "exp is there, and nothing looks at it",
            TOKENS,
            &["token-exp-ignored=high"],
        ),
    ];
    rows.into_iter()
        .map(
            |(name, written_with, what, described_by, expected)| PythonServer {
                truth: Truth {
                    name,
                    written_with,
                    what,
                    expected,
                },
                described_by,
            },
        )
        .collect()
}
