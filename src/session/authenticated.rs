//! [`AuthenticatedSession`]: the session of a logged-in user.

use std::{fmt, time::Duration};

use super::{
    authentication::{AssuranceLevel, Authentication, Subject},
    handle::Session,
    id::SessionId,
    live::Live,
    time::Timestamp,
};

/// The logged-in session of a request, as it was when the request came.
///
/// It is in the request's extensions only if a user is logged in, and only the layer can make
/// one. Marks of the running handler do not change what it tells; [`Session`] shows those.
#[derive(Clone)]
pub struct AuthenticatedSession(Session);

impl Session {
    /// The logged-in session as it was when the request came, if a user was logged in.
    #[must_use]
    pub fn authenticated(&self) -> Option<AuthenticatedSession> {
        self.note_look();
        AuthenticatedSession::of(self)
    }
}

impl AuthenticatedSession {
    pub(crate) fn of(session: &Session) -> Option<Self> {
        session.live()?.authentication()?;
        Some(Self(session.clone()))
    }

    /// Who is logged in.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.authentication().subject
    }

    /// The assurance level that held when the request came.
    #[must_use]
    pub fn level(&self) -> AssuranceLevel {
        self.authentication().level_at(self.0.admitted_at())
    }

    /// When the user last proved who they are.
    #[must_use]
    pub fn authenticated_at(&self) -> Timestamp {
        self.authentication().authenticated_at
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.live().id
    }

    /// When the session began.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.live().state.created_at
    }

    /// What the application called the session at its login.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.live().state.label.as_deref()
    }

    /// How long ago the user last proved who they are, as of the request's arrival.
    #[must_use]
    pub fn age_of_proof(&self) -> Duration {
        self.0.admitted_at().since(self.authenticated_at())
    }

    /// When the session was last used before this request, as exactly as the policy's
    /// [touch interval](crate::SessionPolicy::touch_interval) tells. A self-contained token was issued then.
    #[must_use]
    pub fn last_seen_at(&self) -> Timestamp {
        self.live().state.last_seen_at
    }

    /// The handle for marks and data.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.0
    }

    fn live(&self) -> &Live {
        self.0.note_look();
        match self.0.live() {
            Some(live) => live,
            None => unreachable!("made from a live session only"),
        }
    }

    fn authentication(&self) -> &Authentication {
        match &self.live().state.authentication {
            Some(who) => who,
            None => unreachable!("made from a logged-in session only"),
        }
    }
}

impl fmt::Debug for AuthenticatedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatedSession")
            .field("id", &self.0.live().map(|live| live.id))
            .field("subject", &self.0.live().and_then(Live::subject))
            .finish()
    }
}
