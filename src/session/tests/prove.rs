//! `prove`: a line for each state of a session and each proof.

use std::{cell::Cell, time::Duration};

use super::notation::{NOW, live};
use crate::session::{
    bind::TokenCame,
    device::{BoundDevice, Device, DeviceKey, Thumbprint},
    present::MAX_LIFETIME,
    prove::{Answer, Challenge, Proved, Refresh, RefreshRefused, prove},
    state::State,
    time::Timestamp,
};
use RefreshRefused::{Challenge as NotOurs, Malformed, NoSession, OtherSession, Signature};
use TokenCame::{None as NoneCame, Other, Own};

fn ago(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(NOW.as_unix_millis().wrapping_add_signed(-millis))
}

fn device(sequence: u32) -> BoundDevice {
    BoundDevice { sequence, last_proof_at: ago(600_000), ..BoundDevice::new(DeviceKey([1; 64]), ago(3_600_000)) }
}

/// A session that has accepted so many proofs.
fn bound(sequence: u32) -> Option<State> {
    let mut state = live("alice@1").unwrap().state;
    state.with_extra(|extra| extra.device = Some(Device::Bound(device(sequence))));
    Some(state)
}

fn unbound(device: Option<Device>) -> Option<State> {
    let mut state = live("alice@1").unwrap().state;
    state.with_extra(|extra| extra.device = device);
    Some(state)
}

/// What came.
#[derive(Clone, Copy)]
enum Came {
    Nothing,
    Junk,
    /// A proof of a challenge that is none of ours.
    Forged,
    /// A proof of a challenge of ours: its sequence, its age in milliseconds, and whether the signature holds.
    Proof(u32, i64, bool),
}
use Came::{Forged, Junk, Nothing, Proof};

const ASKS: Proved = Proved::Challenge;
const AGAIN: Proved = Proved::Again;

/// Counted: so many proofs by now.
fn counts(sequence: u32) -> Proved {
    Proved::Count(BoundDevice { sequence, last_proof_at: NOW, ..device(0) })
}

const fn refused(why: RefreshRefused) -> Proved {
    Proved::Refused(why)
}

#[track_caller]
fn check_with(session: &Option<State>, token: TokenCame, came: Came, counts: bool, expected: Proved) {
    let asked = Cell::new(false);
    let signed = matches!(came, Proof(_, _, true));
    let is_signed = || { asked.set(true); signed };
    let is_signed: &dyn Fn() -> bool = &is_signed;
    let answer = match came {
        Nothing => Answer::Missing,
        Junk => Answer::Malformed,
        Forged => Answer::Came { challenge: None, is_signed },
        Proof(sequence, age, _) => Answer::Came { challenge: Some(Challenge { made_at: ago(age), sequence }), is_signed },
    };
    let found = prove(&Refresh { session: session.as_ref(), token, answer, counts, now: NOW });
    assert_eq!(found, expected);
    // A signature is verified if all else is good, and not before.
    let is_last = matches!(expected, Proved::Count(_) | Proved::Again | Proved::Uncounted | Proved::Refused(Signature));
    assert_eq!(asked.get(), is_last);
}

#[track_caller]
fn check(session: &Option<State>, token: TokenCame, came: Came, expected: Proved) {
    check_with(session, token, came, true, expected);
}

/// D05, D06, D10, D13, A51.
#[test]
fn a_refresh_with_a_store() {
    //    session         token     what came                        becomes
    check(&bound(7),      NoneCame, Nothing,                         ASKS);
    check(&bound(7),      Own,      Nothing,                         ASKS);
    check(&bound(7),      NoneCame, Proof(7, 0, true),               counts(8));
    check(&bound(7),      Own,      Proof(7, 0, true),               counts(8));
    check(&bound(0),      NoneCame, Proof(0, 600_000, true),         counts(1));
    // The answer was lost: the same proof again, and for as long as no other came.
    check(&bound(8),      NoneCame, Proof(7, 600_000, true),         AGAIN);
    check(&bound(8),      NoneCame, Proof(7, 600_000, false),        refused(Signature));
    // Used twice, or never to be used.
    check(&bound(9),      NoneCame, Proof(7, 0, true),               ASKS);
    check(&bound(9),      NoneCame, Proof(7, 0, false),              ASKS);
    check(&bound(7),      NoneCame, Proof(8, 0, true),               ASKS);
    check(&bound(0),      NoneCame, Proof(1, 0, true),               ASKS);
    // The count goes round.
    check(&bound(u32::MAX), NoneCame, Proof(u32::MAX, 0, true),      counts(0));
    check(&bound(0),      NoneCame, Proof(u32::MAX, 0, true),        AGAIN);
    // Too old, and from a clock that no honest server has.
    check(&bound(7),      NoneCame, Proof(7, 1_200_000, true),       counts(8));
    check(&bound(7),      NoneCame, Proof(7, 1_200_001, true),       ASKS);
    check(&bound(7),      NoneCame, Proof(7, 1_200_001, false),      ASKS);
    check(&bound(8),      NoneCame, Proof(7, 1_200_001, true),       ASKS);
    check(&bound(7),      NoneCame, Proof(7, -60_000, true),         counts(8));
    check(&bound(7),      NoneCame, Proof(7, -60_001, true),         ASKS);
    // Not this device.
    check(&bound(7),      NoneCame, Proof(7, 0, false),              refused(Signature));
    check(&bound(7),      Own,      Proof(7, 0, false),              refused(Signature));
    check(&bound(7),      NoneCame, Forged,                          refused(NotOurs));
    check(&bound(7),      NoneCame, Junk,                            refused(Malformed));
    // Another session's token would seem to be served by the refreshed cookie.
    check(&bound(7),      Other,    Proof(7, 0, true),               refused(OtherSession));
    check(&bound(7),      Other,    Nothing,                         refused(OtherSession));
    // Ended, or never bound: alike, whatever came.
    check(&None,          NoneCame, Nothing,                         refused(NoSession));
    check(&None,          NoneCame, Junk,                            refused(NoSession));
    check(&None,          NoneCame, Forged,                          refused(NoSession));
    check(&None,          Other,    Nothing,                         refused(NoSession));
    check(&unbound(None), Own,      Nothing,                         refused(NoSession));
    check(&unbound(None), Own,      Forged,                          refused(NoSession));
    let expecting = unbound(Some(Device::Expected(Thumbprint([1; 32]))));
    check(&expecting,     Own,      Nothing,                         refused(NoSession));
}

/// D05: without a store a challenge is good for its time, however often.
#[test]
fn a_refresh_without_a_store() {
    let check = |came, expected| check_with(&bound(0), Own, came, false, expected);
    check(Nothing,                    ASKS);
    check(Proof(0, 0, true),          Proved::Uncounted);
    check(Proof(0, 1_200_000, true),  Proved::Uncounted);
    check(Proof(0, 1_200_001, true),  ASKS);
    check(Proof(1, 0, true),          ASKS);
    check(Proof(0, 0, false),         refused(Signature));
    check(Forged,                     refused(NotOurs));
}

/// A clock that goes back makes no proof older than it was.
#[test]
fn the_time_of_the_last_proof_never_falls() {
    let mut state = bound(7).unwrap();
    let ahead = NOW.after(Duration::from_secs(30));
    let device = BoundDevice { last_proof_at: ahead, ..device(7) };
    state.with_extra(|extra| extra.device = Some(Device::Bound(device)));
    let answer = Answer::Came { challenge: Some(Challenge { made_at: NOW, sequence: 7 }), is_signed: &|| true };
    let found = prove(&Refresh { session: Some(&state), token: NoneCame, answer, counts: true, now: NOW });
    assert_eq!(found, Proved::Count(BoundDevice { sequence: 8, ..device }));
}

/// D05: a browser may answer the challenge that came with the cookie that is over by now.
#[test]
fn a_challenge_outlives_the_longest_bound_cookie() {
    let life = MAX_LIFETIME.as_millis() as i64;
    check(&bound(7), NoneCame, Proof(7, life + 60_000, true), counts(8));
}

#[test]
fn every_cause_has_a_name_of_its_own() {
    let causes = [NoSession, OtherSession, Malformed, NotOurs, Signature];
    let names: std::collections::BTreeSet<_> = causes.map(RefreshRefused::as_str).into();
    assert_eq!(names.len(), causes.len());
}
