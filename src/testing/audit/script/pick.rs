use super::super::Answer;
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

    /// Keeps the value under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    pub(in super::super) fn from(&self, answer: &Answer) -> Option<String> {
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
        }
    }

    pub(in super::super) fn describe(&self) -> String {
        match &self.source {
            Source::Field(name) => format!("the form field {name}"),
            Source::Json(pointer) => format!("the JSON value at {pointer}"),
            Source::Header(name) => format!("the header {name}"),
        }
    }
}
