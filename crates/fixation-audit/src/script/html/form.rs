//! Forms, and what their fields hold when a user opens the page.

use super::{Piece, Tag, attributes, pieces};

/// A form of a page.
#[derive(Default)]
pub(in super::super::super) struct Form {
    pub(in super::super::super) action: String,
    pub(in super::super::super) method: String,
    pub(in super::super::super) enctype: String,
    pub(in super::super::super) controls: Vec<Control>,
    /// What it shows, with the labels of its buttons.
    pub(in super::super::super) text: String,
}

/// A field of a form, or a button with a name.
pub(in super::super::super) struct Control {
    pub(in super::super::super) name: String,
    pub(in super::super::super) value: String,
    /// The type of an input; `select` or `textarea`; a button's is `submit`.
    pub(in super::super::super) kind: String,
    pub(in super::super::super) autocomplete: String,
    pub(in super::super::super) checked: bool,
}

impl Form {
    pub(in super::super::super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Control> {
        self.controls
            .iter()
            .filter(move |control| control.kind == kind)
    }
}

/// The forms of a page, in its order.
pub(in super::super::super) fn forms(page: &str) -> Vec<Form> {
    let mut found: Vec<Form> = Vec::new();
    let mut open = false;
    let mut in_select = false;
    for piece in pieces(page) {
        match piece {
            Piece::Open(tag) if tag.name == "form" => {
                let of = |name: &str| tag.get(name).unwrap_or_default().trim().to_owned();
                found.push(Form {
                    action: of("action"),
                    method: of("method").to_ascii_uppercase(),
                    enctype: of("enctype").to_ascii_lowercase(),
                    ..Form::default()
                });
                open = true;
            }
            Piece::Close(name) if name == "form" => open = false,
            Piece::Close(name) if name == "select" => in_select = false,
            Piece::Open(tag) if open => {
                let Some(form) = found.last_mut() else {
                    continue;
                };
                if tag.name == "option" {
                    choose(form, &tag, in_select);
                    continue;
                }
                in_select |= tag.name == "select";
                form.controls.extend(control(&tag));
                if tag.name == "input"
                    && matches!(tag.get("type"), Some("submit" | "button" | "image"))
                {
                    form.text.push_str(tag.get("value").unwrap_or_default());
                    form.text.push(' ');
                }
            }
            Piece::Text(text) if open => {
                if let Some(form) = found.last_mut() {
                    form.text.push_str(attributes::unescape(text).trim());
                    form.text.push(' ');
                }
            }
            Piece::Open(_) | Piece::Close(_) | Piece::Text(_) => {}
        }
    }
    found
}

fn control(tag: &Tag) -> Option<Control> {
    let of = |name: &str| tag.get(name).unwrap_or_default().to_owned();
    let kind = match tag.name.as_str() {
        "input" => match of("type").to_ascii_lowercase() {
            kind if kind.is_empty() => "text".to_owned(),
            kind => kind,
        },
        "button" if matches!(&*of("type"), "" | "submit") => "submit".to_owned(),
        "select" | "textarea" => tag.name.clone(),
        _ => return None,
    };
    if tag.get("disabled").is_some() {
        return None;
    }
    Some(Control {
        name: tag.get("name").filter(|name| !name.is_empty())?.to_owned(),
        value: of("value"),
        kind,
        autocomplete: of("autocomplete").to_ascii_lowercase(),
        checked: tag.get("checked").is_some(),
    })
}

/// A choice list sends the option that is marked, or the first.
fn choose(form: &mut Form, option: &Tag, in_select: bool) {
    let Some(list) = form
        .controls
        .last_mut()
        .filter(|c| in_select && c.kind == "select")
    else {
        return;
    };
    let value = option.get("value").unwrap_or_default();
    if option.get("selected").is_some() || list.value.is_empty() {
        list.value = value.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::forms;

    #[test]
    fn a_form_holds_its_fields_as_they_stand() {
        let page = "<input name=outside><form action='/in' METHOD=post><input name=user><input type=PASSWORD name=pw>\
                    <input type=hidden name=t value='a&amp;b'><select name=realm><option value=x><option value=y selected>\
                    </select><input type=checkbox name=keep value=1 checked><button name=go value=now>Sign in</button>\
                    <input name=off disabled></form><form></form>";
        let found = forms(page);
        assert_eq!(found.len(), 2);
        let form = &found[0];
        assert_eq!((&*form.action, &*form.method), ("/in", "POST"));
        let fields: Vec<_> = form
            .controls
            .iter()
            .map(|c| (&*c.name, &*c.kind, &*c.value, c.checked))
            .collect();
        let expected = [
            ("user", "text", "", false),
            ("pw", "password", "", false),
            ("t", "hidden", "a&b", false),
            ("realm", "select", "y", false),
            ("keep", "checkbox", "1", true),
            ("go", "submit", "now", false),
        ];
        assert_eq!(fields, expected);
        assert!(form.text.contains("Sign in"));
    }
}
