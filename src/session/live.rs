//! [`Live`]: a session that a request holds; [`Dead`]: why a well-signed token opens none.

use super::{
    authentication::{Authentication, Subject},
    entries::Entries,
    event::EventKind,
    id::{Lineage, SessionId},
    state::State,
};

/// A session that a request holds.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) state: State,
    pub(crate) hold: Hold,
    /// Whether its token was signed under an older key.
    pub(crate) stale_key: bool,
    /// What its CSRF tokens are bound to.
    pub(crate) lineage: Lineage,
    /// Whether it counts as nobody's, since its client is not its own.
    pub(crate) suspended: bool,
    /// Whether its client changed and is to be taken for its own.
    pub(crate) rebind: bool,
}

impl Live {
    pub(crate) fn subject(&self) -> Option<&Subject> {
        let who = self.state.authentication.as_ref()?;
        Some(&who.subject)
    }

    /// Who is logged in, as far as the request's client is concerned.
    pub(crate) fn authentication(&self) -> Option<&Authentication> {
        let who = self.state.authentication.as_ref();
        who.filter(|_| !self.suspended)
    }

    /// The data, as far as the request's client is concerned.
    pub(crate) fn entries(&self) -> Option<&Entries> {
        (!self.suspended).then_some(&self.state.entries)
    }
}

/// How firmly a request holds its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Its token is the session's token.
    Current,
    /// Its token was renewed moments ago and still works.
    Grace,
    /// Its token was replaced while the handler ran.
    Lost,
}

/// Why a well-signed token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dead {
    ExpiredIdle,
    ExpiredAbsolute,
    Superseded,
    Reused,
    Revoked,
    Unknown,
    Mismatch,
    OtherClient,
}

impl Dead {
    /// Whether the token belongs to a session that goes on without it: such a request writes nothing.
    pub(crate) const fn is_retired(self) -> bool {
        matches!(self, Self::Superseded | Self::Reused)
    }

    pub(crate) const fn event(self) -> EventKind {
        match self {
            Self::ExpiredIdle => EventKind::ExpiredIdle,
            Self::ExpiredAbsolute => EventKind::ExpiredAbsolute,
            Self::Superseded => EventKind::SupersededToken,
            Self::Reused => EventKind::RenewedTokenReused,
            Self::Revoked => EventKind::RevokedToken,
            Self::Unknown => EventKind::UnknownSession,
            Self::Mismatch => EventKind::TokenMismatch,
            Self::OtherClient => EventKind::SessionEndedByBinding,
        }
    }
}
