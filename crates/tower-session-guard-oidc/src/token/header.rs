//! [`Header`]: what counts of a token's JOSE header (RFC 7515, section 4.1).
//!
//! Keys and addresses of keys that a header brings along (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.

use serde_json::{Map, Value};

use super::algorithm::SignatureAlgorithm;
use crate::refusal::Refusal;

/// What counts of a token's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) key_id: Option<String>,
}

impl Header {
    pub(super) fn check(
        header: &Map<String, Value>,
        allowed: &[SignatureAlgorithm],
    ) -> Result<Self, Refusal> {
        if !header.get("typ").is_some_and(is_logout_type) {
            return Err(Refusal::Type);
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm.and_then(SignatureAlgorithm::named);
        let algorithm = algorithm.filter(|algorithm| allowed.contains(algorithm));
        let algorithm = algorithm.ok_or(Refusal::Algorithm)?;
        if header.contains_key("crit") {
            return Err(Refusal::CriticalHeader);
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Refusal::KeyId),
        };
        Ok(Self { algorithm, key_id })
    }
}

/// A media type, so without regard to case, whose `application/` may be left out.
fn is_logout_type(typ: &Value) -> bool {
    typ.as_str().is_some_and(|typ| {
        typ.eq_ignore_ascii_case("logout+jwt") || typ.eq_ignore_ascii_case("application/logout+jwt")
    })
}
