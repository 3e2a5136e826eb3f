//! `admit` and `settle`: what a presented session is worth, and what becomes of it. Pure.

use super::{
    authentication::{AssuranceLevel, Authentication, Subject},
    draft::{Draft, Rotation},
    entries::Entries,
    event::EventKind,
    id::{Lineage, SessionId},
    mark::Mark,
    policy::SessionPolicy,
    record::{Standing, State},
    time::Timestamp,
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

/// Decides whether a session whose token came under a cookie for `authenticated` sessions (or for
/// visitors') opens at `now`.
pub(crate) fn admit(
    state: &State,
    standing: Standing,
    authenticated: bool,
    now: Timestamp,
    policy: &SessionPolicy,
) -> Result<Hold, Dead> {
    if state.authentication.is_some() != authenticated {
        return Err(Dead::Mismatch);
    }
    if now >= state.absolute_expiry {
        return Err(Dead::ExpiredAbsolute);
    }
    if policy
        .idle_expiry(state.last_seen_at, state.persistent)
        .is_some_and(|end| now >= end)
    {
        return Err(Dead::ExpiredIdle);
    }
    match standing {
        Standing::Current => Ok(Hold::Current),
        Standing::Grace => Ok(Hold::Grace),
        Standing::Superseded => Err(Dead::Superseded),
        Standing::Reused => Err(Dead::Reused),
    }
}

/// Lowers a remembered session that went unused for the idle timeout, or whose last proof is older than
/// the absolute timeout: what is left of it shows one factor.
pub(crate) fn lower_remembered(state: &mut State, now: Timestamp, policy: &SessionPolicy) {
    if !policy.remembers(state.persistent) {
        return;
    }
    if let Some(who) = &mut state.authentication
        && policy.has_lapsed(state.last_seen_at, who.authenticated_at, now)
    {
        who.level = who.level.min(AssuranceLevel::AAL1);
        who.elevation = None;
    }
}

/// What became of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered, with a status below 500.
    Answered,
    /// It answered with a status of 500 or more.
    ServerError,
    /// It never answered: the client went away, or it panicked.
    Dropped,
}

/// What `settle` looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settlement<'a> {
    pub(crate) live: Option<&'a Live>,
    /// Whether the request came with a retired token, so that it may write nothing but a login.
    pub(crate) barred: bool,
    pub(crate) marks: &'a [(Timestamp, Mark)],
    pub(crate) outcome: Outcome,
    /// Digests of the client's properties, for a session that is written now; empty without a binding.
    pub(crate) binding: &'a [u8],
    pub(crate) now: Timestamp,
    pub(crate) policy: &'a SessionPolicy,
}

/// What the layer is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Plan {
    /// Nothing.
    Keep,
    /// The session goes on under its token with another state.
    Save {
        state: State,
        why: Save,
        /// Whether the token is under an older key and is signed again.
        resign: bool,
    },
    /// The session goes on under a new token.
    Rotate { state: State, how: Rotation },
    /// A new session begins under a new id, and what the request came with ends.
    Start {
        state: State,
        /// Whether the old one ends first, since a logout asked for that whatever follows.
        end_first: bool,
    },
    /// What the request came with ends.
    End,
}

/// Why a state is saved under the same token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Save {
    /// The handler changed the data.
    Data,
    /// A step-down whose token nobody would receive: the level falls, the token stays.
    Lower,
    /// Nobody asked: the idle timer is due, or the token is under an older key.
    Touch,
}

/// A plan, what to tell once it is carried out, and whether the handler's answer must be withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Settled {
    pub(crate) plan: Plan,
    pub(crate) events: Vec<EventKind>,
    pub(crate) verdict: Verdict,
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
}

/// Whether a session that nobody marked is to be written all the same. Where it is not,
/// [`settle`] keeps it as it is.
pub(crate) fn is_due(live: &Live, now: Timestamp, policy: &SessionPolicy) -> bool {
    live.stale_key
        || live.rebind
        || renewal_is_due(live, now, policy)
        || touch_is_due(live, now, policy)
}

fn renewal_is_due(live: &Live, now: Timestamp, policy: &SessionPolicy) -> bool {
    policy
        .renewal_interval()
        .is_some_and(|every| now.since(live.state.rotated_at) >= every)
}

fn touch_is_due(live: &Live, now: Timestamp, policy: &SessionPolicy) -> bool {
    policy
        .touch_interval()
        .is_some_and(|every| now.since(live.state.last_seen_at) >= every)
}

/// Decides what becomes of the session after the handler.
pub(crate) fn settle(input: &Settlement<'_>) -> Settled {
    let lost = input.live.is_some_and(|live| live.hold == Hold::Lost);
    let mut events = Vec::new();
    let allowed = |mark: &Mark| match input.outcome {
        Outcome::Answered => true,
        Outcome::ServerError => mark.lowers() || matches!(mark, Mark::Renew),
        Outcome::Dropped => mark.lowers(),
    };
    let mut draft = Draft::of(input.live);
    for (at, mark) in input.marks {
        if allowed(mark) {
            events.extend(draft.apply(mark, *at));
        } else {
            let dropped = match mark {
                Mark::Login(_) => EventKind::LoginDropped,
                Mark::Elevate { .. } => EventKind::ElevationDropped,
                _ => EventKind::DataDropped,
            };
            if !events.contains(&dropped) {
                events.push(dropped);
            }
        }
    }
    if draft.unusable {
        return only_lowering(input, EventKind::LoginRefused, Verdict::Unusable);
    }
    let elevated = draft.continues && draft.authentication.is_some() && elevates(input.marks);
    if lost && elevated && input.outcome == Outcome::Answered {
        return only_lowering(input, EventKind::ElevationRefused, Verdict::Refused);
    }
    let plan = plan(input, draft, &mut events);
    Settled {
        plan,
        events,
        verdict: Verdict::Stands,
    }
}

fn elevates(marks: &[(Timestamp, Mark)]) -> bool {
    marks
        .iter()
        .any(|(_, mark)| matches!(mark, Mark::Elevate { .. }))
}

/// The plan where the answer is withheld: what lowers privilege is carried out all the same.
fn only_lowering(input: &Settlement<'_>, because: EventKind, verdict: Verdict) -> Settled {
    let lowered = Settlement {
        outcome: Outcome::Dropped,
        ..*input
    };
    let mut settled = settle(&lowered);
    let done = [EventKind::LoggedOut, EventKind::SteppedDown];
    settled.events.retain(|event| done.contains(event));
    settled.events.push(because);
    settled.verdict = verdict;
    settled
}

fn plan(input: &Settlement<'_>, draft: Draft, events: &mut Vec<EventKind>) -> Plan {
    let Some(live) = input.live.filter(|_| draft.continues) else {
        return begin_or_end(input, draft, events);
    };
    // A session that is not this client's, or a visitor's whose request brought a retired token as well.
    if live.suspended || input.barred {
        if draft.rotation.is_some() {
            events.push(EventKind::RenewalSkipped);
        }
        if draft.entries != live.entries().cloned().unwrap_or_default() {
            events.push(if live.suspended {
                EventKind::WriteOfSuspendedDropped
            } else {
                EventKind::WriteOfRetiredDropped
            });
        }
        return Plan::Keep;
    }
    let policy = input.policy;
    let mut state = live.state.clone();
    let entries_changed = draft.entries != state.entries;
    let lowered = draft.authentication != state.authentication;
    state.authentication = draft.authentication;
    state.entries = draft.entries;
    state.last_seen_at = input.now.max(live.state.last_seen_at);
    if state.authentication.is_some() && !input.binding.is_empty() {
        state.binding = input.binding.into();
    }

    let privilege = draft
        .rotation
        .filter(|rotation| *rotation != Rotation::Renewed);
    if let Some(how) = privilege {
        // Without a reader of the response, or with the token already replaced, a new token would reach
        // nobody: the level falls and the token stays.
        if input.outcome == Outcome::Dropped || live.hold == Hold::Lost {
            return if lowered || entries_changed {
                Plan::Save {
                    state,
                    why: Save::Lower,
                    resign: false,
                }
            } else {
                Plan::Keep
            };
        }
        state.rotated_at = input.now;
        return Plan::Rotate { state, how };
    }
    if input.outcome == Outcome::Dropped {
        return Plan::Keep;
    }
    let asked = draft.rotation.is_some();
    let due = renewal_is_due(live, input.now, policy);
    if (asked || due) && live.hold == Hold::Current {
        events.push(if asked {
            EventKind::Renewed
        } else {
            EventKind::RenewedByPolicy
        });
        state.rotated_at = input.now;
        return Plan::Rotate {
            state,
            how: Rotation::Renewed,
        };
    }
    if asked {
        events.push(EventKind::RenewalSkipped);
    }
    let resign = live.stale_key && live.hold == Hold::Current;
    let touch_due = touch_is_due(live, input.now, policy);
    let touch = (touch_due || resign || live.rebind) && live.hold != Hold::Lost;
    if !entries_changed && !touch {
        return Plan::Keep;
    }
    if resign {
        events.push(EventKind::Resigned);
    }
    let why = if entries_changed {
        Save::Data
    } else {
        Save::Touch
    };
    Plan::Save { state, why, resign }
}

/// The plan where the session that the request came with, if any, does not go on.
fn begin_or_end(input: &Settlement<'_>, draft: Draft, events: &mut Vec<EventKind>) -> Plan {
    // A logout ends also what the request holds besides its session: the keeper knows what came.
    let nothing_begins = if draft.logged_out {
        Plan::End
    } else {
        Plan::Keep
    };
    if !draft.exists() {
        return nothing_begins;
    }
    if draft.authentication.is_none() {
        if input.barred {
            events.push(EventKind::WriteOfRetiredDropped);
            return nothing_begins;
        }
        events.push(EventKind::Created);
    }
    let now = input.now;
    Plan::Start {
        end_first: draft.logged_out,
        state: State {
            // A visitor's session has nothing that a thief would want.
            binding: match draft.authentication {
                Some(_) => input.binding.into(),
                None => Box::default(),
            },
            authentication: draft.authentication,
            created_at: now,
            last_seen_at: now,
            rotated_at: now,
            absolute_expiry: input.policy.absolute_expiry(now, draft.remembered),
            persistent: draft.remembered,
            label: draft.label,
            entries: draft.entries,
        },
    }
}
