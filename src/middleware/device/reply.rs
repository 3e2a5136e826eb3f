//! The answers of the endpoints.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::bound::BoundSessions;
use crate::{
    device::{field, instructions::Instructions},
    middleware::random,
    session::{device::BoundDevice, id::SessionId, present::max_age, time::Timestamp},
};

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// 405: the endpoints take POST only.
pub(super) fn other_method() -> Response<Bytes> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

/// 403 and a challenge, which the next proof answers; 503 if there is no randomness.
pub(super) fn challenge(challenge: Option<HeaderValue>) -> Response<Bytes> {
    let Some(challenge) = challenge else {
        return empty(StatusCode::SERVICE_UNAVAILABLE);
    };
    let mut response = empty(StatusCode::FORBIDDEN);
    response.headers_mut().insert(field::CHALLENGE, challenge);
    response
}

/// What a browser is told once a proof was accepted.
pub(super) struct Accepted<'a> {
    pub(super) family: &'a SessionId,
    /// The session's device as it is by now.
    pub(super) device: &'a BoundDevice,
    /// When the device proved itself.
    pub(super) proved_at: Timestamp,
    /// As the browser knows the session.
    pub(super) identifier: &'a str,
    /// Where the browser refreshes.
    pub(super) refresh_path: &'a str,
    pub(super) now: Timestamp,
}

impl Accepted<'_> {
    /// For how long the browser keeps the cookie from now on.
    pub(super) fn max_age(&self, lifetime: Duration) -> Duration {
        max_age(lifetime).saturating_sub(self.now.since(self.proved_at))
    }

    /// 200 with the bound cookie, the instructions and the next challenge; 503 if there is no randomness.
    pub(super) fn reply(&self, sessions: &BoundSessions) -> Response<Bytes> {
        let settings = &sessions.settings;
        let challenge = sessions.challenge_of(self.identifier, self.family, self.device, self.now);
        let (Some(challenge), Ok(nonce)) = (challenge, random::bytes()) else {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        let instructions = Instructions {
            identifier: self.identifier,
            refresh_path: self.refresh_path,
            cookie: &settings.cookie,
            scope: &settings.scope,
            initiators: &settings.initiators,
        };
        let token = sessions
            .cookies
            .seal_bound(self.family, self.proved_at, nonce);
        let cookie = settings.cookie.set(&token, self.max_age(settings.lifetime));
        let mut response = empty(StatusCode::OK);
        *response.body_mut() = instructions.to_json().into();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(field::CHALLENGE, challenge);
        headers.append(header::SET_COOKIE, cookie);
        response
    }
}
