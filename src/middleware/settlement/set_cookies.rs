//! [`SetCookies`]: the cookies that a response is to write.

use http::{HeaderMap, HeaderValue, header};

use crate::{
    cookie::{CookieKind, response::CookieWriter, token::Token},
    session::{came::Came, policy::SessionPolicy, state::State, time::Timestamp},
};

/// The cookies that a response is to write, at most one of each name: the last word counts.
#[derive(Debug, Default)]
pub(crate) struct SetCookies(Vec<(CookieKind, HeaderValue)>);

impl SetCookies {
    /// Hands out a session's token, to be kept as long as the session if it is to outlive the browser.
    pub(in crate::middleware) fn hand_out(
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
        for (kind, signed) in [
            (CookieKind::Session, came.session_token),
            (CookieKind::Guest, came.guest_token),
        ] {
            if signed {
                self.remove(writer, kind);
            }
        }
    }

    /// Adds what is written later, which counts.
    pub(in crate::middleware) fn and_then(mut self, later: Self) -> Self {
        for (kind, value) in later.0 {
            self.put(kind, value);
        }
        self
    }

    /// The session's cookie as a browser sends it back.
    pub(in crate::middleware) fn sent_back(&self) -> HeaderMap {
        let mut sessions = self
            .0
            .iter()
            .filter(|(kind, _)| *kind == CookieKind::Session);
        let pair = sessions.find_map(|(_, value)| {
            let pair = value.as_bytes().split(|byte| *byte == b';').next()?;
            HeaderValue::from_bytes(pair).ok()
        });
        pair.map(|mut pair| {
            pair.set_sensitive(true);
            (header::COOKIE, pair)
        })
        .into_iter()
        .collect()
    }

    fn put(&mut self, kind: CookieKind, value: HeaderValue) {
        self.0.retain(|(other, _)| *other != kind);
        self.0.push((kind, value));
    }

    pub(crate) fn into_vec(self) -> Vec<(CookieKind, HeaderValue)> {
        self.0
    }

    pub(crate) fn as_slice(&self) -> &[(CookieKind, HeaderValue)] {
        &self.0
    }
}
