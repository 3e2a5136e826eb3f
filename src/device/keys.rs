//! [`DeviceKeys`]: what vouches for the identifiers and challenges of one layer.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    cookie::CookieName,
    key::{Derived, KeyRing, LABEL, Mac, TAG_LEN},
};

/// What signs and verifies the identifiers, offers and challenges of one layer: a key for each purpose, for the name of the
/// session's cookie and for the audience.
///
/// They follow the ring. What an older key signed holds for as long as the key stays; a browser keeps an identifier for the
/// whole life of its session, so a key that leaves the ring earlier ends the bindings that began under it.
#[derive(Debug)]
pub(crate) struct DeviceKeys(Derived<Macs>);

/// The MACs under one key of the ring.
pub(super) struct Macs {
    pub(super) identifier: Mac,
    pub(super) first_offer: Mac,
    pub(super) repeated_offer: Mac,
    pub(super) challenge: Mac,
    pub(super) successor: Mac,
}

impl DeviceKeys {
    pub(crate) fn new(ring: KeyRing, session_cookie: &CookieName, audience: &str) -> Self {
        let (name, audience) = (session_cookie.clone(), audience.to_owned());
        Self(Derived::new(ring, move |key| {
            let context = [name.as_str().as_bytes(), audience.as_bytes()];
            let mac =
                |purpose: &str| key.derive(&[LABEL, purpose.as_bytes(), context[0], context[1]]);
            Macs {
                identifier: mac("device identifier"),
                first_offer: mac("device offer"),
                repeated_offer: mac("repeated device offer"),
                challenge: mac("device challenge"),
                successor: mac("device successor"),
            }
        }))
    }

    /// `body` and the tag of `message`, under the key that signs, as base64url without padding.
    pub(super) fn seal(&self, body: &[u8], message: &[u8], of: impl Fn(&Macs) -> &Mac) -> String {
        let keys = self.0.current();
        let (_, macs) = keys.first();
        URL_SAFE_NO_PAD.encode([body, &of(macs).tag(message)].concat())
    }

    /// Whether this is the tag of `message` under a key of the ring.
    ///
    /// It costs an HMAC for each key, the signing one first: what is sealed here has no room for a key's id.
    pub(super) fn vouches(
        &self,
        message: &[u8],
        tag: &[u8; TAG_LEN],
        of: impl Fn(&Macs) -> &Mac,
    ) -> bool {
        let keys = self.0.current();
        keys.all().any(|(_, macs)| of(macs).verify(message, tag))
    }
}

impl DeviceKeys {
    /// What each key of the ring makes of a message, the one that signs first.
    pub(super) fn tags(&self, message: &[u8], of: impl Fn(&Macs) -> &Mac) -> Vec<[u8; TAG_LEN]> {
        let keys = self.0.current();
        keys.all().map(|(_, macs)| of(macs).tag(message)).collect()
    }
}

/// A body of `N` bytes and a tag, in the one spelling that [`DeviceKeys::seal`] gives them.
pub(super) fn split<const N: usize>(text: &[u8]) -> Option<([u8; N], [u8; TAG_LEN])> {
    // As long as anything that is sealed here.
    let mut bytes = [0; 64];
    if text.len() != ((N + TAG_LEN) * 4).div_ceil(3) {
        return None;
    }
    let bytes = bytes.get_mut(..N + TAG_LEN)?;
    URL_SAFE_NO_PAD.decode_slice(text, bytes).ok()?;
    let (body, tag) = bytes.split_first_chunk()?;
    Some((*body, tag.try_into().ok()?))
}
