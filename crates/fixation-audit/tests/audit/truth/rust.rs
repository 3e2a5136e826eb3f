//! The server in `../rust`, fault by fault.

use super::Truth;
use crate::rust::{Faults, Spelling};

pub(crate) struct RustServer {
    pub(crate) truth: Truth,
    pub(crate) faults: Faults,
    pub(crate) spelling: Spelling,
}

const NEVER: &[&str] = &[
    "id-kept-at-login=high",
    "planted-cookie-authenticated=critical",
    "id-kept-at-reauth=low",
    "id-kept-at-elevation=high",
    "id-kept-at-switch=high",
    "data-survives-login=low",
    "data-survives-switch=medium",
    "csrf-survives-login=medium",
    "late-response-restores-cookie=low",
];

pub(crate) fn rust_servers() -> Vec<RustServer> {
    use Spelling::{Plain, Signed};
    let none = Faults::default();
    let rows: Vec<(&str, &str, Spelling, Faults, &[&str])> = vec![
        (
            "correct",
            "new id at every change, two names, strict reader",
            Plain,
            none,
            &[],
        ),
        (
            "correct-signed",
            "the same with a signed id",
            Signed,
            none,
            &[],
        ),
        (
            "unsigned-kept",
            "one plain id from the first visit on",
            Plain,
            Faults {
                never_rotates: true,
                ..none
            },
            NEVER,
        ),
        (
            "signed-kept",
            "one HMAC-signed id from the first visit on",
            Signed,
            Faults {
                never_rotates: true,
                ..none
            },
            NEVER,
        ),
        (
            "respelled",
            "an HMAC token re-issued at the login, for the same id",
            Signed,
            Faults {
                respells: true,
                ..none
            },
            &[
                "old-id-alive-after-login=high",
                "planted-cookie-authenticated=critical",
                "old-id-alive-after-reauth=low",
                "old-id-alive-after-elevation=high",
                "id-kept-at-switch=high",
                "data-survives-login=low",
                "data-survives-switch=medium",
                "csrf-survives-login=medium",
                "late-response-restores-cookie=low",
            ],
        ),
        (
            "client-chosen",
            "a store keyed by whatever id the client sends",
            Plain,
            Faults {
                adopts_unknown: true,
                ..none
            },
            &[
                "chosen-id-adopted=medium",
                "late-response-restores-cookie=low",
            ],
        ),
        (
            "query-to-cookie",
            "a query parameter becomes the cookie, and stays",
            Plain,
            Faults {
                query_to_cookie: true,
                never_rotates: true,
                ..none
            },
            &[
                "id-kept-at-login=high",
                "planted-cookie-authenticated=critical",
                "chosen-id-adopted=medium",
                "id-kept-at-reauth=low",
                "id-kept-at-elevation=high",
                "id-kept-at-switch=high",
                "id-from-url=high",
                "data-survives-login=low",
                "data-survives-switch=medium",
                "csrf-survives-login=medium",
                "late-response-restores-cookie=low",
            ],
        ),
        (
            "query-read",
            "the id is read from the query too",
            Plain,
            Faults {
                reads_query: true,
                ..none
            },
            &["id-from-url=high"],
        ),
        (
            "form-and-header-read",
            "the id is read from a form and a header too",
            Signed,
            Faults {
                reads_form_and_header: true,
                ..none
            },
            &["id-from-form=high", "id-from-header=low"],
        ),
        (
            "kept-at-elevation",
            "new id at the login, not at the elevation",
            Plain,
            Faults {
                keeps_at_elevation: true,
                ..none
            },
            &["id-kept-at-elevation=high"],
        ),
        (
            "old-alive-after-elevation",
            "the elevation leaves the old session open",
            Plain,
            Faults {
                leaves_old_at_elevation: true,
                ..none
            },
            &["old-id-alive-after-elevation=medium"],
        ),
        (
            "kept-at-reauth",
            "the same user's second login keeps the id",
            Signed,
            Faults {
                keeps_at_reauth: true,
                ..none
            },
            &["id-kept-at-reauth=low"],
        ),
        (
            "logout-in-browser-only",
            "the logout removes the cookie and nothing else",
            Plain,
            Faults {
                logout_in_browser_only: true,
                ..none
            },
            &["old-id-alive-after-logout=high"],
        ),
        (
            "data-carried",
            "the login takes a guest's data and CSRF secret over",
            Plain,
            Faults {
                carries_data: true,
                ..none
            },
            &[
                "data-survives-login=low",
                "data-survives-switch=medium",
                "csrf-survives-login=medium",
            ],
        ),
        (
            "saves-blindly",
            "a request that ends late saves the session again",
            Plain,
            Faults {
                saves_blindly: true,
                ..none
            },
            &["session-back-after-logout=high"],
        ),
        (
            "one-name",
            "guests and users have the same cookie, every page sets one",
            Plain,
            Faults {
                one_name_for_all: true,
                ..none
            },
            &["late-response-restores-cookie=low"],
        ),
        (
            "lenient-reader",
            "names decoded and trimmed, the first of duplicates counts",
            Plain,
            Faults {
                reads_leniently: true,
                ..none
            },
            &[
                "duplicate-cookies=low",
                "cookie-name-decoded=low",
                "cookie-name-normalised=low",
            ],
        ),
        (
            "counted",
            "ids are counted",
            Plain,
            Faults {
                counts: true,
                ..none
            },
            &["id-low-entropy=high", "id-predictable=critical"],
        ),
        (
            "counted-signed",
            "ids are counted and signed: nobody can make the next one",
            Signed,
            Faults {
                counts: true,
                ..none
            },
            &[],
        ),
        (
            "bare-cookie",
            "a cookie without attributes, for a whole domain, removed under another path",
            Plain,
            Faults {
                bare_cookie: true,
                ..none
            },
            &[
                "cookie-not-secure=medium",
                "cookie-not-httponly=medium",
                "cookie-no-samesite=low",
                "cookie-domain-scope=medium",
                "cookie-no-host-prefix=low",
                "removal-ignored=medium",
            ],
        ),
        (
            "careless-removal",
            "the removal lacks the Secure that the name's prefix demands",
            Signed,
            Faults {
                removes_carelessly: true,
                ..none
            },
            &["cookie-refused=low", "removal-ignored=medium"],
        ),
        (
            "refused-cookie",
            "a prefixed cookie with a Domain",
            Plain,
            Faults {
                sets_refused_cookie: true,
                ..none
            },
            &["cookie-refused=low"],
        ),
    ];
    rows.into_iter()
        .map(|(name, what, spelling, faults, expected)| RustServer {
            truth: Truth {
                name,
                written_with: "axum",
                what,
                expected,
            },
            faults,
            spelling,
        })
        .collect()
}
