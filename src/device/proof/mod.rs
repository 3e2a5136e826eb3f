//! [`Proof`]: what a device signs, a compact JWS of ES256 (D03, D04, A51).
//!
//! A proof is read in the order of what each step costs: its length and form, its header, its payload. Nothing that it
//! says is believed by then. Whoever calls checks next that the challenge is one of ours, which is an HMAC, and the signature
//! last, which costs several hundred times as much.

mod jwk;
mod refused;
#[cfg(test)]
mod tests;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

pub(crate) use self::refused::ProofRefused;
use super::{
    es256::{self, SIGNATURE_LEN},
    field::bare,
    json::Members,
};
use crate::session::device::DeviceKey;

/// The longest header field that is looked at, in bytes.
const MAX_LEN: usize = 2048;
/// The longest JOSE header, in bytes of JSON.
const MAX_HEADER_LEN: usize = 512;

/// A proof that has the right form, and of which nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof<'a> {
    challenge: String,
    /// What the signature is over: the first two parts as they came.
    signed: &'a [u8],
    signature: [u8; SIGNATURE_LEN],
}

impl<'a> Proof<'a> {
    /// The proof of a registration, and the key that it brings, a point on the curve.
    ///
    /// `field` is the value of `Secure-Session-Response`, and `audience` the URL of the endpoint.
    ///
    /// # Errors
    ///
    /// If it has not the form of one.
    pub(crate) fn of_registration(
        field: &'a [u8],
        audience: &str,
    ) -> Result<(Self, DeviceKey), ProofRefused> {
        let parts = Parts::of(field)?;
        let header = parts.header()?;
        if !header.has("jwk") {
            return Err(ProofRefused::KeyMissing);
        }
        let jwk = header.object("jwk").ok_or(ProofRefused::KeyMalformed)?;
        let key = jwk::key(jwk)?;
        Ok((parts.proof(audience)?, key))
    }

    /// The proof of a refresh, which brings no key: that of the session counts.
    ///
    /// # Errors
    ///
    /// If it has not the form of one.
    pub(crate) fn of_refresh(field: &'a [u8], audience: &str) -> Result<Self, ProofRefused> {
        let parts = Parts::of(field)?;
        let header = parts.header()?;
        if header.has("jwk") {
            return Err(ProofRefused::KeyUnexpected);
        }
        parts.proof(audience)
    }

    /// The challenge that it answers, as the client says.
    pub(crate) fn challenge(&self) -> &[u8] {
        self.challenge.as_bytes()
    }

    /// Verifies the signature, which costs more than all the rest: for a proof whose challenge is one of ours.
    ///
    /// # Errors
    ///
    /// If it is not that of this key.
    pub(crate) fn verify(&self, key: &DeviceKey) -> Result<(), ProofRefused> {
        let holds = es256::verify(key, self.signed, &self.signature);
        holds.then_some(()).ok_or(ProofRefused::SignatureInvalid)
    }
}

/// The three parts of a compact JWS (RFC 7515, section 7.1), decoded.
struct Parts<'a> {
    header: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    signed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(field: &'a [u8]) -> Result<Self, ProofRefused> {
        if field.len() > MAX_LEN {
            return Err(ProofRefused::TooLong);
        }
        let field = bare(field);
        let mut parts = field.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ProofRefused::NotCompact);
        };
        let decode = |part| {
            let decoded = URL_SAFE_NO_PAD.decode(part);
            decoded.map_err(|_| ProofRefused::NotCompact)
        };
        Ok(Self {
            header: decode(header)?,
            payload: decode(payload)?,
            signature: decode(signature)?,
            signed: &field[..header.len() + 1 + payload.len()],
        })
    }

    /// The header of an ES256 proof.
    fn header(&self) -> Result<Members, ProofRefused> {
        if self.header.len() > MAX_HEADER_LEN {
            return Err(ProofRefused::HeaderTooLong);
        }
        let header = Members::parse(&self.header).ok_or(ProofRefused::HeaderMalformed)?;
        if header.text("typ") != Some("dbsc+jwt") {
            return Err(ProofRefused::OtherType);
        }
        if header.text("alg") != Some("ES256") {
            return Err(ProofRefused::OtherAlgorithm);
        }
        if header.has("crit") {
            return Err(ProofRefused::Critical);
        }
        Ok(header)
    }

    fn proof(self, audience: &str) -> Result<Proof<'a>, ProofRefused> {
        let payload = Members::parse(&self.payload).ok_or(ProofRefused::PayloadMalformed)?;
        let challenge = payload.text("jti").ok_or(ProofRefused::ChallengeMissing)?;
        // Chromium sends it behind a flag only.
        if payload.has("aud") && payload.text("aud") != Some(audience) {
            return Err(ProofRefused::OtherAudience);
        }
        let signature = self.signature.try_into();
        Ok(Proof {
            challenge: challenge.to_owned(),
            signed: self.signed,
            signature: signature.map_err(|_| ProofRefused::SignatureMalformed)?,
        })
    }
}
