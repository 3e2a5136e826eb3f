//! What was sent and answered, in words and without anything secret: for reports, and for whoever describes a login.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::browser::Exchange;
use super::script::{Body, Step, visible_text};
use super::world::Secrets;
use super::{Answer, jar};

/// One request and its answer in words. Credentials, cookie values and tokens are shown as digests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// Method, path, and the names of what was sent.
    pub request: String,
    /// Status, where a redirect leads, and the cookies that it sets.
    pub answer: String,
    /// The beginning of what the answer says to a reader. Not part of any report.
    pub excerpt: Option<String>,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.request, self.answer)?;
        match &self.excerpt {
            Some(text) => write!(f, " “{text}”"),
            None => Ok(()),
        }
    }
}

pub(super) type Observer = Arc<dyn Fn(&Trace) + Send + Sync>;

/// How many exchanges are kept for evidence.
const KEPT: usize = 3;

/// How much of an answer's body is looked at for its text.
const LOOKED_AT: usize = 8_192;

/// How much of an answer's text is quoted.
const EXCERPT: usize = 120;

/// The last exchanges of the audit.
pub(super) struct Journal {
    last: Mutex<VecDeque<Trace>>,
    observer: Option<Observer>,
}

impl Journal {
    pub(super) fn new(observer: Option<Observer>) -> Self {
        Self {
            last: Mutex::default(),
            observer,
        }
    }

    pub(super) fn write(&self, trace: Trace) {
        if let Some(observer) = &self.observer {
            observer(&trace);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(trace);
    }

    /// The last exchanges, the oldest first.
    pub(super) fn last(&self) -> Vec<Trace> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().cloned().collect()
    }
}

/// An exchange in words.
pub(super) fn trace(step: &Step, cookie: &[u8], exchange: &Exchange, secrets: &Secrets) -> Trace {
    Trace {
        request: printable(&secrets.scrub(&request(step, cookie, exchange, secrets))),
        answer: printable(&secrets.scrub(&answer(&exchange.answer, secrets))),
        excerpt: excerpt(&exchange.answer, secrets),
    }
}

fn request(step: &Step, cookie: &[u8], exchange: &Exchange, secrets: &Secrets) -> String {
    let mut text = format!("{} {}", step.method, path(exchange.place.path()));
    let names = |fields: &[(String, String)]| {
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    };
    if !step.query.is_empty() {
        text.push_str(&format!(", query {}", names(&step.query)));
    }
    match &step.body {
        Body::Empty => {}
        Body::Form(fields) => text.push_str(&format!(", form {}", names(fields))),
        Body::Json(_) => text.push_str(", JSON"),
        Body::Multipart(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
            text.push_str(&format!(", multipart {}", parts.join(", ")));
        }
    }
    if !step.headers.is_empty() {
        text.push_str(&format!(", header {}", names(&step.headers)));
    }
    if !cookie.is_empty() {
        let pairs: Vec<_> = cookie
            .split(|b| *b == b';')
            .map(|pair| {
                let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
                let value = secrets.show(pair.get(at + 1..).unwrap_or_default());
                format!("{} = {value}", String::from_utf8_lossy(&pair[..at]).trim())
            })
            .collect();
        text.push_str(&format!(", cookie {}", pairs.join("; ")));
    }
    text
}

fn answer(answer: &Answer, secrets: &Secrets) -> String {
    let mut text = answer.status().to_string();
    if let Some(to) = answer.location() {
        let to = to.split(['?', '#']).next().unwrap_or_default();
        text.push_str(&format!(" to {}", path(to)));
    }
    let fields: Vec<_> = answer
        .set_cookies()
        .filter_map(|field| jar::read(field).ok())
        .map(|cookie| {
            let name = String::from_utf8_lossy(&cookie.name).into_owned();
            if cookie.is_removal {
                format!("removes {name}")
            } else {
                format!("sets {name} = {}", secrets.show(&cookie.value))
            }
        })
        .collect();
    for field in fields {
        text.push_str(", ");
        text.push_str(&field);
    }
    text
}

/// A path with whatever looks like a token left out.
pub(super) fn path(path: &str) -> String {
    path.split('/').map(redacted).collect::<Vec<_>>().join("/")
}

/// The first words that the answer says to a reader.
pub(super) fn excerpt(answer: &Answer, secrets: &Secrets) -> Option<String> {
    if answer.location().is_some() {
        return None;
    }
    let text = visible_text(&answer.beginning(LOOKED_AT));
    let text = secrets.scrub_foreign(&text);
    let words: Vec<_> = text.split(' ').map(redacted).collect();
    let short: String = words.join(" ").chars().take(EXCERPT).collect();
    Some(printable(&short)).filter(|text| !text.is_empty())
}

/// An application's bytes must not command the terminal that shows them.
fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

/// A run of characters as tokens have them, long and mixed, gives way to a sign.
fn redacted(word: &str) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_=+.%~".contains(c);
    let mut out = String::new();
    let mut run = String::new();
    for c in word.chars().map(Some).chain([None]) {
        match c {
            Some(c) if is_token(c) => run.push(c),
            other => {
                let mixed = run.bytes().any(|b| b.is_ascii_digit())
                    || (run.bytes().any(|b| b.is_ascii_lowercase())
                        && run.bytes().skip(1).filter(u8::is_ascii_uppercase).count() > 3);
                if run.len() >= 16 && mixed {
                    out.push_str("‹…›");
                } else {
                    out.push_str(&run);
                }
                run.clear();
                out.extend(other);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{path, printable, redacted};

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a [2Jb ");
    }

    #[test]
    fn what_looks_like_a_token_is_left_out() {
        for (text, expected) in [
            (
                "{\"access_token\":\"eyJhbGciOiJIUzI1NiJ9.e30.x\"}",
                "{\"access_token\":\"‹…›\"}",
            ),
            ("Authentication-required", "Authentication-required"),
            ("AbCdEfGhIjKlMnOpQr", "‹…›"),
            ("short1", "short1"),
        ] {
            assert_eq!(redacted(text), expected);
        }
        assert_eq!(path("/reset/0123456789abcdef0/go"), "/reset/‹…›/go");
    }
}
