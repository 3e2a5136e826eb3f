//! What tests and fuzz targets begin with: keys of a layer, and a device that signs.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};

use super::keys::DeviceKeys;
use crate::{cookie::CookiePolicy, key::KeyRing, session::time::Timestamp};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

/// The keys of a layer whose session cookie has this whole name.
pub(crate) fn keys_of(ring: KeyRing, name: &str, audience: &str) -> DeviceKeys {
    let Ok(policy) = CookiePolicy::builder().whole_name(name).build() else {
        unreachable!("{name} is no name of a cookie");
    };
    DeviceKeys::new(ring, policy.session_name(), audience)
}

/// A device: it signs as a browser has it sign.
#[derive(Clone, Debug)]
pub(crate) struct Signing(SigningKey);

impl Signing {
    /// The device whose key follows from a number; 0 is none's.
    pub(crate) fn numbered(number: u8) -> Self {
        let Ok(key) = SigningKey::from_slice(&[number; 32]) else {
            unreachable!("{number} makes no key");
        };
        Self(key)
    }

    /// The proof of a registration, which brings the key.
    pub(crate) fn registers(&self, challenge: &str) -> String {
        let point = self.0.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes().split_at(1).1.split_at(32);
        let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        let jwk = format!(r#","jwk":{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
        self.proof(&jwk, challenge)
    }

    /// The proof of a refresh.
    #[cfg(test)]
    pub(crate) fn proves(&self, challenge: &str) -> String {
        self.proof("", challenge)
    }

    fn proof(&self, jwk: &str, challenge: &str) -> String {
        let header = format!(r#"{{"alg":"ES256","typ":"dbsc+jwt"{jwk}}}"#);
        let payload = format!(r#"{{"jti":"{challenge}"}}"#);
        let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        self.signs(&format!("{header}.{payload}"))
    }

    /// The two parts that a proof begins with, and their signature behind them.
    pub(crate) fn signs(&self, signed: &str) -> String {
        let signature: Signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}
