//! A step as an HTTP request, with what a browser says of itself.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use serde_json::Value;

use super::browser::{Agent, Initiator};
use super::script::{Body, Step, Variables, fault, substitute};
use super::{AuditError, Place, chance, form};

/// What goes with a step from outside it.
pub(super) struct Sender<'a> {
    pub(super) cookie: &'a [u8],
    pub(super) variables: &'a Variables,
    /// The page on which the user is.
    pub(super) page: Option<&'a Place>,
    pub(super) agent: Agent,
    pub(super) initiator: Initiator,
}

/// The origin of a page that has nothing to do with the application.
const OTHER_SITE: &str = "https://another-site.example";

pub(super) fn of(
    step: &Step,
    place: &Place,
    sender: &Sender<'_>,
) -> Result<Request<Bytes>, AuditError> {
    let malformed = || AuditError::Config(format!("{} makes no valid request", step.label()));
    let variables = sender.variables;
    let elsewhere = sender.initiator == Initiator::OtherSite;
    if let Some(fault) = step.texts().iter().find_map(|text| fault(text, variables)) {
        return Err(AuditError::Config(format!("{}: {fault}", step.label())));
    }
    let (mut content_type, body) = body(&step.body, variables);
    if elsewhere && matches!(step.body, Body::Json(_)) {
        // A form on another site can send JSON under the name of plain text only.
        content_type = Some("text/plain".to_owned());
    }
    let mut request = Request::builder()
        .method(step.method.clone())
        .uri(place.to_string());
    let headers = request.headers_mut().ok_or_else(malformed)?;
    let text = |text: &str| HeaderValue::from_str(text).map_err(|_| malformed());
    headers.insert(header::HOST, text(&place.authority())?);
    introduce(headers, step, sender);
    if step.method != Method::GET && step.method != Method::HEAD {
        let origin = if elsewhere {
            OTHER_SITE.to_owned()
        } else {
            place.origin()
        };
        headers.insert(header::ORIGIN, text(&origin)?);
    }
    let referer = if elsewhere {
        Some(format!("{OTHER_SITE}/"))
    } else {
        referer(step, place, sender.page)
    };
    if let Some(referer) = referer {
        headers.insert(header::REFERER, text(&referer)?);
    }
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, text(&content_type)?);
    }
    if !sender.cookie.is_empty() {
        let value = HeaderValue::from_bytes(sender.cookie).map_err(|_| malformed())?;
        headers.insert(header::COOKIE, value);
    }
    for (name, value) in &step.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| malformed())?;
        headers.insert(name, text(&substitute(value, variables))?);
    }
    request.body(body.into()).map_err(|_| malformed())
}

/// What a browser says of itself and of the page that makes the request.
fn introduce(headers: &mut HeaderMap, step: &Step, sender: &Sender<'_>) {
    let mut say = |name, value| headers.insert(name, HeaderValue::from_static(value));
    say(
        header::USER_AGENT,
        match sender.agent {
            Agent::Usual => "Mozilla/5.0 (fixation-audit)",
            Agent::Other => "Opera/9.80 (another device; fixation-audit)",
        },
    );
    say(header::ACCEPT, "*/*");
    let elsewhere = sender.initiator == Initiator::OtherSite;
    let is_script = matches!(step.body, Body::Json(_)) && !elsewhere;
    let (mode, to) = if is_script {
        ("cors", "empty")
    } else {
        ("navigate", "document")
    };
    let site = if elsewhere {
        "cross-site"
    } else {
        "same-origin"
    };
    say(HeaderName::from_static("sec-fetch-site"), site);
    say(HeaderName::from_static("sec-fetch-mode"), mode);
    say(HeaderName::from_static("sec-fetch-dest"), to);
}

/// The page that the request comes from, under the policy that browsers have by default: whole on the same origin, the
/// origin alone for another one, nothing from HTTPS to HTTP. A submission comes from some page, its own at worst.
fn referer(step: &Step, place: &Place, page: Option<&Place>) -> Option<String> {
    let submits = step.method != Method::GET && step.method != Method::HEAD;
    let page = page.or(Some(place).filter(|_| submits))?;
    if page.origin() == place.origin() {
        return Some(page.to_string());
    }
    let leaves_https = page.scheme() == "https" && place.scheme() == "http";
    (!leaves_https).then(|| format!("{}/", page.origin()))
}

fn body(body: &Body, variables: &Variables) -> (Option<String>, Vec<u8>) {
    match body {
        Body::Empty => (None, Vec::new()),
        Body::Form(fields) => (
            Some("application/x-www-form-urlencoded".to_owned()),
            form::encode(fields, variables).into_bytes(),
        ),
        Body::Json(json) => (
            Some("application/json".to_owned()),
            filled(json, variables).to_string().into_bytes(),
        ),
        Body::Multipart(parts) => {
            let boundary = format!(
                "fixation-audit-{:032x}",
                u128::from_ne_bytes(chance::bytes())
            );
            let body = form::multipart(parts, variables, &boundary).into_bytes();
            let content_type = format!("multipart/form-data; boundary={boundary}");
            (Some(content_type), body)
        }
    }
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

#[cfg(test)]
mod tests {
    use super::{Place, Step, referer};

    #[track_caller]
    fn check(step: &Step, to: &str, from: Option<&str>, expected: Option<&str>) {
        let page = from.map(|url| Place::parse(url).unwrap());
        let to = Place::parse(to).unwrap();
        assert_eq!(referer(step, &to, page.as_ref()).as_deref(), expected);
    }

    #[test]
    fn the_referer_is_what_browsers_send() {
        let (get, post) = (Step::get("/"), Step::post("/"));
        let at = "https://a.test/login";
        check(&get, at, None, None);
        check(&post, at, None, Some(at));
        check(
            &post,
            at,
            Some("https://a.test/in?next=x"),
            Some("https://a.test/in?next=x"),
        );
        check(
            &get,
            at,
            Some("https://b.test/page"),
            Some("https://b.test/"),
        );
        check(&get, "http://a.test/", Some("https://a.test/x"), None);
    }
}
