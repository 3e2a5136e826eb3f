//! [`prove`]: what becomes of a refresh. Pure.

use std::time::Duration;

use super::{
    bind::TokenCame,
    device::BoundDevice,
    state::State,
    time::{CLOCK_ALLOWANCE, Timestamp},
};

/// For how long a challenge is good: longer than a bound cookie lives, since a browser may answer the one that came with it.
const CHALLENGE_LASTS: Duration = Duration::from_secs(20 * 60);

/// What a challenge of ours says, whose MAC held for the session and its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) made_at: Timestamp,
    /// How many proofs the session had accepted by then.
    pub(crate) sequence: u32,
}

/// What `prove` looks at.
pub(crate) struct Refresh<'a> {
    /// The session that the identifier names, if it is alive.
    pub(crate) session: Option<&'a State>,
    /// Which live session's token came.
    pub(crate) token: TokenCame,
    pub(crate) answer: Answer<'a>,
    /// Whether accepted proofs are counted: a store counts them, a self-contained token cannot.
    pub(crate) counts: bool,
    pub(crate) now: Timestamp,
}

/// The proof of a refresh.
#[derive(Clone, Copy)]
pub(crate) enum Answer<'a> {
    /// None came: the browser asks for a challenge.
    Missing,
    /// What came has not the form of one.
    Malformed,
    /// One came.
    Came {
        /// What its challenge says, if it is one of ours for this session and key.
        challenge: Option<Challenge>,
        /// Whether its signature is that of the session's key. It is asked last, since it costs most.
        is_signed: &'a dyn Fn() -> bool,
    },
}

/// What becomes of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proved {
    /// The proof is good, if this is written before anything else writes the session; then 200 and a bound cookie.
    Count(BoundDevice),
    /// The proof is good, and there is nothing to write, since it was counted: 200 and a bound cookie that is good for as long as
    /// the first.
    Again,
    /// The proof is good, and nothing counts it: 200 and a bound cookie.
    Uncounted,
    /// 403 and a challenge, which the next proof answers.
    Challenge,
    /// 401, alike for all causes; the session stays as it is.
    Refused(RefreshRefused),
}

/// Why a refresh is refused, for events; a client never learns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshRefused {
    /// The session ended, or is bound to nothing.
    NoSession,
    /// The token of another session came, which the refreshed cookie would seem to serve.
    OtherSession,
    Malformed,
    /// The challenge is none of ours, or one for another session, another key or a registration.
    Challenge,
    Signature,
}

/// Decides what becomes of a refresh (D05, D06, D10, D13, A51).
///
/// Where the write conflicts with another, the session is read again and this is asked again: a proof that another request
/// has counted meanwhile is good once more.
pub(crate) fn prove(input: &Refresh<'_>) -> Proved {
    match outcome(input) {
        Ok(proved) => proved,
        Err(refused) => Proved::Refused(refused),
    }
}

fn outcome(input: &Refresh<'_>) -> Result<Proved, RefreshRefused> {
    let device = input.session.and_then(State::bound_device);
    let device = device.ok_or(RefreshRefused::NoSession)?;
    if input.token == TokenCame::Other {
        return Err(RefreshRefused::OtherSession);
    }
    let (challenge, is_signed) = match input.answer {
        Answer::Missing => return Ok(Proved::Challenge),
        Answer::Malformed => return Err(RefreshRefused::Malformed),
        Answer::Came {
            challenge,
            is_signed,
        } => (challenge.ok_or(RefreshRefused::Challenge)?, is_signed),
    };
    let age = input.now.since(challenge.made_at);
    if age > CHALLENGE_LASTS || challenge.made_at > input.now.after(CLOCK_ALLOWANCE) {
        return Ok(Proved::Challenge);
    }
    // The browser sends a proof again whose answer was lost.
    let is_next = challenge.sequence == device.sequence;
    if !is_next && challenge.sequence != device.sequence.wrapping_sub(1) {
        return Ok(Proved::Challenge);
    }
    if !is_signed() {
        return Err(RefreshRefused::Signature);
    }
    if !input.counts {
        return Ok(Proved::Uncounted);
    }
    if !is_next {
        return Ok(Proved::Again);
    }
    Ok(Proved::Count(BoundDevice {
        sequence: device.sequence.wrapping_add(1),
        last_proof_at: device.last_proof_at.max(input.now),
        ..*device
    }))
}

impl RefreshRefused {
    /// The cause's name in snake case, as it is logged.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NoSession => "no_session",
            Self::OtherSession => "other_session",
            Self::Malformed => "malformed",
            Self::Challenge => "challenge",
            Self::Signature => "signature",
        }
    }
}
