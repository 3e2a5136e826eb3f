//! What an open page asks for: the connection by which it notices that its session has ended, and how long it has left.

use axum::{
    Json,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use serde::Serialize;
use tower_session_guard::{AuthenticatedSession, Ended};

use super::time::Left;
use crate::Site;

/// The close code that says so to the script: as 401 does, of the codes that an application may use.
const SESSION_ENDED: u16 = 4401;

pub(crate) async fn live(user: AuthenticatedSession, upgrade: WebSocketUpgrade) -> Response {
    // From here on no end is missed, however long the handshake takes.
    let ended = user.ended();
    upgrade.on_upgrade(|socket| follow(socket, ended))
}

/// Goes on for as long as the session and the page do. A chat would send and receive in the same loop.
async fn follow(mut socket: WebSocket, mut ended: Ended) {
    let cause = loop {
        tokio::select! {
            cause = &mut ended => break cause,
            message = socket.recv() => match message {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    };
    let farewell = CloseFrame {
        code: SESSION_ENDED,
        reason: cause.as_str().into(),
    };
    // It fails if the page has gone meanwhile.
    let _ = socket.send(Message::Close(Some(farewell))).await;
}

#[derive(Serialize)]
pub(crate) struct TimeLeft {
    seconds: u64,
    /// Whether using the site does not help.
    at_the_latest: bool,
}

/// On a route under `BackgroundLayer`, so that asking does not keep the session alive.
pub(crate) async fn time_left(
    State(site): State<Site>,
    user: AuthenticatedSession,
) -> Json<TimeLeft> {
    let left = Left::in_passing(&user, site.clock.now());
    Json(TimeLeft {
        seconds: left.seconds(),
        at_the_latest: left.at_the_latest,
    })
}
