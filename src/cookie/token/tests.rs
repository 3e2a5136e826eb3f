use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use smol_str::SmolStr;

use super::{
    Opened, REFERENCE, Rejected, SELF_CONTAINED, SELF_CONTAINED_V1, SelfContained, Token,
    TokenKeys,
    self_contained::TooLarge,
    size::{BEFORE, MAX_BYTES_WITHOUT_DATA},
};
use crate::{
    cookie::{CookieKind, CookiePolicy},
    key::{KeyRing, TAG_LEN},
    session::{
        authentication::{AssuranceLevel, Authentication, Elevation, Subject},
        binding,
        device::{BoundDevice, Device, DeviceKey},
        entries::{Entries, Entry, Keep},
        extra::{Extra, Limits, MAX_ACR_LEN, MAX_TAGS},
        id::{Claim, Secret, SessionId},
        index::TagDigest,
        live::Signature,
        mark::Login,
        methods::Methods,
        own_session::OwnSession,
        policy::SessionPolicy,
        state::{EVERY, State},
        time::Timestamp,
    },
};
use CookieKind::{Guest, Session};

const NOW: Timestamp = Timestamp::from_unix_millis(1_790_000_000_000);
const ID: SessionId = SessionId::from_bytes(*b"0123456789abcdef");
const OTHER_SPELLINGS: &[u8] = b"=+/%\"' ,;.~\0\t\n\x7F\x80\xFF";

fn ring(seed: u8) -> KeyRing {
    let key: Vec<u8> = (seed..seed + 32).collect();
    KeyRing::of_tests([key])
}

fn whole_name(name: &str) -> CookiePolicy {
    CookiePolicy::builder().whole_name(name).build().unwrap()
}

fn keys() -> TokenKeys {
    TokenKeys::new(ring(0), &CookiePolicy::default(), "")
}

fn reference(keys: &TokenKeys, kind: CookieKind) -> Token {
    let secret = Secret::from_bytes([7; 16]);
    keys.seal_reference(kind, &ID, &secret, NOW.after(Duration::from_secs(60)))
}

fn guest() -> State {
    State {
        authentication: None,
        created_at: NOW,
        last_seen_at: NOW,
        rotated_at: NOW,
        absolute_expiry: NOW.after(Duration::from_secs(60)),
        persistent: false,
        label: None,
        binding: Box::default(),
        extra: None,
        entries: Entries::default(),
    }
}

fn logged_in() -> State {
    State {
        authentication: Some(Authentication {
            subject: Subject::from("alice"),
            level: AssuranceLevel::AAL1,
            authenticated_at: NOW,
            elevation: None,
        }),
        ..guest()
    }
}

fn state(kind: CookieKind) -> State {
    match kind {
        Guest => guest(),
        Session => logged_in(),
    }
}

fn self_contained(keys: &TokenKeys, kind: CookieKind) -> Token {
    keys.seal_self_contained(kind, &ID, &state(kind)).unwrap()
}

fn rejected<T>(opened: Result<Opened<T>, Rejected>) -> Option<Rejected> {
    opened.err()
}

/// A token of any content that our keys sign.
fn signed(keys: &TokenKeys, kind: CookieKind, version: u8, body: &[u8]) -> Token {
    let current = keys.keys.current();
    let (key_id, macs) = current.first();
    let macs = macs.of(kind);
    let mac = match version {
        REFERENCE => &macs.reference,
        _ => &macs.self_contained,
    };
    let mut bytes = [&[version], &key_id.as_bytes()[..], body].concat();
    bytes.extend_from_slice(&mac.tag(&bytes));
    Token::encode(&bytes)
}

// R21, R25, A32
#[test]
fn a_token_has_one_spelling() {
    fn check(token: &Token, open: impl Fn(&[u8]) -> Option<Rejected>) {
        let value = token.as_str().as_bytes();
        assert_eq!(open(value), None);
        for position in 0..value.len() {
            for byte in 0..=u8::MAX {
                let mut changed = value.to_vec();
                changed[position] = byte;
                assert_eq!(
                    open(&changed).is_none(),
                    changed == value,
                    "{position} {byte}"
                );
            }
        }
        for byte in OTHER_SPELLINGS.iter().chain(value) {
            for longer in [[value, &[*byte]].concat(), [&[*byte], value].concat()] {
                assert!(open(&longer).is_some());
            }
        }
        for len in 0..value.len() {
            assert!(open(&value[..len]).is_some());
        }
        for odd in [
            format!("\"{}\"", token.as_str()),
            token.as_str().to_uppercase(),
            token.as_str().to_lowercase(),
            token.as_str().replacen('-', "%2D", 1),
            format!("{}==", token.as_str()),
        ] {
            assert!(
                odd == token.as_str() || open(odd.as_bytes()).is_some(),
                "{odd}"
            );
        }
    }
    let keys = keys();
    for kind in [Guest, Session] {
        check(&reference(&keys, kind), |value| {
            rejected(keys.open_reference(kind, value, NOW))
        });
        check(&self_contained(&keys, kind), |value| {
            rejected(keys.open_self_contained(kind, value, NOW))
        });
    }
}

// R21
#[test]
fn every_bit_of_a_token_is_vouched_for() {
    let keys = keys();
    for (kind, token) in [
        (Session, reference(&keys, Session)),
        (Guest, self_contained(&keys, Guest)),
    ] {
        let bytes = {
            let mut bytes = [0; 3072];
            super::decode(token.as_str().as_bytes(), &mut bytes)
                .unwrap()
                .to_vec()
        };
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let token = Token::encode(&flipped);
            let value = token.as_str().as_bytes();
            let cause = match bit / 8 {
                // Another version that opens is vouched for like the rest.
                0 if kind == Guest && flipped[0] == SELF_CONTAINED_V1 => Rejected::Forged,
                0 => Rejected::Malformed,
                1..4 => Rejected::UnknownKey,
                _ => Rejected::Forged,
            };
            let opened = match kind {
                Session => rejected(keys.open_reference(kind, value, NOW)),
                Guest => rejected(keys.open_self_contained(kind, value, NOW)),
            };
            assert_eq!(opened, Some(cause), "{bit}");
        }
    }
}

// R22, R08, A31
#[test]
fn a_token_opens_under_its_own_name_audience_and_ring_only() {
    #[track_caller]
    fn check(seal: (&str, CookieKind, &str, u8), open: (&str, CookieKind, &str, u8), opens: bool) {
        let keys = |(name, _, audience, seed): (&str, CookieKind, &str, u8)| {
            TokenKeys::new(ring(seed), &whole_name(name), audience)
        };
        let (sealer, opener) = (keys(seal), keys(open));
        let refused = (!opens).then_some(match seal.3 == open.3 {
            true => Rejected::Forged,
            false => Rejected::UnknownKey,
        });
        let token = reference(&sealer, seal.1);
        let opened = opener.open_reference(open.1, token.as_str().as_bytes(), NOW);
        assert_eq!(rejected(opened), refused);
        let token = self_contained(&sealer, seal.1);
        let opened = opener.open_self_contained(open.1, token.as_str().as_bytes(), NOW);
        assert_eq!(rejected(opened), refused);
    }
    let own = ("a", Session, "x", 0);
    check(own, own, true);
    check(own, ("b", Session, "x", 0), false);
    check(own, ("a", Guest, "x", 0), false);
    check(("a", Guest, "x", 0), own, false);
    check(own, ("a", Session, "y", 0), false);
    check(own, ("a", Session, "", 0), false);
    check(own, ("a", Session, "x", 1), false);
    // R23
    check(("ab", Session, "c", 0), ("a", Session, "bc", 0), false);
    check(("a", Session, "bc", 0), ("ab", Session, "c", 0), false);
}

// R22, A33
#[test]
fn a_token_opens_in_its_own_version_only() {
    let keys = keys();
    let body = [&ID.as_bytes()[..], &[7; 16], &[0xFF; 4]].concat();
    let token = signed(&keys, Session, REFERENCE, &body);
    assert!(
        keys.open_reference(Session, token.as_str().as_bytes(), NOW)
            .is_ok()
    );
    // The other version's key, or another version, over the same bytes.
    for version in [0, 2, SELF_CONTAINED, 4, 0xFF] {
        let token = signed(&keys, Session, version, &body);
        let value = token.as_str().as_bytes();
        let opened = keys.open_reference(Session, value, NOW);
        assert_eq!(rejected(opened), Some(Rejected::Malformed));
    }
    let reference = reference(&keys, Session);
    let opened = keys.open_self_contained(Session, reference.as_str().as_bytes(), NOW);
    assert_eq!(rejected(opened), Some(Rejected::Malformed));
}

// R08
#[test]
fn a_signed_session_of_the_other_kind_is_refused() {
    let keys = keys();
    for (kind, other) in [(Guest, Session), (Session, Guest)] {
        let mut body = [&ID.as_bytes()[..], &NOW.as_unix_millis().to_be_bytes()[2..]].concat();
        state(other).encode_into(&mut body);
        let token = signed(&keys, kind, SELF_CONTAINED, &body);
        let opened = keys.open_self_contained(kind, token.as_str().as_bytes(), NOW);
        assert_eq!(rejected(opened), Some(Rejected::Malformed));
    }
}

#[test]
fn a_signed_state_that_is_damaged_is_refused() {
    let keys = keys();
    let mut body = [&ID.as_bytes()[..], &NOW.as_unix_millis().to_be_bytes()[2..]].concat();
    logged_in().encode_into(&mut body);
    body.push(0);
    let token = signed(&keys, Session, SELF_CONTAINED, &body);
    let opened = keys.open_self_contained(Session, token.as_str().as_bytes(), NOW);
    assert_eq!(rejected(opened), Some(Rejected::Malformed));
}

// R24
#[test]
fn a_token_ends_with_its_session() {
    let keys = keys();
    let end = NOW.as_unix_millis() + 60_000;
    for (now, refused) in [
        (end - 1, None),
        (end, Some(Rejected::Expired)),
        (u64::MAX, Some(Rejected::Expired)),
    ] {
        let now = Timestamp::from_unix_millis(now);
        for kind in [Guest, Session] {
            let token = reference(&keys, kind);
            let opened = keys.open_reference(kind, token.as_str().as_bytes(), now);
            assert_eq!(rejected(opened), refused);
            let token = self_contained(&keys, kind);
            let opened = keys.open_self_contained(kind, token.as_str().as_bytes(), now);
            assert_eq!(rejected(opened), refused);
        }
    }
}

#[test]
fn the_expiry_in_a_reference_token_is_rounded_up_and_saturates() {
    #[track_caller]
    fn check(expiry: u64, last: u64) {
        let keys = keys();
        let expiry = Timestamp::from_unix_millis(expiry);
        let token = keys.seal_reference(Session, &ID, &Secret::from_bytes([7; 16]), expiry);
        let open = |now| {
            let now = Timestamp::from_unix_millis(now);
            rejected(keys.open_reference(Session, token.as_str().as_bytes(), now))
        };
        assert_eq!(open(last), None);
        assert_eq!(open(last + 1), Some(Rejected::Expired));
    }
    check(5000, 4999);
    check(5001, 5999);
    check(5999, 5999);
    check(u64::MAX, 4_294_967_295_000 - 1);
}

// R24
#[test]
fn a_token_from_the_future_is_refused_beyond_a_minute_of_skew() {
    let keys = keys();
    let token = self_contained(&keys, Session);
    let issued_at = NOW.as_unix_millis();
    for (now, refused) in [
        (issued_at - 60_000, None),
        (issued_at - 60_001, Some(Rejected::FromTheFuture)),
        (0, Some(Rejected::FromTheFuture)),
    ] {
        let now = Timestamp::from_unix_millis(now);
        let opened = keys.open_self_contained(Session, token.as_str().as_bytes(), now);
        assert_eq!(rejected(opened), refused);
    }
}

#[test]
fn a_clock_beyond_the_format_issues_nothing() {
    let state = State {
        last_seen_at: Timestamp::from_unix_millis(1 << 48),
        ..logged_in()
    };
    let sealed = keys().seal_self_contained(Session, &ID, &state);
    assert_eq!(sealed.err(), Some(TooLarge));
}

// R26, A41
#[test]
fn tokens_follow_the_ring_as_it_rolls_over() {
    let [first, second] = [1, 2].map(|factor| {
        (0..32)
            .map(|at: u8| at.wrapping_mul(at).wrapping_add(at * factor))
            .collect::<Vec<u8>>()
    });
    let ring = KeyRing::from_bytes([&first]).unwrap();
    let keys = TokenKeys::new(ring.clone(), &CookiePolicy::default(), "");
    let old = (reference(&keys, Session), self_contained(&keys, Session));
    let open = |(a, b): &(Token, Token)| {
        let a = keys.open_reference(Session, a.as_str().as_bytes(), NOW);
        let b = keys.open_self_contained(Session, b.as_str().as_bytes(), NOW);
        let (a, b) = (a.map(|it| it.signature), b.map(|it| it.signature));
        assert_eq!(a, b);
        a
    };
    assert_eq!(open(&old), Ok(Signature::Current));

    ring.replace(&KeyRing::from_bytes([&second, &first]).unwrap());
    assert_eq!(open(&old), Ok(Signature::Older));
    let new = (reference(&keys, Session), self_contained(&keys, Session));
    assert_eq!(open(&new), Ok(Signature::Current));

    ring.replace(&KeyRing::from_bytes([&second]).unwrap());
    assert_eq!(open(&old), Err(Rejected::UnknownKey));
    assert_eq!(open(&new), Ok(Signature::Current));
}

// R28, A40
#[test]
fn length_is_looked_at_first() {
    let keys = keys();
    for len in [0, 1, 82, 95, 97, 4096 - 19 + 1, 4096, 8192, 1 << 20] {
        let value = vec![b'A'; len];
        let opened = keys.open_reference(Session, &value, NOW);
        assert_eq!(rejected(opened), Some(Rejected::Malformed), "{len}");
        if !(83..=4096 - 19).contains(&len) {
            let opened = keys.open_self_contained(Session, &value, NOW);
            assert_eq!(rejected(opened), Some(Rejected::Malformed), "{len}");
        }
    }
}

/// The largest session there can be, but for its data: each part is there and as long as it may be.
fn largest() -> State {
    let far = Timestamp::from_unix_millis(1 << 63);
    State {
        authentication: Some(Authentication {
            subject: Subject::from("x".repeat(Subject::MAX_LEN)),
            level: AssuranceLevel::AAL3,
            authenticated_at: far,
            elevation: Some(Elevation {
                level: AssuranceLevel::AAL3,
                until: Some(far),
            }),
        }),
        created_at: far,
        last_seen_at: Timestamp::from_unix_millis((1 << 48) - 1),
        rotated_at: far,
        absolute_expiry: far,
        persistent: true,
        label: Some("x".repeat(Login::MAX_LABEL_LEN).into()),
        binding: [7; binding::MAX_LEN].into(),
        extra: Some(Box::new(largest_extra())),
        entries: Entries::default(),
    }
}

fn largest_extra() -> Extra {
    let longest = Some(Duration::from_secs(u64::MAX));
    let mut extra = Extra::default();
    extra.limits = Limits {
        idle: longest,
        absolute: longest,
    };
    extra.family = Some(ID);
    extra.tags = (0..MAX_TAGS).map(|n| TagDigest([n as u8; 16])).collect();
    extra.actor = Some("x".repeat(Subject::MAX_LEN).into());
    with_largest_device(extra)
}

/// The largest extra of a session as which nobody else acts: with methods and a class.
fn largest_extra_of_a_user() -> Extra {
    let (far, mut methods) = (Timestamp::from_unix_millis(u64::MAX), Methods::NONE);
    for n in 0..Login::MAX_METHODS {
        let name = SmolStr::new(format!("{n}{}", "m".repeat(Login::MAX_METHOD_LEN - 1)));
        methods.log_in(&name, far);
        methods.elevate(&name, far);
    }
    let mut extra = largest_extra();
    extra.actor = None;
    extra.methods = methods;
    extra.acr = Some("x".repeat(MAX_ACR_LEN).into());
    extra
}

fn with_largest_device(mut extra: Extra) -> Extra {
    extra.device = Some(Device::Bound(BoundDevice {
        key: DeviceKey([7; 64]),
        sequence: u32::MAX,
        bound_at: Timestamp::from_unix_millis(u64::MAX),
        last_proof_at: Timestamp::from_unix_millis(1 << 63),
    }));
    extra
}

fn with_entries(len: usize, state: State) -> State {
    // A flag, a name of one byte with its length, and the value with a length of two bytes.
    let entry = Entry {
        name: "k",
        value: &vec![b'v'; len - 5],
        keep: Keep::Subject,
    };
    let entries = Entries::default().with(entry, Timestamp::default());
    assert_eq!(entries.len(), len);
    State { entries, ..state }
}

// R28
#[test]
fn data_within_the_budget_always_fits() {
    for name in ["s", "__Host-Http-session", &"n".repeat(1000)] {
        let policy = whole_name(name);
        let keys = TokenKeys::new(ring(0), &policy, "");
        let budget = keys.data_budget();
        let user = State {
            extra: Some(Box::new(largest_extra_of_a_user())),
            ..largest()
        };
        let user = with_entries(budget, user);
        assert!(keys.seal_self_contained(Session, &ID, &user).is_ok());
        let state = with_entries(budget, largest());
        let token = keys.seal_self_contained(Session, &ID, &state).unwrap();
        assert!(name.len() + token.as_str().len() <= 4096);
        let opened =
            keys.open_self_contained(Session, token.as_str().as_bytes(), state.last_seen_at);
        let expected = Opened {
            value: SelfContained { id: ID, state },
            signature: Signature::Current,
        };
        assert_eq!(opened, Ok(expected));
        let guest = with_entries(budget, guest());
        assert!(keys.seal_self_contained(Guest, &ID, &guest).is_ok());
    }
    let default = keys().data_budget();
    // About 2 KiB, as the documentation says: a device takes 92 bytes of what there would be without it.
    assert!((1970..2100).contains(&default), "{default}");
}

// R28: what an actor's session was takes room of the data, whatever its parts are.
#[test]
fn a_session_in_which_somebody_acts_fits_within_the_budget() {
    for name in ["s", "__Host-Http-session"] {
        let policy = whole_name(name);
        let keys = TokenKeys::new(ring(0), &policy, "");
        let far = Timestamp::from_unix_millis(u64::MAX);
        let user = largest_extra_of_a_user();
        let mut own = OwnSession {
            level: AssuranceLevel::AAL3,
            authenticated_at: far,
            elevation: Some(Elevation {
                level: AssuranceLevel::AAL3,
                until: Some(far),
            }),
            absolute_expiry: far,
            persistent: true,
            methods: user.methods,
            acr: user.acr,
            entries: Entries::default(),
        };
        let bare = own.encoded_len();
        // 4 methods with names and times of every length, and a class of 64 bytes.
        assert_eq!(bare, 6 + 1 + 1 + 10 + 10 + 1 + 10 + (2 + 184) + (1 + 64));
        for left in [0, 200] {
            let room = keys.data_budget() - bare - left;
            own.entries = with_entries(room, State::default()).entries;
            assert_eq!(own.encoded_len() + left, keys.data_budget());
            let mut extra = largest_extra();
            extra.own_session = Some(Box::new(own.clone()));
            let mut acting = State {
                extra: Some(Box::new(extra)),
                ..largest()
            };
            if left > 0 {
                acting = with_entries(left, acting);
            }
            let token = keys.seal_self_contained(Session, &ID, &acting).unwrap();
            let value = token.as_str().as_bytes();
            let opened = keys.open_self_contained(Session, value, acting.last_seen_at);
            assert_eq!(opened.unwrap().value.state, acting);
        }
    }
    // A user with a password alone takes about 40 bytes.
    let plain = OwnSession {
        level: AssuranceLevel::AAL1,
        authenticated_at: NOW,
        elevation: None,
        absolute_expiry: NOW,
        persistent: false,
        methods: Methods::of_login(&["password".into()], NOW),
        acr: None,
        entries: Entries::default(),
    };
    assert_eq!(plain.encoded_len(), 38);
}

// R28
#[test]
fn a_session_that_fills_the_cookie_fits_and_one_byte_more_does_not() {
    let keys = keys();
    let largest = (2500..3100)
        .rev()
        .map(|len| with_entries(len, logged_in()))
        .find_map(|state| keys.seal_self_contained(Session, &ID, &state).ok())
        .unwrap();
    let characters = largest.as_str().len();
    assert!((4094..=4096).contains(&(characters + "__Host-Http-session".len())));
    let value = largest.as_str().as_bytes();
    assert!(keys.open_self_contained(Session, value, NOW).is_ok());
}

// R28: with this name the value may have 4,080 characters, which a token can have exactly.
#[test]
fn a_token_that_fills_the_cookie_to_the_last_character_is_issued_and_opens() {
    let policy = whole_name("sixteen-letters-");
    let keys = TokenKeys::new(ring(0), &policy, "");
    let tokens: Vec<_> = (2500..3100)
        .map_while(|len| {
            let state = with_entries(len, logged_in());
            keys.seal_self_contained(Session, &ID, &state).ok()
        })
        .collect();
    let longest = tokens.last().unwrap().as_str();
    assert_eq!(longest.len(), 4096 - "sixteen-letters-".len());
    assert!(
        keys.open_self_contained(Session, longest.as_bytes(), NOW)
            .is_ok()
    );
}

// R28
#[test]
fn the_budget_is_all_that_the_largest_session_leaves() {
    let keys = keys();
    let mut state = Vec::new();
    largest().encode_into(&mut state);
    assert_eq!(
        state[0], EVERY,
        "a part that a state may lack is missing in `largest`"
    );
    assert_eq!(
        MAX_BYTES_WITHOUT_DATA,
        BEFORE + state.len() + TAG_LEN,
        "the bound leaves a part out"
    );
    let token = keys.seal_self_contained(Session, &ID, &largest()).unwrap();
    let taken = URL_SAFE_NO_PAD.decode(token.as_str()).unwrap().len();
    let room = 3 * (4096 - "__Host-Http-session-guest".len()) / 4;
    assert_eq!(taken + keys.data_budget(), room);
}

#[test]
fn the_longest_name_still_leaves_room_for_a_session() {
    let longest = super::MAX_NAME_LEN - "-guest".len();
    let policy = whole_name(&"n".repeat(longest));
    let keys = TokenKeys::new(ring(0), &policy, "");
    assert!(keys.data_budget() < 3);
    assert!(keys.seal_self_contained(Session, &ID, &largest()).is_ok());
    let longer = CookiePolicy::builder().whole_name("n".repeat(longest + 1));
    assert!(longer.build().is_err());
}

// R30
#[test]
fn a_reference_token_holds_nothing_of_the_session() {
    let token = reference(&keys(), Session);
    let mut bytes = [0; 72];
    super::decode(token.as_str().as_bytes(), &mut bytes).unwrap();
    assert_eq!(&bytes[4..20], ID.as_bytes());
    assert_eq!(bytes[20..36], [7; 16]);
    assert_eq!(bytes[36..40], (1_790_000_060_u32).to_be_bytes());
}

// R31
#[test]
fn neither_a_token_nor_a_key_prints() {
    let keys = keys();
    let token = reference(&keys, Session);
    assert_eq!(format!("{token:?}"), "Token(REDACTED)");
    let opened: Opened<Claim> = keys
        .open_reference(Session, token.as_str().as_bytes(), NOW)
        .unwrap();
    assert!(format!("{opened:?}").contains("Secret(REDACTED)"));
    assert!(format!("{keys:?}").contains("REDACTED"));
}

#[test]
fn the_longest_policy_fits_into_the_expiry_of_a_reference_token() {
    let expiry = NOW.after(SessionPolicy::MAX_ABSOLUTE).as_unix_seconds();
    assert!(u32::try_from(expiry).is_ok());
}
