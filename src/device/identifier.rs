//! Identifiers of device-bound sessions: 48 bytes, so exactly 64 characters.
//!
//! | bytes | field |
//! |---|---|
//! | 16 | the family: the id of the login |
//! | 32 | MAC over it |
//!
//! An identifier finds its session without an index, and a forged one costs no store call (R72). It is no secret and opens
//! nothing: it is one of two things that a refresh needs.

use super::keys::{DeviceKeys, split};
use crate::session::id::{DeviceClaim, SessionId};

impl DeviceKeys {
    /// The identifier of the session of this family.
    pub(crate) fn identifier(&self, family: &SessionId) -> String {
        let id = family.as_bytes();
        self.seal(id, id, |macs| &macs.identifier)
    }

    /// The session that an identifier names, if it is one of ours.
    pub(crate) fn open_identifier(&self, identifier: &[u8]) -> Option<DeviceClaim> {
        let (id, tag) = split::<{ SessionId::LEN }>(identifier)?;
        let is_ours = self.vouches(&id, &tag, |macs| &macs.identifier);
        is_ours.then(|| DeviceClaim::new(SessionId::from_bytes(id)))
    }
}
