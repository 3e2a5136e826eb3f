//! [`Refusal`] and [`Failure`]: why a logout token changed nothing. For the operator; the sender learns the status.

use std::time::Duration;

/// The target of every event.
pub(crate) const TARGET: &str = "tower_session_guard_oidc";

/// Why a request is not acceptable. The sender gets 400, and may not try it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The body is no form.
    ContentType,
    /// The body is longer than an endpoint reads.
    BodyTooLarge,
    /// The body could not be read to its end.
    BodyUnreadable,
    /// The form has no `logout_token`, or several.
    Form,
    /// The token is no JWS in compact form, or its header or claims are no JSON object with members of one meaning.
    Malformed,
    /// `typ` is not `logout+jwt`.
    Type,
    /// `alg` is none that the endpoint allows.
    Algorithm,
    /// `crit` names extensions, and none is understood.
    CriticalHeader,
    /// `kid` is no text.
    KeyId,
    /// No key of the provider may have signed it.
    UnknownKey,
    /// The signature does not verify.
    Signature,
    /// `iss` is another.
    Issuer,
    /// `aud` is not this client alone.
    Audience,
    /// `iat` is missing or lies in the future.
    IssuedAt,
    /// `exp` is missing.
    NoExpiry,
    /// `exp` has passed.
    Expired,
    /// `exp` is not after `iat`, or too long after it.
    Lifetime,
    /// `nbf` lies in the future.
    NotBefore,
    /// `jti` is missing, empty or too long.
    TokenId,
    /// `events` does not say that this is a logout token.
    Events,
    /// `nonce` is there: this is an ID token.
    Nonce,
    /// `sid` is empty, too long or no text.
    SessionId,
    /// `sub` is empty, too long or no text.
    Subject,
    /// Neither `sid` nor `sub` is there.
    Nobody,
    /// The token was carried out before.
    Replayed,
}

impl Refusal {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ContentType => "content_type",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyUnreadable => "body_unreadable",
            Self::Form => "form",
            Self::Malformed => "malformed",
            Self::Type => "type",
            Self::Algorithm => "algorithm",
            Self::CriticalHeader => "critical_header",
            Self::KeyId => "key_id",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::IssuedAt => "issued_at",
            Self::NoExpiry => "no_expiry",
            Self::Expired => "expired",
            Self::Lifetime => "lifetime",
            Self::NotBefore => "not_before",
            Self::TokenId => "token_id",
            Self::Events => "events",
            Self::Nonce => "nonce",
            Self::SessionId => "session_id",
            Self::Subject => "subject",
            Self::Nobody => "nobody",
            Self::Replayed => "replayed",
        }
    }
}

/// Why an acceptable token could not be carried out. The sender gets 503, and should try it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The provider's keys cannot be had.
    Keys,
    /// The token names a key that is not known, and the provider was asked for its keys just now.
    KeysAskedJustNow(Duration),
    /// What remembers tokens did not answer, or is full.
    ReplayMemory,
    /// The same token is being carried out.
    UnderWay,
    /// The application could not say whom `sub` means.
    SubjectLookup,
    /// The session store did not answer.
    Store,
    /// The application's code panicked.
    Panicked,
}

impl Failure {
    /// How long a sender waits when nothing better is known.
    const RETRY_AFTER: Duration = Duration::from_secs(5);

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::KeysAskedJustNow(_) => "keys_asked_just_now",
            Self::ReplayMemory => "replay_memory",
            Self::UnderWay => "under_way",
            Self::SubjectLookup => "subject_lookup",
            Self::Store => "store",
            Self::Panicked => "panicked",
        }
    }

    /// When the sender should try again, in whole seconds and at least one.
    pub(crate) const fn retry_after(self) -> u64 {
        let wait = match self {
            Self::KeysAskedJustNow(left) => left,
            _ => Self::RETRY_AFTER,
        };
        wait.as_secs() + 1
    }
}

/// What stands between a token and its logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Refused(Refusal),
    Failed(Failure),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
