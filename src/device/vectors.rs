//! The frozen identifiers, challenges and proofs of `tests/vectors/device.json`: every release opens them, and makes the same.

use serde::Deserialize;

use super::{keys::DeviceKeys, proof::Proof, thumbprint::thumbprint};
use crate::{
    cookie::{CookieName, CookiePolicy, token::bound::BoundKeys},
    key::KeyRing,
    session::{
        bind::{Offer, Repetition},
        device::{DeviceKey, Thumbprint},
        id::{DeviceClaim, SessionId},
        present::BoundProof,
        prove::Challenge,
        tests::vectors::{array, bytes},
        time::Timestamp,
    },
};

#[derive(Deserialize)]
struct Vectors {
    identifiers: Vec<IdentifierCase>,
    offers: Vec<OfferCase>,
    challenges: Vec<ChallengeCase>,
    successors: Vec<SuccessorCase>,
    bound_cookies: Vec<BoundCookieCase>,
    proofs: Vec<ProofCase>,
}

#[derive(Deserialize)]
struct Context {
    key: String,
    cookie: String,
    audience: String,
    family: String,
}

#[derive(Deserialize)]
struct IdentifierCase {
    #[serde(flatten)]
    context: Context,
    identifier: String,
}

#[derive(Deserialize)]
struct OfferCase {
    #[serde(flatten)]
    context: Context,
    repeated: bool,
    now: u64,
    nonce: String,
    challenge: String,
}

#[derive(Deserialize)]
struct ChallengeCase {
    #[serde(flatten)]
    context: Context,
    device: String,
    thumbprint: String,
    sequence: u32,
    now: u64,
    nonce: String,
    challenge: String,
}

#[derive(Deserialize)]
struct SuccessorCase {
    #[serde(flatten)]
    context: Context,
    token: String,
    device: String,
    successor: String,
}

#[derive(Deserialize)]
struct BoundCookieCase {
    #[serde(flatten)]
    context: Context,
    proved_at: u64,
    nonce: String,
    value: String,
}

#[derive(Deserialize)]
struct ProofCase {
    device: String,
    proof: String,
    registers: bool,
    brings_the_key: bool,
    challenge: String,
    holds: bool,
}

impl Context {
    fn ring(&self) -> KeyRing {
        KeyRing::of_tests([bytes(&self.key)])
    }

    fn name(&self) -> CookieName {
        let policy = CookiePolicy::builder().whole_name(&*self.cookie);
        policy.build().unwrap().session_name().clone()
    }

    fn keys(&self) -> DeviceKeys {
        DeviceKeys::new(self.ring(), &self.name(), &self.audience)
    }

    fn family(&self) -> SessionId {
        SessionId::from_bytes(array(&self.family))
    }
}

fn vectors() -> Vectors {
    let file = include_str!("../../tests/vectors/device.json");
    serde_json::from_str(file).unwrap()
}

/// Where a second begins.
fn second(millis: u64) -> Timestamp {
    Timestamp::from_unix_seconds(millis / 1000)
}

#[test]
fn frozen_identifiers_open_and_are_made_again() {
    let cases = vectors().identifiers;
    assert_eq!(cases.len(), 2);
    for case in cases {
        let (keys, family) = (case.context.keys(), case.context.family());
        assert_eq!(keys.identifier(&family), case.identifier);
        let opened = keys.open_identifier(case.identifier.as_bytes());
        assert_eq!(opened, Some(DeviceClaim::new(family)));
    }
}

#[test]
fn frozen_offers_open_and_are_made_again() {
    let cases = vectors().offers;
    assert_eq!(cases.len(), 3);
    for case in cases {
        let (keys, family) = (case.context.keys(), case.context.family());
        let repetition = if case.repeated {
            Repetition::Repeated
        } else {
            Repetition::First
        };
        let now = Timestamp::from_unix_millis(case.now);
        let challenge = keys.offer(&family, repetition, now, array(&case.nonce));
        assert_eq!(challenge, case.challenge);
        let expected = Offer {
            session: DeviceClaim::new(family),
            repetition,
            offered_at: second(case.now),
        };
        assert_eq!(keys.open_offer(challenge.as_bytes()), Some(expected));
    }
}

#[test]
fn frozen_challenges_open_and_are_made_again() {
    let cases = vectors().challenges;
    assert_eq!(cases.len(), 3);
    for case in cases {
        let (keys, family) = (case.context.keys(), case.context.family());
        let key = thumbprint(&DeviceKey(array(&case.device)));
        assert_eq!(key, Thumbprint(array(&case.thumbprint)));
        let now = Timestamp::from_unix_millis(case.now);
        let nonce = array(&case.nonce);
        let challenge = keys.challenge(&family, &key, case.sequence, now, nonce);
        assert_eq!(challenge, case.challenge);
        let expected = Challenge {
            made_at: second(case.now),
            sequence: case.sequence,
        };
        let opened = keys.open_challenge(&family, &key, challenge.as_bytes());
        assert_eq!(opened, Some(expected));
    }
}

/// A node of another release may be asked for what this one has bound.
#[test]
fn frozen_successors_are_made_again() {
    let cases = vectors().successors;
    assert_eq!(cases.len(), 3);
    for case in cases {
        let (keys, family) = (case.context.keys(), case.context.family());
        let token = SessionId::from_bytes(array(&case.token));
        let key = thumbprint(&DeviceKey(array(&case.device)));
        let made: Vec<_> = keys.successors(&family, &token, &key).collect();
        assert_eq!(made, [SessionId::from_bytes(array(&case.successor))]);
    }
}

#[test]
fn frozen_bound_cookies_open_and_are_made_again() {
    let cases = vectors().bound_cookies;
    assert_eq!(cases.len(), 2);
    for case in cases {
        let context = case.context;
        let keys = BoundKeys::new(&context.ring(), &context.name(), &context.audience);
        let (family, proved_at) = (
            context.family(),
            Timestamp::from_unix_millis(case.proved_at),
        );
        let value = keys.seal_bound(&family, proved_at, array(&case.nonce));
        assert_eq!(value.as_str(), case.value);
        let expected = BoundProof {
            family,
            proved_at: second(case.proved_at),
        };
        let opened = keys.open_bound(case.value.as_bytes(), proved_at);
        assert_eq!(opened, Ok(expected));
    }
}

/// D03: an ECDSA of a few lines of Python agrees about each.
#[test]
fn frozen_proofs_hold_or_do_not() {
    let cases = vectors().proofs;
    assert_eq!(cases.len(), 5);
    for case in cases {
        let (field, key) = (case.proof.as_bytes(), DeviceKey(array(&case.device)));
        let proof = if case.registers {
            let (proof, brought) = Proof::of_registration(field, "").unwrap();
            assert_eq!(brought == key, case.brings_the_key);
            proof
        } else {
            Proof::of_refresh(field, "").unwrap()
        };
        assert_eq!(proof.challenge(), case.challenge.as_bytes());
        assert_eq!(proof.verify(&key).is_ok(), case.holds);
    }
}
