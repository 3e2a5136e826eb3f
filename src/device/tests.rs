//! Identifiers, offers and challenges: one spelling, one purpose, one name, one audience, and the ring that they follow.

use std::time::Duration;

use proptest::{prelude::any, proptest, sample::Index, test_runner::Config};

use super::{
    keys::DeviceKeys,
    samples::{NOW, keys_of},
    thumbprint::thumbprint,
};
use crate::{
    key::KeyRing,
    session::{
        bind::Repetition,
        device::{DeviceKey, Thumbprint},
        id::SessionId,
        time::Timestamp,
    },
};

const FAMILY: SessionId = SessionId::from_bytes(*b"0123456789abcdef");
const OTHER: SessionId = SessionId::from_bytes(*b"0123456789abcdeg");

fn ring(seed: u8) -> KeyRing {
    KeyRing::of_tests([[seed; 32]])
}

fn keys() -> DeviceKeys {
    keys_of(ring(1), "sid", "")
}

fn device() -> Thumbprint {
    thumbprint(&DeviceKey([9; 64]))
}

/// One of each kind, for `FAMILY`.
fn sealed(keys: &DeviceKeys) -> [String; 4] {
    [
        keys.identifier(&FAMILY),
        keys.offer(&FAMILY, Repetition::First, NOW, [1; 8]),
        keys.offer(&FAMILY, Repetition::Repeated, NOW, [1; 8]),
        keys.challenge(&FAMILY, &device(), 7, NOW, [1; 8]),
    ]
}

/// Whether a text opens as an identifier, as a first offer, as a repeated one and as a challenge of `FAMILY` and its key.
fn opens(keys: &DeviceKeys, text: &[u8]) -> [bool; 4] {
    let offer = keys.open_offer(text).map(|offer| offer.repetition);
    [
        keys.open_identifier(text).is_some(),
        offer == Some(Repetition::First),
        offer == Some(Repetition::Repeated),
        keys.open_challenge(&FAMILY, &device(), text).is_some(),
    ]
}

/// R22, A51: each is worth something for its own purpose only.
#[test]
fn what_is_sealed_for_one_purpose_is_nothing_for_another() {
    let keys = keys();
    for (kind, text) in sealed(&keys).iter().enumerate() {
        let mut expected = [false; 4];
        expected[kind] = true;
        assert_eq!(opens(&keys, text.as_bytes()), expected, "{kind}");
        assert_eq!(text.len(), [64, 80, 80, 64][kind]);
    }
    // The same bytes under two purposes.
    let [_, first, repeated, _] = sealed(&keys);
    assert_eq!(first[..37], repeated[..37]);
    assert_ne!(first, repeated);
}

/// R21, R25: every character counts, and nothing else is taken for one.
#[test]
fn what_is_sealed_has_one_spelling() {
    let keys = keys();
    for text in sealed(&keys) {
        let text = text.as_bytes();
        for at in 0..text.len() {
            for byte in [
                b'A', b'B', b'_', b'-', b'+', b'/', b'=', b' ', 0, 0x80, 0xFF,
            ] {
                let mut changed = text.to_vec();
                changed[at] = byte;
                let is_same = changed == text;
                assert_eq!(opens(&keys, &changed) != [false; 4], is_same, "{at} {byte}");
            }
        }
        for other in [
            &text[1..],
            &text[..text.len() - 1],
            &[text, b"A"].concat(),
            &[text, b"="].concat(),
            &[b"\"", text, b"\""].concat(),
            &[],
        ] {
            assert_eq!(opens(&keys, other), [false; 4]);
        }
    }
}

/// R22: another cookie's name, another application, another ring.
#[test]
fn what_is_sealed_opens_under_its_own_name_audience_and_ring_only() {
    let own = keys_of(ring(1), "a", "x");
    for (other, same) in [
        (keys_of(ring(1), "a", "x"), true),
        (keys_of(ring(1), "b", "x"), false),
        (keys_of(ring(1), "a", "y"), false),
        (keys_of(ring(2), "a", "x"), false),
        (keys_of(ring(1), "ax", ""), false),
    ] {
        for text in sealed(&own) {
            assert_eq!(opens(&other, text.as_bytes()) != [false; 4], same);
        }
    }
}

/// D05, A51: a challenge is for one session and one key.
#[test]
fn a_challenge_of_another_session_or_key_is_none_of_this_one() {
    let keys = keys();
    let challenge = keys.challenge(&FAMILY, &device(), 7, NOW, [1; 8]);
    let open = |family, key: Thumbprint| keys.open_challenge(family, &key, challenge.as_bytes());
    let opened = open(&FAMILY, device()).unwrap();
    assert_eq!((opened.sequence, opened.made_at), (7, NOW));
    assert_eq!(open(&OTHER, device()), None);
    let other = thumbprint(&DeviceKey([8; 64]));
    assert_eq!(open(&FAMILY, other), None);
    let again = keys.challenge(&FAMILY, &device(), 7, NOW, [2; 8]);
    assert_ne!(challenge, again);
}

/// R26: what a browser holds goes on as the ring rolls over, and dies with its key.
#[test]
fn what_is_sealed_follows_the_ring() {
    let (old, new) = ([1; 32], [2; 32]);
    let ring = KeyRing::of_tests([old]);
    let keys = keys_of(ring.clone(), "sid", "");
    let before = sealed(&keys);
    let all_open = |texts: &[String; 4]| {
        let opened = texts
            .iter()
            .map(|text| opens(&keys, text.as_bytes()) != [false; 4]);
        opened.collect::<Vec<_>>()
    };
    for (keys_then, old_opens) in [(&[new, old][..], true), (&[new], false)] {
        ring.replace(&KeyRing::of_tests(keys_then));
        assert_eq!(all_open(&before), [old_opens; 4]);
        let after = sealed(&keys);
        assert_eq!(all_open(&after), [true; 4]);
        assert!(before.iter().all(|text| !after.contains(text)));
    }
}

#[test]
fn a_clock_beyond_the_format_saturates() {
    let keys = keys();
    let far = Timestamp::from_unix_millis(u64::MAX);
    let offer = keys.offer(&FAMILY, Repetition::First, far, [1; 8]);
    let last = Timestamp::from_unix_seconds(u32::MAX.into());
    assert_eq!(keys.open_offer(offer.as_bytes()).unwrap().offered_at, last);
    let challenge = keys.challenge(&FAMILY, &device(), 0, far, [1; 8]);
    let opened = keys.open_challenge(&FAMILY, &device(), challenge.as_bytes());
    assert_eq!(opened.unwrap().made_at, last);
}

/// R31.
#[test]
fn keys_never_print() {
    assert!(format!("{:?}", keys()).contains("REDACTED"));
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(300) })]

    #[test]
    fn whatever_is_sealed_is_read_back(family in any::<[u8; 16]>(), key in any::<[u8; 32]>(),
        sequence in any::<u32>(), seconds in any::<u32>(), nonce in any::<[u8; 8]>(), at in any::<Index>(), bit in 0..8_u8) {
        let keys = keys();
        let (family, key) = (SessionId::from_bytes(family), Thumbprint(key));
        let now = Timestamp::from_unix_seconds(seconds.into());
        assert_eq!(keys.open_identifier(keys.identifier(&family).as_bytes()).unwrap().family(), &family);
        for repetition in [Repetition::First, Repetition::Repeated] {
            let later = now.after(Duration::from_millis(999));
            let offer = keys.open_offer(keys.offer(&family, repetition, later, nonce).as_bytes()).unwrap();
            assert_eq!((*offer.session.family(), offer.repetition, offer.offered_at), (family, repetition, now));
        }
        let challenge = keys.challenge(&family, &key, sequence, now, nonce);
        let opened = keys.open_challenge(&family, &key, challenge.as_bytes()).unwrap();
        assert_eq!((opened.made_at, opened.sequence), (now, sequence));
        let mut changed = challenge.into_bytes();
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        assert_eq!(keys.open_challenge(&family, &key, &changed), None);
    }
}

/// D13, A50: a successor follows from the session, the token and the key, under each key of the ring, and keeps the lineage.
#[test]
fn a_successor_belongs_to_one_session_token_and_key() {
    let keys = keys();
    let first = |family, token, key: &Thumbprint| keys.successors(family, token, key).next();
    let own = first(&FAMILY, &FAMILY, &device()).unwrap();
    assert_eq!(own.lineage(), FAMILY.lineage());
    assert_eq!(first(&FAMILY, &FAMILY, &device()), Some(own));
    let other_key = thumbprint(&DeviceKey([8; 64]));
    for other in [
        first(&OTHER, &FAMILY, &device()),
        first(&FAMILY, &OTHER, &device()),
        first(&FAMILY, &FAMILY, &other_key),
        keys_of(ring(1), "other", "")
            .successors(&FAMILY, &FAMILY, &device())
            .next(),
        keys_of(ring(1), "sid", "shop")
            .successors(&FAMILY, &FAMILY, &device())
            .next(),
    ] {
        assert_ne!(other, Some(own));
    }
    let rolled = keys_of(KeyRing::of_tests([[2; 32], [1; 32]]), "sid", "");
    let rolled: Vec<_> = rolled.successors(&FAMILY, &FAMILY, &device()).collect();
    assert_eq!((rolled.len(), rolled[1]), (2, own));
}
