//! `{name}` in the texts of a step.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Variables;
use super::totp::Totp;

/// The name under which the secret of the acting account's authenticator app is kept. No `{name}` refers to it.
pub(in super::super) const TOTP: &str = "totp:";

/// Replaces every `{name}` that is known; others, and lone braces, stay.
///
/// `{basic}` is the user name and the password as HTTP's Basic scheme encodes them. `{totp}` is the code of the moment
/// for the account's secret, and `{totp:X}` the one for the secret in the variable X, or for X itself.
pub(in super::super) fn substitute(text: &str, variables: &Variables) -> String {
    substitute_at(text, variables, now())
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn substitute_at(text: &str, variables: &Variables, now: u64) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = rest
            .find('}')
            .and_then(|end| Some((end, value(&rest[1..end], variables, now)?)));
        match known {
            Some((end, value)) => {
                out.push_str(&value);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn value(name: &str, variables: &Variables, now: u64) -> Option<String> {
    if name == TOTP {
        return None;
    }
    if let Some(value) = variables.get(name) {
        return Some(value.clone());
    }
    if name == "basic" {
        let (user, password) = (variables.get("username")?, variables.get("password")?);
        return Some(STANDARD.encode(format!("{user}:{password}")));
    }
    Some(Totp::parse(secret(name, variables)?).ok()?.at(now))
}

fn secret<'a>(name: &'a str, variables: &'a Variables) -> Option<&'a str> {
    if name == "totp" {
        return variables.get(TOTP).map(String::as_str);
    }
    let secret = name.strip_prefix("totp:")?;
    Some(variables.get(secret).map_or(secret, String::as_str))
}

/// Why a code that the text asks for cannot be computed.
pub(in super::super) fn fault(text: &str, variables: &Variables) -> Option<&'static str> {
    let names = text
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let mut asked = names.filter(|name| *name == "totp" || name.starts_with("totp:"));
    asked.find_map(|name| match secret(name, variables) {
        Some(secret) => Totp::parse(secret).err(),
        None => Some("{totp} needs the secret of the account's authenticator app"),
    })
}

#[cfg(test)]
mod tests {
    use super::{TOTP, Variables, fault, substitute_at};

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn variables() -> Variables {
        [
            ("user", "al{x}ice"),
            ("username", "alice"),
            ("password", "p:w"),
            (TOTP, SECRET),
            ("shown", SECRET),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(substitute_at(text, &variables(), 59), expected);
    }

    #[test]
    fn only_known_names_are_replaced() {
        check("{user}/{x}/{/}{user}", "al{x}ice/{x}/{/}al{x}ice");
    }

    #[test]
    fn the_basic_scheme_takes_both_credentials() {
        check("Basic {basic}", "Basic YWxpY2U6cDp3");
    }

    #[test]
    fn codes_come_from_the_account_a_variable_or_the_text_and_the_secret_never_shows() {
        check("{totp}", "287082");
        check("{totp:shown}", "287082");
        check(&format!("{{totp:{SECRET}}}"), "287082");
        check("{totp:}", "{totp:}");
    }

    #[test]
    fn a_code_that_cannot_be_computed_is_named() {
        assert_eq!(fault("{totp} {totp:shown}", &variables()), None);
        assert!(fault("{totp:1}", &variables()).is_some());
        assert!(fault("{totp}", &Variables::new()).is_some());
        assert_eq!(fault("{other}", &Variables::new()), None);
    }
}
