//! jsonwebtoken, HS256, in a cookie that axum-extra's plain jar reads and writes.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use axum::response::IntoResponse;
use axum_extra::extract::CookieJar;
use http::Request;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use tokio::runtime::Runtime;
use tower::service_fn;

use super::{Body, Keeps, Kept, Label, Stack, Subject, answer, hardened};

struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

pub(super) fn subject(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let label = Label {
        name: "jsonwebtoken HS256",
        package: Some("jsonwebtoken"),
        keeps: Keeps::InSignedCookie,
    };
    let secret: [u8; 32] = rand::random();
    let keys = Arc::new(Keys {
        encoding: EncodingKey::from_secret(&secret),
        decoding: DecodingKey::from_secret(&secret),
        validation: Validation::new(Algorithm::HS256),
    });
    let service = service_fn(move |request: Request<Body>| {
        let keys = Arc::clone(&keys);
        async move {
            let jar = CookieJar::from_headers(request.headers());
            let kept = jar.get("session").and_then(|c| read(c.value(), &keys));
            let Some(next) = Kept::after(request.uri().path(), kept.as_ref()) else {
                return Ok(answer(kept.is_some_and(|k| k.sub.is_some())));
            };
            let token = encode(&Header::default(), &next, &keys.encoding).expect("plain claims");
            Ok::<_, Infallible>((jar.add(hardened(token)), answer(true)).into_response())
        }
    });
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

fn read(token: &str, keys: &Keys) -> Option<Kept> {
    let token = decode::<Kept>(token, &keys.decoding, &keys.validation).ok()?;
    Some(token.claims)
}
