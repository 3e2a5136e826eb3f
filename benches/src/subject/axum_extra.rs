//! axum-extra's signed jar with the whole session as JSON in one cookie.

use std::convert::Infallible;
use std::rc::Rc;

use axum::response::IntoResponse;
use axum_extra::extract::SignedCookieJar;
use axum_extra::extract::cookie::Key;
use http::Request;
use tokio::runtime::Runtime;
use tower::service_fn;

use super::{Body, Keeps, Kept, Label, Stack, Subject, answer, hardened, now};

pub(super) fn subject(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let label = Label {
        name: "axum-extra, signed jar",
        package: Some("axum-extra"),
        keeps: Keeps::InSignedCookie,
    };
    let key = Key::generate();
    let service = service_fn(move |request: Request<Body>| {
        let key = key.clone();
        async move {
            let jar = SignedCookieJar::from_headers(request.headers(), key);
            let kept = jar.get("session").and_then(|c| read(c.value()));
            let Some(next) = Kept::after(request.uri().path(), kept.as_ref()) else {
                return Ok(answer(kept.is_some_and(|k| k.sub.is_some())));
            };
            Ok::<_, Infallible>((jar.add(hardened(json(&next))), answer(true)).into_response())
        }
    });
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

pub(super) fn read(value: &str) -> Option<Kept> {
    let kept: Kept = serde_json::from_str(value).ok()?;
    (kept.exp > now()).then_some(kept)
}

pub(super) fn json(kept: &Kept) -> String {
    serde_json::to_string(kept).expect("plain fields")
}
