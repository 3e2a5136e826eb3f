//! Signs tokens as a provider does, and as one should not.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key of a provider.
pub struct Signer {
    pub kid: Option<&'static str>,
    key: Key,
}

enum Key {
    Es256(EcdsaKeyPair),
    Es384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa { pair: Box<RsaKeyPair>, pss: bool },
}

impl Signer {
    pub fn es256(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self::of(kid, Key::Es256(pair))
    }

    pub fn es384(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Self::of(kid, Key::Es384(pair))
    }

    pub fn ed25519(kid: &'static str) -> Self {
        Self::of(kid, Key::Ed25519(Ed25519KeyPair::generate().unwrap()))
    }

    pub fn rs256(kid: &'static str) -> Self {
        Self::rsa(kid, false)
    }

    pub fn ps256(kid: &'static str) -> Self {
        Self::rsa(kid, true)
    }

    fn rsa(kid: &'static str, pss: bool) -> Self {
        let pair = Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        Self::of(kid, Key::Rsa { pair, pss })
    }

    const fn of(kid: &'static str, key: Key) -> Self {
        Self {
            kid: Some(kid),
            key,
        }
    }

    pub fn without_kid(mut self) -> Self {
        self.kid = None;
        self
    }

    pub const fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Es256(_) => "ES256",
            Key::Es384(_) => "ES384",
            Key::Ed25519(_) => "EdDSA",
            Key::Rsa { pss: false, .. } => "RS256",
            Key::Rsa { pss: true, .. } => "PS256",
        }
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            Key::Es256(pair) => point("P-256", pair),
            Key::Es384(pair) => point("P-384", pair),
            Key::Ed25519(pair) => {
                let x = base64url(pair.public_key());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
            }
            Key::Rsa { pair, .. } => {
                let public: PublicKeyComponents<Vec<u8>> = pair.public_key().into();
                json!({ "kty": "RSA", "n": base64url(public.n), "e": base64url(public.e) })
            }
        };
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm().into();
        if let Some(kid) = self.kid {
            jwk["kid"] = kid.into();
        }
        jwk
    }

    /// The header of a logout token of this key.
    pub fn header(&self) -> Value {
        let mut header = json!({ "typ": "logout+jwt", "alg": self.algorithm() });
        if let Some(kid) = self.kid {
            header["kid"] = kid.into();
        }
        header
    }

    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A signature over whatever is given.
    pub fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64url(header), base64url(claims));
        let signature = base64url(self.signature(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Es256(pair) | Key::Es384(pair) => {
                pair.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Key::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Key::Rsa { pair, pss } => {
                let padding = if *pss {
                    &RSA_PSS_SHA256
                } else {
                    &RSA_PKCS1_SHA256
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }
}

fn point(curve: &str, pair: &EcdsaKeyPair) -> Value {
    let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
    json!({ "kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y) })
}

/// The claims of a logout token that is in order at `now`, in unix seconds, a minute after it was made.
pub fn claims(issuer: &str, client_id: &str, now: u64, jti: &str) -> Value {
    json!({
        "iss": issuer,
        "aud": client_id,
        "iat": now - 60,
        "exp": now + 120,
        "jti": jti,
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        "sid": "session-at-the-provider",
        "sub": "alice",
    })
}

/// A JWK set.
pub fn jwks<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> String {
    let keys: Vec<_> = signers.into_iter().map(Signer::jwk).collect();
    json!({ "keys": keys }).to_string()
}
