//! `present`: a line for each kind of session, and for what came how long after what.

use std::time::Duration;

use super::notation::{NOW, live};
use crate::session::{
    device::{BoundDevice, Device, DeviceKey, Presence, Thumbprint},
    live::Dead,
    present::{DevicePolicy, present},
    state::State,
    time::Timestamp,
};
#[cfg(feature = "dbsc")]
use crate::session::{
    id::SessionId,
    present::{BoundProof, Proofs, max_age},
};

const TEN_MINUTES: u64 = 600_000;

/// So many milliseconds before now, or after it.
fn ago(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(NOW.as_unix_millis().wrapping_add_signed(-millis))
}

/// A session that began, and was bound, so many milliseconds ago; `None` for one that is not bound.
fn session(began: i64, bound: Option<i64>) -> State {
    let mut state = live("alice@1").unwrap().state;
    state.created_at = ago(began);
    let device = bound.map(|bound| Device::Bound(BoundDevice::new(DeviceKey([7; 64]), ago(bound))));
    state.with_extra(|extra| extra.device = device);
    state
}

const OPENS: Result<&str, Dead> = Ok("as unbound");
const CROSSES: Result<&str, Dead> = Ok("crossing");
const PROVED: Result<&str, Dead> = Ok("proved");
const ANONYMOUS: Result<&str, Dead> = Err(Dead::Unbound);

#[track_caller]
fn check(state: &State, cookie: Option<i64>, required: bool, expected: Result<&str, Dead>) {
    let lifetime = Duration::from_millis(TEN_MINUTES);
    let proved_at = cookie.map(ago);
    let found = present(state, proved_at, &DevicePolicy { lifetime, required }, NOW);
    let found = found.map(|presence| match presence {
        Presence::Unbound => "as unbound",
        Presence::Crossing => "crossing",
        Presence::Proved(at) => {
            assert_eq!(Some(at), proved_at);
            "proved"
        }
    });
    assert_eq!(found, expected);
}

/// D11, A50.
#[test]
fn a_bound_session_opens_with_its_cookie_and_for_a_minute_without() {
    //             began             bound          proof         must be bound
    check(&session(3_600_000, Some(3_600_000)), Some(0),          false, PROVED);
    check(&session(3_600_000, Some(3_600_000)), Some(0),          true,  PROVED);
    check(&session(3_600_000, Some(3_600_000)), Some(599_999),    false, PROVED);
    check(&session(3_600_000, Some(3_600_000)), Some(600_000),    false, ANONYMOUS);
    check(&session(3_600_000, Some(3_600_000)), Some(-60_000),    false, PROVED);
    check(&session(3_600_000, Some(3_600_000)), Some(-60_001),    false, ANONYMOUS);
    check(&session(3_600_000, Some(3_600_000)), None,             false, ANONYMOUS);
    check(&session(3_600_000, Some(60_000)),    None,             false, ANONYMOUS);
    check(&session(3_600_000, Some(59_999)),    None,             false, CROSSES);
    check(&session(3_600_000, Some(59_999)),    None,             true,  CROSSES);
    check(&session(3_600_000, Some(59_999)),    Some(600_000),    false, CROSSES);
    check(&session(3_600_000, Some(59_999)),    Some(1_000),      false, PROVED);
    check(&session(3_600_000, Some(-60_000)),   None,             false, CROSSES);
    check(&session(3_600_000, Some(-60_001)),   None,             false, ANONYMOUS);
}

#[test]
fn an_unbound_session_opens_unless_it_must_be_bound_by_now() {
    //             began      bound  proof    must be bound
    check(&session(0,         None), None,    false, OPENS);
    check(&session(0,         None), None,    true,  OPENS);
    check(&session(59_999,    None), None,    true,  OPENS);
    check(&session(60_000,    None), None,    true,  ANONYMOUS);
    check(&session(3_600_000, None), None,    true,  ANONYMOUS);
    check(&session(3_600_000, None), None,    false, OPENS);
    // A cookie cannot bind a session.
    check(&session(3_600_000, None), Some(0), false, OPENS);
    check(&session(3_600_000, None), Some(0), true,  ANONYMOUS);
    let mut expecting = session(3_600_000, None);
    expecting.with_extra(|extra| extra.device = Some(Device::Expected(Thumbprint([1; 32]))));
    check(&expecting, None, false, OPENS);
    check(&expecting, None, true, ANONYMOUS);
}

/// A50: whoever plants bound cookies of other sessions, or older ones of this, hides none.
#[cfg(feature = "dbsc")]
#[test]
fn of_several_cookies_the_newest_of_the_session_counts() {
    let [own, other] = [SessionId::from_bytes([1; 16]), SessionId::from_bytes([2; 16])];
    let mut proofs = None;
    for (family, proved_at) in [(other, ago(1)), (own, ago(300)), (own, ago(200)), (own, ago(400)), (other, ago(2))] {
        Proofs::add(&mut proofs, BoundProof { family, proved_at });
    }
    let proofs = proofs.unwrap();
    assert_eq!(proofs.proved_at(&own), Some(ago(200)));
    assert_eq!(proofs.proved_at(&other), Some(ago(1)));
    assert_eq!(proofs.proved_at(&SessionId::from_bytes([3; 16])), None);
}

/// D05: the browser drops the cookie before the server refuses it.
#[cfg(feature = "dbsc")]
#[test]
fn a_browser_keeps_the_cookie_for_less_than_it_is_good() {
    for (lifetime, seconds) in [(600, 570), (900, 870), (300, 270), (299, 269), (200, 180), (10, 9), (1, 0)] {
        assert_eq!(max_age(Duration::from_secs(lifetime)), Duration::from_secs(seconds), "{lifetime}");
    }
}
