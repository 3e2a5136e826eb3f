//! [`Came`]: what came with a request, besides its session.

use super::{binding::Client, ended::EndCause, event::EventKind};

/// What came with a request, besides its session.
#[derive(Debug, Default)]
pub(crate) struct Came {
    /// Why the request may write nothing but a login, if it may not.
    pub(crate) barred: Option<Barred>,
    /// Whether a token that this server signed came in the guest cookie, whatever it is worth.
    pub(crate) guest_token: bool,
    /// Whether one came in the cookie of logged-in sessions.
    pub(crate) session_token: bool,
    pub(crate) client: Client,
    /// Why the logged-in session ended whose token came, if one did and its session is over.
    pub(crate) why_ended: Option<EndCause>,
}

/// Why a request may write nothing but a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    /// Its token is retired, and no live one of the same cookie came.
    RetiredToken,
    /// Its token is of a session that is bound to a device, and the device's cookie is missing.
    MissingDevice,
    /// Tokens of several live sessions came, so that it is anonymous (R52).
    SeveralSessions,
}

impl Barred {
    /// What to tell where it put data.
    pub(crate) const fn dropped(self) -> EventKind {
        match self {
            Self::RetiredToken => EventKind::RetiredTokenDataDropped,
            Self::MissingDevice => EventKind::UnboundUseDataDropped,
            Self::SeveralSessions => EventKind::DuplicateTokensDataDropped,
        }
    }
}
