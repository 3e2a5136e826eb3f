//! `application/x-www-form-urlencoded`, the URL standard's percent-encode set for forms.

use std::fmt::Write as _;

use super::script::{Variables, substitute};

pub(super) fn encode(fields: &[(String, String)], variables: &Variables) -> String {
    let pairs = fields.iter().map(|(name, value)| {
        let (name, value) = (substitute(name, variables), substitute(value, variables));
        format!("{}={}", encoded(&name), encoded(&value))
    });
    pairs.collect::<Vec<_>>().join("&")
}

pub(super) fn with_query(
    target: &str,
    query: &[(String, String)],
    variables: &Variables,
) -> String {
    if query.is_empty() {
        return target.to_owned();
    }
    let glue = if target.contains('?') { '&' } else { '?' };
    format!("{target}{glue}{}", encode(query, variables))
}

pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Variables, encode, with_query};

    #[test]
    fn fields_are_escaped_after_they_are_filled() {
        let variables = Variables::from([("p".to_owned(), "a&b=c é".to_owned())]);
        let fields = [("x y".to_owned(), "{p}".to_owned())];
        assert_eq!(encode(&fields, &variables), "x+y=a%26b%3Dc+%C3%A9");
        assert_eq!(
            with_query("/a?b", &fields, &variables),
            "/a?b&x+y=a%26b%3Dc+%C3%A9"
        );
    }
}
