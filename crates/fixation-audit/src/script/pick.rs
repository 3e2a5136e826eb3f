use super::super::browser::Exchange;
use super::super::{Answer, CookieJar};
use super::html;

/// Takes a value out of an answer and keeps it under a name, for later steps to use as `{name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    pub(in super::super) name: String,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Field(String),
    Json(String),
    Header(String),
    Cookie(String),
}

impl Pick {
    /// The value of the form field, or the content of the `<meta>` element, with this name.
    #[must_use]
    pub fn field(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            source: Source::Field(name.clone()),
            name,
        }
    }

    /// What a JSON Pointer (RFC 6901) finds in the answer, kept under the pointer's last part.
    #[must_use]
    pub fn json(pointer: impl Into<String>) -> Self {
        let pointer = pointer.into();
        let name = pointer.rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            name,
            source: Source::Json(pointer),
        }
    }

    /// The value of a response header, kept under the header's name.
    #[must_use]
    pub fn header(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            source: Source::Header(name.clone()),
            name,
        }
    }

    /// The value of a cookie that the browser holds after the step, kept under the cookie's name: for applications
    /// that want a CSRF token sent back in a header.
    #[must_use]
    pub fn cookie(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            source: Source::Cookie(name.clone()),
            name,
        }
    }

    /// Keeps the value under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Looks in the answers, the last first, and in what the browser holds for the last one's place.
    pub(in super::super) fn find(&self, exchanges: &[Exchange], jar: &CookieJar) -> Option<String> {
        if let Source::Cookie(name) = &self.source {
            let held = jar.matching(&exchanges.last()?.place);
            let cookie = held
                .into_iter()
                .find(|cookie| cookie.name == name.as_bytes())?;
            return String::from_utf8(cookie.value.clone()).ok();
        }
        exchanges
            .iter()
            .rev()
            .find_map(|exchange| self.read(&exchange.answer))
    }

    fn read(&self, answer: &Answer) -> Option<String> {
        match &self.source {
            Source::Field(name) => html::field(&answer.text(), name),
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
            Source::Cookie(_) => None,
        }
    }

    pub(in super::super) fn describe(&self) -> String {
        match &self.source {
            Source::Field(name) => format!("the form field {name}"),
            Source::Json(pointer) => format!("the JSON value at {pointer}"),
            Source::Header(name) => format!("the header {name}"),
            Source::Cookie(name) => format!("the cookie {name}"),
        }
    }
}
