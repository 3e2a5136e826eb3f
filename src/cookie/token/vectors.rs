//! The frozen tokens of `tests/vectors/tokens.json`: every release opens them, and issues the same.

use serde::Deserialize;

use super::{Opened, SelfContained, TokenKeys};
use crate::{
    cookie::{CookieKind, CookiePolicy},
    key::{KeyRing, LABEL, Mac},
    session::{
        id::{Secret, SessionId},
        live::Signature,
        tests::vectors::{StateCase, array, bytes},
        time::Timestamp,
    },
};

#[derive(Deserialize)]
struct Vectors {
    keys: Vec<KeyCase>,
    derived: Vec<DerivedCase>,
    reference: Vec<ReferenceCase>,
    self_contained: Vec<SelfContainedCase>,
    self_contained_3: Vec<SelfContainedCase>,
}

#[derive(Deserialize)]
struct KeyCase {
    key: String,
    id: String,
}

#[derive(Deserialize)]
struct DerivedCase {
    key: String,
    version: u8,
    cookie: String,
    audience: String,
    derived: String,
}

#[derive(Deserialize)]
struct ReferenceCase {
    key: String,
    cookie: String,
    audience: String,
    session_id: String,
    secret: String,
    absolute_expiry: u64,
    token: String,
}

#[derive(Deserialize)]
struct SelfContainedCase {
    key: String,
    cookie: String,
    audience: String,
    session_id: String,
    state: StateCase,
    encoded_state: String,
    token: String,
}

fn vectors() -> Vectors {
    let file = include_str!("../../../tests/vectors/tokens.json");
    serde_json::from_str(file).unwrap()
}

fn keys(key: &str, cookie: &str, audience: &str) -> (TokenKeys, CookieKind) {
    let (session, kind) = match cookie.strip_suffix("-guest") {
        Some(session) => (session, CookieKind::Guest),
        None => (cookie, CookieKind::Session),
    };
    let policy = CookiePolicy::builder().whole_name(session).build().unwrap();
    let ring = KeyRing::of_tests([bytes(key)]);
    (TokenKeys::new(ring, &policy, audience), kind)
}

#[test]
fn key_ids_are_what_they_were() {
    for case in vectors().keys {
        let ring = KeyRing::of_tests([bytes(&case.key)]);
        assert_eq!(ring.key_ids()[0].to_string(), case.id);
    }
}

#[test]
fn derived_keys_are_what_they_were() {
    for case in vectors().derived {
        let parts = [
            LABEL,
            &[case.version],
            case.cookie.as_bytes(),
            case.audience.as_bytes(),
        ];
        let derived = Mac::new(&bytes(&case.key)).tag_parts(&parts);
        assert_eq!(derived[..], bytes(&case.derived));
    }
}

#[test]
fn frozen_reference_tokens_open_and_are_issued_again() {
    let cases = vectors().reference;
    assert_eq!(cases.len(), 4);
    for case in cases {
        let (keys, kind) = keys(&case.key, &case.cookie, &case.audience);
        let id = SessionId::from_bytes(array(&case.session_id));
        let secret = Secret::from_bytes(array(&case.secret));
        let expiry = Timestamp::from_unix_millis(case.absolute_expiry);
        let token = keys.seal_reference(kind, &id, &secret, expiry);
        assert_eq!(token.as_str(), case.token);

        let now = Timestamp::from_unix_millis(1_790_000_000_000);
        let opened = keys
            .open_reference(kind, case.token.as_bytes(), now)
            .unwrap();
        assert_eq!(opened.value.id(), &id);
        assert_eq!(opened.value.secret().as_bytes(), secret.as_bytes());
        assert!(opened.signature == Signature::Current);
    }
}

#[test]
fn frozen_self_contained_tokens_open_and_are_issued_again() {
    let (before, now) = (vectors().self_contained, vectors().self_contained_3);
    assert_eq!((before.len(), now.len()), (4, 7));
    let before = before.into_iter().map(|case| (case, false));
    let now = now.into_iter().map(|case| (case, true));
    for (case, is_issued) in before.chain(now) {
        let (keys, kind) = keys(&case.key, &case.cookie, &case.audience);
        let id = SessionId::from_bytes(array(&case.session_id));
        let state = case.state.state();
        let mut encoded = Vec::new();
        state.encode_into(&mut encoded);
        assert_eq!(encoded, bytes(&case.encoded_state));
        let token = keys.seal_self_contained(kind, &id, &state).unwrap();
        // Those of version 2 open, and what is issued is of version 3.
        assert_eq!(token.as_str() == case.token, is_issued);

        let now = state.last_seen_at;
        let opened = keys.open_self_contained(kind, case.token.as_bytes(), now);
        let expected = Opened {
            value: SelfContained { id, state },
            signature: Signature::Current,
        };
        assert_eq!(opened, Ok(expected));
    }
}
