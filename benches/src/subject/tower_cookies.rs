//! tower-cookies with a signed jar and the whole session as JSON in one cookie.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use http::Request;
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, service_fn};
use tower_cookies::{CookieManagerLayer, Cookies, Key};

use super::axum_extra::{json, read};
use super::{Body, Keeps, Kept, Label, Stack, Subject, answer, hardened};

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
            let Some(next) = Kept::after(request.uri().path(), kept.as_ref()) else {
                return Ok(answer(kept.is_some_and(|k| k.sub.is_some())));
            };
            jar.add(hardened(json(&next)));
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
