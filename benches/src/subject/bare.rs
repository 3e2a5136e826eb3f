//! The stack without any session layer: what everything else is measured against.

use std::convert::Infallible;
use std::rc::Rc;

use http::{Request, Response};
use tokio::runtime::Runtime;
use tower::service_fn;

use super::{Body, Keeps, Label, Stack, Subject, answer};

pub(super) fn subject(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let label = Label {
        name: "bare stack",
        package: None,
        keeps: Keeps::Nothing,
    };
    let service = service_fn(handle::<Body>);
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}

pub(crate) async fn handle<B>(_: Request<B>) -> Result<Response<Body>, Infallible> {
    Ok(answer(true))
}
