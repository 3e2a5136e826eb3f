//! This crate, as it comes: self-contained tokens, and its store in memory.

use std::convert::Infallible;
use std::rc::Rc;

use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, service_fn};
use tower_session_guard::{
    AuthenticatedSession, DataKey, KeyRing, MemoryStore, Session, SessionLayer,
};

use super::{Body, Keeps, Label, Stack, Subject, answer, next_note};
use crate::scenario::{LOGIN, USER, WRITE};

const NOTE: DataKey<u32> = DataKey::new("note");

pub(super) fn self_contained(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let name = "tower-session-guard, self-contained";
    subject(runtime, name, Keeps::InSignedCookie, self_contained_layer())
}

pub(super) fn memory_store(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let name = "tower-session-guard, memory store";
    subject(
        runtime,
        name,
        Keeps::BehindSignedCookie,
        memory_layer(MemoryStore::new()),
    )
}

fn subject(
    runtime: &Rc<Runtime>,
    name: &'static str,
    keeps: Keeps,
    layer: SessionLayer,
) -> Box<dyn Subject> {
    let label = Label {
        name,
        package: None,
        keeps,
    };
    let service = ServiceBuilder::new()
        .layer(layer)
        .service(service_fn(handle::<Body>));
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

pub(crate) fn self_contained_layer() -> SessionLayer {
    SessionLayer::new(KeyRing::generate().expect("random bytes"))
}

pub(crate) fn memory_layer(store: MemoryStore) -> SessionLayer {
    self_contained_layer().with_store(store)
}

pub(crate) async fn handle<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let extensions = request.extensions();
    let session = extensions.get::<Session>().expect("the layer stands above");
    let somebody = match request.uri().path() {
        LOGIN => {
            session.login(USER);
            true
        }
        WRITE => {
            session.insert(&NOTE, &next_note()).expect("a number fits");
            true
        }
        _ => {
            let who = extensions.get::<AuthenticatedSession>();
            who.is_some_and(|who| !who.subject().as_str().is_empty())
        }
    };
    Ok(answer(somebody))
}
