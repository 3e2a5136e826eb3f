//! The server in `../site`, behaviour by behaviour.

use std::time::Duration;

use super::Truth;
use crate::site::{Behaviour, Carrier, Csrf, Elevation, Logout, Remember};

const IDLE: Duration = Duration::from_millis(1_500);

pub(crate) fn site_servers() -> Vec<(Truth, Behaviour)> {
    let none = Behaviour::default();
    let rows: Vec<(&str, &str, Behaviour, &[&str])> = vec![
        ("site", "one random id, new at every login", none, &[]),
        (
            "logout-in-browser",
            "the logout removes the cookie and nothing else",
            Behaviour {
                logout: Logout::InBrowser,
                ..none
            },
            &["old-id-alive-after-logout=high"],
        ),
        (
            "logout-nothing",
            "the logout answers 200 and does nothing",
            Behaviour {
                logout: Logout::Nothing,
                ..none
            },
            &[],
        ),
        (
            "logout-asks",
            "the logout's page asks again",
            Behaviour {
                logout: Logout::Asks,
                ..none
            },
            &[],
        ),
        (
            "logout-error",
            "the logout answers 200 with an error",
            Behaviour {
                logout: Logout::Error,
                ..none
            },
            &[],
        ),
        (
            "computed-for-good",
            "a signed session of its own spelling, with nothing to end it",
            Behaviour {
                carrier: Carrier::ComputedForGood,
                ..none
            },
            &[
                "token-alive-after-logout=high",
                "old-id-alive-after-reauth=low",
                "old-id-alive-after-switch=low",
                "other-sessions-not-ended=medium",
                "password-change-keeps-sessions=medium",
            ],
        ),
        (
            "user-number",
            "the user's number in a second cookie that has to come along",
            Behaviour {
                user_number: true,
                ..none
            },
            &[],
        ),
        (
            "user-number-counted",
            "the same, next to an id that is counted",
            Behaviour {
                user_number: true,
                counts: true,
                ..none
            },
            &["id-low-entropy=high", "id-predictable=critical"],
        ),
        (
            "remembered",
            "a remember-me cookie that ends at the logout",
            Behaviour {
                remember: Remember::UntilLogout,
                ..none
            },
            &[],
        ),
        (
            "remembered-for-good",
            "a remember-me cookie that outlives the logout",
            Behaviour {
                remember: Remember::ForGood,
                ..none
            },
            &["remembered-alive-after-logout=medium"],
        ),
        (
            "reads-url",
            "the session is read from ;jsessionid= and access_token",
            Behaviour {
                reads_url: true,
                ..none
            },
            &["id-from-url=high"],
        ),
        (
            "reads-url-bearer",
            "a bearer token is read from access_token too",
            Behaviour {
                carrier: Carrier::Bearer,
                reads_url: true,
                ..none
            },
            &["id-from-url=high"],
        ),
        (
            "bearer",
            "a random bearer token",
            Behaviour {
                carrier: Carrier::Bearer,
                ..none
            },
            &[],
        ),
        (
            "bearer-logout-nothing",
            "a bearer token that the logout leaves alone",
            Behaviour {
                carrier: Carrier::Bearer,
                logout: Logout::InBrowser,
                ..none
            },
            &["old-id-alive-after-logout=high"],
        ),
        (
            "writes-url",
            "the login leads to an address with the session in it",
            Behaviour {
                writes_url: true,
                ..none
            },
            &["id-in-url=medium"],
        ),
        (
            "shows-id",
            "the account page shows the session's id",
            Behaviour {
                shows_id: true,
                ..none
            },
            &["id-in-body=low"],
        ),
        (
            "csrf-kept",
            "the login keeps the CSRF token; a redirect leads to a missing page",
            Behaviour {
                csrf: Csrf::Kept,
                ..none
            },
            &["csrf-survives-login=medium"],
        ),
        (
            "csrf-unchecked",
            "any CSRF token is good",
            Behaviour {
                csrf: Csrf::Unchecked,
                ..none
            },
            &[],
        ),
        (
            "removes-unknown",
            "pages remove a session cookie that is not known",
            Behaviour {
                removes_unknown: true,
                ..none
            },
            &[],
        ),
        (
            "five-an-address",
            "every request starts a session, five at most for an address",
            Behaviour {
                five_an_address: true,
                ..none
            },
            &["late-response-restores-cookie=low"],
        ),
        (
            "kept",
            "the login keeps the guest's id",
            Behaviour {
                keeps: true,
                ..none
            },
            &[
                "id-kept-at-login=high",
                "planted-cookie-authenticated=critical",
                "id-kept-at-reauth=low",
                "id-kept-at-switch=high",
                "csrf-survives-login=medium",
                "late-response-restores-cookie=low",
            ],
        ),
        (
            "kept-bound",
            "the same, and a session works with one user agent only",
            Behaviour {
                keeps: true,
                binds_agent: true,
                ..none
            },
            &[
                "id-kept-at-login=high",
                "planted-cookie-authenticated=medium",
                "id-kept-at-reauth=low",
                "id-kept-at-switch=high",
                "csrf-survives-login=medium",
                "late-response-restores-cookie=low",
            ],
        ),
        (
            "bound",
            "a new id at the login, and a session works with one user agent only",
            Behaviour {
                binds_agent: true,
                ..none
            },
            &[],
        ),
        (
            "leaves-first",
            "a second login leaves the first session alone",
            Behaviour {
                leaves_first: true,
                ..none
            },
            &[
                "old-id-alive-after-reauth=low",
                "old-id-alive-after-switch=low",
            ],
        ),
        (
            "takes-other-sites",
            "other sites log in and out, and the cookie has SameSite=None",
            Behaviour {
                takes_other_sites: true,
                ..none
            },
            &[
                "cookie-no-samesite=low",
                "login-csrf=low",
                "logout-csrf=low",
            ],
        ),
        (
            "year-long",
            "a browser keeps the cookie for a year",
            Behaviour {
                year_long: true,
                ..none
            },
            &["cookie-lifetime=low"],
        ),
        (
            "limited",
            "two sessions of a user, as announced",
            Behaviour {
                limit: Some(2),
                ..none
            },
            &[],
        ),
        (
            "unlimited",
            "any number of sessions, and two announced",
            Behaviour {
                limit: Some(2),
                keeps_no_limit: true,
                ..none
            },
            &["session-limit-exceeded=medium"],
        ),
        (
            "idle",
            "sessions end when they are idle, as announced",
            Behaviour {
                idle: Some(IDLE),
                ..none
            },
            &[],
        ),
        (
            "idle-for-good",
            "sessions go on however long they are idle",
            Behaviour {
                idle: Some(IDLE),
                keeps_no_limit: true,
                ..none
            },
            &["idle-limit-not-kept=medium"],
        ),
        (
            "leaves-others",
            "ending the others and changing the password end nothing",
            Behaviour {
                leaves_others: true,
                ..none
            },
            &[
                "other-sessions-not-ended=medium",
                "password-change-keeps-sessions=medium",
            ],
        ),
        (
            "elevation-keeps",
            "the second factor keeps the id",
            Behaviour {
                elevation: Elevation::Keeps,
                ..none
            },
            &["id-kept-at-elevation=high"],
        ),
        (
            "elevation-leaves-old",
            "the second factor leaves the first session open",
            Behaviour {
                elevation: Elevation::LeavesOld,
                ..none
            },
            &["old-id-alive-after-elevation=medium"],
        ),
    ];
    rows.into_iter()
        .map(|(name, what, behaviour, expected)| {
            let truth = Truth {
                name,
                written_with: "axum",
                what,
                expected,
            };
            (truth, behaviour)
        })
        .collect()
}
