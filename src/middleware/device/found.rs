//! [`Found`]: the session that a request to an endpoint is for, and what is asked and written of it. Data only.

use crate::{
    device::keys::DeviceKeys,
    middleware::{in_flight::Ticket, observe::tell_cause},
    session::{
        bind::TokenCame,
        device::{DeviceKey, Thumbprint},
        device_change::BoundToken,
        id::SessionId,
        live::Live,
        standing::Standing,
        state::State,
        time::Timestamp,
        unadmitted::Unadmitted,
    },
    store::{StoreError, Stored},
};

/// The key that a registration brings.
pub(super) struct Brought<'a> {
    pub(super) key: DeviceKey,
    pub(super) thumbprint: Thumbprint,
    /// When it was offered, which is not later than any binding that it led to.
    pub(super) offered_at: Timestamp,
    pub(super) keys: &'a DeviceKeys,
    /// There if a self-contained token may leave.
    pub(super) ticket: Option<Ticket>,
}

/// What was found for a request.
pub(super) struct Found {
    pub(super) token: TokenCame,
    /// The session that it is for, if it goes on and is somebody's.
    pub(super) session: Option<FoundSession>,
}

/// A session that a request is for.
pub(super) enum FoundSession {
    Record { id: SessionId, stored: Box<Stored> },
    Token(TokenSession),
}

/// What was written for a request.
#[derive(Default)]
pub(super) struct Written {
    /// What the token says that is to leave, where a session is in its token.
    pub(super) token: Option<Box<BoundToken>>,
}

impl FoundSession {
    pub(super) fn state(&self) -> &State {
        match self {
            Self::Record { stored, .. } => &stored.record.fields.state,
            Self::Token(session) => session.state(),
        }
    }

    /// Whether another token binds the session to another key than the one that came.
    pub(super) const fn is_bound_elsewhere(&self) -> bool {
        match self {
            Self::Record { .. } => false,
            Self::Token(session) => session.is_bound_elsewhere,
        }
    }

    pub(super) fn id(&self) -> &SessionId {
        match self {
            Self::Record { id, .. } => id,
            Self::Token(session) => session.id(),
        }
    }
}

impl Written {
    /// The id of the token that leaves.
    pub(super) fn successor(&self) -> Option<SessionId> {
        self.token.as_ref().map(|token| token.id)
    }
}

/// A session whose token came.
pub(super) struct TokenSession {
    pub(super) token: Unadmitted,
    pub(super) standing: Standing,
    /// The session as it is by now, if that is not what the token says, and the token that says so: the binding to the key
    /// that came has replaced the one that came.
    pub(super) bound: Option<Box<BoundToken>>,
    /// Whether the binding to another key has replaced the token.
    pub(super) is_bound_elsewhere: bool,
}

impl TokenSession {
    pub(super) fn state(&self) -> &State {
        match &self.bound {
            Some(bound) => &bound.state,
            None => &self.live().state,
        }
    }

    pub(super) fn id(&self) -> &SessionId {
        &self.live().id
    }

    pub(super) fn live(&self) -> &Live {
        self.token.live()
    }
}

/// Why a request gets no answer of a decision's: 503, at which a browser keeps its session.
#[derive(Debug)]
pub(super) enum Failed {
    Load,
    Write,
    /// Others kept changing the session.
    Contention,
    /// The bound session does not fit into a token.
    TooLarge,
    /// The endpoints stand outside of their session layer, which alone hands out tokens.
    OutsideTheLayer,
}

impl Failed {
    pub(super) fn of_load(error: &StoreError) -> Self {
        tell_cause(error);
        Self::Load
    }

    pub(super) fn of_write(error: &StoreError) -> Self {
        tell_cause(error);
        Self::Write
    }
}
