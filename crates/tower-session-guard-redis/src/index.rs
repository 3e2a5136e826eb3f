//! The indexes: which ids the records of an owner or a tag have.
//!
//! An index is a sorted set in one key, whose members are all of one score and so in the order of their bytes:
//! whether the record counts, its id, when the entry was made, and until when it is kept. A page is read from
//! where the one before ended, so entries may come and go meanwhile. The record may be on another server of a
//! cluster, so the two are kept together by their order: an entry is made before its record and taken out after
//! it. Two guards make that exact. A record is created within five minutes of its entries or not at all, so an
//! entry older than that without a record is an orphan. And no record may outlive its entries: a replacement that
//! would is listed anew first.

use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use redis::Value;
use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{
        Counting, Cursor, EndedPage, IndexKey, ListedHead, Page, RecordHead, StoreError,
        StoreErrorKind,
    },
};

use crate::{
    RedisStore,
    envelope::{Envelope, KeyDigest, Listing, counting_of, flag, moment},
    script::{ENLIST, HEAD, PAGE, REMOVE},
    store::parse,
};

/// How many records are asked for at a time.
const AT_A_TIME: usize = 64;

/// How many entries one script reads at most.
const PAGE_LEN: usize = 256;

/// The age at which an entry without a record is an orphan, in milliseconds: thrice the time that its
/// creation may take, since two servers' clocks may differ.
const ORPHAN_AFTER: u64 = 15 * 60 * 1000;

/// Where an entry stands in its index: the number that says whether it counts, and the id.
const PLACE: usize = 1 + SessionId::LEN;

/// One entry of an index, and when it was made.
#[derive(Debug)]
struct Entry {
    id: SessionId,
    counting: Counting,
    made_at: u64,
    bytes: Vec<u8>,
}

/// Some entries of an index, and the server's time when they were read.
struct Entries {
    clock: u64,
    entries: Vec<Entry>,
    next: Option<Cursor>,
}

/// What a removal found.
pub(super) enum Taken {
    /// A record, with this in front of it if that can be read.
    Away(Option<Envelope>),
    Absent,
}

/// What became of an entry's record.
enum Found {
    Head(ListedHead),
    /// It is there, and not to be listed.
    Other,
    Nothing,
}

fn place(id: &SessionId, counting: Counting) -> Vec<u8> {
    let mut place = vec![flag(counting)];
    place.extend_from_slice(id.as_bytes());
    place
}

impl RedisStore {
    /// Makes the entries for a record that is about to be written, and tells how many sessions under the first
    /// key count.
    pub(super) async fn enlist(
        &self,
        envelope: &Envelope,
        id: &SessionId,
        record: &Record,
        now: Timestamp,
    ) -> Result<(Listing, usize), StoreError> {
        let bound = record.expires_at().max(record.absolute_expiry());
        let place = place(id, envelope.counting);
        let entries = envelope.keys.iter().map(|key| {
            let call = ENLIST.on(self.index_key(key)).arg(&place);
            let call = call.arg(moment(now)).arg(moment(bound));
            async move { parse::<(u64, u64, usize)>(call.run(&*self.link).await) }
        });
        let entries = try_join_all(entries).await?;
        let (_, _, sessions) = entries.first().copied().unwrap_or_default();
        let at = entries.iter().map(|(at, ..)| *at).min();
        let until = entries.iter().map(|(_, until, _)| *until).min();
        let listing = Listing {
            at: at.unwrap_or_default(),
            until: until.unwrap_or_default(),
        };
        Ok((listing, sessions))
    }

    /// Takes the entries of a removed record out, but for that in the index of `but`.
    pub(super) async fn strike(
        &self,
        removed: &Envelope,
        id: &SessionId,
        but: Option<&KeyDigest>,
    ) -> Result<(), StoreError> {
        let place = place(id, removed.counting);
        let from = [b"[", &place[..]].concat();
        let to = [b"(", &place[..], &[0xFF]].concat();
        let keys = removed.keys.iter().filter(|key| Some(*key) != but);
        let strikes = keys.map(|key| {
            let mut command = redis::cmd("ZREMRANGEBYLEX");
            command.arg(self.index_key(key)).arg(&from).arg(&to);
            async move { self.command::<Value>(&command).await }
        });
        try_join_all(strikes).await?;
        Ok(())
    }

    /// Removes a record, if it has a key where one is asked for; `is_listed` says that the key's index names it.
    pub(super) async fn take(
        &self,
        id: &SessionId,
        key: Option<&KeyDigest>,
        is_listed: bool,
    ) -> Result<Taken, StoreError> {
        let digest = key.map_or(&[][..], |key| key);
        let call = REMOVE.on(self.record_key(id)).arg(digest);
        let call = call.arg(u8::from(is_listed));
        match parse(call.run(&*self.link).await)? {
            Value::BulkString(front) => {
                let envelope = Envelope::of_value(&front);
                Ok(Taken::Away(envelope.ok().map(|(envelope, _)| envelope)))
            }
            Value::Int(0) => Ok(Taken::Absent),
            _ => Err(StoreError::new(StoreErrorKind::Corrupt)),
        }
    }

    pub(super) async fn page(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let key = &key.digest();
        let Entries {
            clock,
            entries,
            next,
        } = self.entries(key, after, limit).await?;
        let reads = entries.into_iter().map(|entry| async move {
            let found = self.head(&entry, key, now).await?;
            Ok::<_, StoreError>((entry, found))
        });
        let reads = stream::iter(reads).buffer_unordered(AT_A_TIME);
        let found: Vec<_> = reads.try_collect().await?;
        let (mut heads, mut gone) = (Vec::new(), Vec::new());
        for (entry, found) in found {
            match found {
                Found::Head(head) => heads.push(head),
                Found::Other => {}
                Found::Nothing => gone.extend(entry.is_orphan(clock).then_some(entry)),
            }
        }
        let _left_to_heal = self.drop_entries(key, &gone).await;
        Ok(Page::new(heads, next))
    }

    /// Reads the head of an entry's record, if it is live and has the key.
    async fn head(
        &self,
        entry: &Entry,
        key: &KeyDigest,
        now: Timestamp,
    ) -> Result<Found, StoreError> {
        let record = self.record_key(&entry.id);
        let nothing = format!("{record}-");
        let call = HEAD.on(record).beside(nothing).arg(Envelope::WITH_HEAD - 1);
        let front: Vec<u8> = parse(call.run(&*self.link).await)?;
        if front.is_empty() {
            return Ok(Found::Nothing);
        }
        let is_counted = entry.counting == Counting::Counted;
        let head = match Envelope::of_value(&front) {
            Ok((envelope, body)) => {
                let is_listed = envelope.keys.contains(key) && envelope.counting == entry.counting;
                if !is_listed || envelope.is_expired(now) {
                    return Ok(Found::Other);
                }
                RecordHead::decode(body)
            }
            // Its envelope cannot be read, so neither can its record.
            Err(_) => RecordHead::decode(&[]),
        };
        Ok(Found::Head(ListedHead::new(entry.id, is_counted, head)))
    }

    pub(super) async fn end_page(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        except: Option<&SessionId>,
    ) -> Result<EndedPage, StoreError> {
        let key = &key.digest();
        let Entries {
            clock,
            mut entries,
            next,
        } = self.entries(key, after, limit).await?;
        entries.retain(|entry| Some(&entry.id) != except);
        let removals = entries.into_iter().map(|entry| async move {
            let taken = self.take(&entry.id, Some(key), true).await?;
            if let Taken::Away(Some(envelope)) = &taken {
                let _left_to_heal = self.strike(envelope, &entry.id, Some(key)).await;
            }
            Ok::<_, StoreError>((entry, matches!(taken, Taken::Away(_))))
        });
        let removals = stream::iter(removals).buffer_unordered(AT_A_TIME);
        let removals: Vec<_> = removals.try_collect().await?;
        let (mut ended, mut gone) = (0, Vec::new());
        for (entry, was_there) in removals {
            ended += usize::from(was_there);
            gone.extend((was_there || entry.is_orphan(clock)).then_some(entry));
        }
        let _left_to_heal = self.drop_entries(key, &gone).await;
        Ok(EndedPage::new(ended, next))
    }

    async fn entries(
        &self,
        key: &KeyDigest,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Entries, StoreError> {
        let after = after.map_or(&[][..], Cursor::as_bytes);
        if !matches!(after.len(), 0 | PLACE) {
            return Err(StoreError::with_source(
                StoreErrorKind::Unsupported,
                "a foreign cursor",
            ));
        }
        let call = PAGE.on(self.index_key(key)).arg(after);
        let call = call.arg(limit.clamp(1, PAGE_LEN));
        let answer = parse(call.run(&*self.link).await)?;
        let (clock, last, entries): (u64, Vec<u8>, Vec<Vec<u8>>) = answer;
        let entries = entries.into_iter().map(Entry::of).collect::<Option<_>>();
        Ok(Entries {
            clock,
            entries: entries.ok_or(StoreError::new(StoreErrorKind::Corrupt))?,
            next: (!last.is_empty()).then(|| Cursor::new(last)),
        })
    }

    /// Takes entries out of an index, as they were read.
    async fn drop_entries(&self, key: &KeyDigest, gone: &[Entry]) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("ZREM");
        command.arg(self.index_key(key));
        for entry in gone {
            command.arg(&entry.bytes);
        }
        self.command(&command).await
    }
}

impl Entry {
    fn of(bytes: Vec<u8>) -> Option<Self> {
        let (counting, rest) = bytes.split_first()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (made_at, rest) = rest.split_first_chunk()?;
        let _until: &[u8; 8] = rest.try_into().ok()?;
        Some(Self {
            id: SessionId::from_bytes(*id),
            counting: counting_of(*counting)?,
            made_at: u64::from_be_bytes(*made_at),
            bytes,
        })
    }

    /// Whether it will never have a record, if it has none at this time of its server's. That of a young entry may
    /// be on its way.
    const fn is_orphan(&self, clock: u64) -> bool {
        self.made_at.saturating_add(ORPHAN_AFTER) < clock
    }
}
