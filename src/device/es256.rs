//! ES256: ECDSA over P-256 with SHA-256 (RFC 7518, section 3.4).

use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier};

use crate::session::device::DeviceKey;

/// Length of a signature in bytes: r and s, each of 32, big-endian. It is not DER.
pub(super) const SIGNATURE_LEN: usize = 64;

/// The key with these coordinates, if they are a point on the curve.
pub(super) fn key(x: [u8; 32], y: [u8; 32]) -> Option<DeviceKey> {
    let mut bytes = [0; DeviceKey::LEN];
    bytes[..32].copy_from_slice(&x);
    bytes[32..].copy_from_slice(&y);
    let key = DeviceKey(bytes);
    verifying_key(&key).map(|_| key)
}

/// Whether `signature` is one of `message` under `key`.
///
/// The other signature that anybody can make of one (n − s in place of s) holds too: nothing tells proofs apart by them.
pub(super) fn verify(key: &DeviceKey, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
    let Some(key) = verifying_key(key) else {
        return false;
    };
    // Zero and whatever is not below the group's order is refused here.
    let signature = Signature::from_slice(signature);
    signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

/// Refuses what is not on the curve; the point at infinity has no such coordinates.
fn verifying_key(key: &DeviceKey) -> Option<VerifyingKey> {
    let mut point = [0; 1 + DeviceKey::LEN];
    // An uncompressed point (SEC 1, section 2.3.4).
    point[0] = 4;
    point[1..].copy_from_slice(&key.0);
    VerifyingKey::from_sec1_bytes(&point).ok()
}
