use std::sync::LazyLock;

use crate::{
    cookie::{
        CookieKind, CookiePolicy,
        token::{Rejected, TokenKeys},
    },
    key::KeyRing,
    session::{
        id::{Secret, SessionId},
        state::{Schema, State},
        time::Timestamp,
    },
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

static KEYS: LazyLock<[TokenKeys; 2]> = LazyLock::new(|| {
    let ring = |key: &[u8]| match KeyRing::from_bytes([key]) {
        Ok(ring) => ring,
        Err(error) => unreachable!("{error}"),
    };
    [
        &b"an unguessable key of 32 bytes!!"[..],
        b"the key of some other server !!!",
    ]
    .map(|key| TokenKeys::new(ring(key), &CookiePolicy::default(), ""))
});

/// What did not come from us opens nothing; what did opens under its own name and key, and in its own
/// spelling, and in no other.
pub fn token_values(input: &[u8]) {
    let [keys, others] = &*KEYS;
    for kind in [CookieKind::Session, CookieKind::Guest] {
        assert!(
            keys.open_reference(kind, input, NOW).is_err(),
            "a forged reference token"
        );
        assert!(
            keys.open_self_contained(kind, input, NOW).is_err(),
            "a forged token"
        );
    }

    // A token of ours, and one change to it.
    let Some((seed, change)) = input.split_first_chunk::<36>() else {
        return;
    };
    let (id, rest) = seed.split_at(16);
    let (secret, rest) = rest.split_at(16);
    let (Ok(id), Ok(bytes)) = (id.try_into(), secret.try_into()) else {
        unreachable!("of these lengths");
    };
    let id = SessionId::from_bytes(id);
    let secret = Secret::from_bytes(bytes);
    let expiry = Timestamp::from_unix_seconds(1_800_000_001 + u64::from(rest[0]));
    let (kind, other) = if rest[1] & 1 == 0 {
        (CookieKind::Session, CookieKind::Guest)
    } else {
        (CookieKind::Guest, CookieKind::Session)
    };
    let token = keys.seal_reference(kind, &id, &secret, expiry);
    let token = token.as_str().as_bytes();
    let Ok(opened) = keys.open_reference(kind, token, NOW) else {
        unreachable!("a token of ours opens");
    };
    assert_eq!(*opened.value.id(), id);
    assert_eq!(opened.value.secret().as_bytes(), &bytes);
    assert_eq!(
        keys.open_reference(other, token, NOW).err(),
        Some(Rejected::Forged)
    );
    assert!(others.open_reference(kind, token, NOW).is_err());
    assert!(keys.open_self_contained(kind, token, NOW).is_err());
    assert_eq!(
        keys.open_reference(kind, token, expiry).err(),
        Some(Rejected::Expired)
    );
    refuse_changed(token, rest[2], rest[3], change, |value| {
        keys.open_reference(kind, value, NOW).is_err()
    });

    // The same with a session inside.
    if let Ok(state) = State::decode(change, Schema::V2, NOW) {
        let kind = match state.authentication {
            Some(_) => CookieKind::Session,
            None => CookieKind::Guest,
        };
        if let Ok(token) = keys.seal_self_contained(kind, &id, &state) {
            let token = token.as_str().as_bytes();
            match keys.open_self_contained(kind, token, NOW) {
                Ok(opened) => assert_eq!((opened.value.id, opened.value.state), (id, state)),
                Err(cause) => assert_eq!(cause, Rejected::Expired),
            }
            refuse_changed(token, rest[2], rest[3], change, |value| {
                keys.open_self_contained(kind, value, NOW).is_err()
            });
        }
    }
}

/// Another character at one place, one more, one fewer, and another beginning: all are refused.
fn refuse_changed(token: &[u8], at: u8, with: u8, change: &[u8], refused: impl Fn(&[u8]) -> bool) {
    let at = usize::from(at) % token.len();
    let mut changed = token.to_vec();
    changed[at] = with;
    assert!(changed == token || refused(&changed), "a changed character");
    changed.clone_from_slice(token);
    changed.insert(at, with);
    assert!(refused(&changed), "one character more");
    changed.remove(at);
    changed.pop();
    assert!(refused(&changed), "one character fewer");
    let spliced = [&change[..change.len().min(at)], &token[at..]].concat();
    assert!(spliced == token || refused(&spliced), "another beginning");
}
