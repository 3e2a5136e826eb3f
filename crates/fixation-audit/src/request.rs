//! A step as an HTTP request, with what a browser says of itself.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use serde_json::Value;

use super::browser::{Agent, Initiator, Snapshot};
use super::script::{Body, Step, Variables, substitute};
use super::{AuditError, Place, form};

/// The origin of a page that has nothing to do with the application.
const OTHER_SITE: &str = "https://another-site.example";

pub(super) fn of(
    step: &Step,
    place: &Place,
    cookie: &[u8],
    kept: &Snapshot,
    initiator: Initiator,
) -> Result<Request<Bytes>, AuditError> {
    let variables = &kept.variables;
    let elsewhere = initiator == Initiator::OtherSite;
    let malformed = || AuditError::Config(format!("{} makes no valid request", step.label()));
    let (content_type, body) = match &step.body {
        Body::Empty => (None, Vec::new()),
        Body::Form(fields) => (
            Some("application/x-www-form-urlencoded"),
            form::encode(fields, variables).into_bytes(),
        ),
        Body::Json(json) => (
            // A form on another site can send JSON under the name of plain text only.
            Some(if elsewhere {
                "text/plain"
            } else {
                "application/json"
            }),
            filled(json, variables).to_string().into_bytes(),
        ),
    };
    let mut request = Request::builder()
        .method(step.method.clone())
        .uri(place.to_string());
    let headers = request.headers_mut().ok_or_else(malformed)?;
    let text = |text: &str| HeaderValue::from_str(text).map_err(|_| malformed());
    headers.insert(header::HOST, text(&place.authority())?);
    let agent = match kept.agent {
        Agent::Usual => "Mozilla/5.0 (fixation-audit)",
        Agent::Other => "Opera/9.80 (another device; fixation-audit)",
    };
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    // What a browser says of a request that a page of the application itself makes.
    let site = if elsewhere {
        "cross-site"
    } else {
        "same-origin"
    };
    headers.insert("sec-fetch-site", HeaderValue::from_static(site));
    headers.insert("sec-fetch-mode", HeaderValue::from_static("navigate"));
    if step.method != Method::GET && step.method != Method::HEAD {
        let origin = if elsewhere {
            OTHER_SITE.to_owned()
        } else {
            place.origin()
        };
        headers.insert(header::ORIGIN, text(&origin)?);
    }
    if elsewhere {
        let referer = format!("{OTHER_SITE}/");
        headers.insert(header::REFERER, text(&referer)?);
    }
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if !cookie.is_empty() {
        let value = HeaderValue::from_bytes(cookie).map_err(|_| malformed())?;
        headers.insert(header::COOKIE, value);
    }
    for (name, value) in &step.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| malformed())?;
        headers.insert(name, text(&substitute(value, variables))?);
    }
    request.body(body.into()).map_err(|_| malformed())
}

fn filled(json: &Value, variables: &Variables) -> Value {
    match json {
        Value::String(text) => substitute(text, variables).into(),
        Value::Array(items) => items.iter().map(|item| filled(item, variables)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), filled(value, variables)))
            .collect(),
        other => other.clone(),
    }
}
