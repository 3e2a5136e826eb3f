//! `application/x-www-form-urlencoded`, the URL standard's percent-encode set for forms, and `multipart/form-data`.

use std::fmt::Write as _;

use super::script::{Part, Variables, substitute};

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

/// The body and its boundary.
pub(super) fn multipart(parts: &[Part], variables: &Variables, boundary: &str) -> String {
    let mut out = String::new();
    for part in parts {
        let quoted = |text: &str| {
            text.replace('"', "%22")
                .replace('\r', "%0D")
                .replace('\n', "%0A")
        };
        let name = quoted(&substitute(&part.name, variables));
        let _ = write!(
            out,
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\""
        );
        if let Some((file, media_type)) = &part.file {
            let (file, media_type) = (quoted(file), quoted(media_type));
            let _ = write!(out, "; filename=\"{file}\"\r\nContent-Type: {media_type}");
        }
        let _ = write!(out, "\r\n\r\n{}\r\n", substitute(&part.value, variables));
    }
    let _ = write!(out, "--{boundary}--\r\n");
    out
}

/// Undoes percent-encoding; what is none stays.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let byte = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    out
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
    use super::{Part, Variables, decode, encode, multipart, with_query};

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

    #[test]
    fn percent_encoding_is_undone_where_there_is_any() {
        assert_eq!(decode(b"a%3Db%2g%"), b"a=b%2g%");
    }

    #[test]
    fn parts_are_delimited_and_names_cannot_break_out() {
        let variables = Variables::from([("p".to_owned(), "x".to_owned())]);
        let part = |file: Option<(&str, &str)>| Part {
            name: "a\"\r\nb".to_owned(),
            value: "{p}".to_owned(),
            file: file.map(|(name, kind)| (name.to_owned(), kind.to_owned())),
        };
        let parts = [part(None), part(Some(("f.txt", "text/plain")))];
        let expected = "--B\r\nContent-Disposition: form-data; name=\"a%22%0D%0Ab\"\r\n\r\nx\r\n\
                        --B\r\nContent-Disposition: form-data; name=\"a%22%0D%0Ab\"; filename=\"f.txt\"\r\n\
                        Content-Type: text/plain\r\n\r\nx\r\n--B--\r\n";
        assert_eq!(multipart(&parts, &variables, "B"), expected);
    }
}
