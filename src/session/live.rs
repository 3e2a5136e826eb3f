//! [`Live`]: a session that a request holds; [`Dead`]: why a well-signed token opens none.

use std::time::Duration;

use super::{
    authentication::{Authentication, Subject},
    came::Barred,
    device::Presence,
    ended::EndCause,
    entries::Entries,
    event::EventKind,
    id::{Lineage, SessionId},
    standing::Standing,
    state::State,
    time::Timestamp,
};

/// For how long an ended guest's token is remembered.
pub(crate) const GUEST_REMEMBERED: Duration = Duration::from_secs(600);

/// What may become of the signature of a session's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// It stays as it is.
    Current,
    /// An older key made it: it is made again with the one that signs.
    Older,
    /// It must never be made again.
    Final,
}

/// A session that a request holds.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) state: State,
    /// What its token is worth; `None` until the token is admitted.
    pub(crate) standing: Option<Standing>,
    /// What may become of its token's signature.
    pub(crate) signature: Signature,
    /// What its CSRF tokens are bound to.
    pub(crate) lineage: Lineage,
    /// Whether it is suspended: the request counts as anonymous, since another client sent it.
    pub(crate) suspended: bool,
    /// Whether its client changed and the new client becomes its own.
    pub(crate) rebind: bool,
    /// How its device took part in its admission.
    pub(crate) presence: Presence,
}

impl Live {
    /// Who acts as the session's subject, if somebody does.
    pub(crate) fn actor(&self) -> Option<&Subject> {
        self.state.actor()
    }

    /// The id of the session's first token, which its rotations keep.
    pub(crate) fn family(&self) -> &SessionId {
        let extra = self.state.extra.as_deref();
        extra
            .and_then(|extra| extra.family.as_ref())
            .unwrap_or(&self.id)
    }

    /// Whether its token is the session's token.
    pub(crate) fn is_current(&self) -> bool {
        self.standing == Some(Standing::Current)
    }

    /// Whether its token opens it: not before the token is admitted, nor once another token has replaced it.
    pub(crate) fn opens(&self) -> bool {
        self.standing.is_some_and(Standing::opens)
    }

    /// Until when the list of ended tokens has to remember this one.
    ///
    /// A guest's token is remembered for minutes only (S04): it holds no privilege, so one that comes back later opens
    /// nothing that its bearer did not have, and visitors without an account cannot fill the list.
    pub(crate) fn remembered_until(&self, now: Timestamp) -> Timestamp {
        let until = self.state.absolute_expiry;
        match self.state.authentication {
            Some(_) => until,
            None => until.min(now.after(GUEST_REMEMBERED)),
        }
    }

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

/// Why a well-signed token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dead {
    ExpiredIdle,
    ExpiredAbsolute,
    FromTheFuture,
    Superseded,
    Reused,
    Revoked,
    Unknown,
    Mismatch,
    OtherClient,
    /// It is bound to a device, and the device's cookie is missing.
    Unbound,
}

impl Dead {
    /// Why the request writes nothing but a login, where the token belongs to a session that goes on without it.
    pub(crate) const fn bars(self) -> Option<Barred> {
        match self {
            Self::Superseded | Self::Reused => Some(Barred::RetiredToken),
            Self::Unbound => Some(Barred::MissingDevice),
            Self::ExpiredIdle
            | Self::ExpiredAbsolute
            | Self::FromTheFuture
            | Self::Revoked
            | Self::Unknown
            | Self::Mismatch
            | Self::OtherClient => None,
        }
    }

    /// Whether a login or a logout of whoever holds the token ends the session, if it goes on: the token was the
    /// session's, and says so for both.
    pub(crate) const fn was_of_a_session(self) -> bool {
        match self {
            Self::ExpiredIdle
            | Self::ExpiredAbsolute
            | Self::Superseded
            | Self::Reused
            | Self::OtherClient
            | Self::Unbound => true,
            Self::FromTheFuture | Self::Revoked | Self::Unknown | Self::Mismatch => false,
        }
    }

    /// Why the session is over, as far as the token or the store knows; none where it is not, or never was.
    pub(crate) const fn end_cause(self) -> Option<EndCause> {
        match self {
            Self::ExpiredIdle | Self::ExpiredAbsolute => Some(EndCause::Expired),
            Self::Superseded | Self::Reused => Some(EndCause::Replaced),
            Self::OtherClient => Some(EndCause::Reused),
            Self::Revoked | Self::Unknown => Some(EndCause::Ended),
            Self::FromTheFuture | Self::Mismatch | Self::Unbound => None,
        }
    }

    pub(crate) const fn event(self) -> EventKind {
        match self {
            Self::ExpiredIdle => EventKind::ExpiredIdle,
            Self::ExpiredAbsolute => EventKind::ExpiredAbsolute,
            Self::FromTheFuture => EventKind::TokenFromTheFuture,
            Self::Superseded => EventKind::SupersededToken,
            Self::Reused => EventKind::RenewedTokenReused,
            Self::Revoked => EventKind::RevokedToken,
            Self::Unknown => EventKind::UnknownSession,
            Self::Mismatch => EventKind::TokenMismatch,
            Self::OtherClient => EventKind::SessionEndedByBinding,
            Self::Unbound => EventKind::UnboundUse,
        }
    }
}
