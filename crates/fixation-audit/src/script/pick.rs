use std::fmt;

use regex_lite::Regex;

use super::super::browser::Exchange;
use super::super::{Answer, AuditError, CookieJar, form};
use super::html;

/// Takes a value out of an answer and keeps it under a name, for later steps to use as `{name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    pub(in super::super) name: String,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Field(String, Option<String>),
    Attribute(String),
    Link(String),
    Pattern(Pattern),
    Json(String),
    Header(String),
    Cookie(String, bool),
}

/// A regular expression; two are equal where their texts are.
#[derive(Clone)]
struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_str().fmt(f)
    }
}

impl Pick {
    fn new(name: String, source: Source) -> Self {
        Self { name, source }
    }

    /// The value of the form field, or the content of the `<meta>` element, with this name.
    #[must_use]
    pub fn field(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(name.clone(), Source::Field(name, None))
    }

    /// As [`field`](Self::field), but only in the form whose action ends with `action`: for pages with several forms
    /// that each have a token of their own.
    #[must_use]
    pub fn field_of(action: impl Into<String>, name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(name.clone(), Source::Field(name, Some(action.into())))
    }

    /// The value of the first HTML attribute with this name, such as `data-csrf-token`.
    #[must_use]
    pub fn attribute(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(name.clone(), Source::Attribute(name))
    }

    /// The address of the first link that contains this text in its address or in what it shows, kept as `link`.
    #[must_use]
    pub fn link(text: impl Into<String>) -> Self {
        Self::new("link".to_owned(), Source::Link(text.into()))
    }

    /// What a regular expression finds in the body, kept as `match`: its first group, or all of it where it has none.
    ///
    /// Scripts are part of the body. The syntax is that of the crate `regex-lite`.
    ///
    /// # Errors
    ///
    /// The expression is malformed.
    pub fn pattern(expression: &str) -> Result<Self, AuditError> {
        let regex = Regex::new(expression).map_err(|error| {
            AuditError::Config(format!("the regular expression {expression}: {error}"))
        })?;
        Ok(Self::new(
            "match".to_owned(),
            Source::Pattern(Pattern(regex)),
        ))
    }

    /// What a JSON Pointer (RFC 6901) finds in the answer, kept under the pointer's last part.
    #[must_use]
    pub fn json(pointer: impl Into<String>) -> Self {
        let pointer = pointer.into();
        let name = pointer.rsplit('/').next().unwrap_or_default().to_owned();
        Self::new(name, Source::Json(pointer))
    }

    /// The value of a response header, kept under the header's name.
    #[must_use]
    pub fn header(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(name.clone(), Source::Header(name))
    }

    /// The value of a cookie that the browser holds after the step, kept under the cookie's name: for applications
    /// that want a CSRF token sent back in a header.
    #[must_use]
    pub fn cookie(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(name.clone(), Source::Cookie(name, false))
    }

    /// As [`cookie`](Self::cookie), with percent-encoding undone, as scripts in a browser do before they send such a
    /// token back.
    #[must_use]
    pub fn decoded_cookie(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(name.clone(), Source::Cookie(name, true))
    }

    /// Keeps the value under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Looks in the answers, the last first, and in what the browser holds for the last one's place.
    pub(in super::super) fn find(&self, exchanges: &[Exchange], jar: &CookieJar) -> Option<String> {
        if let Source::Cookie(name, decode) = &self.source {
            let held = jar.matching(&exchanges.last()?.place);
            let cookie = held
                .into_iter()
                .find(|cookie| cookie.name == name.as_bytes())?;
            let value = if *decode {
                form::decode(&cookie.value)
            } else {
                cookie.value.clone()
            };
            return String::from_utf8(value).ok();
        }
        exchanges.iter().rev().find_map(|exchange| {
            let found = self.read(&exchange.answer)?;
            if !matches!(self.source, Source::Link(_)) {
                return Some(found);
            }
            // A link is read where it stands.
            Some(exchange.place.join(&found)?.to_string())
        })
    }

    fn read(&self, answer: &Answer) -> Option<String> {
        match &self.source {
            Source::Field(name, within) => html::field(&answer.text(), name, within.as_deref()),
            Source::Attribute(name) => html::attribute(&answer.text(), name),
            Source::Link(text) => html::links(&answer.text())
                .into_iter()
                .find(|link| link.href.contains(text) || link.text.contains(text))
                .map(|link| link.href),
            Source::Pattern(pattern) => {
                let text = answer.text();
                let found = pattern.0.captures(&text)?;
                let part = found.get(1).or_else(|| found.get(0))?;
                Some(part.as_str().to_owned())
            }
            Source::Json(pointer) => match answer.json()?.pointer(pointer)? {
                serde_json::Value::String(text) => Some(text.clone()),
                serde_json::Value::Null => None,
                other => Some(other.to_string()),
            },
            Source::Header(name) => answer
                .headers()
                .get(name)?
                .to_str()
                .ok()
                .map(ToOwned::to_owned),
            Source::Cookie(..) => None,
        }
    }

    pub(in super::super) fn describe(&self) -> String {
        match &self.source {
            Source::Field(name, None) => format!("the form field {name}"),
            Source::Field(name, Some(action)) => {
                format!("the field {name} of a form for {action}")
            }
            Source::Attribute(name) => format!("the attribute {name}"),
            Source::Link(text) => format!("a link with {text}"),
            Source::Pattern(pattern) => format!("anything that matches {}", pattern.0.as_str()),
            Source::Json(pointer) => format!("the JSON value at {pointer}"),
            Source::Header(name) => format!("the header {name}"),
            Source::Cookie(name, _) => format!("the cookie {name}"),
        }
    }
}
