//! [`Plan`]: what the layer is to do once the handler is done.

use super::{draft::Rotation, event::EventKind, live::Live, state::State};

/// What the layer is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Plan {
    /// Nothing.
    Nothing,
    /// The session goes on under its token with another state.
    Save {
        state: State,
        why: Save,
        /// Whether the token is under an older key and is signed again.
        re_sign: bool,
    },
    /// The session goes on under a new token.
    Rotate { state: State, how: Rotation },
    /// A new session begins under a new id, and what the request came with ends.
    Start {
        state: State,
        /// Whether the old one ends first, since a logout asked for that whatever follows.
        end_first: bool,
        /// Whether it takes the place of the request's own session, which must still be as it was. If not, it does not begin.
        instead: bool,
    },
    /// What the request came with ends.
    End,
    /// The guest's session ends, unless others have put something into it: nothing is left in it.
    EndGuest {
        /// Empty, and over since before it began.
        state: State,
    },
}

/// Why a state is saved under the same token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Save {
    /// The handler changed the data.
    Data,
    /// A step-down whose new token would reach no client: the level falls, the token stays.
    Lower,
    /// Without a mark: the idle timer is due, or the token is under an older key.
    Touch,
}

impl Plan {
    /// Whether somebody begins to act as another, or returns.
    pub(crate) const fn is_switch(&self) -> bool {
        matches!(self, Self::Start { instead: true, .. })
    }
}

/// A plan, what to tell once it is carried out, and whether the handler's answer must be withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Settled {
    pub(crate) plan: Plan,
    pub(crate) events: Vec<EventKind>,
    pub(crate) verdict: Verdict,
}

impl Settled {
    /// Whether the plan writes only what nobody asked for: what the session holds stays as it was.
    pub(crate) fn is_upkeep(&self, live: Option<&Live>) -> bool {
        match &self.plan {
            Plan::Save { why, .. } => *why == Save::Touch,
            Plan::Rotate { state, .. } => {
                let by_policy = self.events.contains(&EventKind::RenewedByPolicy);
                by_policy && live.is_some_and(|live| live.state.entries == state.entries)
            }
            Plan::Nothing | Plan::Start { .. } | Plan::End | Plan::EndGuest { .. } => false,
        }
    }
}

/// What becomes of the handler's answer if the plan succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It stands.
    Stands,
    /// It claims a privilege that was refused: 401 takes its place.
    Refused,
    /// It claims a login that cannot be: the failure reply takes its place.
    Unusable,
    /// It claims a write that does not go with what another request has written: the failure reply takes its place.
    DataConflict,
    /// It claims a write under a token that the binding to a device has replaced: 409 takes its place.
    BoundMeanwhile,
}
