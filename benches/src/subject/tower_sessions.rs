//! tower-sessions with its memory store, plain and signed.

use std::convert::Infallible;
use std::rc::Rc;

use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, service_fn};
use tower_sessions::cookie::Key;
use tower_sessions::cookie::time::Duration;
use tower_sessions::service::SignedCookie;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer};

use super::{Body, Keeps, Label, Stack, Subject, answer, next_note};
use crate::scenario::{LOGIN, USER, WRITE};

pub(super) fn plain(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let label = Label {
        name: "tower-sessions, plain",
        package: Some("tower-sessions"),
        keeps: Keeps::BehindPlainCookie,
    };
    let layer = SessionManagerLayer::new(MemoryStore::default())
        .with_expiry(Expiry::OnInactivity(Duration::hours(12)));
    let service = ServiceBuilder::new()
        .layer(layer)
        .service(service_fn(handle::<Body>));
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

pub(super) fn signed(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let label = Label {
        name: "tower-sessions, signed",
        package: Some("tower-sessions"),
        keeps: Keeps::BehindSignedCookie,
    };
    let service = ServiceBuilder::new()
        .layer(signed_layer())
        .service(service_fn(handle::<Body>));
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

pub(crate) fn signed_layer() -> SessionManagerLayer<MemoryStore, SignedCookie> {
    SessionManagerLayer::new(MemoryStore::default())
        .with_expiry(Expiry::OnInactivity(Duration::hours(12)))
        .with_signed(Key::generate())
}

pub(crate) async fn handle<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let session = request
        .extensions()
        .get::<Session>()
        .expect("the layer stands above");
    let somebody = match request.uri().path() {
        LOGIN => {
            session.cycle_id().await.expect("the memory store");
            session
                .insert("user", USER)
                .await
                .expect("the memory store");
            true
        }
        WRITE => {
            session
                .insert("note", next_note())
                .await
                .expect("the memory store");
            true
        }
        _ => session
            .get::<String>("user")
            .await
            .expect("the memory store")
            .is_some(),
    };
    Ok(answer(somebody))
}
