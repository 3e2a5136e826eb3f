//! The stream that ends with its session.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use futures_util::{Stream, StreamExt, stream};
use tower_session_guard::{AuthenticatedSession, RequireOrigin};

use crate::config::Testbed;

/// The origin is checked before the session.
pub(crate) fn router(origin: Option<RequireOrigin>) -> Router<Arc<Testbed>> {
    let stream = match origin {
        Some(origin) => get(until_the_end).layer(origin),
        None => get(until_the_end),
    };
    Router::new().route("/stream", stream)
}

async fn until_the_end(
    user: AuthenticatedSession,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // From here on no end is missed.
    let ended = user.ended();
    let open = Event::default().event("open").data("");
    let end = async move {
        let cause = ended.await;
        Event::default().event("ended").data(cause.as_str())
    };
    let events = stream::iter([open]).chain(stream::once(end));
    Sse::new(events.map(Ok)).keep_alive(KeepAlive::default())
}
