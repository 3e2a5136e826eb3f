//! The connection by which an open page notices that its session has ended.

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    http::header,
    response::{IntoResponse, Response},
};
use tower_session_guard::{AuthenticatedSession, Ended};

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

pub(crate) async fn script() -> impl IntoResponse {
    let script = include_str!("live.js");
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        script,
    )
}
