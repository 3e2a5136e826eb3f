//! Just enough HTML to find a hidden field: tags and their attributes.

/// The value of the `<input name=…>` or the content of the `<meta name=…>` with this name.
pub(super) fn field(page: &str, name: &str) -> Option<String> {
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let Some(tag) = ["input", "meta"]
            .into_iter()
            .find(|tag| starts_with_tag(rest, tag))
        else {
            continue;
        };
        let attributes = attributes(&rest[tag.len()..]);
        let of = |key: &str| {
            attributes
                .iter()
                .find(|(k, _)| k == key)
                .map(|(_, value)| value)
        };
        let value = of(if tag == "input" { "value" } else { "content" });
        if of("name").is_some_and(|found| found == name)
            && let Some(value) = value
        {
            return Some(value.clone());
        }
    }
    None
}

fn starts_with_tag(rest: &str, tag: &str) -> bool {
    rest.get(..tag.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(tag))
        && rest[tag.len()..].starts_with(|c: char| c.is_ascii_whitespace() || c == '/')
}

fn attributes(mut rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            return found;
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || "=/>".contains(c))
            .unwrap_or(rest.len())
            .max(1);
        let Some(key) = rest.get(..end) else {
            return found;
        };
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = split_value(after.trim_start());
        }
        found.push((key.to_ascii_lowercase(), unescape(value)));
    }
}

fn split_value(rest: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = rest.strip_prefix(quote) {
            return inner.split_once(quote).unwrap_or((inner, ""));
        }
    }
    rest.split_at(
        rest.find(|c: char| c.is_ascii_whitespace() || c == '>')
            .unwrap_or(rest.len()),
    )
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest
            .find(';')
            .and_then(|end| Some((end, entity(&rest[1..end])?)));
        match entity {
            Some((end, c)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[track_caller]
    fn check(page: &str, expected: Option<&str>) {
        assert_eq!(field(page, "csrf").as_deref(), expected, "{page}");
    }

    #[test]
    fn fields_are_found_by_name() {
        check(
            "<form><input type=hidden name=csrf value=abc></form>",
            Some("abc"),
        );
        check(
            "<INPUT value='a&amp;b&#43;&#x3D;' NAME=\"csrf\"/>",
            Some("a&b+="),
        );
        check(
            "<input name=other value=no><meta name=\"csrf\" content=\"yes\">",
            Some("yes"),
        );
        check("<inputs name=csrf value=no>", None);
        check("<input name=csrf>", None);
        check("<input name=csrf value=\"open", Some("open"));
        check("< <é <input é=1 name=csrf value=x", Some("x"));
    }
}
