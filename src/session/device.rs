//! [`Device`]: the key of a device that a session is bound to, and its encoding in a record or a token.

use std::time::Duration;

use super::{
    codec::{Malformed, Reader, put_offset, put_varint},
    time::{CLOCK_ALLOWANCE, Timestamp},
};

/// For how long after the binding a request without the bound cookie is admitted, as unbound: the page after the login
/// crosses with the registration.
pub(crate) const CROSSING: Duration = Duration::from_secs(60);

/// The algorithm of a key: ECDSA over P-256 with SHA-256 (RFC 7518, section 3.4).
const ES256: u8 = 1;

/// What a session says of the device that it belongs to; most sessions say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// It is not bound, and only the key with this thumbprint may be.
    Expected(Thumbprint),
    /// It is bound.
    Bound(BoundDevice),
}

/// The key that a session is bound to, and what was proved with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoundDevice {
    pub(crate) key: DeviceKey,
    /// How many proofs were accepted since the binding, modulo 2³². A self-contained token says 0: a refresh does not
    /// replace it.
    pub(crate) sequence: u32,
    pub(crate) bound_at: Timestamp,
    /// When the device last proved that it has the key. In a self-contained token it is the time of the binding.
    pub(crate) last_proof_at: Timestamp,
}

/// How the device of a session took part in its admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is bound to no device.
    Unbound,
    /// It was bound moments ago, and the request may have left before: it counts as unbound, and nothing is offered to it.
    Crossing,
    /// Its device proved at this time that it has the key.
    Proved(Timestamp),
}

impl Presence {
    /// When the device proved itself, if it did.
    pub(crate) const fn proved_at(self) -> Option<Timestamp> {
        match self {
            Self::Unbound | Self::Crossing => None,
            Self::Proved(at) => Some(at),
        }
    }
}

/// A point of P-256: its two coordinates, big-endian, one after the other.
///
/// Whoever makes one has checked that the point is on the curve; one from a record is checked when it verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceKey(pub(crate) [u8; Self::LEN]);

impl DeviceKey {
    pub(crate) const LEN: usize = 64;
}

/// The SHA-256 thumbprint of a key (RFC 7638).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thumbprint(pub(crate) [u8; Self::LEN]);

impl Thumbprint {
    pub(crate) const LEN: usize = 32;
}

impl BoundDevice {
    /// The most bytes that [`encode_into`](Self::encode_into) writes.
    pub(crate) const MAX_ENCODED_LEN: usize = 1 + DeviceKey::LEN + 5 + 2 * 10;

    /// The state right after a registration.
    #[cfg(any(test, feature = "dbsc", feature = "testing"))]
    pub(crate) const fn new(key: DeviceKey, now: Timestamp) -> Self {
        Self {
            key,
            sequence: 0,
            bound_at: now,
            last_proof_at: now,
        }
    }

    /// Whether a request may be one that the browser sent before it knew of the binding.
    ///
    /// A binding that lies further ahead than clocks may differ excuses nothing, or a clock that is set back would let
    /// the session be used without its device.
    pub(crate) fn crosses(&self, now: Timestamp) -> bool {
        now.since(self.bound_at) < CROSSING && self.bound_at <= now.after(CLOCK_ALLOWANCE)
    }

    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        out.push(ES256);
        out.extend_from_slice(&self.key.0);
        put_varint(out, self.sequence.into());
        let bound_at = self.bound_at.as_unix_millis();
        put_varint(out, bound_at);
        put_offset(out, bound_at, self.last_proof_at.as_unix_millis());
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(bytes);
        // The key of another algorithm is of a later release, and the block must be understood.
        if reader.byte()? != ES256 {
            return Err(Malformed);
        }
        let key = DeviceKey(reader.array()?);
        let sequence = u32::try_from(reader.varint()?).map_err(|_| Malformed)?;
        let bound_at = reader.varint()?;
        let last_proof_at = Timestamp::from_unix_millis(reader.offset(bound_at)?);
        if !reader.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            key,
            sequence,
            bound_at: Timestamp::from_unix_millis(bound_at),
            last_proof_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{BoundDevice, DeviceKey};
    use crate::session::{codec::Malformed, tests::full::at, time::Timestamp};

    fn device() -> BoundDevice {
        BoundDevice {
            key: DeviceKey(std::array::from_fn(|at| at as u8)),
            sequence: 300,
            bound_at: at(10),
            last_proof_at: at(700),
        }
    }

    fn written(device: &BoundDevice) -> Vec<u8> {
        let mut out = Vec::new();
        device.encode_into(&mut out);
        out
    }

    #[test]
    fn a_device_is_read_back_and_has_one_spelling() {
        for last_proof_at in [0, 9, 10, 11, 700] {
            let device = BoundDevice {
                last_proof_at: at(last_proof_at),
                ..device()
            };
            assert_eq!(BoundDevice::read(&written(&device)), Ok(device));
        }
        let bytes = written(&device());
        for len in 0..bytes.len() {
            assert_eq!(BoundDevice::read(&bytes[..len]), Err(Malformed), "{len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(BoundDevice::read(&longer), Err(Malformed));
        for algorithm in [0, 2, 0xFF] {
            let mut other = bytes.clone();
            other[0] = algorithm;
            assert_eq!(BoundDevice::read(&other), Err(Malformed), "{algorithm}");
        }
        // One proof more than a sequence counts, 2³².
        let key = &bytes[..65];
        let too_many = [key, &[0x80, 0x80, 0x80, 0x80, 0x10, 0, 0]].concat();
        assert_eq!(BoundDevice::read(&too_many), Err(Malformed));
        let most = [key, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0]].concat();
        assert_eq!(BoundDevice::read(&most).unwrap().sequence, u32::MAX);
    }

    #[test]
    fn the_largest_device_has_the_length_that_is_stated() {
        let largest = BoundDevice {
            sequence: u32::MAX,
            bound_at: Timestamp::from_unix_millis(u64::MAX),
            // The distance that takes most room.
            last_proof_at: Timestamp::from_unix_millis(1 << 63),
            ..device()
        };
        let bytes = written(&largest);
        assert_eq!(BoundDevice::read(&bytes), Ok(largest));
        let far = BoundDevice {
            bound_at: Timestamp::from_unix_millis(1 << 63),
            last_proof_at: Timestamp::default(),
            ..largest
        };
        let lengths = [bytes.len(), written(&far).len()];
        assert_eq!(
            lengths.into_iter().max(),
            Some(BoundDevice::MAX_ENCODED_LEN)
        );
    }
}
