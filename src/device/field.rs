//! Strings of structured fields (RFC 9651, section 3.3.3): written quoted, read quoted or bare.

use http::HeaderValue;

/// The name of the response field that offers a registration.
pub(crate) const REGISTRATION: &str = "secure-session-registration";
/// The name of the response field that hands out a challenge.
pub(crate) const CHALLENGE: &str = "secure-session-challenge";
/// The name of the request field that holds a proof.
pub(crate) const RESPONSE: &str = "secure-session-response";
/// The name of the request field that names the session at a refresh.
pub(crate) const SESSION_ID: &str = "sec-secure-session-id";
/// The name of the request field that says why a request went out without the bound cookie.
pub(crate) const SKIPPED: &str = "secure-session-skipped";

/// A text that no string of a structured field can hold: it has a byte that is not visible ASCII or a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAString;

/// `Secure-Session-Registration`: the offer to register an ES256 key at `path` (D01).
///
/// # Errors
///
/// If `path` or `challenge` is no text of a structured field.
pub(crate) fn registration(path: &str, challenge: &str) -> Result<HeaderValue, NotAString> {
    let mut field = "(ES256);path=".to_owned();
    write_string(&mut field, path)?;
    field.push_str(";challenge=");
    write_string(&mut field, challenge)?;
    value(field)
}

/// `Secure-Session-Challenge`: the challenge for the next proof of the session with this identifier (D06, D09).
///
/// # Errors
///
/// If `challenge` or `identifier` is no text of a structured field.
pub(crate) fn challenge(challenge: &str, identifier: &str) -> Result<HeaderValue, NotAString> {
    let mut field = String::new();
    write_string(&mut field, challenge)?;
    field.push_str(";id=");
    write_string(&mut field, identifier)?;
    value(field)
}

/// What stands in a request's field, which Chromium sends bare and the draft has as a string: without one pair of quotes.
///
/// Nothing else is undone. What is read here is base64url and dots, which no string has to escape.
pub(crate) fn bare(field: &[u8]) -> &[u8] {
    match field {
        [b'"', inner @ .., b'"'] => inner,
        _ => field,
    }
}

fn write_string(out: &mut String, text: &str) -> Result<(), NotAString> {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => return Err(NotAString),
        }
    }
    out.push('"');
    Ok(())
}

/// Marked as sensitive: a challenge is for one browser.
fn value(field: String) -> Result<HeaderValue, NotAString> {
    let mut value = HeaderValue::try_from(field).map_err(|_| NotAString)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why a browser says that a request went out without the bound cookie.
pub(crate) fn skipped(field: &[u8]) -> Option<&'static str> {
    let reasons = ["unreachable", "server_error", "quota_exceeded"];
    let token = field.split(|byte| *byte == b';').next()?.trim_ascii();
    reasons
        .into_iter()
        .find(|reason| token == reason.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::{proptest, test_runner::Config};

    use super::{NotAString, bare, challenge, registration, skipped, write_string};

    /// D01, D06: byte by byte as browsers read them.
    #[test]
    fn fields_are_written_as_browsers_read_them() {
        assert_eq!(
            registration("/dbsc/register", "c0").unwrap(),
            r#"(ES256);path="/dbsc/register";challenge="c0""#
        );
        assert_eq!(challenge("c1", "id").unwrap(), r#""c1";id="id""#);
        assert_eq!(challenge(r#"a"b\c"#, "id").unwrap(), r#""a\"b\\c";id="id""#);
        for text in ["", " ", "~"] {
            assert_eq!(
                challenge(text, text).unwrap(),
                format!("\"{text}\";id=\"{text}\"")
            );
        }
    }

    #[test]
    fn whatever_is_not_printable_ascii_is_refused() {
        for text in ["\r\nSet-Cookie: a=b", "\0", "\t", "\x7F", "ü", "🦀"] {
            assert_eq!(challenge(text, "id"), Err(NotAString), "{text:?}");
            assert_eq!(challenge("c", text), Err(NotAString), "{text:?}");
            assert_eq!(registration(text, "c"), Err(NotAString), "{text:?}");
            assert_eq!(registration("/", text), Err(NotAString), "{text:?}");
        }
    }

    #[test]
    fn one_pair_of_quotes_is_taken_off_and_nothing_else() {
        for (field, inner) in [
            (&b"abc"[..], &b"abc"[..]),
            (b"\"abc\"", b"abc"),
            (b"\"\"abc\"\"", b"\"abc\""),
            (b"\"abc", b"\"abc"),
            (b"abc\"", b"abc\""),
            (b"\"", b"\""),
            (b"\"\"", b""),
            (b"", b""),
            (b" \"abc\"", b" \"abc\""),
            (b"\"abc\";a=1", b"\"abc\";a=1"),
            (b"'abc'", b"'abc'"),
        ] {
            assert_eq!(bare(field), inner);
        }
    }

    #[test]
    fn only_a_known_reason_is_taken() {
        for (field, reason) in [
            ("unreachable;session_identifier=\"a\"", Some("unreachable")),
            ("server_error", Some("server_error")),
            ("quota_exceeded ;a", Some("quota_exceeded")),
            ("unreachable2", None),
            ("", None),
            ("other", None),
        ] {
            assert_eq!(skipped(field.as_bytes()), reason);
        }
    }

    proptest! {
        #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(2000) })]

        /// A plain reading of RFC 9651, section 4.2.5, gives back what was written.
        #[test]
        fn a_string_is_read_back(text in "[ -~]{0,80}") {
            let mut out = String::new();
            write_string(&mut out, &text).unwrap();
            let mut inner = out.strip_prefix('"').unwrap().chars();
            let mut read = String::new();
            loop {
                match inner.next().unwrap() {
                    '\\' => read.push(inner.next().unwrap()),
                    '"' => break,
                    c => read.push(c),
                }
            }
            assert_eq!((read, inner.next()), (text, None));
        }
    }
}
