//! The index: which ids the records of a subject have.
//!
//! A subject's index is a sorted set in one key. An entry is the record's id and the time at which the entry
//! was made; its score is the time until which it is kept. The record may be on another server of a cluster,
//! so the two are kept together by their order: an entry is made before its record and taken out after it.
//! Two guards make that exact. A record is created within five minutes of its entry or not at all, so an
//! entry older than that without a record is an orphan. And no record may outlive its entry: a replacement
//! that would is listed anew first.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use redis::Value;
use tower_session_guard::{
    Record, SessionId, Subject, Timestamp,
    store::{StoreError, StoreErrorKind},
};

use crate::{
    RedisStore,
    envelope::{Listing, Owner, moment, open},
    script::{ENLIST, LIST, REMOVE_OF},
    store::parse,
};

/// How many records of a subject are asked for at a time.
const AT_A_TIME: usize = 32;

/// How many entries one script takes out.
const STRUCK_AT_A_TIME: usize = 1000;

/// How often a revocation looks for sessions that came while it ran.
const ROUNDS: usize = 8;

/// The age at which an entry without a record is an orphan, in milliseconds: thrice the time that its
/// creation may take, since two servers' clocks may differ.
const ORPHAN_AFTER: u64 = 15 * 60 * 1000;

/// One entry of an index.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: SessionId,
    made_at: u64,
}

/// An index, and the server's time when it was read.
struct Index {
    clock: u64,
    entries: Vec<Entry>,
}

impl RedisStore {
    /// Makes an entry for a record that is about to be written.
    pub(super) async fn enlist(
        &self,
        owner: &Owner,
        id: &SessionId,
        record: &Record,
        now: Timestamp,
    ) -> Result<Listing, StoreError> {
        let bound = record.expires_at().max(record.absolute_expiry());
        let call = ENLIST
            .on(self.index_key(owner))
            .arg(id.as_bytes())
            .arg(moment(now))
            .arg(moment(bound));
        let (at, until) = parse(call.run(&self.link).await)?;
        Ok(Listing { at, until })
    }

    /// Takes the entry of a removed record out.
    pub(super) async fn strike(
        &self,
        owner: &Owner,
        id: &SessionId,
        listing: Listing,
    ) -> Result<(), StoreError> {
        let entry = Entry::new(id, listing).to_bytes();
        let mut command = redis::cmd("ZREM");
        command.arg(self.index_key(owner)).arg(entry);
        self.command(&command).await
    }

    pub(super) async fn list(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let owner = Owner::of(subject);
        let index = self.index(&owner, &[]).await?;
        let reads = index.ids().into_iter().map(|id| async move {
            let value = self.fetch(&id).await?;
            Ok::<_, StoreError>((id, value))
        });
        let reads = stream::iter(reads).buffer_unordered(AT_A_TIME);
        let values: Vec<_> = reads.try_collect().await?;
        let mut sessions = Vec::new();
        let mut orphans = Vec::new();
        for (id, value) in values {
            match value.map(|value| open(&value, now)).transpose()? {
                Some(Some(found)) if found.record.subject() == Some(subject) => {
                    sessions.push((id, found.record));
                }
                Some(_) => {}
                None => orphans.extend(index.orphans_of(&id)),
            }
        }
        if !orphans.is_empty() {
            let _left_to_heal = self.index(&owner, &orphans).await;
        }
        Ok(sessions)
    }

    /// Removes the records of a subject until the index names none that was not looked at.
    pub(super) async fn revoke(
        &self,
        subject: &Subject,
        except: Option<&SessionId>,
    ) -> Result<usize, StoreError> {
        let owner = Owner::of(subject);
        let mut seen: HashSet<SessionId> = except.copied().into_iter().collect();
        let mut gone = Vec::new();
        let mut removed = 0;
        for _ in 0..ROUNDS {
            let index = self.index(&owner, &gone).await?;
            gone.clear();
            let new: Vec<_> = index
                .ids()
                .into_iter()
                .filter(|id| seen.insert(*id))
                .collect();
            if new.is_empty() {
                break;
            }
            let removals = new.into_iter().map(|id| async move {
                let was_there = self.remove_of(&id, &owner).await?;
                Ok::<_, StoreError>((id, was_there))
            });
            let removals = stream::iter(removals).buffer_unordered(AT_A_TIME);
            let removals: Vec<_> = removals.try_collect().await?;
            for (id, was_there) in removals {
                if was_there {
                    removed += 1;
                    gone.extend(index.entries_of(&id).map(|entry| entry.to_bytes()));
                } else {
                    gone.extend(index.orphans_of(&id));
                }
            }
        }
        Ok(removed)
    }

    async fn remove_of(&self, id: &SessionId, owner: &Owner) -> Result<bool, StoreError> {
        let call = REMOVE_OF.on(self.record_key(id)).arg(owner.as_bytes());
        match parse(call.run(&self.link).await)? {
            1 => Ok(true),
            0 | -1 => Ok(false),
            _ => Err(StoreError::new(StoreErrorKind::Corrupt)),
        }
    }

    /// Takes entries out of an index and reads what is left.
    async fn index(&self, owner: &Owner, without: &[Vec<u8>]) -> Result<Index, StoreError> {
        let key = self.index_key(owner);
        let mut parts = without.chunks(STRUCK_AT_A_TIME);
        let last = parts.next_back().unwrap_or_default();
        for part in parts {
            let call = LIST.on(key.clone()).arg(part);
            let _: Value = parse(call.run(&self.link).await)?;
        }
        let call = LIST.on(key).arg(last);
        let (clock, members): (u64, Vec<Vec<u8>>) = parse(call.run(&self.link).await)?;
        let entries = members.iter().map(|member| Entry::of(member));
        let entries = entries.collect::<Option<_>>();
        let entries = entries.ok_or(StoreError::new(StoreErrorKind::Corrupt))?;
        Ok(Index { clock, entries })
    }
}

impl Index {
    fn ids(&self) -> HashSet<SessionId> {
        self.entries.iter().map(|entry| entry.id).collect()
    }

    fn entries_of(&self, id: &SessionId) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.id == *id)
    }

    /// The entries of an id without a record, but for young ones: their record may be on its way.
    fn orphans_of(&self, id: &SessionId) -> impl Iterator<Item = Vec<u8>> {
        let old = |entry: &&Entry| entry.made_at.saturating_add(ORPHAN_AFTER) < self.clock;
        self.entries_of(id)
            .filter(old)
            .map(|entry| entry.to_bytes())
    }
}

impl Entry {
    const fn new(id: &SessionId, listing: Listing) -> Self {
        Self {
            id: *id,
            made_at: listing.at,
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let (id, made_at) = bytes.split_first_chunk()?;
        Some(Self {
            id: SessionId::from_bytes(*id),
            made_at: str::from_utf8(made_at).ok()?.parse().ok()?,
        })
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.id.as_bytes().to_vec();
        bytes.extend_from_slice(self.made_at.to_string().as_bytes());
        bytes
    }
}
