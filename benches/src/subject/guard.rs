//! This crate in both modes: its store in memory, which is the default, and self-contained tokens.

use std::convert::Infallible;
use std::rc::Rc;

use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, service_fn};
use tower_session_guard::{
    AuthenticatedSession, DataKey, EmptyFailure, Endings, KeyRing, MemoryStore, SelfContained,
    Session, SessionLayer, SessionStore,
};

use super::{Body, Keeps, Label, Stack, Subject, UNLOOKED, answer, next_note};
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
        stored_layer(MemoryStore::new()),
    )
}

/// A route that never looks, of a layer that loads lazily: which store does not matter.
pub(super) fn unlooked(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let layer = stored_layer(MemoryStore::new()).lazily();
    let service = ServiceBuilder::new()
        .layer(layer)
        .service(service_fn(without_a_look::<Body>));
    let label = Label {
        name: UNLOOKED,
        package: None,
        keeps: Keeps::Nothing,
    };
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

pub(super) fn subject<K: 'static>(
    runtime: &Rc<Runtime>,
    name: &'static str,
    keeps: Keeps,
    layer: SessionLayer<EmptyFailure, K>,
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

pub(crate) fn self_contained_layer() -> SessionLayer<EmptyFailure, SelfContained> {
    SessionLayer::self_contained(keys(), Endings::this_process())
}

/// Without a limit: one user logs in over and over here, and keeps all sessions, where a person has a few.
pub(crate) fn stored_layer(store: impl SessionStore) -> SessionLayer {
    SessionLayer::new(keys())
        .with_store(store)
        .without_session_limit()
}

fn keys() -> KeyRing {
    KeyRing::generate().expect("random bytes")
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

/// Looks at nothing, but for the login that gives the cookie.
pub(crate) async fn without_a_look<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == LOGIN {
        return handle(request).await;
    }
    Ok(answer(true))
}
