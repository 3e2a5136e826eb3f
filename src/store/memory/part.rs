//! [`Part`]: a part of the table, by id and in the order of expiry.

use std::collections::{BTreeSet, HashMap};

use super::{
    super::{Revision, shards::BuildIdHasher},
    keys::Keys,
};
use crate::session::{
    head::RecordHead,
    id::SessionId,
    record::{Record, RecordError},
    time::Timestamp,
};

/// The latest moment at which a record expires here: one is left over that means none.
pub(super) const LAST_MOMENT: Timestamp = Timestamp::from_unix_millis(u64::MAX - 1);

/// A record that went away.
#[derive(Debug)]
pub(super) struct Departed {
    pub(super) id: SessionId,
    pub(super) keys: Keys,
    pub(super) len: usize,
}

/// Ids in the order in which their records expire.
pub(super) type Order = BTreeSet<(Timestamp, SessionId)>;

#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) by_id: HashMap<SessionId, Slot, BuildIdHasher>,
    pub(super) guests: Order,
    pub(super) members: Order,
    /// The last revision given: never the same twice under one id, even after its removal.
    revision: u64,
}

/// A record is kept encoded: a third of its size in memory, and the same bytes as in any other store.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) bytes: Box<[u8]>,
    pub(super) revision: Revision,
    pub(super) expires_at: Timestamp,
    /// What it is listed under: known also where the bytes are a later release's.
    pub(super) keys: Keys,
    pub(super) is_member: bool,
}

impl Part {
    /// Puts a record there, under a revision of its own.
    pub(super) fn put(&mut self, id: &SessionId, mut slot: Slot) -> Revision {
        self.revision += 1;
        slot.revision = Revision::new(self.revision);
        self.order(slot.is_member).insert((slot.expires_at, *id));
        self.by_id.insert(*id, slot);
        Revision::new(self.revision)
    }

    pub(super) fn take(&mut self, id: &SessionId) -> Option<Departed> {
        let slot = self.by_id.remove(id)?;
        self.order(slot.is_member).remove(&(slot.expires_at, *id));
        Some(Departed {
            id: *id,
            len: slot.bytes.len(),
            keys: slot.keys,
        })
    }

    /// Removes the first record of its kind to expire, if that is at `until` or before.
    pub(super) fn take_first(&mut self, is_member: bool, until: Timestamp) -> Option<Departed> {
        let &(expires_at, id) = self.order(is_member).first()?;
        if until < expires_at {
            return None;
        }
        self.take(&id)
    }

    fn order(&mut self, is_member: bool) -> &mut Order {
        if is_member {
            &mut self.members
        } else {
            &mut self.guests
        }
    }
}

impl Slot {
    /// A record as it is kept. It is encoded and its keys are hashed here, once and before any lock is held.
    pub(super) fn of(record: &Record) -> Self {
        Self {
            bytes: record.encode().into(),
            // The part gives it one.
            revision: Revision::new(0),
            expires_at: record.expires_at().min(LAST_MOMENT),
            keys: Keys::of(record),
            is_member: record.subject().is_some(),
        }
    }

    pub(super) fn head(&self) -> Result<RecordHead, RecordError> {
        RecordHead::decode(&self.bytes)
    }
}
