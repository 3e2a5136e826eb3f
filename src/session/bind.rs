//! [`register`]: what becomes of a registration, and [`offers`]: when one is offered. Pure.

use std::time::Duration;

use super::{
    device::{BoundDevice, Device, DeviceKey, Thumbprint},
    id::DeviceClaim,
    state::State,
    time::{CLOCK_ALLOWANCE, Timestamp},
};

/// For how long an offer is good.
const OFFER_LASTS: Duration = Duration::from_secs(60);

/// For how long after a login the offer is repeated.
const OFFERS_LAST: Duration = Duration::from_secs(10 * 60);

/// Which offer of a session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repetition {
    /// That of the login's own answer.
    First,
    /// That of a later answer, which only the bearer of the session's token can have.
    Repeated,
}

/// What a challenge of ours says that a registration answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) session: DeviceClaim,
    pub(crate) repetition: Repetition,
    pub(crate) offered_at: Timestamp,
}

/// Which session's token came with a request to an endpoint, compared with the session that the request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenCame {
    /// No well-signed one.
    None,
    /// One of this session.
    Own,
    /// One of another session.
    Other,
}

/// What `register` looks at.
pub(crate) struct Registration<'a> {
    /// What the proof's challenge says, if it is one of our offers.
    pub(crate) offer: Option<Offer>,
    pub(crate) token: TokenCame,
    /// The session that the offer names, if it is alive and somebody is logged in there.
    pub(crate) session: Option<&'a State>,
    /// Whether another token of the session, which did not come, binds it to a key that is not this one.
    pub(crate) is_bound_elsewhere: bool,
    /// The key that the proof brings, and its thumbprint.
    pub(crate) key: DeviceKey,
    pub(crate) thumbprint: Thumbprint,
    /// Whether the proof's signature is that of its key. It is asked last, since it costs most.
    pub(crate) is_signed: &'a dyn Fn() -> bool,
    pub(crate) now: Timestamp,
}

/// What becomes of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    /// The session is bound to the key, if it is written before anything else writes it; then 200.
    Bind(BoundDevice),
    /// It is bound to this key already, and the answer may have been lost: 200, and nothing is written.
    Again,
    /// 400, without a body or a cookie; the session stays as it is.
    Refused(RegistrationRefused),
}

/// Why a registration is refused, for events; a client never learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegistrationRefused {
    /// The challenge is not one of our offers.
    Challenge,
    /// The offer is over.
    Late,
    /// Its session ended, has nobody logged in, or is one in which somebody acts as another.
    NoSession,
    /// The token of another session came.
    OtherSession,
    /// A repeated offer came without its session's token.
    NoToken,
    /// The session is bound to another key.
    OtherKey,
    /// The login named the only key that may be bound, and this is another.
    UnexpectedKey,
    Signature,
}

/// Decides what becomes of a registration (D02, D13).
///
/// Where the write conflicts with another, the session is read again and this is asked again: then it may be bound.
pub(crate) fn register(input: &Registration<'_>) -> Registered {
    match outcome(input) {
        Ok(registered) => registered,
        Err(refused) => Registered::Refused(refused),
    }
}

fn outcome(input: &Registration<'_>) -> Result<Registered, RegistrationRefused> {
    let offer = input.offer.ok_or(RegistrationRefused::Challenge)?;
    if !offer.is_good(input.now) {
        return Err(RegistrationRefused::Late);
    }
    match (offer.repetition, input.token) {
        (_, TokenCame::Other) => return Err(RegistrationRefused::OtherSession),
        (Repetition::Repeated, TokenCame::None) => return Err(RegistrationRefused::NoToken),
        (Repetition::First, TokenCame::None) | (_, TokenCame::Own) => {}
    }
    let session = input.session.filter(|state| may_be_bound(state));
    let session = session.ok_or(RegistrationRefused::NoSession)?;
    let device = session
        .extra
        .as_ref()
        .and_then(|extra| extra.device.as_ref());
    let registered = match device {
        Some(Device::Bound(device)) if device.key != input.key => {
            return Err(RegistrationRefused::OtherKey);
        }
        _ if input.is_bound_elsewhere => return Err(RegistrationRefused::OtherKey),
        Some(Device::Expected(thumbprint)) if *thumbprint != input.thumbprint => {
            return Err(RegistrationRefused::UnexpectedKey);
        }
        Some(Device::Bound(_)) => Registered::Again,
        Some(Device::Expected(_)) | None => {
            Registered::Bind(BoundDevice::new(input.key, input.now))
        }
    };
    let is_signed = (input.is_signed)();
    is_signed
        .then_some(registered)
        .ok_or(RegistrationRefused::Signature)
}

/// What an answer that offers a registration has to know.
#[derive(Clone, Copy)]
pub(crate) struct Offering<'a> {
    /// The session as the request leaves it.
    pub(crate) state: &'a State,
    /// Whether this request logged in.
    pub(crate) logs_in: bool,
    /// Whether the client's token is the session's and stays so, or this answer brings the one that is.
    pub(crate) has_token: bool,
    /// Whether a page of this origin sent the request.
    pub(crate) is_same_origin: bool,
    pub(crate) now: Timestamp,
}

/// Whether an answer offers a registration, and as which offer (D01).
pub(crate) fn offers(input: &Offering<'_>) -> Option<Repetition> {
    let state = input.state;
    if !may_be_bound(state) || state.bound_device().is_some() || !input.has_token {
        return None;
    }
    if input.logs_in {
        return Some(Repetition::First);
    }
    let is_young = input.now.since(state.created_at) < OFFERS_LAST
        && state.created_at <= input.now.after(CLOCK_ALLOWANCE);
    (is_young && input.is_same_origin).then_some(Repetition::Repeated)
}

/// Whether a device may be bound to a session. Where somebody acts as another, the return would be to a session without it.
fn may_be_bound(state: &State) -> bool {
    state.authentication.is_some() && state.actor().is_none()
}

impl Offer {
    fn is_good(&self, now: Timestamp) -> bool {
        now.since(self.offered_at) < OFFER_LASTS && self.offered_at <= now.after(CLOCK_ALLOWANCE)
    }
}

impl RegistrationRefused {
    /// The cause's name in snake case, as it is logged.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Late => "late",
            Self::NoSession => "no_session",
            Self::OtherSession => "other_session",
            Self::NoToken => "no_token",
            Self::OtherKey => "other_key",
            Self::UnexpectedKey => "unexpected_key",
            Self::Signature => "signature",
        }
    }
}
