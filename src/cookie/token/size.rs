//! How long tokens are, in bytes and in characters.

use crate::{
    cookie::MAX_NAME_AND_VALUE,
    key::{KeyId, TAG_LEN},
    session::{
        authentication::Subject,
        binding,
        device::BoundDevice,
        extra::{MAX_ACR_LEN, MAX_TAGS},
        id::SessionId,
        mark::Login,
        methods::Methods,
    },
};

/// Version and key id.
pub(super) const HEAD_LEN: usize = 1 + KeyId::LEN;

/// Before the state: version, key id, session id, issue time.
pub(super) const BEFORE: usize = HEAD_LEN + SessionId::LEN + 6;
pub(super) const MAX_BYTES: usize = decoded_len(MAX_NAME_AND_VALUE);
/// A state without data whose every part is as long as it may be. A test encodes one and compares.
pub(super) const MAX_BYTES_WITHOUT_DATA: usize = {
    let time = 10;
    let authentication = 1 + time + 2 + Subject::MAX_LEN;
    let elevation = 1 + time;
    let label = 2 + Login::MAX_LABEL_LEN;
    let binding = 1 + binding::MAX_LEN;
    // A count, then limits, a family, tags, an actor or methods and a class, and a device: a token holds neither an audience nor unknown blocks of
    // its own.
    let limits = 2 + 2 * time;
    let family = 2 + SessionId::LEN;
    let tags = 2 + 1 + 16 * MAX_TAGS;
    let actor = 1 + 2 + Subject::MAX_LEN;
    let device = 2 + BoundDevice::MAX_ENCODED_LEN;
    // While somebody acts as the subject, the subject has proved nothing.
    let proofs = 1 + 2 + Methods::MAX_ENCODED_LEN + 1 + 1 + MAX_ACR_LEN;
    let who = if actor > proofs { actor } else { proofs };
    let extra = 1 + limits + family + tags + who + device;
    let state = 1 + 3 * time + authentication + elevation + label + binding + extra;
    BEFORE + state + TAG_LEN
};

/// The longest cookie name beside which every session without data fits.
pub(in crate::cookie) const MAX_NAME_LEN: usize =
    MAX_NAME_AND_VALUE - encoded_len(MAX_BYTES_WITHOUT_DATA);

pub(super) const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

pub(super) const fn decoded_len(characters: usize) -> usize {
    characters * 3 / 4
}
