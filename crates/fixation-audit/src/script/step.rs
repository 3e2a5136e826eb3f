use std::fmt;

use http::Method;
use serde_json::Value;

use super::Pick;

/// One request. `{name}` in its texts stands for a variable: `{username}`, `{password}`, `{basic}` and `{totp}` of the
/// account that acts, and whatever earlier steps picked. `{totp:X}` is the code of the moment for the authenticator
/// secret in the variable X, or for X itself where it is one.
///
/// # Examples
///
/// ```
/// use fixation_audit::{Pick, Step};
///
/// let login = [
///     Step::get("/login").picking(Pick::field("csrf_token")),
///     Step::post("/login")
///         .field("user", "{username}")
///         .field("pass", "{password}")
///         .field("csrf_token", "{csrf_token}"),
/// ];
/// # let _ = login;
/// ```
#[derive(Clone)]
pub struct Step {
    pub(in super::super) method: Method,
    pub(in super::super) target: String,
    pub(in super::super) query: Vec<(String, String)>,
    pub(in super::super) headers: Vec<(String, String)>,
    pub(in super::super) body: Body,
    pub(in super::super) picks: Vec<Pick>,
    pub(in super::super) status: Option<u16>,
    pub(in super::super) text: Option<String>,
}

#[derive(Clone)]
pub(in super::super) enum Body {
    Empty,
    Form(Vec<(String, String)>),
    Json(Value),
    Multipart(Vec<Part>),
}

/// A field of a `multipart/form-data` body, or a file.
#[derive(Clone)]
pub(in super::super) struct Part {
    pub(in super::super) name: String,
    pub(in super::super) value: String,
    /// File name and media type.
    pub(in super::super) file: Option<(String, String)>,
}

impl Step {
    /// A request with this method to a path or an absolute URL.
    #[must_use]
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            picks: Vec::new(),
            status: None,
            text: None,
        }
    }

    /// `GET target`.
    #[must_use]
    pub fn get(target: impl Into<String>) -> Self {
        Self::new(Method::GET, target)
    }

    /// `POST target`.
    #[must_use]
    pub fn post(target: impl Into<String>) -> Self {
        Self::new(Method::POST, target)
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a field to an `application/x-www-form-urlencoded` body. A name may come more than once. A body of another
    /// kind that was set before gives way to the form.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let pair = (name.into(), value.into());
        match &mut self.body {
            Body::Form(fields) => fields.push(pair),
            Body::Empty | Body::Json(_) | Body::Multipart(_) => self.body = Body::Form(vec![pair]),
        }
        self
    }

    /// Adds a field to a `multipart/form-data` body. A body of another kind that was set before gives way to it.
    #[must_use]
    pub fn part(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with_part(Part {
            name: name.into(),
            value: value.into(),
            file: None,
        })
    }

    /// Adds a file to a `multipart/form-data` body.
    #[must_use]
    pub fn file(
        self,
        name: impl Into<String>,
        file_name: impl Into<String>,
        media_type: impl Into<String>,
        contents: impl Into<String>,
    ) -> Self {
        self.with_part(Part {
            name: name.into(),
            value: contents.into(),
            file: Some((file_name.into(), media_type.into())),
        })
    }

    fn with_part(mut self, part: Part) -> Self {
        match &mut self.body {
            Body::Multipart(parts) => parts.push(part),
            Body::Empty | Body::Json(_) | Body::Form(_) => self.body = Body::Multipart(vec![part]),
        }
        self
    }

    /// Sends a JSON body; `{name}` counts inside its strings.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Keeps a value of the answer for later steps. The step fails where it is not found.
    #[must_use]
    pub fn picking(mut self, pick: Pick) -> Self {
        self.picks.push(pick);
        self
    }

    /// The step fails unless its first answer has this status.
    #[must_use]
    pub fn expecting(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The step fails unless its last answer contains this text.
    #[must_use]
    pub fn expecting_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Every text in which `{name}` counts.
    pub(in super::super) fn texts(&self) -> Vec<String> {
        let pairs = self.query.iter().chain(&self.headers);
        let mut texts: Vec<_> = pairs.map(|(_, value)| value.clone()).collect();
        texts.push(self.target.clone());
        match &self.body {
            Body::Empty => {}
            Body::Form(fields) => texts.extend(fields.iter().map(|(_, value)| value.clone())),
            Body::Json(json) => texts.push(json.to_string()),
            Body::Multipart(parts) => texts.extend(parts.iter().map(|part| part.value.clone())),
        }
        texts
    }

    /// Method and path, for reports.
    pub(in super::super) fn label(&self) -> String {
        format!(
            "{} {}",
            self.method,
            self.target.split(['?', '#']).next().unwrap_or_default()
        )
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("request", &self.label())
            .finish_non_exhaustive()
    }
}
