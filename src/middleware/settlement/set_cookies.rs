//! [`SetCookies`]: the cookies that a response is to write.

use http::HeaderValue;

use crate::{
    cookie::{CookieKind, response::CookieWriter, token::Token},
    middleware::{devices::BindingChange, settings::Shared},
    session::{came::Came, id::SessionId, policy::SessionPolicy, state::State, time::Timestamp},
};

/// The cookies that a response is to write, at most one of each name: the last word counts.
#[derive(Debug, Default)]
pub(crate) struct SetCookies {
    writes: Vec<(CookieKind, HeaderValue)>,
    /// What becomes of the session's binding to its device.
    binding: BindingChange,
}

impl SetCookies {
    /// Hands out a session's token, to be kept as long as the session if it is to outlive the browser.
    pub(super) fn hand_out(
        &mut self,
        writer: &CookieWriter,
        token: &Token,
        state: &State,
        policy: &SessionPolicy,
        now: Timestamp,
    ) {
        let kind = CookieKind::of_session(state.authentication.is_some());
        let max_age = state
            .persistent
            .then(|| policy.absolute_end(state).since(now));
        self.put(kind, writer.set(kind, token, max_age));
    }

    pub(super) fn remove(&mut self, writer: &CookieWriter, kind: CookieKind) {
        self.put(kind, writer.removal(kind));
    }

    /// Removes every cookie of ours whose value this server signed, whether or not its session goes on.
    ///
    /// Only a logout does so: its user holds nothing of theirs afterwards, and a newer cookie of a login at the same
    /// time goes with it.
    pub(super) fn remove_presented(&mut self, writer: &CookieWriter, came: &Came) {
        self.binding = BindingChange::LoggedOut;
        for (kind, signed) in [
            (CookieKind::Session, came.session_token),
            (CookieKind::Guest, came.guest_token),
        ] {
            if signed {
                self.remove(writer, kind);
            }
        }
    }

    fn put(&mut self, kind: CookieKind, value: HeaderValue) {
        self.writes.retain(|(other, _)| *other != kind);
        self.writes.push((kind, value));
    }

    /// Takes note of a session that a store has and that begins, which may be bound to the device.
    pub(super) fn note_start(
        &mut self,
        shared: &Shared,
        id: &SessionId,
        state: &State,
        now: Timestamp,
    ) {
        if let Some(devices) = &shared.devices
            && state.authentication.is_some()
        {
            self.binding = BindingChange::LoggedIn(devices.first_offer(id, state, now));
        }
    }

    pub(crate) fn into_parts(self) -> (Vec<(CookieKind, HeaderValue)>, BindingChange) {
        (self.writes, self.binding)
    }

    pub(crate) fn as_slice(&self) -> &[(CookieKind, HeaderValue)] {
        &self.writes
    }
}
