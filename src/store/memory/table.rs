//! [`Table`]: the records by id, and in the order of their expiry.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{
    super::{
        Replaced, Revision, StoreError, StoreErrorKind, Stored,
        shards::{self, Shards, hash_of},
    },
    index::KeyDigest,
    part::{Departed, LAST_MOMENT, Order, Part, Slot},
};
use crate::session::{
    head::RecordHead,
    id::SessionId,
    record::{Record, RecordError},
    time::Timestamp,
};

/// How many expired records one write clears away: more than it adds.
const CLEARED_PER_WRITE: usize = 2;

/// In place of a moment: there is no record. A record that never expires has the moment before.
const NONE: u64 = LAST_MOMENT.as_unix_millis() + 1;

#[derive(Debug)]
pub(super) struct Table {
    parts: Shards<Part>,
    /// Per part, when its first guest's and its first member's record expire: read without a lock to
    /// choose who goes. They may be out of date; whoever acts on one checks under the lock.
    soonest: Box<[Soonest]>,
}

#[derive(Debug)]
#[repr(align(64))]
struct Soonest {
    guest: AtomicU64,
    member: AtomicU64,
}

/// Whose place a new session takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Victim {
    expires_at: u64,
    is_member: bool,
    position: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        let nothing = || Soonest {
            guest: AtomicU64::new(NONE),
            member: AtomicU64::new(NONE),
        };
        Self {
            parts: Shards::new(),
            soonest: (0..shards::COUNT).map(|_| nothing()).collect(),
        }
    }

    pub(super) fn load(
        &self,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        let part = self.parts.read(hash_of(id));
        match part.by_id.get(id) {
            Some(slot) if now < slot.expires_at => Ok(Some(Stored::new(
                Record::decode(&slot.bytes)?,
                slot.revision,
            ))),
            _ => Ok(None),
        }
    }

    /// Whether there is a record under `id`, expired or not.
    pub(super) fn holds(&self, id: &SessionId) -> bool {
        self.parts.read(hash_of(id)).by_id.contains_key(id)
    }

    /// Whether the record under `id` is listed under `key`.
    pub(super) fn belongs_to(&self, id: &SessionId, key: &KeyDigest) -> bool {
        let part = self.parts.read(hash_of(id));
        let slot = part.by_id.get(id);
        slot.is_some_and(|slot| slot.keys.contains(key))
    }

    /// The head of the live record under `id`, if it is listed under `key`.
    pub(super) fn head(
        &self,
        id: &SessionId,
        key: &KeyDigest,
        now: Timestamp,
    ) -> Option<Result<RecordHead, RecordError>> {
        let part = self.parts.read(hash_of(id));
        let slot = part.by_id.get(id)?;
        let is_meant = now < slot.expires_at && slot.keys.contains(key);
        is_meant.then(|| slot.head())
    }

    /// Writes the record unless there is one under `id`.
    pub(super) fn insert(&self, id: &SessionId, slot: Slot) -> Option<Revision> {
        self.change(id, |part| {
            let is_free = !part.by_id.contains_key(id);
            is_free.then(|| part.put(id, slot))
        })
    }

    /// Replaces the record, and says how long the one before it was.
    pub(super) fn replace(
        &self,
        id: &SessionId,
        revision: Revision,
        with: Slot,
        now: Timestamp,
    ) -> Result<(Replaced, usize), StoreError> {
        self.change(id, |part| {
            let Some(slot) = part.by_id.get(id).filter(|slot| now < slot.expires_at) else {
                return Ok((Replaced::Gone, 0));
            };
            if slot.revision != revision {
                return Ok((Replaced::Conflict, 0));
            }
            // The index would no longer lead to the record, so it could outlive a revocation.
            if slot.keys != with.keys {
                return Err(StoreError::with_source(
                    StoreErrorKind::Unsupported,
                    "a record keeps its owners and tags: a login makes a new session",
                ));
            }
            let before = part.take(id).map_or(0, |departed| departed.len);
            Ok((Replaced::Replaced(part.put(id, with)), before))
        })
    }

    /// Removes the record under `id`; with a key, only if it is listed under that.
    pub(super) fn remove(&self, id: &SessionId, key: Option<&KeyDigest>) -> Option<Departed> {
        self.change(id, |part| {
            let slot = part.by_id.get(id)?;
            let is_meant = key.is_none_or(|key| slot.keys.contains(key));
            is_meant.then(|| part.take(id))?
        })
    }

    /// Removes a few expired records of the part where `id` belongs.
    pub(super) fn take_expired(
        &self,
        id: &SessionId,
        now: Timestamp,
    ) -> [Option<Departed>; CLEARED_PER_WRITE] {
        let soonest = &self.soonest[shards::position(hash_of(id))];
        if now.as_unix_millis() < soonest.either() {
            return Default::default();
        }
        self.change(id, |part| {
            std::array::from_fn(|_| {
                part.take_first(false, now)
                    .or_else(|| part.take_first(true, now))
            })
        })
    }

    /// Whose place a new session may take: that of an expired session, of a guest session, or, if the new one is a
    /// member's, of another member's; of several the one nearest to its expiry.
    pub(super) fn victim(&self, for_member: bool, now: Timestamp) -> Option<Victim> {
        let first_of = |is_member: bool| {
            let each = self.soonest.iter().enumerate();
            let each = each.map(move |(position, soonest)| Victim {
                expires_at: soonest.of(is_member),
                is_member,
                position,
            });
            each.min().filter(|first| first.expires_at != NONE)
        };
        let (guest, member) = (first_of(false), first_of(true));
        let is_expired = |first: &Victim| first.expires_at <= now.as_unix_millis();
        let member_goes = |first: &Victim| for_member || is_expired(first);
        guest
            .filter(is_expired)
            .or(member.filter(is_expired))
            .or(guest)
            .or(member.filter(member_goes))
    }

    /// Removes the first record of the victim's kind and part, or nothing if it is another one by now.
    pub(super) fn evict(&self, victim: &Victim) -> Option<Departed> {
        self.change_at(victim.position, |part| {
            let until = Timestamp::from_unix_millis(victim.expires_at);
            part.take_first(victim.is_member, until)
        })
    }

    pub(super) fn live_records(&self, now: Timestamp) -> u64 {
        let live = self.parts.each().map(|part| {
            let expired = |order: &Order| order.iter().take_while(|(at, _)| *at <= now).count();
            part.by_id.len() - expired(&part.guests) - expired(&part.members)
        });
        live.sum::<usize>() as u64
    }

    fn change<R>(&self, id: &SessionId, change: impl FnOnce(&mut Part) -> R) -> R {
        self.change_at(shards::position(hash_of(id)), change)
    }

    fn change_at<R>(&self, position: usize, change: impl FnOnce(&mut Part) -> R) -> R {
        let mut part = self.parts.write_at(position);
        let result = change(&mut part);
        self.soonest[position].follow(&part);
        result
    }
}

impl Soonest {
    fn of(&self, is_member: bool) -> u64 {
        let at = if is_member { &self.member } else { &self.guest };
        at.load(Relaxed)
    }

    fn either(&self) -> u64 {
        self.of(false).min(self.of(true))
    }

    /// Copies what the part says, under its lock.
    fn follow(&self, part: &Part) {
        let first = |order: &Order| {
            // The far future is kept apart from "none".
            let at = order
                .first()
                .map(|(at, _)| at.as_unix_millis().min(u64::MAX - 1));
            at.unwrap_or(u64::MAX)
        };
        self.guest.store(first(&part.guests), Relaxed);
        self.member.store(first(&part.members), Relaxed);
    }
}
