//! The stack without any session layer: what everything else is measured against.

use std::convert::Infallible;
use std::rc::Rc;

use http::Request;
use tokio::runtime::Runtime;
use tower::service_fn;

use super::{Body, Keeps, Label, Stack, Subject, answer};

pub(super) fn subject(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let label = Label {
        name: "bare stack",
        package: None,
        keeps: Keeps::Nothing,
    };
    let service = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(answer(true)) });
    Box::new(Stack {
        label,
        runtime: Rc::clone(runtime),
        service,
    })
}
