//! tower-cookies with a signed jar and the whole session as JSON in one cookie.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use http::Request;
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, service_fn};
use tower_cookies::cookie::SameSite;
use tower_cookies::{Cookie, CookieManagerLayer, Cookies, Key};

use super::axum_extra::read;
use super::{Body, Keeps, Kept, Label, Stack, Subject, answer, next_note};
use crate::scenario::{LOGIN, USER, WRITE};

pub(super) fn subject(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let label = Label {
        name: "tower-cookies, signed jar",
        package: Some("tower-cookies"),
        keeps: Keeps::InSignedCookie,
    };
    let key = Arc::new(Key::generate());
    let handler = service_fn(move |request: Request<Body>| {
        let key = Arc::clone(&key);
        async move {
            let cookies = request
                .extensions()
                .get::<Cookies>()
                .expect("the layer stands above");
            let jar = cookies.signed(&key);
            let kept = jar.get("session").and_then(|c| read(c.value()));
            let kept = match request.uri().path() {
                LOGIN => Kept::login(USER),
                WRITE => Kept {
                    note: next_note(),
                    ..kept.unwrap_or_else(Kept::guest)
                },
                _ => return Ok(answer(kept.is_some_and(|k| k.sub.is_some()))),
            };
            jar.add(cookie(&kept));
            Ok::<_, Infallible>(answer(true))
        }
    });
    let service = ServiceBuilder::new()
        .layer(CookieManagerLayer::new())
        .service(handler);
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

fn cookie(kept: &Kept) -> Cookie<'static> {
    let value = serde_json::to_string(kept).expect("plain fields");
    Cookie::build(("session", value))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}
