//! The floor of [`crate::floor`] as a subject.

use std::convert::Infallible;
use std::rc::Rc;

use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::{ServiceBuilder, service_fn};

use super::{Body, Keeps, Label, Stack, Subject, answer, next_note};
use crate::floor::{Caller, ContractLayer, FloorLayer, Handle, Mark, Member, Step};
use crate::scenario::{LOGIN, WRITE};

pub(super) fn subject(runtime: &Rc<Runtime>, polite: bool) -> Box<dyn Subject> {
    let name = if polite {
        "floor with Vary and no-store"
    } else {
        "floor"
    };
    let label = Label {
        name,
        package: None,
        keeps: Keeps::InSignedCookie,
    };
    let service = ServiceBuilder::new()
        .layer(FloorLayer::new([7; 32], polite))
        .service(service_fn(handle::<Body>));
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

pub(crate) async fn handle<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let caller = *request
        .extensions()
        .get::<Caller>()
        .expect("the floor stands above");
    let somebody = caller.0.is_some_and(|known| known.user != 0);
    let mark = match request.uri().path() {
        LOGIN => Some(Mark::Login(4217)),
        WRITE => Some(Mark::Write(next_note())),
        _ => None,
    };
    let mut response = answer(somebody || mark.is_some());
    if let Some(mark) = mark {
        response.extensions_mut().insert(mark);
    }
    Ok(response)
}

pub(super) fn contract(runtime: &Rc<Runtime>, step: Step) -> Box<dyn Subject> {
    let (name, keeps) = match step {
        Step::Handle => ("floor, also a handle", Keeps::InSignedCookie),
        Step::Two => ("floor, also two extensions", Keeps::InSignedCookie),
        Step::Ring => ("floor, also a key ring", Keeps::InSignedCookie),
        Step::Ended => ("floor, also ended tokens", Keeps::InSignedCookie),
        Step::Full => ("floor, also a session in the token", Keeps::InSignedCookie),
        Step::Record => ("floor, also a record", Keeps::BehindSignedCookie),
    };
    let label = Label {
        name,
        package: None,
        keeps,
    };
    let service = ServiceBuilder::new()
        .layer(ContractLayer::new([7; 32], step))
        .service(service_fn(marked::<Body>));
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

async fn marked<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let extensions = request.extensions();
    let handle = extensions.get::<Handle>().expect("the floor stands above");
    let mark = match request.uri().path() {
        LOGIN => Some(Mark::Login(4217)),
        WRITE => Some(Mark::Write(next_note())),
        _ => None,
    };
    let somebody = match extensions.get::<Member>() {
        Some(member) => member.0.is_member(),
        None => handle.is_member(),
    };
    let answer = answer(somebody || mark.is_some());
    if let Some(mark) = mark {
        handle.mark(mark);
    }
    Ok(answer)
}
