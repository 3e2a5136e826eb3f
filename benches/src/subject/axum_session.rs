//! axum_session without a database, signed, otherwise as it comes.

use std::convert::Infallible;
use std::rc::Rc;

use axum_session::{Key, Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, service_fn};

use super::{Body, Keeps, Label, Stack, Subject, answer, next_note};
use crate::scenario::{LOGIN, USER, WRITE};

pub(super) fn subject(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let label = Label {
        name: "axum_session, signed",
        package: Some("axum_session"),
        keeps: Keeps::BehindSignedCookie,
    };
    let config = SessionConfig::default()
        .with_key(Key::generate())
        .with_secure(true);
    let store = runtime.block_on(SessionStore::<SessionNullPool>::new(None, config));
    let store = store.expect("a store in memory");
    let service = ServiceBuilder::new()
        .layer(SessionLayer::new(store))
        .service(service_fn(handle));
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

async fn handle(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let session = request.extensions().get::<Session<SessionNullPool>>();
    let session = session.expect("the layer stands above");
    let somebody = match request.uri().path() {
        LOGIN => {
            session.renew();
            session.set("user", USER);
            true
        }
        WRITE => {
            session.set("note", next_note());
            true
        }
        _ => session.get::<String>("user").is_some(),
    };
    Ok(answer(somebody))
}
