//! What the provider signs: ID tokens and logout tokens.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode,
    jwk::{Jwk, JwkSet},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower::BoxError;

/// What an ID token says (OpenID Connect Core, section 2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
    pub(crate) sub: String,
    /// The user's session at the provider.
    pub(crate) sid: String,
    pub(crate) nonce: String,
    /// When the user proved who they are, at the provider, in unix seconds.
    pub(crate) auth_time: u64,
    /// How strongly.
    pub(crate) acr: String,
    /// By what.
    pub(crate) amr: Vec<String>,
}

/// The provider's key.
#[derive(Clone)]
pub(crate) struct SigningKey {
    private: Arc<EncodingKey>,
    public: Jwk,
}

impl SigningKey {
    pub(crate) fn generate() -> Result<Self, BoxError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let private = EncodingKey::from_ec_der(pair.to_pkcs8v1()?.as_ref());
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256)?;
        public.common.key_id = Some("2026-01".to_owned());
        Ok(Self {
            private: Arc::new(private),
            public,
        })
    }

    pub(crate) fn jwks(&self) -> JwkSet {
        let keys = vec![self.public.clone()];
        JwkSet { keys }
    }

    pub(crate) fn id_token(&self, claims: &Claims) -> Result<String, BoxError> {
        self.sign("JWT", claims)
    }

    /// What an ID token says that this key has signed, also one that has expired.
    pub(crate) fn read_id_token(&self, token: &str) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.validate_aud = false;
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(&self.public).ok()?;
        Some(decode(token, &key, &validation).ok()?.claims)
    }

    /// Says to `client` that its session `sid` is over (OpenID Connect Back-Channel Logout, section 2.4).
    pub(crate) fn logout_token(
        &self,
        issuer: &str,
        client: &str,
        sid: &str,
        now: u64,
        id: &str,
    ) -> Result<String, BoxError> {
        let claims = json!({
            "iss": issuer,
            "aud": client,
            "iat": now,
            "exp": now + 120,
            "jti": id,
            "sid": sid,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        self.sign("logout+jwt", &claims)
    }

    fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, BoxError> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(typ.to_owned());
        header.kid.clone_from(&self.public.common.key_id);
        Ok(encode(&header, claims, &self.private)?)
    }
}
