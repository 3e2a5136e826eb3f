//! Challenges of offers, which a registration answers: 60 bytes, so exactly 80 characters.
//!
//! | bytes | field |
//! |---|---|
//! | 16 | the family: the id of the login |
//! | 4 | when it was offered, unix seconds, big-endian |
//! | 8 | nonce |
//! | 32 | MAC over all of the above; the key tells a first offer from a repeated one |
//!
//! It names the session, since a registration after a login that another site led to comes without any cookie.

use super::keys::{DeviceKeys, Macs, split};
use crate::{
    key::Mac,
    session::{
        bind::{Offer, Repetition},
        id::{DeviceClaim, SessionId},
        time::Timestamp,
    },
};

const BODY: usize = SessionId::LEN + 4 + 8;

impl DeviceKeys {
    /// The challenge of an offer to the session of this family.
    pub(crate) fn offer(
        &self,
        family: &SessionId,
        repetition: Repetition,
        now: Timestamp,
        nonce: [u8; 8],
    ) -> String {
        let seconds = unix_seconds(now).to_be_bytes();
        let body = [&family.as_bytes()[..], &seconds, &nonce].concat();
        self.seal(&body, &body, |macs| mac(macs, repetition))
    }

    /// The offer that a challenge belongs to, if it is one of ours.
    pub(crate) fn open_offer(&self, challenge: &[u8]) -> Option<Offer> {
        let (body, tag) = split::<BODY>(challenge)?;
        let repetitions = [Repetition::First, Repetition::Repeated];
        let holds =
            |repetition: &Repetition| self.vouches(&body, &tag, |macs| mac(macs, *repetition));
        let repetition = repetitions.into_iter().find(holds)?;
        let (id, rest) = body.split_first_chunk()?;
        let (seconds, _nonce) = rest.split_first_chunk()?;
        Some(Offer {
            session: DeviceClaim::new(SessionId::from_bytes(*id)),
            repetition,
            offered_at: Timestamp::from_unix_seconds(u32::from_be_bytes(*seconds).into()),
        })
    }
}

const fn mac(macs: &Macs, repetition: Repetition) -> &Mac {
    match repetition {
        Repetition::First => &macs.first_offer,
        Repetition::Repeated => &macs.repeated_offer,
    }
}

/// Whole seconds in four bytes, which last until the year 2106.
pub(super) fn unix_seconds(time: Timestamp) -> u32 {
    u32::try_from(time.as_unix_seconds()).unwrap_or(u32::MAX)
}
