//! `admit`: what a session is worth, by its kind, its age and the standing of the secret.

use super::notation::{NOW, live};
use crate::session::{
    admit::{admit, may_log_in_at_arrival},
    came::{Barred, Came},
    device::{BoundDevice, Device, DeviceKey, Presence, Thumbprint},
    live::Dead,
    policy::SessionPolicy,
    present::{DevicePolicy, present},
    standing::Standing,
    time::{CLOCK_ALLOWANCE, Timestamp},
};
use std::time::Duration;

const CURRENT: Standing = Standing::Current;

#[track_caller]
fn check(who: &str, standing: Standing, under_session_name: bool, expected: Result<(), Dead>) {
    let state = live(who).unwrap().state;
    let policy = SessionPolicy::default();
    assert_eq!(
        admit(&state, standing, under_session_name, NOW, &policy),
        expected
    );
}

#[test]
fn only_the_secret_of_now_or_of_a_grace_time_opens_a_session() {
    check("alice@1", Standing::Current, true, Ok(()));
    check("alice@1", Standing::Grace, true, Ok(()));
    check("alice@1", Standing::Superseded, true, Err(Dead::Superseded));
    check("alice@1", Standing::Reused, true, Err(Dead::Reused));
    check("alice@1", Standing::Ended, true, Err(Dead::Revoked));
    check("guest", Standing::Current, false, Ok(()));
    check("guest", Standing::Reused, false, Err(Dead::Reused));
}

/// R08.
#[test]
fn a_session_opens_only_under_its_own_kind_of_cookie() {
    for standing in [Standing::Current, Standing::Grace, Standing::Superseded] {
        check("guest", standing, true, Err(Dead::Mismatch));
        check("alice@2", standing, false, Err(Dead::Mismatch));
    }
}

/// R19: where a guest's session or none came, and nothing of a session that goes on without it.
#[test]
fn a_login_at_arrival_ends_a_guests_session_at_most() {
    let barred = [
        None,
        Some(Barred::RetiredToken),
        Some(Barred::MissingDevice),
        Some(Barred::SeveralSessions),
    ];
    for (who, suspended, may) in [
        (None, false, true),
        (Some("guest"), false, true),
        (Some("alice@1"), false, false),
        (Some("alice@2"), false, false),
        (Some("alice@1"), true, false),
    ] {
        let mut session = who.and_then(live);
        if let Some(live) = &mut session {
            live.suspended = suspended;
        }
        for barred in barred {
            let came = Came {
                barred,
                ..Came::default()
            };
            for (beside, is_users) in [
                (&[][..], false),
                (&["guest"], false),
                (&["guest", "alice@1"], true),
            ] {
                let found: Vec<_> = beside.iter().filter_map(|who| live(who)).collect();
                assert_eq!(
                    may_log_in_at_arrival(session.as_ref(), &came, found.iter()),
                    may && !(barred.is_some() && is_users),
                    "{who:?} {suspended} {barred:?} {beside:?}"
                );
            }
        }
    }
}

#[track_caller]
fn check_at(now: Timestamp, policy: &SessionPolicy, expected: Result<(), Dead>) {
    let state = live("alice@1").unwrap().state;
    assert_eq!(admit(&state, CURRENT, true, now, policy), expected);
}

/// R60, R61, R65: to the millisecond.
#[test]
fn limits_end_a_session_at_their_moment_and_the_absolute_one_first() {
    let idle = SessionPolicy::default()
        .idle(Duration::from_secs(60))
        .unwrap();
    let seen = live("alice@1").unwrap().state.last_seen_at;
    let last = |end: Timestamp| Timestamp::from_unix_millis(end.as_unix_millis() - 1);
    let idle_end = seen.after(Duration::from_secs(60));
    check_at(last(idle_end), &idle, Ok(()));
    check_at(idle_end, &idle, Err(Dead::ExpiredIdle));

    let never_idle = SessionPolicy::default().without_idle();
    let end = live("alice@1").unwrap().state.absolute_expiry;
    check_at(last(end), &never_idle, Ok(()));
    check_at(end, &never_idle, Err(Dead::ExpiredAbsolute));
    check_at(end, &idle, Err(Dead::ExpiredAbsolute));
}

#[test]
fn an_expired_session_does_not_tell_what_became_of_its_token() {
    let state = live("alice@1").unwrap().state;
    let policy = SessionPolicy::default();
    let late = state.absolute_expiry;
    for standing in [Standing::Superseded, Standing::Reused, Standing::Grace] {
        let dead = admit(&state, standing, true, late, &policy);
        assert_eq!(dead, Err(Dead::ExpiredAbsolute));
    }
}

#[test]
fn a_token_of_a_session_that_goes_on_without_it_bars_its_request() {
    for (dead, barred) in [
        (Dead::ExpiredIdle, None),
        (Dead::ExpiredAbsolute, None),
        (Dead::FromTheFuture, None),
        (Dead::Superseded, Some(Barred::RetiredToken)),
        (Dead::Reused, Some(Barred::RetiredToken)),
        (Dead::Unbound, Some(Barred::MissingDevice)),
        (Dead::Revoked, None),
        (Dead::Unknown, None),
        (Dead::Mismatch, None),
        (Dead::OtherClient, None),
    ] {
        assert_eq!(dead.bars(), barred, "{dead:?}");
    }
}

/// S03, S23: what the present policy allows counts from the creation, whatever the session was given.
#[test]
fn a_stricter_policy_holds_for_a_session_that_is_there() {
    let state = live("alice@1").unwrap().state;
    let strict = SessionPolicy::default().without_idle();
    let strict = strict.absolute(Duration::from_secs(3600)).unwrap();
    let end = state.created_at.after(Duration::from_secs(3600));
    assert!(end < state.absolute_expiry);
    let last = Timestamp::from_unix_millis(end.as_unix_millis() - 1);
    check_at(last, &strict, Ok(()));
    check_at(end, &strict, Err(Dead::ExpiredAbsolute));
    // A remembered session of a policy that no longer remembers.
    let mut remembered = state.clone();
    remembered.persistent = true;
    remembered.absolute_expiry = end.after(Duration::from_secs(86_400 * 40));
    let told = admit(&remembered, CURRENT, true, end, &strict);
    assert_eq!(told, Err(Dead::ExpiredAbsolute));
}

/// S03, S09: a creation time ahead of every honest clock would stretch every limit.
#[test]
fn a_session_that_begins_in_the_future_does_not_open() {
    let mut state = live("alice@1").unwrap().state;
    let policy = SessionPolicy::default();
    let edge = NOW.after(CLOCK_ALLOWANCE);
    for (created_at, expected) in [
        (edge, Ok(())),
        (
            edge.after(Duration::from_millis(1)),
            Err(Dead::FromTheFuture),
        ),
    ] {
        state.created_at = created_at;
        state.absolute_expiry = created_at.after(Duration::from_secs(60));
        assert_eq!(admit(&state, CURRENT, true, NOW, &policy), expected);
    }
}

/// The least of the login's, the record's and the policy's limits holds.
#[test]
fn a_logins_own_limits_hold_where_they_are_stricter() {
    let mut state = live("alice@1").unwrap().state;
    let policy = SessionPolicy::default();
    let minute = Duration::from_secs(60);
    state.with_extra(|extra| extra.limits.idle = Some(minute));
    let idle_end = state.last_seen_at.after(minute);
    assert_eq!(policy.idle_end(&state), Some(idle_end));
    let told = admit(&state, CURRENT, true, idle_end, &policy);
    assert_eq!(told, Err(Dead::ExpiredIdle));
    // Longer ones change nothing.
    state.with_extra(|extra| {
        extra.limits.idle = Some(SessionPolicy::MAX_ABSOLUTE);
        extra.limits.absolute = Some(SessionPolicy::MAX_ABSOLUTE);
    });
    assert_eq!(policy.idle_limit(&state), policy.idle_timeout());
    assert_eq!(policy.absolute_end(&state), state.absolute_expiry);
    state.with_extra(|extra| extra.limits.absolute = Some(minute));
    assert_eq!(policy.absolute_end(&state), state.created_at.after(minute));
}

/// D11, A50: to the millisecond, and whatever a clock does.
#[test]
fn a_bound_session_without_its_device_opens_for_a_minute_after_the_binding_only() {
    let millisecond = Duration::from_millis(1);
    let before = |time: Duration| {
        let time = NOW.since(Timestamp::default()) - time;
        Timestamp::default().after(time)
    };
    let mut state = live("alice@1").unwrap().state;
    for (bound_at, opens) in [
        (NOW, true),
        (before(Duration::from_millis(59_999)), true),
        (before(Duration::from_secs(60)), false),
        (before(Duration::from_secs(3600)), false),
        (NOW.after(CLOCK_ALLOWANCE), true),
        (NOW.after(CLOCK_ALLOWANCE).after(millisecond), false),
        (Timestamp::from_unix_millis(u64::MAX), false),
        (Timestamp::default(), false),
    ] {
        // A proof of this moment excuses nothing: another may have the token.
        let device = BoundDevice {
            last_proof_at: NOW,
            ..BoundDevice::new(DeviceKey([7; 64]), bound_at)
        };
        state.with_extra(|extra| extra.device = Some(Device::Bound(device)));
        let found = present(&state, None, &DevicePolicy::UNCHECKED, NOW);
        let expected = opens.then_some(Presence::Crossing).ok_or(Dead::Unbound);
        assert_eq!(found, expected, "{bound_at:?}");
        // Whatever a cookie says: it is not checked.
        let found = present(&state, Some(NOW), &DevicePolicy::UNCHECKED, NOW);
        assert_eq!(found, expected, "{bound_at:?}");
    }
    for device in [None, Some(Device::Expected(Thumbprint([7; 32])))] {
        state.with_extra(|extra| extra.device = device);
        let found = present(&state, None, &DevicePolicy::UNCHECKED, NOW);
        assert_eq!(found, Ok(Presence::Unbound));
    }
}
