//! What answers give away of the framework behind them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;

use super::super::{Answer, jar};
use super::Framework;

/// How sure the clues must be together.
const ENOUGH: u32 = 4;

/// How much of a body is looked at.
const LOOKED_AT: usize = 32_768;

/// The clues so far: for each framework its distinct ones with their weight.
#[derive(Default)]
pub(in super::super) struct Clues(Mutex<BTreeMap<Framework, BTreeMap<&'static str, u32>>>);

impl Clues {
    pub(in super::super) fn read(&self, answer: &Answer) {
        let body = answer.beginning(LOOKED_AT);
        let mut found = by_header(answer.headers());
        found.extend(by_body(&body));
        for field in answer.set_cookies() {
            if let Ok(cookie) = jar::read(field) {
                let name = String::from_utf8_lossy(&cookie.name).into_owned();
                let value = String::from_utf8_lossy(&cookie.value).into_owned();
                found.extend(by_cookie(&name, &value));
            }
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (framework, clue, weight) in found {
            all.entry(framework).or_default().insert(clue, weight);
        }
    }

    /// The framework that most speaks for, where it is enough and no other comes near.
    pub(in super::super) fn framework(&self) -> Option<Framework> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: Vec<(u32, Framework)> = all
            .iter()
            .map(|(framework, clues)| (clues.values().sum(), *framework))
            .collect();
        sums.sort_unstable();
        let (most, framework) = sums.pop()?;
        let next = sums.pop().map_or(0, |(next, _)| next);
        (most >= ENOUGH && most > next).then_some(framework)
    }
}

type Clue = (Framework, &'static str, u32);

fn by_header(headers: &HeaderMap) -> Vec<Clue> {
    use Framework::{AspNet, Express, Flask, Rails, Spring, Starlette};
    let of = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_ascii_lowercase()
    };
    let (server, powered) = (of("server"), of("x-powered-by"));
    let mut found = Vec::new();
    let mut note = |is: bool, clue: Clue| found.extend(is.then_some(clue));
    note(powered == "express", (Express, "X-Powered-By", 6));
    note(powered.contains("asp.net"), (AspNet, "X-Powered-By", 6));
    note(server.starts_with("werkzeug"), (Flask, "Server", 3));
    note(server.starts_with("uvicorn"), (Starlette, "Server", 2));
    note(server.starts_with("kestrel"), (AspNet, "Server", 4));
    note(headers.contains_key("x-runtime"), (Rails, "X-Runtime", 3));
    let spring = of("cache-control") == "no-cache, no-store, max-age=0, must-revalidate"
        && of("expires") == "0"
        && of("pragma") == "no-cache";
    note(spring, (Spring, "Spring Security's cache headers", 4));
    found
}

fn by_cookie(name: &str, value: &str) -> Vec<Clue> {
    use Framework::{AspNet, Axum, Django, Express, Flask, Laravel, Rails, Spring, Starlette};
    let bare = ["__Host-Http-", "__Host-", "__Http-", "__Secure-"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    match bare {
        "csrftoken" => vec![(Django, "csrftoken", 3)],
        "sessionid" => vec![(Django, "sessionid", 2)],
        "connect.sid" => vec![(Express, "connect.sid", 5)],
        "JSESSIONID" => vec![(Spring, "JSESSIONID", 3)],
        "SESSION" => vec![(Spring, "SESSION", 2)],
        "laravel_session" => vec![(Laravel, "laravel_session", 5)],
        "XSRF-TOKEN" if value.starts_with("eyJpdiI6") => vec![(Laravel, "XSRF-TOKEN", 4)],
        "XSRF-TOKEN" => vec![(Laravel, "XSRF-TOKEN", 1), (Spring, "XSRF-TOKEN", 1)],
        "remember_token" => vec![(Flask, "remember_token", 2)],
        // What itsdangerous signs: a dictionary, or a compressed one, then a time and a signature.
        "session" if value.starts_with(".eJ") => vec![(Flask, "session", 4)],
        "session" if value.starts_with("eyJ") || value.starts_with("e30") => {
            vec![(Flask, "session", 2), (Starlette, "session", 2)]
        }
        "id" if value.len() == 22 => vec![(Axum, "id", 3)],
        _ if bare.starts_with(".AspNetCore.") => vec![(AspNet, ".AspNetCore", 6)],
        _ if bare.starts_with('_') && bare.ends_with("_session") && value.contains("--") => {
            vec![(Rails, "_…_session", 4)]
        }
        _ => Vec::new(),
    }
}

fn by_body(body: &str) -> Vec<Clue> {
    use Framework::{AspNet, Axum, Django, Laravel, Rails, Spring, Starlette};
    let clues = [
        ("csrfmiddlewaretoken", (Django, "csrfmiddlewaretoken", 5)),
        (
            "name=\"authenticity_token\"",
            (Rails, "authenticity_token", 3),
        ),
        ("name=\"csrf-param\"", (Rails, "csrf-param", 3)),
        (
            "__RequestVerificationToken",
            (AspNet, "__RequestVerificationToken", 5),
        ),
        ("name=\"_csrf\"", (Spring, "_csrf", 2)),
        ("name=\"_token\"", (Laravel, "_token", 2)),
        ("Failed to deserialize", (Axum, "its rejections", 4)),
    ];
    let mut found: Vec<_> = clues
        .into_iter()
        .filter(|(text, _)| body.contains(text))
        .map(|(_, clue)| clue)
        .collect();
    if body.starts_with("{\"detail\":") {
        found.push((Starlette, "detail", 3));
    }
    if body.starts_with("{\"timestamp\":") && body.contains("\"path\":") {
        found.push((Spring, "its error page", 3));
    }
    found
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;

    use super::super::super::Answer;
    use super::super::Framework;
    use super::Clues;

    #[track_caller]
    fn check(answers: &[(&[(&str, &str)], &'static str)], expected: Option<Framework>) {
        let clues = Clues::default();
        for (headers, body) in answers {
            let mut response = Response::builder();
            for (name, value) in *headers {
                response = response.header(*name, *value);
            }
            let response = response.body(Bytes::from_static(body.as_bytes())).unwrap();
            clues.read(&Answer::new(response));
        }
        assert_eq!(clues.framework(), expected);
    }

    #[test]
    fn frameworks_are_recognised_by_what_they_do_by_default() {
        use Framework::{AspNet, Axum, Django, Express, Flask, Laravel, Rails, Spring, Starlette};
        let cookie = |field| [("set-cookie", field)];
        check(
            &[
                (&cookie("csrftoken=x; Path=/"), ""),
                (&cookie("sessionid=x"), ""),
            ],
            Some(Django),
        );
        check(
            &[(
                &[
                    ("server", "Werkzeug/3.1.3 Python/3.11.2"),
                    ("set-cookie", "session=eyJ1.x.y"),
                ],
                "",
            )],
            Some(Flask),
        );
        check(
            &[(&[("server", "uvicorn")], "{\"detail\":\"Not Found\"}")],
            Some(Starlette),
        );
        check(&[(&[("x-powered-by", "Express")], "")], Some(Express));
        check(
            &[(
                &[
                    ("x-runtime", "0.01"),
                    ("set-cookie", "_shop_session=a%2Bb--c--d"),
                ],
                "",
            )],
            Some(Rails),
        );
        check(
            &[(&cookie("JSESSIONID=0"), "<input name=\"_csrf\" value=x>")],
            Some(Spring),
        );
        check(&[(&cookie(".AspNetCore.Cookies=CfDJ8"), "")], Some(AspNet));
        check(&[(&cookie("laravel_session=eyJpdiI6"), "")], Some(Laravel));
        check(
            &[(
                &cookie("id=0123456789abcdefghijkl"),
                "Failed to deserialize form body",
            )],
            Some(Axum),
        );
    }

    #[test]
    fn little_is_not_enough_and_a_repeated_clue_counts_once() {
        let cookie = [("set-cookie", "sessionid=x")];
        check(&[(&cookie, ""), (&cookie, ""), (&cookie, "")], None);
        check(&[(&[], "")], None);
    }
}
