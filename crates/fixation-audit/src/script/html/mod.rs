//! Just enough HTML to find what a login needs: tags with their attributes, forms, links and the text between.

mod attributes;
mod form;

pub(in super::super) use form::{Control, Form, forms};

/// An opening tag.
pub(in super::super) struct Tag {
    pub(in super::super) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    pub(in super::super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// One piece of a page.
pub(in super::super) enum Piece<'a> {
    Open(Tag),
    Close(String),
    Text(&'a str),
}

/// Reads a page piece by piece. Comments are left out, and scripts and styles count as no text.
pub(in super::super) fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = page;
    while !rest.is_empty() {
        let at = rest.find('<').unwrap_or(rest.len());
        if at > 0 {
            found.push(Piece::Text(&rest[..at]));
        }
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
        } else if let Some(after) = rest.strip_prefix("</") {
            let (tag, after) = after.split_once('>').unwrap_or((after, ""));
            found.push(Piece::Close(tag.trim().to_ascii_lowercase()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('<') {
            let end = after
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(after.len());
            if end == 0 {
                found.push(Piece::Text(&rest[..1]));
                rest = after;
                continue;
            }
            let name = after[..end].to_ascii_lowercase();
            let (attributes, after) = attributes::read(&after[end..]);
            rest = after.strip_prefix('>').unwrap_or(after);
            if matches!(name.as_str(), "script" | "style") {
                rest = after_raw(rest, &name);
            }
            found.push(Piece::Open(Tag { name, attributes }));
        }
    }
    found
}

/// What follows the closing tag of an element whose contents are no HTML.
fn after_raw<'a>(rest: &'a str, name: &str) -> &'a str {
    let close = format!("</{name}");
    let is_close = |at: &usize| {
        rest.get(*at..*at + close.len())
            .is_some_and(|tag| tag.eq_ignore_ascii_case(&close))
    };
    let at = rest.match_indices("</").map(|(at, _)| at).find(is_close);
    at.map_or("", |at| &rest[at..])
}

fn tags(page: &str) -> impl Iterator<Item = Tag> {
    pieces(page).into_iter().filter_map(|piece| match piece {
        Piece::Open(tag) => Some(tag),
        Piece::Close(_) | Piece::Text(_) => None,
    })
}

/// The value of the `<input name=…>` or the content of the `<meta name=…>` with this name.
///
/// With `within`, only fields of the form whose action ends with that text count.
pub(in super::super) fn field(page: &str, name: &str, within: Option<&str>) -> Option<String> {
    if let Some(action) = within {
        let form = forms(page).into_iter().find(|form| {
            let own = form.action.split(['?', '#']).next().unwrap_or_default();
            own.ends_with(action) || form.action == action
        })?;
        let control = form.controls.into_iter().find(|c| c.name == name)?;
        return Some(control.value);
    }
    tags(page).find_map(|tag| {
        let value = match tag.name.as_str() {
            "input" => "value",
            "meta" => "content",
            _ => return None,
        };
        let named = tag.get("name").is_some_and(|found| found == name);
        named.then(|| tag.get(value).map(ToOwned::to_owned))?
    })
}

/// The value of the first attribute with this name, such as `data-csrf`.
pub(in super::super) fn attribute(page: &str, name: &str) -> Option<String> {
    tags(page).find_map(|tag| tag.get(name).map(ToOwned::to_owned))
}

/// A link and the text that it shows.
pub(in super::super) struct Link {
    pub(in super::super) href: String,
    pub(in super::super) text: String,
    /// The method that a script sends it with, as `data-method` says.
    pub(in super::super) method: Option<String>,
}

/// The links of a page.
pub(in super::super) fn links(page: &str) -> Vec<Link> {
    let mut found: Vec<Link> = Vec::new();
    let mut open = false;
    for piece in pieces(page) {
        match piece {
            Piece::Open(tag) if tag.name == "a" => {
                let method = ["data-method", "data-turbo-method"]
                    .into_iter()
                    .find_map(|name| tag.get(name).map(str::to_ascii_uppercase));
                open = tag.get("href").is_some();
                found.extend(tag.get("href").map(|href| Link {
                    href: href.to_owned(),
                    text: String::new(),
                    method,
                }));
            }
            Piece::Close(name) if name == "a" => open = false,
            Piece::Text(text) if open => {
                if let Some(link) = found.last_mut() {
                    link.text.push_str(&attributes::unescape(text));
                }
            }
            Piece::Open(_) | Piece::Close(_) | Piece::Text(_) => {}
        }
    }
    found
}

/// The text of a page as a reader sees it, on one line.
pub(in super::super) fn text(page: &str) -> String {
    let mut words = String::new();
    for piece in pieces(page) {
        if let Piece::Text(text) = piece {
            for word in attributes::unescape(text).split_whitespace() {
                words.push_str(word);
                words.push(' ');
            }
        }
    }
    words.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{attribute, field, links, text};

    #[track_caller]
    fn check(page: &str, expected: Option<&str>) {
        assert_eq!(field(page, "csrf", None).as_deref(), expected, "{page}");
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
        check(
            "<!-- <input name=csrf value=no> --><input name=csrf value=yes>",
            Some("yes"),
        );
        check("<script>'<input name=csrf value=no>'</script>", None);
    }

    #[test]
    fn a_field_is_looked_for_in_its_form() {
        let page = "<form action=/search><input name=csrf value=one></form>\
                    <form action='/users/sign_out?x=1'><input name=csrf value=two></form>";
        assert_eq!(
            field(page, "csrf", Some("/users/sign_out")).as_deref(),
            Some("two")
        );
        assert_eq!(field(page, "csrf", Some("/other")), None);
    }

    #[test]
    fn attributes_links_and_text_are_found() {
        let page = "<body data-csrf='t1'><p>Hello,\n <b>Al&amp;Bo</b></p><style>p {}</style>\
                    <a href='/out?t=1' data-method=delete>Log <i>out</i></a><a name=x>no</a>";
        assert_eq!(attribute(page, "data-csrf").as_deref(), Some("t1"));
        let found = links(page);
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].href, &*found[0].text), ("/out?t=1", "Log out"));
        assert_eq!(found[0].method.as_deref(), Some("DELETE"));
        assert_eq!(text(page), "Hello, Al&Bo Log out no");
    }
}
