//! [`KeySet`]: the keys of a JWK set (RFC 7517, section 5) that may sign logout tokens.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::verify::verifies;
use crate::token::{
    Checked,
    algorithm::{KeyKind, SignatureAlgorithm},
    json,
};

/// The most keys that a set may have.
pub(super) const MAX_KEYS: usize = 64;

/// The longest document, in bytes.
pub(super) const MAX_DOCUMENT: usize = 256 * 1024;

/// The smallest modulus of an RSA key, in bytes (RFC 7518, section 3.3).
const MIN_MODULUS: usize = 256;

/// The keys of a provider that may sign.
pub(super) struct KeySet(Vec<Key>);

struct Key {
    id: Option<String>,
    kind: KeyKind,
    /// The one algorithm that the key is for, if it says so.
    algorithm: Option<SignatureAlgorithm>,
    public: DecodingKey,
}

/// What the keys of a set say of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// One of them signed it.
    Signed,
    /// The one that it names did not sign it.
    Forged,
    /// None is the one that signed it, and another set may have it.
    UnknownKey,
}

/// Why a document is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKeySet {
    TooLong,
    NotJson,
    TooManyKeys,
    NoUsableKey,
}

impl KeySet {
    pub(super) fn parse(document: &[u8]) -> Result<Self, NoKeySet> {
        if document.len() > MAX_DOCUMENT {
            return Err(NoKeySet::TooLong);
        }
        let document = json::object(document).ok_or(NoKeySet::NotJson)?;
        let keys = document.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or(NoKeySet::NotJson)?;
        if keys.len() > MAX_KEYS {
            return Err(NoKeySet::TooManyKeys);
        }
        // A set may hold keys of kinds that came later and for other uses: they are passed over.
        let keys: Vec<_> = keys.iter().filter_map(Key::parse).collect();
        if keys.is_empty() {
            return Err(NoKeySet::NoUsableKey);
        }
        Ok(Self(keys))
    }

    /// Without a `kid` a token is verified only where one key comes into question (OpenID Connect Core 1.0, section 10.1).
    pub(super) fn judge(&self, token: &Checked) -> Judgement {
        let (named, algorithm) = (token.header.key_id.as_deref(), token.header.algorithm);
        let fitting = self.0.iter().filter(|key| {
            let is_named = named.is_none_or(|id| key.id.as_deref() == Some(id));
            is_named && key.fits(algorithm)
        });
        let fitting: Vec<_> = fitting.collect();
        match (named, &*fitting) {
            (_, []) => Judgement::UnknownKey,
            (None, [_, _, ..]) => Judgement::Forged,
            (_, keys) if keys.iter().any(|key| verifies(token, &key.public)) => Judgement::Signed,
            // The provider may have put another key in the place of its only one.
            (None, _) => Judgement::UnknownKey,
            (Some(_), _) => Judgement::Forged,
        }
    }
}

impl Key {
    fn parse(key: &Value) -> Option<Self> {
        let key = key.as_object()?;
        let text = |name| key.get(name).and_then(Value::as_str);
        if !is_for_signatures(key) {
            return None;
        }
        let algorithm = match key.get("alg") {
            None => None,
            Some(name) => Some(SignatureAlgorithm::named(name.as_str()?)?),
        };
        let id = match key.get("kid") {
            None => None,
            Some(id) => Some(id.as_str()?.to_owned()),
        };
        let (kind, public) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let modulus = URL_SAFE_NO_PAD.decode(text("n")?).ok()?;
                let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
                if significant < MIN_MODULUS {
                    return None;
                }
                let public = DecodingKey::from_rsa_components(text("n")?, text("e")?);
                (KeyKind::Rsa, public)
            }
            ("EC", Some("P-256")) => (KeyKind::P256, point(text("x")?, text("y")?, 32)?),
            ("EC", Some("P-384")) => (KeyKind::P384, point(text("x")?, text("y")?, 48)?),
            ("OKP", Some("Ed25519")) => {
                if !has_length(text("x")?, 32) {
                    return None;
                }
                let public = DecodingKey::from_ed_components(text("x")?);
                (KeyKind::Ed25519, public)
            }
            _ => return None,
        };
        let key = Self {
            id,
            kind,
            algorithm,
            public: public.ok()?,
        };
        algorithm
            .is_none_or(|algorithm| key.fits(algorithm))
            .then_some(key)
    }

    fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        self.kind == algorithm.kind() && self.algorithm.is_none_or(|own| own == algorithm)
    }
}

/// RFC 7517, sections 4.2 and 4.3: what a key is for, if it says so.
fn is_for_signatures(key: &Map<String, Value>) -> bool {
    let used = key.get("use").is_none_or(|used| used == "sig");
    let operations = key.get("key_ops").is_none_or(|operations| {
        let operations = operations.as_array();
        operations.is_some_and(|all| all.iter().any(|one| one == "verify"))
    });
    used && operations
}

/// The point of two coordinates that have the length of their curve.
fn point(x: &str, y: &str, len: usize) -> Option<jsonwebtoken::errors::Result<DecodingKey>> {
    let fits = has_length(x, len) && has_length(y, len);
    fits.then(|| DecodingKey::from_ec_components(x, y))
}

/// What reads a key may count on its length.
fn has_length(base64url: &str, len: usize) -> bool {
    let bytes = URL_SAFE_NO_PAD.decode(base64url);
    bytes.is_ok_and(|bytes| bytes.len() == len)
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.0.iter().map(|key| &key.id);
        f.debug_list().entries(ids).finish()
    }
}

impl fmt::Display for NoKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the document is longer than {MAX_DOCUMENT} bytes"),
            Self::NotJson => f.write_str("the document is no JSON object with the list `keys`"),
            Self::TooManyKeys => write!(f, "the set has more than {MAX_KEYS} keys"),
            Self::NoUsableKey => f.write_str("the set has no key that could verify a logout token"),
        }
    }
}
