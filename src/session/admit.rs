//! [`admit`]: what a presented session is worth. Pure.

use super::{
    authentication::AssuranceLevel,
    came::Came,
    live::{Dead, Live},
    methods::Methods,
    policy::SessionPolicy,
    standing::Standing,
    state::State,
    time::{CLOCK_ALLOWANCE, Timestamp},
};

/// Decides whether a session opens at `now` whose token came in the cookie for `authenticated` sessions, or
/// in the guest cookie.
pub(crate) fn admit(
    state: &State,
    standing: Standing,
    authenticated: bool,
    now: Timestamp,
    policy: &SessionPolicy,
) -> Result<(), Dead> {
    let replaced = match standing {
        Standing::Current | Standing::Grace | Standing::Crossing => None,
        Standing::Superseded => Some(Dead::Superseded),
        Standing::Reused => Some(Dead::Reused),
        Standing::Ended => return Err(Dead::Revoked),
    };
    if state.authentication.is_some() != authenticated {
        return Err(Dead::Mismatch);
    }
    // Limits count from the creation, so one that lies ahead would stretch them.
    if state.created_at > now.after(CLOCK_ALLOWANCE) {
        return Err(Dead::FromTheFuture);
    }
    if now >= policy.absolute_end(state) {
        return Err(Dead::ExpiredAbsolute);
    }
    if policy.idle_end(state).is_some_and(|end| now >= end) {
        return Err(Dead::ExpiredIdle);
    }
    replaced.map_or(Ok(()), Err)
}

/// Decides whether a login at arrival may begin a session: no user's session came, and no token of one that goes on
/// without it. So such a login ends a guest's session at most. `beside` are the sessions that do not open, though a token of
/// theirs came.
pub(crate) fn may_log_in_at_arrival<'a>(
    live: Option<&Live>,
    came: &Came,
    mut beside: impl Iterator<Item = &'a Live>,
) -> bool {
    let is_users = |live: &Live| live.subject().is_some();
    !live.is_some_and(is_users) && (came.barred.is_none() || !beside.any(is_users))
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
        state.set_methods(Methods::NONE);
    }
}
