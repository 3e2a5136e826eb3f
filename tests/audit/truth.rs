//! What is known of each server under `tests/audit/`, and the matrix that the documentation shows.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::rust::{Faults, Spelling};

/// A server with the checks that find something in it: these and no others.
pub(crate) struct Truth {
    pub(crate) name: &'static str,
    pub(crate) written_with: &'static str,
    pub(crate) what: &'static str,
    pub(crate) expected: &'static [&'static str],
}

pub(crate) struct RustServer {
    pub(crate) truth: Truth,
    pub(crate) faults: Faults,
    pub(crate) spelling: Spelling,
}

const NEVER: &[&str] = &[
    "id-kept-at-login",
    "planted-cookie-authenticated",
    "id-kept-at-reauth",
    "id-kept-at-elevation",
    "id-kept-at-switch",
    "data-survives-login",
    "data-survives-switch",
    "csrf-survives-login",
    "late-response-restores-cookie",
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
                "old-id-alive-after-login",
                "planted-cookie-authenticated",
                "id-kept-at-reauth",
                "old-id-alive-after-elevation",
                "id-kept-at-switch",
                "data-survives-login",
                "data-survives-switch",
                "csrf-survives-login",
                "late-response-restores-cookie",
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
            &["chosen-id-adopted", "late-response-restores-cookie"],
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
                "id-kept-at-login",
                "planted-cookie-authenticated",
                "chosen-id-adopted",
                "id-kept-at-reauth",
                "id-kept-at-elevation",
                "id-kept-at-switch",
                "id-from-url",
                "data-survives-login",
                "data-survives-switch",
                "csrf-survives-login",
                "late-response-restores-cookie",
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
            &["id-from-url"],
        ),
        (
            "form-and-header-read",
            "the id is read from a form and a header too",
            Signed,
            Faults {
                reads_form_and_header: true,
                ..none
            },
            &["id-from-form", "id-from-header"],
        ),
        (
            "kept-at-elevation",
            "new id at the login, not at the elevation",
            Plain,
            Faults {
                keeps_at_elevation: true,
                ..none
            },
            &["id-kept-at-elevation"],
        ),
        (
            "old-alive-after-elevation",
            "the elevation leaves the old session open",
            Plain,
            Faults {
                leaves_old_at_elevation: true,
                ..none
            },
            &["old-id-alive-after-elevation"],
        ),
        (
            "kept-at-reauth",
            "the same user's second login keeps the id",
            Signed,
            Faults {
                keeps_at_reauth: true,
                ..none
            },
            &["id-kept-at-reauth"],
        ),
        (
            "logout-in-browser-only",
            "the logout removes the cookie and nothing else",
            Plain,
            Faults {
                logout_in_browser_only: true,
                ..none
            },
            &["old-id-alive-after-logout"],
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
                "data-survives-login",
                "data-survives-switch",
                "csrf-survives-login",
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
            &["session-back-after-logout"],
        ),
        (
            "one-name",
            "guests and users have the same cookie, every page sets one",
            Plain,
            Faults {
                one_name_for_all: true,
                ..none
            },
            &["late-response-restores-cookie"],
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
                "duplicate-cookies",
                "cookie-name-decoded",
                "cookie-name-normalised",
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
            &["id-low-entropy", "id-predictable"],
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
                "cookie-not-secure",
                "cookie-not-httponly",
                "cookie-no-samesite",
                "cookie-domain-scope",
                "cookie-no-host-prefix",
                "removal-ignored",
                "missing-no-store",
            ],
        ),
        (
            "refused-cookie",
            "a prefixed cookie with a Domain",
            Plain,
            Faults {
                sets_refused_cookie: true,
                ..none
            },
            &["cookie-refused"],
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

/// A Python program in `python/`, and whether it speaks of itself by OpenAPI (otherwise by `cookies.toml`).
pub(crate) struct PythonServer {
    pub(crate) truth: Truth,
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

/// Findings that should have been made and were not, and the reverse.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) hits: usize,
    pub(crate) missed: Vec<String>,
    pub(crate) false_alarms: Vec<String>,
}

impl Score {
    pub(crate) fn add(&mut self, truth: &Truth, found: &BTreeSet<String>) {
        let expected: BTreeSet<String> = truth.expected.iter().map(|id| (*id).to_owned()).collect();
        let at = |id: &String| format!("{}: {id}", truth.name);
        self.hits += expected.intersection(found).count();
        self.missed.extend(expected.difference(found).map(at));
        self.false_alarms
            .extend(found.difference(&expected).map(at));
    }

    pub(crate) fn precision(&self) -> f64 {
        ratio(self.hits, self.false_alarms.len())
    }

    pub(crate) fn recall(&self) -> f64 {
        ratio(self.hits, self.missed.len())
    }

    /// Prints the figures, and fails with what differs.
    #[track_caller]
    pub(crate) fn assert_exact(&self) {
        let (hits, missed, alarms) = (self.hits, self.missed.len(), self.false_alarms.len());
        println!(
            "{hits} found as expected, {missed} missed, {alarms} false alarms: precision {:.3}, recall {:.3}",
            self.precision(),
            self.recall()
        );
        assert!(
            self.missed.is_empty() && self.false_alarms.is_empty(),
            "missed: {:#?}\nfalse alarms: {:#?}",
            self.missed,
            self.false_alarms
        );
    }
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred findings")]
fn ratio(hits: usize, others: usize) -> f64 {
    if hits + others == 0 {
        1.0
    } else {
        hits as f64 / (hits + others) as f64
    }
}

/// The matrix of the documentation: a row for each server.
pub(crate) fn matrix(truths: &[&Truth]) -> String {
    let mut out = String::from(
        "| server | written with | what it does | expected and found |\n|---|---|---|---|\n",
    );
    for truth in truths {
        let ids: Vec<_> = truth.expected.iter().map(|id| format!("`{id}`")).collect();
        let ids = if ids.is_empty() {
            "nothing".to_owned()
        } else {
            ids.join(", ")
        };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {ids} |",
            truth.name, truth.written_with, truth.what
        );
    }
    out
}
