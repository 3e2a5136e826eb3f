//! The key that a registration brings, as a JSON Web Key (RFC 7517).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::refused::ProofRefused;
use crate::{
    device::{es256, json::Members},
    session::device::DeviceKey,
};

/// The members of a private or a symmetric key (RFC 7518, sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The key for ES256 that a JWK says.
pub(super) fn key(jwk: &Members) -> Result<DeviceKey, ProofRefused> {
    if PRIVATE.iter().any(|name| jwk.has(name)) {
        return Err(ProofRefused::KeyPrivate);
    }
    let is_for_another = jwk.has("alg") && jwk.text("alg") != Some("ES256");
    if jwk.text("kty") != Some("EC") || jwk.text("crv") != Some("P-256") || is_for_another {
        return Err(ProofRefused::KeyMalformed);
    }
    let coordinate = |name| {
        let text = jwk.text(name)?;
        let decoded = URL_SAFE_NO_PAD.decode(text).ok()?;
        <[u8; 32]>::try_from(decoded).ok()
    };
    let (x, y) = coordinate("x")
        .zip(coordinate("y"))
        .ok_or(ProofRefused::KeyMalformed)?;
    es256::key(x, y).ok_or(ProofRefused::KeyNotOnCurve)
}
