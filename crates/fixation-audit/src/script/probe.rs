use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::super::Answer;
use super::Step;

/// A request whose answer tells who is logged in.
///
/// Redirects are not followed: a redirect to the login page means that nobody is. Without a rule, status 200 means
/// that somebody is.
#[derive(Clone)]
pub struct Probe {
    pub(in super::super) step: Step,
    rule: Rule,
}

type Closure = dyn Fn(&Answer) -> Option<String> + Send + Sync;

#[derive(Clone)]
enum Rule {
    Status(u16),
    Text(String),
    Json(String),
    JsonIs(String, Value),
    By(Arc<Closure>),
}

impl Probe {
    /// Asks with `GET path`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Step::get(path))
    }

    /// Asks with a step of one's own.
    #[must_use]
    pub fn new(step: Step) -> Self {
        Self {
            step,
            rule: Rule::Status(200),
        }
    }

    /// Somebody is logged in where the answer has this status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self {
            rule: Rule::Status(status),
            ..self
        }
    }

    /// Somebody is logged in where the answer is a success (2xx) and contains this text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        Self {
            rule: Rule::Text(text.into()),
            ..self
        }
    }

    /// The JSON value at this pointer (RFC 6901) names who is logged in; nobody where it is missing, null, false,
    /// zero or empty.
    #[must_use]
    pub fn json(self, pointer: impl Into<String>) -> Self {
        Self {
            rule: Rule::Json(pointer.into()),
            ..self
        }
    }

    /// Somebody is logged in where the JSON value at this pointer equals `value`.
    #[must_use]
    pub fn json_is(self, pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        Self {
            rule: Rule::JsonIs(pointer.into(), value.into()),
            ..self
        }
    }

    /// A closure names who is logged in.
    #[must_use]
    pub fn by(self, rule: impl Fn(&Answer) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            rule: Rule::By(Arc::new(rule)),
            ..self
        }
    }

    /// Whether what the rule reads is the user's name, and not a page around it.
    pub(in super::super) fn names_the_user(&self) -> bool {
        matches!(self.rule, Rule::Json(_) | Rule::By(_))
    }

    /// What the rule misses in this answer.
    pub(in super::super) fn mismatch(&self, answer: &Answer) -> String {
        match &self.rule {
            Rule::Status(status) => format!("its status is not {status}"),
            Rule::Text(text) => format!("it is no success that contains “{text}”"),
            Rule::Json(pointer) | Rule::JsonIs(pointer, _) => match answer.json() {
                None => "it is not JSON".to_owned(),
                Some(json) if json.pointer(pointer).is_none() => {
                    format!("its JSON has nothing at {pointer}")
                }
                Some(_) => format!("its JSON at {pointer} does not show anybody"),
            },
            Rule::By(_) => "the closure names nobody".to_owned(),
        }
    }

    /// Whether it sends something that a step picked, such as a token.
    pub(in super::super) fn sends_variables(&self) -> bool {
        self.step.texts().iter().any(|text| text.contains('{'))
    }

    /// The same rule for the answer to another step.
    pub(in super::super) fn asking(&self, step: Step) -> Self {
        Self {
            step,
            rule: self.rule.clone(),
        }
    }

    /// The text by which accounts are told apart, or nothing where nobody is logged in.
    pub(in super::super) fn read(&self, answer: &Answer) -> Option<String> {
        let success = (200..300).contains(&answer.status());
        match &self.rule {
            Rule::Status(status) => {
                (answer.status() == *status).then(|| answer.text().into_owned())
            }
            Rule::Text(text) => {
                let page = answer.text();
                (success && page.contains(text.as_str())).then(|| page.into_owned())
            }
            Rule::Json(pointer) => match answer.json()?.pointer(pointer)? {
                _ if !success => None,
                Value::Null | Value::Bool(false) => None,
                Value::String(text) if text.is_empty() => None,
                Value::String(text) => Some(text.clone()),
                Value::Number(number) if number.as_f64() == Some(0.0) => None,
                other => Some(other.to_string()),
            },
            Rule::JsonIs(pointer, value) => {
                let json = answer.json()?;
                (success && json.pointer(pointer) == Some(value))
                    .then(|| answer.text().into_owned())
            }
            Rule::By(rule) => rule(answer),
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
