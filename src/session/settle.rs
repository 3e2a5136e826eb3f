//! [`settle`]: what becomes of a session after the handler. Pure.

use super::{
    came::{Barred, Came},
    device::Device,
    draft::{Draft, Rotation, Switch},
    event::EventKind,
    extra::Extra,
    index::TagDigest,
    live::{Live, Signature},
    mark::{Effect, Login, Mark},
    methods::Methods,
    own_session::Acting,
    plan::{Plan, Save, Settled, Verdict},
    policy::SessionPolicy,
    standing::Standing,
    state::State,
    time::Timestamp,
};

/// What became of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered.
    Answered,
    /// Its answer says that it failed.
    Failed,
    /// It never answered: the client went away, or it panicked.
    Dropped,
}

/// What `settle` looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settlement<'a> {
    pub(crate) live: Option<&'a Live>,
    pub(crate) came: &'a Came,
    pub(crate) marks: &'a [(Timestamp, Mark)],
    pub(crate) outcome: Outcome,
    pub(crate) now: Timestamp,
    pub(crate) policy: &'a SessionPolicy,
    pub(crate) realm: Realm<'a>,
    /// How many bytes of entries a session may hold.
    pub(crate) data_budget: usize,
    pub(crate) upkeep: Upkeep,
}

/// How much may be written that nobody asked for: a touch, a renewal by policy, a new signature, a new binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upkeep {
    /// Nothing: nobody looked at the session, or only in the background, or the connection is handed over.
    Nothing,
    /// What changes no cookie: the response says that the client's copy of a page is still good.
    Silent,
    /// Everything.
    Everything,
}

/// Which application a session is for, and how it is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Realm<'a> {
    pub(crate) audience: &'a str,
    /// Whether a store keeps it, which lists it by its audience. A token's MAC says its audience.
    pub(crate) is_stored: bool,
}

/// Whether a session without marks is to be written all the same. If not, [`settle`] keeps it as it is.
pub(crate) fn is_due(live: &Live, now: Timestamp, policy: &SessionPolicy) -> bool {
    live.signature == Signature::Older
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
        .touch_interval_of(&live.state)
        .is_some_and(|every| now.since(live.state.last_seen_at) >= every)
}

/// Decides what becomes of the session after the handler.
pub(crate) fn settle(input: &Settlement<'_>) -> Settled {
    let lost = input
        .live
        .is_some_and(|live| !live.opens() || is_last(input, live) || has_ended(input, live));
    let mut events = Vec::new();
    let mut draft = Draft::of(input.live);
    for (at, mark) in input.marks {
        if counts(mark, input.outcome) {
            events.extend(draft.apply(input.live, mark, *at));
        } else if let Some(dropped) = mark.dropped()
            && !events.contains(&dropped)
        {
            events.push(dropped);
        }
    }
    if draft.unusable {
        return only_lowering(input, EventKind::LoginRefused, Verdict::Unusable);
    }
    // As the handler made them, its marks fit: what another request has left meanwhile came between.
    if draft.update_failed {
        return only_lowering(input, EventKind::UpdateFailed, Verdict::DataConflict);
    }
    let taken = draft.reserved_len() + draft.entries.len();
    if taken > input.data_budget && grows(input, taken) {
        return only_lowering(input, EventKind::DataTooLarge, Verdict::DataConflict);
    }
    let elevated = draft.continues && draft.authentication.is_some() && elevates(input.marks);
    if lost && elevated && input.outcome == Outcome::Answered {
        return only_lowering(input, EventKind::ElevationRefused, Verdict::Refused);
    }
    let goes_on = draft.continues && draft.authentication.is_some();
    let switched = draft.switch.is_some() || goes_on && switches(input.marks);
    let may_not = lost || input.came.barred.is_some();
    if may_not && switched && input.outcome == Outcome::Answered {
        return without_switch(input);
    }
    if let Some(live) = input.live
        && draft.continues
        && is_crossing(live)
        && draft.entries != live.state.entries
    {
        return only_lowering(
            input,
            EventKind::UnboundUseDataDropped,
            Verdict::BoundMeanwhile,
        );
    }
    let plan = plan(input, draft, &mut events);
    Settled {
        plan,
        events,
        verdict: Verdict::Stands,
    }
}

/// What becomes of the session where nobody can act as another, or return, though the handler saw that somebody does.
pub(crate) fn without_switch(input: &Settlement<'_>) -> Settled {
    only_lowering(input, EventKind::ImpersonationRefused, Verdict::Refused)
}

/// Whether the session's token must never be signed again, and nothing of it be written with it (S03): the key that it
/// was signed under is expiring, and may be a thief's. In a store the key alone opens no session.
fn is_final(input: &Settlement<'_>, live: &Live) -> bool {
    live.signature == Signature::Final && !input.realm.is_stored
}

/// Whether a binding to a device has replaced its token: what left in its place would be a session without the device.
fn is_crossing(live: &Live) -> bool {
    live.standing == Some(Standing::Crossing)
}

/// Whether nothing may leave in the place of its token.
fn is_last(input: &Settlement<'_>, live: &Live) -> bool {
    is_final(input, live) || is_crossing(live)
}

fn grows(input: &Settlement<'_>, taken: usize) -> bool {
    let before = Draft::of(input.live);
    let entries = input.live.map_or(0, |live| live.state.entries.len());
    taken > before.reserved_len() + entries
}

/// Whether the session ended by one of its limits while the handler ran.
fn has_ended(input: &Settlement<'_>, live: &Live) -> bool {
    input.policy.has_ended(&live.state, input.now)
}

/// Whether a mark takes effect after such an outcome.
fn counts(mark: &Mark, outcome: Outcome) -> bool {
    match mark.effect() {
        Effect::Raises => outcome == Outcome::Answered,
        Effect::Keeps => outcome != Outcome::Dropped,
        Effect::Lowers => true,
    }
}

fn elevates(marks: &[(Timestamp, Mark)]) -> bool {
    marks.iter().any(|(_, mark)| mark.elevates())
}

/// Whether somebody begins to act as another, or returns.
fn switches(marks: &[(Timestamp, Mark)]) -> bool {
    let switches =
        |(_, mark): &(_, Mark)| matches!(mark, Mark::Impersonate(_) | Mark::EndImpersonation);
    marks.iter().any(switches)
}

/// Decides what becomes of the answer, and what to tell, where the session has ended or its token was
/// replaced by the time the plan is carried out: nothing brings the session back.
pub(crate) fn without_session(
    marks: &[(Timestamp, Mark)],
    outcome: Outcome,
) -> (Verdict, Option<EventKind>) {
    if outcome == Outcome::Answered && elevates(marks) {
        return (Verdict::Refused, Some(EventKind::ElevationRefused));
    }
    if outcome == Outcome::Answered && switches(marks) {
        return (Verdict::Refused, Some(EventKind::ImpersonationRefused));
    }
    let blocked = marks
        .iter()
        .any(|(_, mark)| mark.effect() != Effect::Lowers);
    (
        Verdict::Stands,
        blocked.then_some(EventKind::ResurrectionBlocked),
    )
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
    // A session that is not this client's, or a guest session whose request brought a retired token as well.
    let suspended = live.suspended;
    let suspended = suspended.then_some(EventKind::SuspendedSessionDataDropped);
    if let Some(dropped) = suspended.or(input.came.barred.map(Barred::dropped)) {
        if draft.rotation.is_some() {
            events.push(EventKind::RenewalSkipped);
        }
        if draft.entries != live.entries().cloned().unwrap_or_default() {
            events.push(dropped);
        }
        return Plan::Nothing;
    }
    if has_ended(input, live) {
        return after_the_end(live, draft, events);
    }
    let policy = input.policy;
    let is_active = input.upkeep != Upkeep::Nothing;
    let mut state = live.state.clone();
    let entries_changed = draft.entries != state.entries;
    let emptied = draft.empties_guest(live);
    let lowered = draft.authentication != state.authentication;
    state.set_methods(draft.methods);
    state.authentication = draft.authentication;
    state.entries = draft.entries;
    let seen = input.now.max(live.state.last_seen_at);
    if is_active {
        state.last_seen_at = seen;
    }
    if is_active && state.authentication.is_some() {
        state.binding = input.came.client.taken_over(&state.binding);
    }

    let privilege = draft
        .rotation
        .filter(|rotation| *rotation != Rotation::Renewed);
    if let Some(how) = privilege {
        // Without a reader of the response, or with the token already replaced, a new token would reach
        // no client: the level falls and the token stays.
        if input.outcome == Outcome::Dropped || !live.opens() || is_last(input, live) {
            return if lowered || entries_changed {
                Plan::Save {
                    state,
                    why: Save::Lower,
                    re_sign: false,
                }
            } else {
                Plan::Nothing
            };
        }
        (state.rotated_at, state.last_seen_at) = (input.now, seen);
        return Plan::Rotate { state, how };
    }
    if input.outcome == Outcome::Dropped {
        return Plan::Nothing;
    }
    if is_last(input, live) {
        if draft.rotation.is_some() {
            events.push(EventKind::RenewalSkipped);
        }
        if entries_changed {
            events.push(EventKind::ExpiringKeyDataDropped);
        }
        return Plan::Nothing;
    }
    if emptied {
        events.push(EventKind::GuestEnded);
        state.absolute_expiry = long_before(state.created_at);
        return Plan::EndGuest { state };
    }
    let asked = draft.rotation.is_some();
    let may_issue = input.upkeep == Upkeep::Everything;
    let due = may_issue && renewal_is_due(live, input.now, policy);
    if (asked || due) && live.is_current() {
        events.push(if asked {
            EventKind::Renewed
        } else {
            EventKind::RenewedByPolicy
        });
        (state.rotated_at, state.last_seen_at) = (input.now, seen);
        return Plan::Rotate {
            state,
            how: Rotation::Renewed,
        };
    }
    if asked {
        events.push(EventKind::RenewalSkipped);
    }
    let re_sign = may_issue && live.signature == Signature::Older && live.is_current();
    // Without a store a touch is a new token.
    let may_touch = may_issue || is_active && input.realm.is_stored;
    let touch_due = may_touch && (touch_is_due(live, input.now, policy) || live.rebind);
    let touch = (touch_due || re_sign) && live.opens();
    if !entries_changed && !touch {
        return Plan::Nothing;
    }
    if re_sign {
        events.push(EventKind::TokenReSigned);
    }
    let why = if entries_changed {
        Save::Data
    } else {
        Save::Touch
    };
    Plan::Save {
        state,
        why,
        re_sign,
    }
}

/// A moment at which a session of that age had not begun, also by a clock that is behind.
fn long_before(created_at: Timestamp) -> Timestamp {
    const HOUR: u64 = 3_600_000;
    Timestamp::from_unix_millis(created_at.as_unix_millis().saturating_sub(HOUR))
}

/// The plan where the session ended by one of its limits while the handler ran: only what lowers privilege is
/// carried out, whatever a later policy lets the session do.
fn after_the_end(live: &Live, draft: Draft, events: &mut Vec<EventKind>) -> Plan {
    if draft.entries != live.state.entries || draft.rotation == Some(Rotation::Renewed) {
        events.push(EventKind::ResurrectionBlocked);
    }
    if draft.authentication == live.state.authentication {
        return Plan::Nothing;
    }
    let mut state = live.state.clone();
    state.authentication = draft.authentication;
    state.set_methods(draft.methods);
    Plan::Save {
        state,
        why: Save::Lower,
        re_sign: false,
    }
}

/// The plan where the session that the request came with, if any, does not go on.
fn begin_or_end(input: &Settlement<'_>, mut draft: Draft, events: &mut Vec<EventKind>) -> Plan {
    // A logout ends also what the request holds besides its session: the backend knows what came.
    let nothing_begins = if draft.logged_out {
        Plan::End
    } else {
        Plan::Nothing
    };
    if !draft.exists() {
        return nothing_begins;
    }
    if draft.authentication.is_none() {
        if let Some(barred) = input.came.barred {
            events.push(barred.dropped());
            return nothing_begins;
        }
        events.push(EventKind::Created);
    }
    if let Some(switch) = draft.switch.take()
        && let Some(live) = input.live
    {
        return in_place_of(live, draft, switch, input);
    }
    let now = input.now;
    let login = draft.authentication.as_ref().and_then(|_| login(input));
    let remembered = login.is_some_and(|login| login.remembered);
    Plan::Start {
        end_first: draft.logged_out,
        instead: false,
        state: State {
            // A guest session has nothing that a thief would want.
            binding: match draft.authentication {
                Some(_) => input.came.client.current().into(),
                None => Box::default(),
            },
            authentication: draft.authentication,
            created_at: now,
            last_seen_at: now,
            rotated_at: now,
            absolute_expiry: input.policy.absolute_expiry(now, remembered),
            persistent: remembered,
            label: login.and_then(|login| login.label.clone()),
            extra: extra(input.realm, login, draft.methods),
            entries: draft.entries,
        },
    }
}

/// The login that a new session is of.
fn login<'a>(input: &Settlement<'a>) -> Option<&'a Login> {
    let marks = input.marks.iter().rev().map(|(_, mark)| mark);
    let mut counted = marks.filter(|mark| counts(mark, input.outcome));
    counted.find_map(|mark| match mark {
        Mark::Login(login) => Some(login),
        _ => None,
    })
}

/// The plan where somebody begins to act as another, or returns: the new session has the limits, the tags and the name of the
/// request's own, whose place it takes.
fn in_place_of(live: &Live, draft: Draft, switch: Switch, input: &Settlement<'_>) -> Plan {
    let now = input.now;
    let mut state = live.state.clone();
    (state.last_seen_at, state.rotated_at) = (now.max(state.last_seen_at), now);
    let acr;
    (state.absolute_expiry, state.persistent, acr) = match switch {
        Switch::Impersonation(until) => (state.absolute_expiry.min(until), false, None),
        Switch::Return(own) => (own.absolute_expiry, own.persistent, own.acr),
    };
    state.binding = input.came.client.taken_over(&state.binding);
    state.authentication = draft.authentication;
    state.entries = draft.entries;
    let (actor, own) = match draft.acting {
        Some(Acting { actor, own }) => (Some(actor), own),
        None => (None, None),
    };
    state.with_extra(|extra| {
        (extra.actor, extra.own_session) = (actor, own);
        (extra.methods, extra.acr) = (draft.methods, acr);
        extra.family = None;
    });
    Plan::Start {
        end_first: false,
        instead: true,
        state,
    }
}

/// What a new session has beyond the basic state.
fn extra(realm: Realm<'_>, login: Option<&Login>, methods: Methods) -> Option<Box<Extra>> {
    let audience = if realm.is_stored { realm.audience } else { "" };
    if audience.is_empty() && methods.is_empty() && login.is_none_or(Login::is_basic) {
        return None;
    }
    let mut extra = Extra {
        audience: audience.into(),
        methods,
        ..Extra::default()
    };
    if let Some(login) = login {
        let tags = login.tags.iter();
        let mut tags: Vec<_> = tags.map(|tag| TagDigest::of(realm.audience, tag)).collect();
        tags.sort_unstable();
        tags.dedup();
        extra.tags = tags.into();
        extra.limits = login.limits;
        extra.device = login.device.map(Device::Expected);
        extra.acr.clone_from(&login.acr);
    }
    Some(Box::new(extra))
}
