//! `register` and `offers`: a line for each state of a session and each way to come.

use std::cell::Cell;

use super::notation::{NOW, live};
use crate::session::{
    bind::{Offer, Offering, Registered, Registration, RegistrationRefused, Repetition, TokenCame, offers, register},
    device::{BoundDevice, Device, DeviceKey, Thumbprint},
    id::{DeviceClaim, SessionId},
    state::State,
    time::Timestamp,
};
use RegistrationRefused::{Challenge, Late, NoSession, NoToken, OtherKey, OtherSession, Signature, UnexpectedKey};
use Repetition::{First, Repeated};
use TokenCame::{None as NoneCame, Other, Own};

const KEY: DeviceKey = DeviceKey([1; 64]);
const THUMBPRINT: Thumbprint = Thumbprint([2; 32]);
const OTHERS_KEY: DeviceKey = DeviceKey([3; 64]);
const OTHERS_THUMBPRINT: Thumbprint = Thumbprint([4; 32]);

fn ago(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(NOW.as_unix_millis().wrapping_add_signed(-millis))
}

/// An offer of so many milliseconds ago.
fn offer(repetition: Repetition, age: i64) -> Option<Offer> {
    let session = DeviceClaim::new(SessionId::from_bytes([5; 16]));
    Some(Offer { session, repetition, offered_at: ago(age) })
}

/// A session: `-` ended, `guest`, `open` unbound, `mine` and `others` bound, `for me` and `for another` expecting a key; with
/// `, replaced` a token that the binding to another key has replaced.
fn session(kind: &str) -> Option<State> {
    let mut state = live(if kind == "guest" { "guest" } else { "alice@1" }).unwrap().state;
    let bound = |key| Some(Device::Bound(BoundDevice { sequence: 9, ..BoundDevice::new(key, ago(3_000)) }));
    let device = match kind {
        "-" => return None,
        "guest" | "open" => None,
        "mine" => bound(KEY),
        "others" => bound(OTHERS_KEY),
        "for me" => Some(Device::Expected(THUMBPRINT)),
        "for another" => Some(Device::Expected(OTHERS_THUMBPRINT)),
        _ => panic!("{kind}"),
    };
    state.with_extra(|extra| extra.device = device);
    Some(state)
}

const BINDS: Registered = Registered::Bind(BoundDevice::new(KEY, NOW));
const AGAIN: Registered = Registered::Again;

const fn refused(why: RegistrationRefused) -> Registered {
    Registered::Refused(why)
}

/// The signature is asked for if all else is good, and not before.
#[track_caller]
fn check(offer: Option<Offer>, token: TokenCame, kind: &str, signed: bool, expected: Registered) {
    let asked = Cell::new(false);
    let is_signed = || { asked.set(true); signed };
    let session = session(kind.trim_end_matches(", replaced"));
    let is_bound_elsewhere = kind.ends_with(", replaced");
    let found = register(&Registration {
        offer, token, session: session.as_ref(), is_bound_elsewhere, key: KEY, thumbprint: THUMBPRINT, is_signed: &is_signed, now: NOW,
    });
    assert_eq!(found, expected);
    assert_eq!(asked.get(), !matches!(expected, Registered::Refused(why) if why != Signature));
}

/// D02, D13, A50, A51.
#[test]
fn a_registration_binds_an_unbound_session_once() {
    //    offer                    token     session        signed  becomes
    check(offer(First, 0),         NoneCame, "open",        true,   BINDS);
    check(offer(First, 0),         Own,      "open",        true,   BINDS);
    check(offer(First, 0),         Other,    "open",        true,   refused(OtherSession));
    check(offer(First, 59_999),    NoneCame, "open",        true,   BINDS);
    check(offer(First, 60_000),    NoneCame, "open",        true,   refused(Late));
    check(offer(First, -60_000),   NoneCame, "open",        true,   BINDS);
    check(offer(First, -60_001),   NoneCame, "open",        true,   refused(Late));
    check(offer(Repeated, 0),      Own,      "open",        true,   BINDS);
    check(offer(Repeated, 0),      NoneCame, "open",        true,   refused(NoToken));
    check(offer(Repeated, 0),      Other,    "open",        true,   refused(OtherSession));
    check(offer(Repeated, 60_000), Own,      "open",        true,   refused(Late));
    check(None,                    Own,      "open",        true,   refused(Challenge));
    check(offer(First, 0),         NoneCame, "open",        false,  refused(Signature));
    check(offer(First, 0),         NoneCame, "-",           true,   refused(NoSession));
    check(offer(First, 0),         NoneCame, "guest",       true,   refused(NoSession));
    // Its answer was lost, or the first one is under way.
    check(offer(First, 40),        NoneCame, "mine",        true,   AGAIN);
    check(offer(First, 40),        Own,      "mine",        true,   AGAIN);
    check(offer(Repeated, 40),     Own,      "mine",        true,   AGAIN);
    check(offer(First, 40),        NoneCame, "mine",        false,  refused(Signature));
    check(offer(First, 60_000),    Own,      "mine",        true,   refused(Late));
    check(offer(First, 40),        Other,    "mine",        true,   refused(OtherSession));
    check(offer(Repeated, 40),     NoneCame, "mine",        true,   refused(NoToken));
    // Never another key, whoever brings it.
    check(offer(First, 40),        NoneCame, "others",      true,   refused(OtherKey));
    check(offer(First, 40),        Own,      "others",      true,   refused(OtherKey));
    check(offer(Repeated, 40),     Own,      "others",      true,   refused(OtherKey));
    // A self-contained token that a binding to another key has replaced.
    check(offer(First, 40),        Own,      "open, replaced",   true, refused(OtherKey));
    check(offer(Repeated, 40),     Own,      "for me, replaced", true, refused(OtherKey));
    // The login named the key.
    check(offer(First, 0),         NoneCame, "for me",      true,   BINDS);
    check(offer(First, 0),         NoneCame, "for me",      false,  refused(Signature));
    check(offer(First, 0),         NoneCame, "for another", true,   refused(UnexpectedKey));
    check(offer(Repeated, 0),      Own,      "for another", true,   refused(UnexpectedKey));
}

#[track_caller]
fn offered(kind: &str, age: i64, logs_in: bool, has_token: bool, is_same_origin: bool, expected: Option<Repetition>) {
    let mut state = session(kind).unwrap();
    state.created_at = ago(age);
    let found = offers(&Offering { state: &state, logs_in, has_token, is_same_origin, now: NOW });
    assert_eq!(found, expected);
}

/// D01: at the login, whoever led to it, then to our own pages only, and never to a guest or a bound session.
#[test]
fn a_registration_is_offered_at_the_login_and_for_ten_minutes_to_our_own_pages() {
    //      session        age       logs in  token  same origin
    offered("open",        0,        true,    true,  true,  Some(First));
    offered("open",        0,        true,    true,  false, Some(First));
    offered("for me",      0,        true,    true,  false, Some(First));
    offered("guest",       0,        true,    true,  true,  None);
    offered("mine",        0,        true,    true,  true,  None);
    offered("open",        0,        false,   true,  true,  Some(Repeated));
    offered("open",        599_999,  false,   true,  true,  Some(Repeated));
    offered("open",        600_000,  false,   true,  true,  None);
    offered("open",        -60_000,  false,   true,  true,  Some(Repeated));
    offered("open",        -60_001,  false,   true,  true,  None);
    offered("open",        1_000,    false,   true,  false, None);
    offered("for another", 1_000,    false,   true,  true,  Some(Repeated));
    offered("guest",       1_000,    false,   true,  true,  None);
    offered("mine",        1_000,    false,   true,  true,  None);
    // A token that was replaced, which the present holder of the session may not be the bearer of.
    offered("open",        1_000,    false,   false, true,  None);
    offered("open",        0,        true,    false, true,  None);
}

#[test]
fn every_cause_has_a_name_of_its_own() {
    let causes = [Challenge, Late, NoSession, OtherSession, NoToken, OtherKey, UnexpectedKey, Signature];
    let names: std::collections::BTreeSet<_> = causes.map(RegistrationRefused::as_str).into();
    assert_eq!(names.len(), causes.len());
}
