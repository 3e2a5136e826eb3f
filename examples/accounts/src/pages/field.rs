//! [`Field`]: a labelled input of a form, and what is wrong with it.

use maud::{Markup, html};

/// An input for text with its label. What helps with it and what is wrong with it are tied to it, for those who do not see them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    /// `text` unless it says otherwise.
    pub(crate) kind: Option<&'a str>,
    /// For browsers and password managers (HTML's names of autofill fields).
    pub(crate) autocomplete: &'a str,
    /// What the user typed already.
    pub(crate) value: &'a str,
    pub(crate) hint: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
    /// Whether the page begins here.
    pub(crate) first: bool,
}

impl Field<'_> {
    pub(crate) fn markup(&self) -> Markup {
        let Self {
            name, error, hint, ..
        } = *self;
        let (hint_id, error_id) = (format!("{name}-hint"), format!("{name}-error"));
        let described = [error.map(|_| &*error_id), hint.map(|_| &*hint_id)];
        let described: Vec<_> = described.into_iter().flatten().collect();
        let described = (!described.is_empty()).then(|| described.join(" "));
        let number = self.kind == Some("number");
        html! {
            div.field {
                label for=(name) { (self.label) }
                @if let Some(hint) = hint { p.hint id=(hint_id) { (hint) } }
                @if let Some(error) = error { p.error id=(error_id) role="alert" { (error) } }
                input id=(name) name=(name) type=(self.kind.unwrap_or("text")) value=(self.value)
                    autocomplete=(self.autocomplete) autocapitalize="none" spellcheck="false"
                    inputmode=[number.then_some("numeric")]
                    aria-describedby=[described] aria-invalid=[error.map(|_| "true")]
                    autofocus[self.first] required;
            }
        }
    }
}
