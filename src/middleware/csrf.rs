//! [`CsrfKeys`]: makes and checks CSRF tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::random;
use crate::{
    cookie::CookiePolicy,
    equal::same,
    key::{Derived, KeyId, KeyRing, Mac, TAG_LEN},
    session::{authentication::Subject, csrf::CsrfToken, id::Lineage},
};

const SALT_LEN: usize = 16;
const SALT_END: usize = KeyId::LEN + SALT_LEN;
const BYTES: usize = SALT_END + TAG_LEN;
const CHARACTERS: usize = BYTES / 3 * 4;

/// What makes and checks the CSRF tokens of one layer.
///
/// A token is a key id, 16 random bytes and a tag, 51 bytes in all, so that it has one spelling only.
#[derive(Debug)]
pub(super) struct CsrfKeys(Derived<Mac>);

impl CsrfKeys {
    pub(super) fn new(ring: &KeyRing, cookies: &CookiePolicy, audience: &str) -> Self {
        let name = cookies.session_name().as_str().as_bytes();
        Self(ring.derive("csrf token", &[name, audience.as_bytes()]))
    }

    /// A token for the session of this lineage; none if the operating system gives no random bytes.
    pub(super) fn seal(&self, lineage: Lineage, subject: Option<&Subject>) -> Option<CsrfToken> {
        let keys = self.0.current();
        let (key_id, mac) = keys.first();
        let salt: [u8; SALT_LEN] = random::bytes().ok()?;
        let mut bytes = [0; BYTES];
        bytes[..KeyId::LEN].copy_from_slice(key_id.as_bytes());
        bytes[KeyId::LEN..SALT_END].copy_from_slice(&salt);
        bytes[SALT_END..].copy_from_slice(&tag(mac, lineage, subject, &salt));
        Some(CsrfToken::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Whether `token` was made for the session of this lineage; tags are compared in constant time.
    pub(super) fn verify(&self, lineage: Lineage, subject: Option<&Subject>, token: &[u8]) -> bool {
        let mut bytes = [0; BYTES];
        if token.len() != CHARACTERS || URL_SAFE_NO_PAD.decode_slice(token, &mut bytes) != Ok(BYTES)
        {
            return false;
        }
        let [a, b, c, ..] = bytes;
        let keys = self.0.current();
        let Some((mac, _)) = keys.find(KeyId::from_bytes([a, b, c])) else {
            return false;
        };
        let expected = tag(mac, lineage, subject, &bytes[KeyId::LEN..SALT_END]);
        bytes.last_chunk().is_some_and(|tag| same(tag, &expected))
    }
}

fn tag(mac: &Mac, lineage: Lineage, subject: Option<&Subject>, salt: &[u8]) -> [u8; TAG_LEN] {
    // A subject has at least one byte, so the empty one of a guest session is no subject's.
    let subject = subject.map_or("", Subject::as_str);
    mac.tag_parts(&[&lineage.0, subject.as_bytes(), salt])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{CHARACTERS, CsrfKeys};
    use crate::{
        cookie::CookiePolicy,
        key::KeyRing,
        session::{authentication::Subject, id::Lineage},
    };

    const HERE: Lineage = Lineage([1; 8]);
    const THERE: Lineage = Lineage([2; 8]);

    fn ring(byte: u8) -> KeyRing {
        let mut key = *b"an unguessable key of 32 bytes!!";
        key[0] = byte;
        KeyRing::of_tests([key])
    }

    fn keys(audience: &str) -> CsrfKeys {
        CsrfKeys::new(&ring(1), &CookiePolicy::default(), audience)
    }

    /// R81.
    #[test]
    fn a_token_holds_for_its_own_session_subject_and_audience_only() {
        let (alice, bob) = (Subject::from("alice"), Subject::from("bob"));
        let token = keys("shop").seal(HERE, Some(&alice)).unwrap();
        let holds = |keys: CsrfKeys, lineage, subject: Option<&Subject>| {
            keys.verify(lineage, subject, token.as_str().as_bytes())
        };
        assert!(holds(keys("shop"), HERE, Some(&alice)));
        assert!(!holds(keys("shop"), THERE, Some(&alice)));
        assert!(!holds(keys("shop"), HERE, Some(&bob)));
        assert!(!holds(keys("shop"), HERE, None));
        assert!(!holds(keys("forum"), HERE, Some(&alice)));
    }

    /// R81: no two responses carry the same text, nor any byte of the tag in the same place by design.
    #[test]
    fn every_token_is_masked_anew() {
        let keys = keys("");
        let tokens: HashSet<_> = (0..1000)
            .map(|_| keys.seal(HERE, None).unwrap().as_str().to_owned())
            .collect();
        assert_eq!(tokens.len(), 1000);
        assert!(tokens.iter().all(|token| token.len() == CHARACTERS));
        let all_hold = |token: &String| keys.verify(HERE, None, token.as_bytes());
        assert!(tokens.iter().all(all_hold));
    }

    /// R25, R81.
    #[test]
    fn a_token_with_any_character_changed_is_refused() {
        let keys = keys("");
        let token = keys.seal(HERE, None).unwrap().as_str().to_owned();
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert!(!keys.verify(HERE, None, &other), "{at}");
        }
        for text in [
            "",
            "=",
            &token[1..],
            &format!("{token}="),
            &format!(" {token}"),
        ] {
            assert!(!keys.verify(HERE, None, text.as_bytes()), "{text}");
        }
    }

    /// R26.
    #[test]
    fn a_token_outlives_a_key_only_while_the_key_is_in_the_ring() {
        let rolling = ring(1);
        let keys = CsrfKeys::new(&rolling, &CookiePolicy::default(), "");
        let token = keys.seal(HERE, None).unwrap();
        let verify = || keys.verify(HERE, None, token.as_str().as_bytes());
        let key = |byte| {
            let mut key = *b"an unguessable key of 32 bytes!!";
            key[0] = byte;
            key
        };
        rolling.replace(&KeyRing::of_tests([key(2), key(1)]));
        assert!(verify());
        rolling.replace(&ring(2));
        assert!(!verify());
    }

    #[test]
    fn a_token_never_prints_in_debug() {
        let token = keys("").seal(HERE, None).unwrap();
        assert_eq!(format!("{token:?}"), "CsrfToken(REDACTED)");
    }
}
